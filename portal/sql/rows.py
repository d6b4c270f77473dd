"""Rows that are written for every image: the SQL of a model is put together once, the ORM not asked for each row.

Constraints and triggers of the database hold as ever; signals and defaults in Python are not of these models' making.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

# stored as they are
PLAIN = (
    models.CharField,
    models.TextField,
    models.IntegerField,
    models.BooleanField,
    models.FloatField,
)
# each look through Django's proxy finds the connection anew, so that a value is told of it
Turned = Callable[[Any, BaseDatabaseWrapper], Any]


@dataclass(frozen=True)
class Written:
    """A statement, and of which attributes its values are made."""

    sql: str
    values: tuple[tuple[str, Turned], ...]

    def of(self, row: Model, asked: BaseDatabaseWrapper) -> list[Any]:
        return [turn(getattr(row, name), asked) for name, turn in self.values]


def insert(rows: Sequence[Model]) -> None:
    """Write new rows of one model; keys that the database gives them are not asked for."""
    if rows:
        own = connections[DEFAULT_DB_ALIAS]
        written = inserting(type(rows[0]), own.vendor)
        with own.cursor() as cursor:
            cursor.executemany(written.sql, [written.of(row, own) for row in rows])


def insert_one(row: Model) -> None:
    """Write a new row and give it the key that the database has made."""
    own = connections[DEFAULT_DB_ALIAS]
    written, key = inserting(type(row), own.vendor), keyed(type(row))
    sql = f"{written.sql} RETURNING {quoted(key.column)}"
    with own.cursor() as cursor:
        cursor.execute(sql, written.of(row, own))
        row.pk = cursor.fetchone()[0]
    row._state.adding, row._state.db = False, own.alias


def update(row: Model, *names: str) -> None:
    """Write these attributes of a row that is there."""
    own = connections[DEFAULT_DB_ALIAS]
    written = updating(type(row), names, own.vendor)
    with own.cursor() as cursor:
        cursor.execute(written.sql, written.of(row, own))


# tables and columns are those of the models; no value is ever part of the SQL
@lru_cache(maxsize=32)
def inserting(model: type[Model], vendor: str) -> Written:
    fields: list[Any] = [
        f for f in model._meta.concrete_fields if not isinstance(f, models.AutoField)
    ]
    columns = ", ".join(quoted(str(f.column)) for f in fields)
    places = ", ".join("%s" for _ in fields)
    sql = f"INSERT INTO {quoted(model._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608
    return Written(sql, tuple((f.attname, turning(f)) for f in fields))


@lru_cache(maxsize=32)
def updating(model: type[Model], names: tuple[str, ...], vendor: str) -> Written:
    key = keyed(model)
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    columns = ", ".join(f"{quoted(f.column)} = %s" for f in fields)
    sql = f"UPDATE {quoted(model._meta.db_table)} SET {columns} WHERE {quoted(key.column)} = %s"  # noqa: S608
    return Written(sql, tuple((f.attname, turning(f)) for f in (*fields, key)))


def keyed(model: type[Model]) -> Any:
    return model._meta.pk


def quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def turning(field: "Field[Any, Any]") -> Turned:
    """How a value of a field is given to the database."""
    if isinstance(field, models.JSONField):
        return lambda value, own: own.ops.adapt_json_value(value, field.encoder)
    if isinstance(field, (*PLAIN, models.ForeignKey, models.AutoField)):
        return bare
    return lambda value, own: field.get_db_prep_save(value, own)


def bare(value: Any, _: BaseDatabaseWrapper) -> Any:
    """A choice of an enumeration is its text."""
    return str(value) if isinstance(value, str) else value
