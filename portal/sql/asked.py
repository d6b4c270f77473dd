"""Questions that are asked again and again: the ORM writes their SQL once, later only the values change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from portal.fence.reading import rows_of

# names in one question
MANY = 500


@dataclass(frozen=True)
class Asked:
    """SQL with its values in their order; some of them stand for those of a call."""

    sql: str
    values: tuple[Any, ...]

    def rows(self, given: Mapping[Any, Any]) -> list[tuple[Any, ...]]:
        """The rows as the database has them; `given` says what stands for what."""
        return rows_of(self.sql, [given.get(v, v) for v in self.values])


def written(rows: QuerySet[Any, Any]) -> Asked:
    """The SQL of a query over places: numbers below zero, and text in angle brackets."""
    sql, values = rows.query.sql_with_params()
    return Asked(sql, tuple(values))


def of_each(
    names: Sequence[str], ask: Callable[[int], Asked], given: Mapping[Any, Any] | None = None
) -> list[tuple[Any, ...]]:
    """The rows of many names, asked in portions that a database can take; `ask` makes the question for so many."""
    found: list[tuple[Any, ...]] = []
    for first in range(0, len(names), MANY):
        some = names[first : first + MANY]
        places = {place("name", k): one for k, one in enumerate(some)}
        found += ask(len(some)).rows({**(given or {}), **places})
    return found


def some_names(n: int) -> list[str]:
    """Places for so many names of a portion."""
    return [place("name", k) for k in range(n)]


# SQL that the ORM wrote is put together here; no value is ever part of it
def joined(parts: Sequence[Asked], *, order: str, first: int, end: int) -> Asked:
    """The rows of several questions after the same columns, in one order, from `first` up to `end`."""
    tables = (f"SELECT * FROM ({p.sql}) AS part{k}" for k, p in enumerate(parts))  # noqa: S608
    page = f"ORDER BY {order} LIMIT {end - first} OFFSET {first}"
    return Asked(f"{' UNION ALL '.join(tables)} {page}", tuple(v for p in parts for v in p.values))


def counted(parts: Sequence[Asked]) -> Asked:
    """How many rows several questions have together."""
    numbers = (f"(SELECT COUNT(*) FROM ({p.sql}) AS part{k})" for k, p in enumerate(parts))  # noqa: S608
    return Asked(f"SELECT {' + '.join(numbers)}", tuple(v for p in parts for v in p.values))


def place(name: str, number: int = 0) -> str:
    """A value of text that no address and no code can have."""
    return f"<{name} {number}>"
