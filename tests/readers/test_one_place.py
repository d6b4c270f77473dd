"""A lesion lies at one place of the patient in CT, SPECT, the fused view and the stored outlines (H-bar of 5.3, 11.2).

The SPECT is stored with either sign of its slice spacing, and axial, tilted or coronal; nothing may differ by more than
half a SPECT pixel. Places are computed here from what clients are sent, by the formulas of the standard.
"""

import uuid
from datetime import date, time, timedelta

import numpy as np
import pytest
from django.http import QueryDict

from portal.archive.headers import Subject
from portal.archive.models import Series
from portal.archive.pixels import volume
from portal.archive.writer import CtSeries, SpectSeries, write_ct, write_spect
from portal.study.models import Lesion, Study
from readers import reading
from readers.models import Roi
from readers.pictures import drawn, look_of
from tests.archive.builders import take
from tests.archive.planting import kept_until_the_end
from tests.cohort import NOW, make_patient, make_user
from tests.readers.builders import case_images, draft, make_reading_study, start

pytestmark = pytest.mark.django_db
PLACE = np.array([18.0, 70.0, 30.0])
SPECT_MM, CT_MM, RADIUS_MM, HALF_PIXEL_MM = 4.4, 2.0, 11.0, 2.2
TILT = np.deg2rad(25)
ORIENTATIONS = {
    "axial": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "tilted": (1.0, 0.0, 0.0, 0.0, float(np.cos(TILT)), float(np.sin(TILT))),
    "coronal": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0),
    "turned": (float(np.cos(TILT)), float(np.sin(TILT)), 0.0, -float(np.sin(TILT)), float(np.cos(TILT)), 0.0),
}  # fmt: skip
KINDS = [(name, negative) for name in ORIENTATIONS for negative in (False, True)]


def sphere(shape: tuple[int, int, int], corner: np.ndarray, orientation, step: float, spacing: float) -> np.ndarray:  # fmt: skip
    """How much of each voxel's centre lies inside the lesion: 1 or 0, by p = IPP + i·Δ·r + j·Δ·c + k·s·n."""
    r, c = np.array(orientation[:3]), np.array(orientation[3:])
    k, j, i = np.meshgrid(*map(range, shape), indexing="ij")
    places = (
        corner
        + i[..., None] * spacing * r
        + j[..., None] * spacing * c
        + k[..., None] * step * np.cross(r, c)
    )
    return np.linalg.norm(places - PLACE, axis=-1) <= RADIUS_MM


def corner_of(shape: tuple[int, int, int], orientation, step: float, spacing: float) -> np.ndarray:
    """Of a stack about the lesion, which does not lie at its middle."""
    r, c = np.array(orientation[:3]), np.array(orientation[3:])
    middle = (shape[2] - 1) / 2 * spacing * r + (shape[1] - 1) / 2 * spacing * c + (shape[0] - 1) / 2 * step * np.cross(r, c)  # fmt: skip
    return PLACE - middle + 6.0 * r + 5.0 * c + 4.0 * np.cross(r, c)


def write(folder, number: int, orientation, *, is_negative: bool) -> None:
    """One exam of a CT and a SPECT in one space."""
    folder.mkdir()
    who = Subject(f"PLACE{number}", "F", 60, f"2.25.5{number}", date(2019, 3, 4), time(9))
    shape = (17, 36, 40)
    corner = corner_of(shape, ORIENTATIONS["axial"], 3.0, CT_MM)
    inside = sphere(shape, corner, ORIENTATIONS["axial"], 3.0, CT_MM)
    hu = np.where(inside, 900, 0).astype(np.int16)
    uids = tuple(f"2.25.5{number}.1.{k}" for k in range(shape[0]))
    write_ct(folder, CtSeries(who, f"2.25.5{number}.1", uids, f"2.25.5{number}.9", hu, tuple(corner), (CT_MM, CT_MM), 3.0, time(9)), encoding="raw")  # fmt: skip
    shape = (16, 18, 20)
    corner = corner_of(shape, orientation, SPECT_MM, SPECT_MM)
    counts = np.where(sphere(shape, corner, orientation, SPECT_MM, SPECT_MM), 1000, 5)
    one = SpectSeries(
        who, f"2.25.5{number}.2", f"2.25.5{number}.2.1", f"2.25.5{number}.9", counts.astype(np.uint16),
        tuple(corner), (SPECT_MM, SPECT_MM), SPECT_MM, time(9), 740.0, is_negative, orientation,
    )  # fmt: skip
    write_spect(folder, one, encoding="raw")


