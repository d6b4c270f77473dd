"""One picture of many lesions for the eye: whole body, CT, SPECT, fusion. It shows truth and is never served."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from skimage.draw import polygon_perimeter
from skimage.io import imsave
from skimage.transform import resize

from radiomics.phantom.draws import FloatArray
from radiomics.phantom.people import delineations
from radiomics.phantom.pictures import LesionTruth, PatientImages
from radiomics.phantom.plan import Plan
from radiomics.phantom.render import render_patient

Picture = npt.NDArray[np.uint8]
SIDE, ZOOM_MM = 256, 80.0
CYAN, YELLOW = (0, 220, 230), (235, 220, 0)


def grey(values: npt.ArrayLike, low: float, high: float, invert: bool = False) -> Picture:
    """A window of values (rows, columns) as RGB."""
    share = np.clip((np.asarray(values, dtype=np.float64) - low) / (high - low), 0, 1)
    byte = np.rint(255 * (1 - share if invert else share)).astype(np.uint8)
    return np.stack([byte] * 3, axis=-1)


def spect_at(images: PatientImages, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """Interpolated counts at patient coordinates of equal shape."""
    origin, step = images.spect_origin_mm, images.spect_spacing_mm[0]
    at = [(z - origin[2]) / step, (y - origin[1]) / step, (x - origin[0]) / step]
    return np.asarray(
        map_coordinates(images.spect_counts.astype(np.float32), at, order=1), dtype=np.float64
    )


def ct_axes(images: PatientImages) -> tuple[FloatArray, FloatArray, FloatArray]:
    """x, y and z of the CT voxels in mm."""
    o, s = images.ct_origin_mm, images.ct_spacing_mm
    n = images.ct_hu.shape
    places = [o[k] + s[k] * np.arange(n[2 - k], dtype=np.float64) for k in range(3)]
    return places[0], places[1], places[2]


def fused(ct: Picture, spect: FloatArray, top: float) -> Picture:
    """CT with SPECT laid over it in warm colours."""
    t = np.clip(spect / top, 0, 1)
    warm = np.stack([np.clip(3 * t - k, 0, 1) for k in range(3)], axis=-1) * 255
    share = np.clip(1.6 * t, 0, 0.85)[..., None]
    return np.asarray(np.rint(ct * (1 - share) + warm * share), dtype=np.uint8)


def zoom(images: PatientImages, k: int, lesion: LesionTruth, drawn: list[FloatArray]) -> Picture:
    """The lesion enlarged, with both drawings."""
    x, y, _ = ct_axes(images)
    half = ZOOM_MM / 2
    across = np.linspace(-half, half, SIDE)
    rows = (lesion.centroid_mm[1] + across - y[0]) / (y[1] - y[0])
    columns = (lesion.centroid_mm[0] + across - x[0]) / (x[1] - x[0])
    grid = np.meshgrid(rows, columns, indexing="ij")
    picture = grey(map_coordinates(images.ct_hu[k].astype(np.float32), grid, order=1), -450, 1050)
    for outline, colour in zip(drawn, (YELLOW, CYAN), strict=True):
        place = (outline[:, :2] - lesion.centroid_mm[:2] + half) / ZOOM_MM * (SIDE - 1)
        r, c = polygon_perimeter(place[:, 1], place[:, 0], shape=(SIDE, SIDE), clip=True)
        picture[r, c] = colour
    return picture


def row_of(plan: Plan, index: int, slot: int) -> Picture:
    """One lesion: whole body, axial CT, zoom, SPECT, fused, sagittal CT, sagittal SPECT (256 rows)."""
    images = render_patient(plan, index)
    lesion = next(le for le in images.lesions if le.slot == slot)
    drawn = [delineations(plan, index, images, d, 1)[slot].ct_mm for d in (0, 1)]
    x, y, z = ct_axes(images)
    k = int(np.argmin(np.abs(z - lesion.centroid_mm[2])))
    i = int(np.argmin(np.abs(x - lesion.centroid_mm[0])))
    gy, gx = np.meshgrid(y, x, indexing="ij")
    axial = spect_at(images, gx, gy, np.full_like(gx, z[k]))
    ct = grey(images.ct_hu[k], -450, 1050)
    sag = images.ct_hu[::-1, 60:240, i]
    gz, gy2 = np.meshgrid(z[::-1], y[60:240], indexing="ij")
    sag_spect = spect_at(images, np.full_like(gz, x[i]), gy2, gz)
    top = float(max(axial.max(), 1))
    parts = [
        whole_body(images), ct, zoom(images, k, lesion, drawn), grey(axial, 0, top, True), fused(ct, axial, top),
        tall(grey(sag, -450, 1050)), tall(grey(sag_spect, 0, float(sag_spect.max()), True)),
    ]  # fmt: skip
    return np.concatenate(parts, axis=1)


def tall(picture: Picture) -> Picture:
    """A sagittal picture in true proportion, 256 rows high in all."""
    body = resize(picture, (102, picture.shape[1]), order=1, preserve_range=True)  # type: ignore[no-untyped-call]
    scaled = resize(body, (145, SIDE), order=1, preserve_range=True).astype(np.uint8)  # type: ignore[no-untyped-call]
    return np.pad(scaled, ((55, 56), (0, 0), (0, 0)), constant_values=255)


def whole_body(images: PatientImages) -> Picture:
    """Both views, 256 rows."""
    both = np.concatenate(list(images.whole_body[:, 40:960]), axis=1).astype(np.float64)
    small = resize(both, (SIDE, 142), order=1, anti_aliasing=True, preserve_range=True)  # type: ignore[no-untyped-call]
    return grey(small, 0, 18, True)


def chosen_cases(plan: Plan, n_cases: int) -> list[tuple[int, int]]:
    """(patient, slot) of the first lesion of each class and shape, at most `n_cases`."""
    first: dict[tuple[str, str], tuple[int, int]] = {}
    for patient in plan.patients:
        for lesion in patient.lesions:
            first.setdefault((lesion.image_class, lesion.shape), (patient.index, lesion.slot))
    return [first[key] for key in sorted(first)][:n_cases]


def write_contact_sheet(path: Path, plan: Plan, n_cases: int = 12) -> list[str]:
    """Write the picture as PNG; returns one caption per row, top to bottom."""
    cases = chosen_cases(plan, n_cases)
    imsave(path, np.concatenate([row_of(plan, *case) for case in cases]), check_contrast=False)
    return [caption(plan, *case) for case in cases]


def write_whole_bodies(path: Path, plan: Plan) -> None:
    """Write the whole-body scans of eight patients as PNG."""
    rows = [
        np.concatenate([grey(v, 0, 18, True) for v in render_patient(plan, i).whole_body], axis=1)
        for i in range(8)
    ]
    imsave(path, np.concatenate(rows, axis=1), check_contrast=False)


def caption(plan: Plan, index: int, slot: int) -> str:
    """Who and what a row shows."""
    p = plan.patients[index]
    le = p.lesions[slot - 1]
    return f"{p.subject} {p.sex}{p.age} {p.primary} {le.level}: {le.image_class} {le.shape} {le.ct_type}"
