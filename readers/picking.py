"""Where a lesion lies, picked in the images by the coordinator: a click on a picture moves the point, a button keeps it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from portal.archive.drawing import Colour, coloured, png, windowed
from portal.archive.models import Series
from portal.archive.pixels import slice_of, volume
from portal.errors import Conflict, NotFound, StudyError
from portal.study import amending
from portal.study.access import member_view
from portal.study.asking import choice, number
from portal.study.cohort_pages import lesion_in
from portal.study.models import Lesion, Membership
from portal.study.pages import page
from radiomics.image import Slice, Volume
from readers.amending import require_reason
from readers.exam import images_of
from readers.presets import presets

PANES = ("CT", "SPECT", "CORONAL")
TITLES = {"CT": "CT axial", "SPECT": "SPECT axial", "CORONAL": "SPECT coronal projection"}
LEAST_WIDTH = 420
FURTHEST_MM = 10_000.0
GAP_PX = 8
LINE = (255, 120, 220)
STEPS = (-5, -1, 1, 5)
NO_IMAGES = "Choose a CT or SPECT series of this lesion first; they must form a volume."
Point = tuple[float, float, float]


class Plane(Protocol):
    """A picture's way between its pixels (row, column) and the patient."""

    def to_patient(self, rc: tuple[float, float]) -> Point: ...
    def to_pixel(self, point: Point) -> tuple[float, float]: ...


def as_point(values: Sequence[float]) -> Point:
    x, y, z = (round(float(v), 3) for v in values)
    return (x, y, z)


@dataclass(frozen=True)
class Axial:
    """A slice as it is."""

    plane: Slice

    def to_patient(self, rc: tuple[float, float]) -> Point:
        return as_point(self.plane.to_patient([rc])[0])

    def to_pixel(self, point: Point) -> tuple[float, float]:
        row, column = self.plane.to_pixel([point])[0]
        return (float(row), float(column))


@dataclass(frozen=True)
class Coronal:
    """The largest value along each image column, head up; the depth is that of the current point."""

    image: Volume
    depth: float

    @property
    def last(self) -> int:
        return len(self.image.positions_mm) - 1

    def to_patient(self, rc: tuple[float, float]) -> Point:
        return as_point(self.image.to_patient([[self.last - rc[0], self.depth, rc[1]]])[0])

    def to_pixel(self, point: Point) -> tuple[float, float]:
        k, _, column = self.image.to_pixel([point])[0]
        return (float(self.last - k), float(column))


@dataclass(frozen=True)
class Sheet:
    """A picture at its size on the page, with the plane that it shows."""

    plane: Plane
    pixels: Colour
    width: int
    height: int

    def at_click(self, x: float, y: float) -> Point:
        """The patient point of a click, counted in pixels of the page from the upper left corner."""
        rows, columns = self.pixels.shape[:2]
        return self.plane.to_patient(
            ((y + 0.5) / self.height * rows - 0.5, (x + 0.5) / self.width * columns - 0.5)
        )

    def drawn(self, point: Point) -> Colour:
        """The picture at its size, with a crosshair that leaves the point itself open."""
        rows, columns = self.pixels.shape[:2]
        down = np.arange(self.height) * rows // self.height
        right = np.arange(self.width) * columns // self.width
        picture: Colour = self.pixels[down][:, right].copy()
        row, column = self.plane.to_pixel(point)
        y = math.floor((row + 0.5) / rows * self.height)
        x = math.floor((column + 0.5) / columns * self.width)
        if 0 <= y < self.height:
            picture[y, np.abs(np.arange(self.width) - x) > GAP_PX] = LINE
        if 0 <= x < self.width:
            picture[np.abs(np.arange(self.height) - y) > GAP_PX, x] = LINE
        return picture


def usable(series: Series | None) -> Series | None:
    ready = series is not None and series.state == Series.State.READY and series.is_volume
    return series if ready else None


def series_for(lesion: Lesion, pane: str) -> Series | None:
    """Single slices are picked from as they lie; a projection needs evenly spaced ones, straight above each other."""
    found = usable(lesion.ct_series if pane == "CT" else lesion.spect_series)
    return None if pane == "CORONAL" and found and not found.is_regular else found


def nearest(series: Series, point: Point) -> int:
    """Index of the slice nearest to a point."""
    geometry = series.geometry
    normal = np.cross(geometry["row_direction"], geometry["column_direction"])
    away = np.abs((np.asarray(geometry["positions_mm"]) - np.asarray(point)) @ normal)
    return int(away.argmin())


def sheet(lesion: Lesion, pane: str, point: Point) -> Sheet:
    series = series_for(lesion, pane)
    if series is None:
        raise NotFound(NO_IMAGES)
    window = presets("CT" if pane == "CT" else "SPECT", series, None)[0]
    look = "grey" if pane == "CT" else "inverted"
    if pane == "CORONAL":
        return coronal_sheet(volume(series), point, (window["lower"], window["upper"]))
    image = images_of(series)[nearest(series, point)]
    shown = slice_of(series, image.sop_instance_uid, image.frame).slice
    pixels = coloured(windowed(shown.pixels, window["lower"], window["upper"]), look)
    down_mm, right_mm = shown.spacing_mm
    return sized(Axial(shown), pixels, down_mm / right_mm)


