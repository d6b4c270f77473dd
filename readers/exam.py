"""The series of a case as the desk sees them: pseudonymous UIDs, explicit geometry, presets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portal.archive.models import Instance, Series
from portal.archive.uids import case_uid
from readers.models import Assignment
from readers.presets import presets

WHOLE_BODY = {"WB-ANT": "anterior", "WB-POST": "posterior"}
# what an arm of a modality study shows; every other condition shows all images
ARMS = {"CT": ("CT",), "SPECT": ("SPECT", "WB-ANT", "WB-POST")}
# how wide a pixel of a planar image is drawn whose file does not tell its size; nothing is measured on it
DRAWN_MM = (1.0, 1.0)
TITLES = {"WB-ANT": "Anterior", "WB-POST": "Posterior"}


@dataclass(frozen=True)
class Image:
    """One frame of a series in canonical order; `index` counts from 0 over the whole series."""

    sop_instance_uid: str
    frame: int
    index: int
    position_mm: tuple[float, float, float] | None
    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True)
class SeriesView:
    """One entry of `series[]` of the case document: its fields are the allow-list."""

    role: str
    title: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str | None
    pixel: dict[str, Any]
    rescale: dict[str, Any]
    transfer_syntax_uid: str
    spacing_mm: list[float]
    orientation: list[float] | None
    slice_spacing_mm: float | None
    slice_thickness_mm: float | None
    presets: list[dict[str, Any]]
    volume_ok: bool
    volume_reason: str
    images: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


PIXEL = (
    "rows",
    "columns",
    "bits_allocated",
    "bits_stored",
    "high_bit",
    "signed",
    "samples",
    "photometric",
)


def images_of(series: Series) -> list[Image]:
    """Every frame, ascending along the normal; positions as computed at import."""
    positions = series.geometry.get("positions_mm") or []
    rows = Instance.objects.filter(series=series).order_by("rank")
    images: list[Image] = []
    for uid, n_frames, slope, intercept in rows.values_list(
        "uid", "n_frames", "slope", "intercept"
    ):
        for frame in range(1, n_frames + 1):
            index = len(images)
            place = tuple(positions[index]) if index < len(positions) else None
            images.append(Image(uid, frame, index, place, slope, intercept))
    return images


def uid_of(case: Assignment, archive_uid: str) -> str:
    return case_uid(case.session.study.code, case.code, archive_uid)


def frame_url(case: Assignment, series: Series, image: Image) -> str:
    exam, own = uid_of(case, series.exam.uid), uid_of(case, series.uid)
    instance = uid_of(case, image.sop_instance_uid)
    return (
        f"/reading/cases/{case.code}/dicomweb/studies/{exam}/series/{own}"
        f"/instances/{instance}/frames/{image.frame}"
    )


def is_shown(case: Assignment, role: str) -> bool:
    """Whether the condition of the session lets the reader see images of this role."""
    condition = case.session.condition
    return condition not in ARMS or role in ARMS[condition]


def series_of(case: Assignment) -> list[tuple[str, Series]]:
    """Role and series of what the case shows, in the order of the desk."""
    lesion = case.lesion
    found = [
        ("CT", lesion.ct_series),
        ("SPECT", lesion.spect_series),
        ("WB-ANT", lesion.whole_body_series),
        ("WB-POST", lesion.whole_body_series),
    ]
    ready = [(r, s) for r, s in found if s is not None and s.state == Series.State.READY]
    return [(role, series) for role, series in ready if is_shown(case, role)]


def series_views(case: Assignment) -> tuple[SeriesView, ...]:
    shown: dict[int, list[Image]] = {}
    views = []
    for role, series in series_of(case):
        images = shown.setdefault(series.pk, images_of(series))
        chosen = split_views(series, images, role) if role in WHOLE_BODY else images
        if chosen:
            views.append(series_view(case, role, series, chosen))
    return tuple(views)


def split_views(series: Series, images: Sequence[Image], role: str) -> list[Image]:
    """The one frame of a whole-body scan that shows the body from this side."""
    wanted = WHOLE_BODY[role]
    sides = [str(view).lower() for view in series.views] or ["anterior", "posterior"]
    return [i for i, side in zip(images, sides, strict=False) if side.startswith(wanted[:3])][:1]


def own_rescale(image: Image, first: Image) -> dict[str, Any]:
    """Slope and intercept of an image, where they are not those of the series' first: PET slices have their own."""
    own = {"slope": image.slope, "intercept": image.intercept}
    return {} if own == {"slope": first.slope, "intercept": first.intercept} else {"rescale": own}


def title_of(role: str, series: Series, image: Image) -> str:
    """A view that the file did not name says so: it was taken from the number of its detector."""
    if role not in TITLES:
        return series.label or role
    assumed = series.acquisition.get("assumed_views") or []
    is_assumed = image.index < len(assumed) and assumed[image.index]
    return f"{TITLES[role]} (assumed)" if is_assumed else TITLES[role]


def series_view(case: Assignment, role: str, series: Series, images: Sequence[Image]) -> SeriesView:
    geometry = series.geometry
    is_planar = role in WHOLE_BODY
    first = images[0]
    r, c = geometry.get("row_direction"), geometry.get("column_direction")
    reference = series.frame_of_reference_uid
    return SeriesView(
        role=role,
        title=title_of(role, series, first),
        study_uid=uid_of(case, series.exam.uid),
        series_uid=uid_of(case, series.uid),
        frame_of_reference_uid=uid_of(case, reference) if reference and not is_planar else None,
        pixel={name: series.pixel.get(name) for name in PIXEL},
        rescale={
            "slope": first.slope,
            "intercept": first.intercept,
            "unit": series.unit,
        },
        transfer_syntax_uid=series.transfer_syntax_uid,
        spacing_mm=list(geometry.get("spacing_mm") or DRAWN_MM),
        orientation=None if is_planar or not r or not c else [*r, *c],
        slice_spacing_mm=None if is_planar else geometry.get("slice_spacing_mm"),
        slice_thickness_mm=None if is_planar else geometry.get("thickness_mm"),
        presets=presets(role, series, case.lesion.world_mm),
        volume_ok=series.is_regular and not is_planar,
        volume_reason="" if is_planar else series.volume_reason,
        images=[
            {
                "sop_instance_uid": uid_of(case, image.sop_instance_uid),
                "frame": image.frame,
                "position": None if is_planar else image.position_mm,
                "url": frame_url(case, series, image),
                **own_rescale(image, first),
            }
            for image in images
        ],
    )
