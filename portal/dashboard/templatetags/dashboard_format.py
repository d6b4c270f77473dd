"""Numbers as the page shows them."""

from typing import Any

from django import template

register = template.Library()


@register.filter
def num(value: Any, digits: int = 3) -> str:
    """A number with so many decimals, a dash where there is none."""
    if value is None or value == "":
        return "–"
    return f"{float(value):.{digits}f}".replace("-", "−")


@register.filter
def percent(value: Any) -> str:
    return "–" if value is None else f"{100 * float(value):.0f} %"