def coronal_sheet(image: Volume, point: Point, window: tuple[float, float]) -> Sheet:
    depth = float(image.to_pixel([point])[0][1])
    highest = np.asarray(image.pixels).max(axis=1)[::-1]
    pixels = coloured(windowed(highest, *window), "inverted")
    return sized(Coronal(image, depth), pixels, image.slice_spacing_mm / image.spacing_mm[1])


def sized(plane: Plane, pixels: Colour, aspect: float) -> Sheet:
    """At least 420 pixels wide, each image pixel as wide as its neighbours and as high as it is in the patient."""
    rows, columns = pixels.shape[:2]
    width = columns * max(1, math.ceil(LEAST_WIDTH / columns))
    return Sheet(plane, pixels, width, max(1, round(width * rows * aspect / columns)))


def middle(lesion: Lesion) -> Point:
    """The given position, else the middle of the SPECT or the CT."""
    if lesion.world_mm is not None:
        return as_point(lesion.world_mm)
    series = series_for(lesion, "SPECT") or series_for(lesion, "CT")
    if series is None:
        raise Conflict(NO_IMAGES)
    image = volume(series)
    half = [[(n - 1) / 2 for n in np.asarray(image.pixels).shape]]
    return as_point(image.to_patient(half)[0])


def point_of(lesion: Lesion, query: QueryDict) -> Point:
    """The point that is asked for, moved by the click or the step of the same request."""
    given = [number(query, name, -FURTHEST_MM, FURTHEST_MM) for name in "xyz"]
    x, y, z = (a if b is None else b for a, b in zip(middle(lesion), given, strict=True))
    point = (x, y, z)
    for pane in PANES:
        at = [number(query, f"{pane}.{axis}", 0, 10_000) for axis in "xy"]
        if at[0] is not None and at[1] is not None:
            return sheet(lesion, pane, point).at_click(at[0], at[1])
    return stepped(lesion, point, query)


def stepped(lesion: Lesion, point: Point, query: QueryDict) -> Point:
    """Some slices further along the series that is named."""
    wanted = choice(query, "step", ("", *(f"{p} {n}" for p in PANES[:2] for n in STEPS)), "")
    series = series_for(lesion, wanted.split(" ")[0]) if wanted else None
    if series is None:
        return point
    positions = series.geometry["positions_mm"]
    now = nearest(series, point)
    to = min(max(0, now + int(wanted.split(" ")[1])), len(positions) - 1)
    by = np.asarray(positions[to]) - np.asarray(positions[now])
    return as_point(np.asarray(point) + by)


@member_view("coordinate")
@require_http_methods(["GET", "HEAD", "POST"])
def position_page(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    """Pictures to click on, the point in millimetres, and the button that keeps it."""
    row = lesion_in(member.study, lesion)
    point = point_of(row, request.POST if request.method == "POST" else request.GET)
    error: StudyError | None = None
    if request.method == "POST":
        try:
            keep(row, point, request.POST.get("reason", ""), member)
            return redirect("study:lesion", study=member.study.code, lesion=row.code)
        except StudyError as refused:
            error = refused
    panes = [name for name in PANES if series_for(row, name) is not None]
    context = {
        "lesion": row,
        "point": dict(zip("xyz", point, strict=True)),
        "panes": [pane_of(row, name, point) for name in panes],
        "error": error,
        "reason": request.POST.get("reason", "Position picked in the images"),
    }
    status = 200 if error is None else error.status
    return page(request, member, "readers/picking.html", context, status=status)


def pane_of(lesion: Lesion, name: str, point: Point) -> dict[str, object]:
    shown = sheet(lesion, name, point)
    at = "&".join(f"{axis}={value}" for axis, value in zip("xyz", point, strict=True))
    return {
        "name": name,
        "title": TITLES[name],
        "src": f"picture.png?pane={name}&{at}",
        "width": shown.width,
        "height": shown.height,
        "steps": STEPS if name != "CORONAL" else (),
    }


def keep(lesion: Lesion, point: Point, reason: str, member: Membership) -> None:
    x, y, z = point
    site = amending.Site(
        level=lesion.level,
        x_mm=x,
        y_mm=y,
        z_mm=z,
        longest_diameter_mm=lesion.longest_diameter_mm,
    )
    why = require_reason(reason)
    amending.amend_lesion(lesion, site, reason=why, actor=member.user, now=timezone.now())


@member_view("coordinate")
@require_safe
def position_picture(request: HttpRequest, member: Membership, lesion: str) -> HttpResponse:
    """One of the pictures, as large as it is on the page."""
    row = lesion_in(member.study, lesion)
    pane = choice(request.GET, "pane", PANES, "CT")
    point = point_of(row, request.GET)
    return HttpResponse(png(sheet(row, pane, point).drawn(point)), content_type="image/png")
