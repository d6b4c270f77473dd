"""What the de-identification kept of a series, element by element, and how many it dropped."""

from dataclasses import dataclass
from typing import Any

from pydicom.datadict import keyword_for_tag

from portal.archive.dicomweb.header import Elements, archive_names, header
from portal.archive.models import Instance, Series


@dataclass(frozen=True)
class KeptElement:
    """An element of the archive view with the value of the series' first image."""

    tag: str
    name: str
    example: str


@dataclass(frozen=True)
class Kept:
    """The archive view of one image; counts of the header as it came are 0 where they were not noted."""

    elements: tuple[KeptElement, ...]
    n_received: int
    n_private: int

    @property
    def n_dropped(self) -> int:
        """At least so many elements of the sender are not in the archive view."""
        return max(0, self.n_received - len(self.elements))


def kept(series: Series) -> Kept:
    """Elements of the first image in canonical order."""
    first = Instance.objects.filter(series=series).order_by("rank").first()
    if first is None:
        return Kept((), 0, 0)
    shown = header(first, series, archive_names(series.exam), 0)
    rows = tuple(
        KeptElement(dotted(t), keyword_for_tag(int(t, 16)), example(e)) for t, e in shown.items()
    )
    came = first.header.get("came") or [0, 0]
    return Kept(rows, came[0], came[1])


def dotted(tag: str) -> str:
    return f"({tag[:4]},{tag[4:]})"


def example(element: dict[str, Any]) -> str:
    """A value as text; sequences as their items' elements."""
    values = element.get("Value", [])
    return "\\".join(one_value(v) for v in values[:6]) + ("…" if len(values) > 6 else "")


def one_value(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if "Alphabetic" in value:
        return str(value["Alphabetic"])
    inner: Elements = value
    return (
        "{"
        + "; ".join(f"{keyword_for_tag(int(t, 16))} {example(e)}" for t, e in inner.items())
        + "}"
    )
