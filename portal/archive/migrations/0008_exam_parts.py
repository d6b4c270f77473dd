from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("archive", "0007_uneven_volumes")]
    operations = [
        migrations.AddField("exam", "has_other_part", models.BooleanField(default=False)),
    ]
