"""The one database view that joins truth to the train part: all that fitting ever reads.

It is dropped before and made after every migrate, because SQLite refuses to rebuild a table that a
view names.
"""

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

NAME = "truth_train_label"
QUERY = """
SELECT t.id AS id, v.id AS split_id, l.id AS lesion_id,
       CASE WHEN t.diagnosis = 'metastasis' THEN 1 ELSE 0 END AS label
FROM truth_reference_standard t
JOIN study_lesion l ON l.id = t.lesion_id
JOIN truth_split_part k ON k.patient_id = l.patient_id
JOIN study_split v ON v.id = k.split_id
WHERE t.is_current AND t.diagnosis IN ('metastasis', 'benign')
  AND l.is_included AND k.part = 'train'
"""
TABLES = {"truth_reference_standard", "study_lesion", "truth_split_part", "study_split"}


def make(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        cursor.execute(f"DROP VIEW IF EXISTS {NAME}")
        if tables >= TABLES:
            cursor.execute(f"CREATE VIEW {NAME} AS {QUERY}")


def drop(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP VIEW IF EXISTS {NAME}")


def drop_before_migrate(using: str = "default", **_: Any) -> None:
    drop(connections[using])


def make_after_migrate(using: str = "default", **_: Any) -> None:
    make(connections[using])
