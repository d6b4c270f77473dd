"""The still-picture desk's images: one slice as PNG, drawn by the server from the same pixels."""

from dataclasses import dataclass

import numpy as np
from django.http import HttpRequest, HttpResponse, QueryDict
from scipy.ndimage import map_coordinates

from portal.accounts.models import User
from portal.archive.drawing import Colour, coloured, laid_over, png, windowed
from portal.archive.models import Series
from portal.archive.pixels import planar_image, slice_of, volume
from portal.errors import Invalid, NotFound
from portal.study.asking import choice, number
from radiomics.image import Slice, Volume
from readers.case import registration
from readers.doors import reader_view
from readers.exam import WHOLE_BODY, images_of, is_shown, split_views
from readers.models import Assignment
from readers.presets import presets
from readers.reading import with_everything
from readers.sessions import NOT_YOURS
from readers.worklist import desk_case

ROLES = ("CT", "SPECT", "FUSED", "WB-ANT", "WB-POST")
MAPS = ("grey", "inverted", "inferno")
BOUND = 1e7


@dataclass(frozen=True)
class Look:
    """What is asked of a picture; `slice` counts from 1 at the feet, `threshold` is per cent of the upper bound."""

    role: str
    slice: int
    lower: float | None
    upper: float | None
    map: str
    opacity: float
    threshold: float


def look_of(query: QueryDict) -> Look:
    role = choice(query, "role", ROLES, "CT")
    lower, upper = number(query, "lower", -BOUND, BOUND), number(query, "upper", -BOUND, BOUND)
    if lower is not None and upper is not None and upper <= lower:
        raise Invalid("upper lies above lower.", field="upper")
    opacity, threshold = number(query, "opacity", 0, 1), number(query, "threshold", 0, 50)
    return Look(
        role=role,
        slice=int(number(query, "slice", 1, 10_000) or 1),
        lower=lower,
        upper=upper,
        map=choice(query, "map", MAPS, "grey" if role in {"CT", "FUSED"} else "inverted"),
        opacity=0.5 if opacity is None else opacity,
        threshold=10.0 if threshold is None else threshold,
    )


def fused(
    ct: Slice, spect: Volume, look: Look, *, window: tuple[float, float], top: float
) -> Colour:
    """(1 − a) · CT + a · map(SPECT) where SPECT reaches the threshold, the CT untouched elsewhere."""
    rows, columns = ct.shape
    grid = np.stack(np.meshgrid(range(rows), range(columns), indexing="ij"), axis=-1)
    places = spect.to_pixel(ct.to_patient(grid.reshape(-1, 2))).T
    counts = map_coordinates(
        np.asarray(spect.pixels, dtype=np.float64), places, order=1, cval=0.0
    ).reshape(rows, columns)
    return laid_over(
        windowed(ct.pixels, *window), counts, top=top, threshold=look.threshold / 100, opacity=look.opacity
    )  # fmt: skip


def default_window(case: Assignment, role: str, series: Series) -> tuple[float, float]:
    first = presets(role, series, case.lesion.world_mm)[0]
    return (first["lower"], first["upper"])


def window_of(case: Assignment, look: Look, role: str, series: Series) -> tuple[float, float]:
    lower, upper = default_window(case, role, series)
    lower = lower if look.lower is None else look.lower
    upper = upper if look.upper is None else look.upper
    if upper <= lower:
        raise Invalid("upper lies above lower.", field="upper")
    return (lower, upper)


def series_for(case: Assignment, role: str) -> Series:
    lesion = case.lesion
    found = lesion.spect_series if role == "SPECT" else lesion.ct_series
    found = lesion.whole_body_series if role in WHOLE_BODY else found
    if found is None or found.state != Series.State.READY or not is_shown(case, role):
        raise NotFound("This case does not have these images.")
    return found


def drawn(case: Assignment, look: Look) -> Colour:
    role = "CT" if look.role == "FUSED" else look.role
    series = series_for(case, role)
    window = window_of(case, look, role, series)
    images = images_of(series)
    if role in WHOLE_BODY:
        (image,) = split_views(series, images, role)
        return coloured(windowed(planar_image(series, image.frame), *window), look.map)
    if look.slice > len(images):
        raise Invalid(f"slice lies between 1 and {len(images)}.", field="slice")
    image = images[look.slice - 1]
    plane = slice_of(series, image.sop_instance_uid, image.frame).slice
    if look.role != "FUSED":
        return coloured(windowed(plane.pixels, *window), look.map)
    laid = registration(case.lesion)
    if not laid.ok:
        raise NotFound(laid.reason)
    overlay = series_for(case, "SPECT")
    top = default_window(case, "SPECT", overlay)[1]
    return fused(plane, volume(overlay), look, window=window, top=top)


@reader_view("GET", "HEAD")
def picture(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    """One slice of the case on the desk; nothing of it says which case or series it is."""
    case = desk_case(reader, code)
    look = look_of(request.GET)
    full = with_everything().filter(pk=case.pk).first()
    if full is None:
        raise NotFound(NOT_YOURS)
    return HttpResponse(png(drawn(full, look)), content_type="image/png")