@pytest.fixture(scope="module")
def cases(tmp_path_factory, django_db_setup: None, django_db_blocker):
    """(orientation, sign) -> key of the delineator's case, all of one study."""
    root = tmp_path_factory.mktemp("places")
    with django_db_blocker.unblock(), kept_until_the_end():
        study = make_reading_study(n_lesions=0, state="DRAFT", is_synthetic=True)
        lesions = {}
        for number, (name, negative) in enumerate(KINDS, start=1):
            write(root / str(number), number, ORIENTATIONS[name], is_negative=negative)
            row = take(root / str(number), study_key=study.code, archive_seed=b"places")
            assert {f.outcome for f in row.files.all()} == {"ready"}
            of_exam = {s.role: s for s in Series.objects.filter(exam__subject=f"PLACE{number}")}
            lesions[name, negative] = Lesion.objects.create(
                patient=make_patient(study), number=1, level="L3", ct_series=of_exam["CT"],
                spect_series=of_exam["SPECT"], is_included=True, slot=1, longest_diameter_mm=2 * RADIUS_MM,
                **dict(zip(("x_mm", "y_mm", "z_mm"), PLACE, strict=True)),
            )  # fmt: skip
        for state in ("SCREENING", "READING"):
            Study.objects.filter(pk=study.pk).update(state=state)
        study.refresh_from_db()
        session = start(study, "delineator1", task="outline")
        keys = {}
        for case in session.assignments.order_by("position"):
            kind = next(k for k, lesion in lesions.items() if lesion.pk == case.lesion_id)
            keys[kind] = (case.pk, outlined(case))
        yield keys


def outlined(case) -> dict:
    """Open the case, outline the lesion on both modalities where the document says it lies, and submit."""
    who, case = make_user("delineator1"), reading.fresh(case)
    opened = reading.open_case(case, actor=who, now=NOW)
    document = opened.to_json(csrf_token="")
    said = draft({}, **{role: round_the_lesion(document, role) for role in ("CT", "SPECT")})
    now = NOW + timedelta(seconds=40)
    saved = reading.save_draft(
        case, said, base_version=opened.draft_version, key=uuid.uuid4().hex, actor=who, now=now
    )
    reading.submit(case, version=saved.version, actor=who, now=now)
    return document


def series_in(document: dict, role: str) -> dict:
    return next(s for s in document["series"] if s["role"] == role)


def round_the_lesion(document: dict, role: str) -> dict:
    """A circle in the plane of the image nearest to the lesion, as a reader draws it."""
    series = series_in(document, role)
    r, c = np.array(series["orientation"][:3]), np.array(series["orientation"][3:])
    n = np.cross(r, c)
    chosen = min(series["images"], key=lambda i: abs((PLACE - np.array(i["position"])) @ n))
    middle = PLACE - ((PLACE - np.array(chosen["position"])) @ n) * n
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    vertices = [middle + RADIUS_MM * (np.cos(t) * r + np.sin(t) * c) for t in around]
    return {
        "vertices": [v.tolist() for v in vertices], "sop_instance_uid": chosen["sop_instance_uid"],
        "frame": chosen["frame"], "frame_of_reference_uid": series["frame_of_reference_uid"], "kind": "points",
        "copy": None,
    }  # fmt: skip


@pytest.fixture(params=KINDS, ids=[f"{name}-{'minus' if sign else 'plus'}" for name, sign in KINDS])
def case(request, cases):
    pk, document = cases[request.param]
    return reading.Assignment.objects.select_related("lesion").get(pk=pk), document


