"""Who may: the roles of a study, the rights they carry, and the rule each view declares."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])

RIGHTS = ("coordinate", "see_truth", "analyse", "read", "draw", "monitor")

ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "coordinator": ("coordinate", "see_truth", "analyse", "monitor"),
        "analyst": ("analyse", "monitor"),
        "expert": ("read",),
        "delineator": ("draw",),
        "adjudicator": ("read",),
        "monitor": ("monitor",),
    }
)
ROLE_NAMES = tuple(ROLES)
BLIND_RIGHTS = frozenset({"read", "draw"})
OPEN_RIGHTS = frozenset({"coordinate", "see_truth", "analyse"})


def rule(name: str) -> Callable[[View], View]:
    """Mark a view with the rule that guards it: `public`, `signed_in`, `administrator` or a right."""

    def mark(view: View) -> View:
        view.rule = name  # type: ignore[attr-defined]
        return view

    return mark
