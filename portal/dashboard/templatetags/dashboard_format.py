"""Numbers as the page shows them."""

from typing import Any

from django import template

from portal.dashboard.tables import is_number

register = template.Library()
register.filter("is_number", is_number)
SMALLEST = 0.001
SHORT = {
    word.lower(): word
    for word in (
        "AC1", "AUC", "Brier", "CI", "CV", "DeLong", "E90", "F1", "FN", "FP", "HL", "Holm", "ICC", "ICI", "McNemar", "MCC", "MRMC", "NPV",
        "PPV", "ROI", "SE", "Spiegelhalter", "TN", "TP",
    )
}  # fmt: skip


@register.filter
def num(value: Any, digits: int = 3) -> str:
    """A number with so many decimals, a dash where there is none."""
    if value is None or value == "":
        return "–"
    # z: what rounds to nought has no sign
    return f"{float(value):z.{digits}f}".replace("-", "−")


@register.filter
def cell(value: Any) -> str:
    """A cell of a table: three decimals, whole numbers and words as they are."""
    if isinstance(value, float):
        small = 0 < abs(value) < SMALLEST
        return f"{value:.2g}".replace("-", "−") if small else num(value)
    return "–" if value is None or value == "" else str(value)


@register.filter
def head(value: str) -> str:
    """The head of a column as a person writes it: abbreviations and names in their own case, the first letter a capital."""
    words = [SHORT.get(word, word) for word in value.replace("_", " ").split(" ")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


@register.filter
def lookup(mapping: dict[str, Any], key: str) -> Any:
    """An entry of a mapping whose key is itself a variable; None where there is none."""
    return mapping.get(key)


@register.filter
def percent(value: Any) -> str:
    return "–" if value is None else f"{100 * float(value):.0f} %"
