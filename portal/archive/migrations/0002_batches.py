"""Files of an import know their batch and place, so that a batch can be sent again."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def number_places(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """What was imported before came in one batch: its place is its row."""
    apps.get_model("archive", "ImportFile").objects.update(position=models.F("row"))


class Migration(migrations.Migration):
    dependencies = [("archive", "0001_initial")]
    operations = [
        migrations.AddField("importfile", "batch", models.PositiveIntegerField(default=0)),
        migrations.AddField(
            "importfile", "position", models.PositiveIntegerField(default=0), preserve_default=False
        ),
        migrations.RunPython(number_places, migrations.RunPython.noop),
        migrations.AddConstraint(
            "importfile",
            models.UniqueConstraint(
                fields=["source", "batch", "position"], name="one_outcome_per_place_in_a_batch"
            ),
        ),
    ]
