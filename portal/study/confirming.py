"""Looking at a held series on the CT before it is released: every way to stack it, in three planes through one point."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.http import require_safe

from portal.archive import confirming, planes
from portal.archive.confirming import NO_CT, TO_CONFIRM, Option, mark_of, option_of, partners
from portal.archive.drawing import Colour, coloured, laid_over, png, windowed
from portal.archive.models import Series
from portal.archive.planes import Stacked
from portal.errors import Conflict, NotFound
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.asking import choice, number
from portal.study.cohort_pages import lesion_in
from portal.study.models import Lesion, Membership
from portal.study.pages import page
from portal.study.patients import REGISTERING, frame_problem

LONGEST, FURTHEST_MM = 320, 5000
# bone and soft tissue in one window, in HU
WINDOW = (-250.0, 1250.0)
THRESHOLD = 0.1
OPACITIES = (("0", "CT alone"), ("0.5", "half"), ("1", "SPECT alone"))
# what each plane shows on the left and at the top
PLANES = {
    "axial": "axial, front at the top",
    "coronal": "coronal, head at the top",
    "sagittal": "sagittal, front on the left",
}
STEPS = (
    ("10 mm to the head", "z", 10.0), ("10 mm to the feet", "z", -10.0), ("10 mm to the back", "y", 10.0),
    ("10 mm to the front", "y", -10.0), ("10 mm to the left", "x", 10.0), ("10 mm to the right", "x", -10.0),
)  # fmt: skip
NO_PAIR = "Choose a CT and a SPECT series first, both of them volumes."
LINE = (255, 156, 224)
Point = tuple[float, float, float]


def waiting(member: Membership, pk: int) -> Series:
    """A series of this study that waits for the decision on its place; anything else is the same 404."""
    rows = Series.objects.of_study(member.study.code).held().select_related("exam")
    found = rows.filter(pk=pk, reason_code=TO_CONFIRM).first()
    if found is None:
        raise NotFound(NO_SUCH_PAGE)
    return found


def beside_of(series: Series, query: QueryDict) -> Series | None:
    """The series that is chosen to see it on, else the likeliest; None where there is none."""
    found = {str(one.pk): one for one in partners(series)}
    wanted = query.get("beside", "")
    if wanted and wanted not in found:
        raise NotFound(NO_SUCH_PAGE)
    return found.get(wanted) or next(iter(found.values()), None)


@dataclass(frozen=True)
class Pair:
    """What lies below and what is laid over it; a SPECT without a CT is shown alone."""

    below: Stacked | None
    above: Stacked | None
    top: float

    @property
    def ground(self) -> Stacked:
        found = self.below or self.above
        if found is None:
            raise NotFound(NO_SUCH_PAGE)
        return found

    def middle(self) -> Point:
        x, y, z = np.round(self.ground.corners().mean(axis=0), 1)
        return (float(x), float(y), float(z))


def pair_of(series: Series, option: Option, beside: Series | None) -> Pair:
    is_ct = series.role == Series.Role.CT
    held, other = confirming.stacked(series, option), confirming.stacked(beside) if beside else None
    top = top_of(beside if is_ct else series)
    return Pair(held if is_ct else other, other if is_ct else held, top)


def top_of(series: Series | None) -> float:
    """Where the colours end: the 99.9th percentile of what is counted at all."""
    values = series.values if series else {}
    top = values.get("p999_positive") or values.get("maximum")
    return float(top) if top and top > 0 else 1.0


def point_of(query: QueryDict, middle: Point) -> Point:
    given = [number(query, axis, -FURTHEST_MM, FURTHEST_MM) for axis in "xyz"]
    x, y, z = (b if a is None else a for a, b in zip(given, middle, strict=True))
    return (x, y, z)


def drawn(pair: Pair, plane: str, point: Point, opacity: float) -> Colour:
    """One plane through the point, which a cross marks; black where no slice lies."""
    sheet = planes.sheet(plane, point, pair.ground.corners(), LONGEST)
    counts = sheet.of(pair.above) if pair.above else np.full(sheet.shape, np.nan)
    if pair.below is None:
        picture = coloured(windowed(np.nan_to_num(counts), 0.0, pair.top), "inverted")
        picture[np.isnan(counts)] = 0
    else:
        ground = windowed(np.nan_to_num(sheet.of(pair.below), nan=-1e9), *WINDOW)
        picture = laid_over(
            ground, np.nan_to_num(counts), top=pair.top, threshold=THRESHOLD, opacity=opacity
        )
    return crossed(picture, *sheet.pixel_of(point))


def crossed(picture: Colour, row: int, column: int) -> Colour:
    """Thin lines to the point, which is left open itself."""
    rows, columns = picture.shape[:2]
    if 0 <= row < rows:
        picture[row, np.abs(np.arange(columns) - column) > 12] = LINE
    if 0 <= column < columns:
        picture[np.abs(np.arange(rows) - row) > 12, column] = LINE
    return picture


@member_view("coordinate")
@require_safe
def look_page(request: HttpRequest, member: Membership, series: int) -> HttpResponse:
    """The pictures of every stacking, and a form each that releases the series as they show it."""
    row = waiting(member, series)
    found, beside = confirming.options(row), beside_of(row, request.GET)
    point = point_of(request.GET, pair_of(row, found[0], beside).middle()) if found else (0, 0, 0)
    asked = {"beside": beside.pk if beside else ""}
    context = {
        **asked_for(request.GET, point, asked),
        "series": row,
        "beside": beside,
        "others": partners(row),
        "options": [
            (
                option,
                mark_of(row, option, beside),
                figures(request.GET, point, {**asked, "stacking": option.code}),
            )
            for option in found
        ],
        "problem": problem_of(row, found, beside),
        "shares_frame": beside is not None and confirming.shares_frame(row, beside),
    }
    return page(request, member, "study/confirm.html", context)


def opacity_of(query: QueryDict) -> str:
    return choice(query, "opacity", tuple(value for value, _ in OPACITIES), "0.5")


def asked_for(query: QueryDict, point: Point, more: Mapping[str, object]) -> dict[str, object]:
    """What the fields above the pictures show, and where their buttons lead."""
    opacity, at = opacity_of(query), dict(zip("xyz", point, strict=True))
    moves = [
        (words, urlencode({**more, "opacity": opacity, **at, axis: at[axis] + by}))
        for words, axis, by in STEPS
    ]
    return {"point": at, "opacity": opacity, "opacities": OPACITIES, "moves": moves}


def figures(query: QueryDict, point: Point, more: Mapping[str, object]) -> list[tuple[str, str]]:
    """Caption and address of each plane."""
    asked = {**more, "opacity": opacity_of(query), **dict(zip("xyz", point, strict=True))}
    return [
        (words, "picture.png?" + urlencode({**asked, "plane": plane}))
        for plane, words in PLANES.items()
    ]


def problem_of(series: Series, found: list[Option], beside: Series | None) -> str:
    """Why the series cannot be released from this page, '' where it can."""
    if not found:
        return confirming.NO_VOLUME
    return NO_CT if beside is None and series.role != Series.Role.CT else ""


@member_view("coordinate")
@require_safe
def look_picture(request: HttpRequest, member: Membership, series: int) -> HttpResponse:
    """One of the pictures."""
    row = waiting(member, series)
    pair = pair_of(
        row, option_of(row, request.GET.get("stacking", "")), beside_of(row, request.GET)
    )
    return shown(request.GET, pair, pair.middle())


def shown(query: QueryDict, pair: Pair, middle: Point) -> HttpResponse:
    """The plane that is asked for, through the point that is asked for."""
    plane = choice(query, "plane", tuple(PLANES), "axial")
    picture = drawn(pair, plane, point_of(query, middle), float(opacity_of(query)))
    return HttpResponse(
        png(picture), content_type="image/png", headers={"Cache-Control": "private, no-store"}
    )


def volumes_of(lesion: Lesion) -> tuple[Series, Series]:
    """CT and SPECT of a lesion; raises Conflict where it has not both as volumes."""
    ct, spect = lesion.ct_series, lesion.spect_series
    if ct is None or spect is None or not (ct.is_volume and spect.is_volume):
        raise Conflict(NO_PAIR)
    return ct, spect


def pair_of_lesion(lesion: Lesion) -> Pair:
    ct, spect = volumes_of(lesion)
    return Pair(confirming.stacked(ct), confirming.stacked(spect), top_of(spect))


@member_view("coordinate")
@require_safe
def registration_page(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    """CT and SPECT of a lesion as they lie on each other, and the button that vouches for it."""
    row = lesion_in(member.study, lesion)
    volumes_of(row)
    point = point_of(request.GET, row.world_mm or pair_of_lesion(row).middle())
    context = {
        **asked_for(request.GET, point, {}),
        "lesion": row,
        "figures": figures(request.GET, point, {}),
        "frame_problem": frame_problem(row),
        "is_open": member.study.state in REGISTERING,
    }
    return page(request, member, "study/registration.html", context)


@member_view("coordinate")
@require_safe
def registration_picture(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    """One of the pictures."""
    row = lesion_in(member.study, lesion)
    pair = pair_of_lesion(row)
    return shown(request.GET, pair, row.world_mm or pair.middle())
