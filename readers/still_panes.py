"""The pictures of the still desk: which slice, in which window, how large in millimetres, where the lesion is marked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from portal.study.asking import choice, number
from readers.case import BlindCase
from readers.exam import SeriesView

Point = tuple[float, float, float]
SCROLLED = ("CT", "SPECT")
STEPS = ((-5, "5 back"), (-1, "Slice before"), (1, "Slice after"), (5, "5 on"))
OVERLAYS = (("0", "CT alone"), ("0.5", "half"), ("1", "SPECT alone"))
KEPT = ("ct", "spect", "ct_window", "spect_window", "overlay")


@dataclass(frozen=True)
class Move:
    """One button: its words, the view that it asks for, and whether it is the one shown."""

    label: str
    to: str
    is_now: bool = False


@dataclass(frozen=True)
class StillPane:
    """One picture in millimetres; `mark` is the lesion's place on it, None where it is not on this slice."""

    title: str
    src: str
    slice: int
    count: int
    width: float
    height: float
    mark: tuple[float, float] | None
    moves: tuple[Move, ...]
    windows: tuple[Move, ...]

    @property
    def ring(self) -> float:
        """Radius of the ring, the same share of every picture."""
        return 0.04 * min(self.width, self.height)


def view_query(query: Mapping[str, str], **changed: object) -> str:
    """The view as asked for, with some of it changed; what the desk does not know is dropped."""
    kept = {name: query[name] for name in KEPT if name in query}
    return urlencode({**kept, **{name: str(value) for name, value in changed.items()}})


def normal(view: SeriesView) -> Point:
    r1, r2, r3, c1, c2, c3 = view.orientation or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    return (r2 * c3 - r3 * c2, r3 * c1 - r1 * c3, r1 * c2 - r2 * c1)


def along(a: Point, b: Point, direction: Point) -> float:
    """How far b lies from a along a direction."""
    return sum((q - p) * d for p, q, d in zip(a, b, direction, strict=True))


def nearest(view: SeriesView, world: Point) -> int:
    """Number, from 1, of the slice nearest to the lesion; on a tie the lower one."""
    away = [
        abs(along(image["position"], world, normal(view)))
        for image in view.images
        if image["position"]
    ]
    return away.index(min(away)) + 1 if away else 1


def mark_on(view: SeriesView, chosen: int, case: BlindCase) -> tuple[float, float] | None:
    """Where the lesion lies from the picture's upper left corner, in millimetres to the right and down."""
    down_mm, right_mm = view.spacing_mm
    if view.orientation is None:
        side = {"WB-ANT": "anterior", "WB-POST": "posterior"}.get(view.role, "")
        pixel = (case.whole_body or {}).get(side)
        # column first, as the coordinator's record has it
        return ((pixel[0] + 0.5) * right_mm, (pixel[1] + 0.5) * down_mm) if pixel else None
    corner = view.images[chosen - 1]["position"]
    reach = (view.slice_spacing_mm or 0.0) / 2 + 1e-6
    if abs(along(corner, case.world, normal(view))) > reach:
        return None
    r1, r2, r3, c1, c2, c3 = view.orientation
    right = along(corner, case.world, (r1, r2, r3)) + right_mm / 2
    return (right, along(corner, case.world, (c1, c2, c3)) + down_mm / 2)


def still_panes(case: BlindCase, query: QueryDict) -> list[StillPane]:
    """CT, SPECT, both laid over each other, and the whole-body scan, as the case has them."""
    views = {view.role: view for view in case.series}
    shown = [still_pane(case, view, query) for view in views.values()]
    if "CT" in views and "SPECT" in views and case.registration.ok:
        shown.insert(2, fused_pane(shown[0], case, views["CT"], query))
    return shown


def chosen_slice(case: BlindCase, view: SeriesView, query: QueryDict) -> int:
    if view.role not in SCROLLED:
        return 1
    wanted = number(query, view.role.lower(), 1, len(view.images))
    return int(wanted or nearest(view, case.world))


def chosen_window(view: SeriesView, query: QueryDict) -> dict[str, Any]:
    names = tuple(preset["name"] for preset in view.presets)
    name = choice(query, f"{view.role.lower()}_window", names, names[0])
    return next(preset for preset in view.presets if preset["name"] == name)


def still_pane(case: BlindCase, view: SeriesView, query: QueryDict) -> StillPane:
    chosen, window = chosen_slice(case, view, query), chosen_window(view, query)
    look = {"role": view.role, "slice": chosen, "lower": window["lower"], "upper": window["upper"]}
    return StillPane(
        title=view.title,
        src=f"{case.root}picture.png?{urlencode(look)}",
        slice=chosen,
        count=len(view.images),
        width=view.pixel["columns"] * view.spacing_mm[1],
        height=view.pixel["rows"] * view.spacing_mm[0],
        mark=mark_on(view, chosen, case),
        moves=moves(view, chosen, case, query),
        windows=windows(view, window["name"], query),
    )


def moves(view: SeriesView, chosen: int, case: BlindCase, query: QueryDict) -> tuple[Move, ...]:
    if view.role not in SCROLLED:
        return ()
    name, last, lesion = view.role.lower(), len(view.images), nearest(view, case.world)
    steps = [Move(label, view_query(query, **{name: chosen + by})) for by, label in STEPS if 1 <= chosen + by <= last]  # fmt: skip
    if chosen != lesion:
        steps.append(Move("To the lesion", view_query(query, **{name: lesion})))
    return tuple(steps)


def windows(view: SeriesView, now: str, query: QueryDict) -> tuple[Move, ...]:
    if view.role not in SCROLLED:
        return ()
    name = f"{view.role.lower()}_window"
    return tuple(
        Move(p["name"], view_query(query, **{name: p["name"]}), p["name"] == now)
        for p in view.presets
    )


def fused_pane(ct: StillPane, case: BlindCase, view: SeriesView, query: QueryDict) -> StillPane:
    """The CT's slice and window under the SPECT, by one of three opacities."""
    opacity = choice(query, "overlay", tuple(value for value, _ in OVERLAYS), "0.5")
    window = chosen_window(view, query)
    look = {"role": "FUSED", "slice": ct.slice, "lower": window["lower"], "upper": window["upper"], "opacity": opacity}  # fmt: skip
    choices = (
        Move(label, view_query(query, overlay=value), value == opacity) for value, label in OVERLAYS
    )
    return StillPane(
        title="CT and SPECT",
        src=f"{case.root}picture.png?{urlencode(look)}",
        slice=ct.slice,
        count=ct.count,
        width=ct.width,
        height=ct.height,
        mark=ct.mark,
        moves=(),
        windows=tuple(choices),
    )