def centre(places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.average(places.reshape(-1, 3), axis=0, weights=weights.ravel().astype(float))


def away(place: np.ndarray) -> float:
    return float(np.linalg.norm(place - PLACE))


@pytest.mark.parametrize(("role", "from_"), [("ct_series", 500), ("spect_series", 500)])
def test_the_volume_that_features_rest_on_has_it_there(case, role, from_):
    found = volume(getattr(case[0].lesion, role))
    hot = np.argwhere(found.pixels > from_)
    assert away(found.to_patient(hot).mean(axis=0)) < HALF_PIXEL_MM


@pytest.mark.parametrize("role", ["CT", "SPECT"])
def test_the_case_document_places_every_image_so(case, role):
    """Pixels of the archive at the positions that the viewer is told."""
    assignment, document = case
    series = series_in(document, role)
    rows = assignment.lesion.ct_series if role == "CT" else assignment.lesion.spect_series
    hot = np.argwhere(volume(rows).pixels > 500)
    r, c = np.array(series["orientation"][:3]), np.array(series["orientation"][3:])
    down, right = series["spacing_mm"]
    places = [
        np.array(series["images"][k]["position"]) + j * down * c + i * right * r for k, j, i in hot
    ]
    assert away(np.mean(places, axis=0)) < HALF_PIXEL_MM


def test_the_header_of_the_spect_places_it_by_the_formula_of_the_standard(case):
    """p_k = IPP + (k-1)·s·n of the one detector item, for the frames in the order in which they are sent."""
    assignment, _ = case
    (image,) = [i for i in case_images(assignment) if i.elements["00080060"]["Value"] == ["NM"]]
    (item,) = image.elements["00540022"]["Value"]
    (step,) = image.elements["00180088"]["Value"]
    r, c = np.array(item["00200037"]["Value"][:3]), np.array(item["00200037"]["Value"][3:])
    hot = np.argwhere(volume(assignment.lesion.spect_series).pixels > 500)
    origin = np.array(item["00200032"]["Value"])
    places = origin + hot[:, 2:] * SPECT_MM * r + hot[:, 1:2] * SPECT_MM * c + hot[:, :1] * step * np.cross(r, c)  # fmt: skip
    assert step > 0
    assert away(places.mean(axis=0)) < HALF_PIXEL_MM


def test_the_fused_view_shows_the_uptake_on_the_lesion_of_the_ct(case):
    assignment, document = case
    images = series_in(document, "CT")["images"]
    number = min(range(len(images)), key=lambda k: abs(images[k]["position"][2] - PLACE[2]))
    asked = QueryDict(f"role=FUSED&slice={number + 1}&threshold=50&opacity=1")
    shown = drawn(reading.fresh(assignment), look_of(asked)).astype(int)
    coloured = np.argwhere(np.ptp(shown, axis=2) > 20)
    assert len(coloured) > 30
    down, right = series_in(document, "CT")["spacing_mm"]
    x, y, z = images[number]["position"]
    row, column = coloured.mean(axis=0)
    found = np.array([x + column * right, y + row * down, z])
    assert np.linalg.norm((found - PLACE)[:2]) < HALF_PIXEL_MM
    assert abs(z - PLACE[2]) <= 1.5 + 1e-6


@pytest.mark.parametrize("modality", ["CT", "SPECT"])
def test_the_stored_outline_lies_there_and_covers_the_hot_pixels_of_its_image(case, modality):
    assignment, _ = case
    roi = Roi.objects.get(read__assignment=assignment, modality=modality)
    place = np.mean(roi.vertices_mm, axis=0)
    found = volume(roi.series)
    normal = np.cross(found.row_direction, found.column_direction)
    step = found.slice_spacing_mm / 2 + 1e-6
    off = (place - PLACE) @ normal
    assert abs(off) <= step
    assert np.linalg.norm(place - PLACE - off * normal) < HALF_PIXEL_MM
    hot = np.argwhere(found.pixels[roi.slice_index] > 500)
    corner = found.positions_mm[roi.slice_index]
    down, right = found.spacing_mm
    places = corner + hot[:, :1] * down * np.array(found.column_direction) + hot[:, 1:] * right * np.array(found.row_direction)  # fmt: skip
    assert len(hot) > 10
    assert np.linalg.norm(places.mean(axis=0) - place) < HALF_PIXEL_MM
