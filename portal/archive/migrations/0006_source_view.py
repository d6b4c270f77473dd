"""Headers as received: sealed tables of the source view. Exams of earlier versions stay in the archive view."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Upper

DO_NOTHING = django.db.models.deletion.DO_NOTHING


def keep_what_was_searched(apps: Any, schema_editor: Any) -> None:
    """Description and number of each exam have columns of their own now."""
    model = apps.get_model("archive", "Identity")
    for row in model.objects.exclude(search={}).iterator(chunk_size=1000):
        row.study_description = str(row.search.get("StudyDescription", ""))[:400]
        row.study_id = str(row.search.get("StudyID", ""))[:100]
        row.save(update_fields=["study_description", "study_id"])


class Migration(migrations.Migration):
    dependencies = [
        ("archive", "0005_exam_newest_of_study"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField("exam", "has_source", models.BooleanField(default=False)),
        migrations.AddIndex(
            "exam",
            models.Index(
                fields=["study_key"],
                name="exam_without_source",
                condition=models.Q(has_source=False),
            ),
        ),
        migrations.AddField(
            "identity", "study_key", models.CharField(blank=True, max_length=40, null=True)
        ),
        migrations.AddField(
            "identity",
            "importer",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        *(
            migrations.AddField(
                "identity",
                name,
                models.CharField(blank=True, default="", max_length=length),
                preserve_default=False,
            )
            for name, length in (
                ("study_time", 16),
                ("study_id", 100),
                ("study_description", 400),
                ("referring_physician", 400),
            )
        ),
        migrations.AddField(
            "identity", "row", models.TextField(blank=True, default=""), preserve_default=False
        ),
        migrations.RunPython(keep_what_was_searched, migrations.RunPython.noop),
        migrations.RemoveField("identity", "search"),
        migrations.AddIndex(
            "identity",
            models.Index(fields=["study_key", "-study_date", "source_uid"], name="identity_newest"),
        ),
        migrations.AddIndex(
            "identity", models.Index(Upper("patient_id"), name="identity_patient_any_case")
        ),
        migrations.AddIndex(
            "identity",
            models.Index(Upper("accession_number"), name="identity_accession_any_case"),
        ),
        migrations.CreateModel(
            "SourceSeries",
            fields=[
                (
                    "series",
                    models.OneToOneField(
                        on_delete=DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="archive.series",
                    ),
                ),
                (
                    "identity",
                    models.ForeignKey(
                        db_column="exam_id",
                        on_delete=DO_NOTHING,
                        related_name="+",
                        to="archive.identity",
                    ),
                ),
                ("source_uid", models.CharField(db_index=True, max_length=64)),
                ("modality", models.CharField(blank=True, max_length=16)),
                ("number", models.IntegerField(null=True)),
                ("description", models.CharField(blank=True, max_length=400)),
                ("folder", models.CharField(max_length=32, unique=True)),
                ("size", models.PositiveBigIntegerField(default=0)),
                ("n_images", models.PositiveIntegerField(default=0)),
                ("row", models.TextField(blank=True)),
            ],
            options={"verbose_name_plural": "source series", "db_table": "truth_source_series"},
        ),
        migrations.RemoveField("sourceuid", "header_path"),
        migrations.AlterField(
            "sourceuid",
            "archive_uid",
            models.CharField(
                db_column="archive_uid", max_length=64, primary_key=True, serialize=False
            ),
        ),
        migrations.RenameField("sourceuid", "archive_uid", "instance"),
        migrations.AlterField(
            "sourceuid",
            "instance",
            models.OneToOneField(
                db_column="archive_uid",
                db_constraint=False,
                on_delete=DO_NOTHING,
                primary_key=True,
                related_name="+",
                serialize=False,
                to="archive.instance",
                to_field="uid",
            ),
        ),
        migrations.AddField(
            "sourceuid",
            "series",
            models.ForeignKey(
                null=True, on_delete=DO_NOTHING, related_name="+", to="archive.sourceseries"
            ),
        ),
        migrations.AddField("sourceuid", "number", models.IntegerField(null=True)),
        migrations.AddField("sourceuid", "place", models.JSONField(default=list)),
        migrations.AddField(
            "sourceuid",
            "digest",
            models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
    ]
