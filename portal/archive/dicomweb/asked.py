"""Questions that are asked again and again: the ORM writes their SQL once, later only the values change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet


@dataclass(frozen=True)
class Asked:
    """SQL with its values in their order; some of them stand for those of a call."""

    sql: str
    values: tuple[Any, ...]

    def rows(self, given: Mapping[Any, Any]) -> list[tuple[Any, ...]]:
        """The rows as the database has them; `given` says what stands for what."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, [given.get(v, v) for v in self.values])
            return list(cursor.fetchall())


def written(rows: QuerySet[Any, Any]) -> Asked:
    """The SQL of a query over places: numbers below zero, and text in angle brackets."""
    sql, values = rows.query.sql_with_params()
    return Asked(sql, tuple(values))


def place(name: str, number: int = 0) -> str:
    """A value of text that no address and no code can have."""
    return f"<{name} {number}>"
