"""What a query asks for: one of several words, or a number in its range."""

from django.http import QueryDict

from portal.errors import Invalid


def choice(query: QueryDict, name: str, allowed: tuple[str, ...], default: str) -> str:
    value = query.get(name, default)
    if value not in allowed:
        raise Invalid(f"{name} is one of {', '.join(allowed)}.", field=name)
    return value


def number(query: QueryDict, name: str, low: float, high: float) -> float | None:
    text = query.get(name, "")
    if text == "":
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise Invalid(f"{name} lies between {low:g} and {high:g}.", field=name)
    return value
