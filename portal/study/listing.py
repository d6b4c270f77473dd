"""Lists of a study: filtered, sorted and paged by allow-listed names only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest

PAGE_ROWS = 50


@dataclass(frozen=True)
class Header:
    """A column's heading: `sort` is what a click asks for, '' when it cannot be sorted."""

    label: str
    sort: str
    is_sorted: bool
    is_descending: bool
    is_number: bool = False


@dataclass(frozen=True)
class Choice:
    """A filter offered above the list."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]
    value: str


@dataclass(frozen=True)
class Filter:
    """A query parameter: which options there are, and the condition each one means."""

    label: str
    options: Mapping[str, Q]


@dataclass(frozen=True)
class Columns:
    """What a list can be sorted by: heading -> order (() for none); `default` is the `sort` of a plain address."""

    headings: Mapping[str, tuple[str, ...]]
    search: tuple[str, ...] = ()
    filters: Mapping[str, Filter] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True)
class Listing:
    page: Page[Any]
    headers: tuple[Header, ...]
    choices: tuple[Choice, ...]
    search: str
    is_searchable: bool
    is_narrowed: bool


def chosen_filters(request: HttpRequest, columns: Columns) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            name,
            spec.label,
            [(value, value.replace("_", " ")) for value in spec.options],
            value if (value := request.GET.get(name, "")) in spec.options else "",
        )
        for name, spec in columns.filters.items()
    )


def searched(columns: Columns, text: str) -> Q:
    condition = Q()
    for name in columns.search if text else ():
        condition |= Q(**{f"{name}__icontains": text})
    return condition


def key_of(label: str) -> str:
    return label.lower().replace(" ", "_")


def order_of(columns: Columns, sort: str) -> list[str]:
    """The order that a `sort` parameter means; the first heading's when it means none."""
    known = {key_of(label): fields for label, fields in columns.headings.items() if fields}
    fields = known.get(sort.removeprefix("-")) or next(iter(known.values()))
    is_descending = sort.startswith("-") and sort.removeprefix("-") in known
    return [*(f"-{name}" if is_descending else name for name in fields), "pk"]


def headers(columns: Columns, sort: str) -> tuple[Header, ...]:
    made = []
    for label, fields in columns.headings.items():
        key = key_of(label)
        is_sorted = bool(fields) and sort.removeprefix("-") == key
        is_descending = is_sorted and sort.startswith("-")
        target = f"-{key}" if is_sorted and not is_descending else key
        is_number = label in columns.numbers
        made.append(Header(label, target if fields else "", is_sorted, is_descending, is_number))
    return tuple(made)


def narrowed(
    request: HttpRequest, rows: QuerySet[Any, Any], columns: Columns
) -> QuerySet[Any, Any]:
    """`rows` as the address asks for; what it asks beyond the allow-list is ignored."""
    for choice in chosen_filters(request, columns):
        if choice.value:
            rows = rows.filter(columns.filters[choice.name].options[choice.value])
    text, sort = search_text(request), sort_of(request, columns)
    return rows.filter(searched(columns, text)).order_by(*order_of(columns, sort))


def sort_of(request: HttpRequest, columns: Columns) -> str:
    return request.GET.get("sort", "") or columns.default


def search_text(request: HttpRequest) -> str:
    return request.GET.get("q", "").replace("\0", "").strip()[:80]


def listing(request: HttpRequest, rows: QuerySet[Any, Any], columns: Columns) -> Listing:
    """One page of the rows asked for, with the headings and filters that the page shows."""
    choices, text = chosen_filters(request, columns), search_text(request)
    pages = Paginator(narrowed(request, rows, columns), PAGE_ROWS)
    return Listing(
        page=pages.get_page(request.GET.get("page")),
        headers=headers(columns, sort_of(request, columns)),
        choices=choices,
        search=text,
        is_searchable=bool(columns.search),
        is_narrowed=bool(text) or any(c.value for c in choices),
    )
