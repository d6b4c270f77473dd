"""Outlines against the images of their case: problem codes, copies, and the ROI rows."""

import json
import math
import uuid
from pathlib import Path

import numpy as np
import pytest

from portal.errors import Invalid
from radiomics.image import Slice
from readers import outlines, reading
from readers.models import Roi
from tests.cohort import NOW, make_user
from tests.readers.builders import circle, draft, make_reading_study, start

pytestmark = pytest.mark.django_db
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "outline_geometry.json").read_text())


@pytest.fixture
def pen():
    """A delineator at the first outlining case: the case, its document and the person."""
    session = start(make_reading_study(), "delineator1", task="outline")
    case = reading.fresh(session.assignments.get(position=1))
    opened = reading.open_case(case, actor=make_user("delineator1"), now=NOW)
    return case, opened.to_json(csrf_token="")


def codes_of(pen, **drawn) -> dict[str, list[str]]:
    case, _ = pen
    return outlines.problems(case, {"CT": drawn.get("CT"), "SPECT": drawn.get("SPECT")})


def moved(outline, *by, copy=None):
    vertices = [[a + b for a, b in zip(v, by, strict=True)] for v in outline["vertices"]]
    return {**outline, "vertices": vertices, "copy": copy}


def store(pen, **drawn):
    case, _ = pen
    who = make_user("delineator1")
    saved = reading.save_draft(
        case, draft({}, **drawn), base_version=0, key=uuid.uuid4().hex, actor=who, now=NOW
    )
    reading.submit(case, version=saved.version, actor=who, now=NOW)
    return {roi.modality: roi for roi in Roi.objects.order_by("modality")}


def test_a_circle_on_both_images_has_no_problem(pen):
    drawn = {role: circle(pen[1], role) for role in ("CT", "SPECT")}
    assert codes_of(pen, **drawn) == {"CT": [], "SPECT": []}


def test_an_empty_slot_has_no_problem_until_submission(pen):
    assert codes_of(pen) == {"CT": [], "SPECT": []}
    case, _ = pen
    who = make_user("delineator1")
    reading.save_draft(case, draft({}), base_version=0, key="k", actor=who, now=NOW)
    with pytest.raises(Invalid) as refusal:
        reading.submit(case, version=1, actor=who, now=NOW)
    found = refusal.value.extra["problems"]["outlines"]
    assert found == {"CT": ["too_few_points"], "SPECT": ["too_few_points"]}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sop_instance_uid": "2.25.404"}, "wrong_image"),
        ({"frame": 2}, "wrong_image"),
        ({"frame_of_reference_uid": None}, "wrong_image"),
        ({"vertices": [[0.0, 0.0, 30.0], [1.0, 0.0, 30.0]]}, "too_few_points"),
        ({"vertices": [[18.0, 70.0, 30.0]] * 10_000}, "too_few_points"),
        ({"vertices": []}, "too_few_points"),
    ],
)
def test_a_wrong_outline_is_named(pen, change, code):
    assert codes_of(pen, CT={**circle(pen[1], "CT"), **change})["CT"] == [code]


def test_an_outline_of_the_other_modality_is_the_wrong_image(pen):
    assert codes_of(pen, CT=circle(pen[1], "SPECT"))["CT"] == ["wrong_image"]


def test_an_outline_off_its_plane_or_outside_is_named(pen):
    flat = circle(pen[1], "CT")
    assert codes_of(pen, CT=moved(flat, 0, 0, 0.02))["CT"] == ["off_plane"]
    assert codes_of(pen, CT=moved(flat, 40, 0, 0))["CT"] == ["outside_image"]
    assert codes_of(pen, CT=moved(flat, 0, 0, 0.009))["CT"] == []


def copy_record(**changes):
    return {
        "source": "SPECT",
        "source_revision": 1,
        "plane_distance_mm": 0.0,
        "shift_mm": [0.0, 0.0],
        "slices_moved": 0,
        "edited_after_copy": False,
        **changes,
    }


def copied(pen, *by, **changes):
    source = circle(pen[1], "SPECT")
    target = circle(pen[1], "CT")
    return source, moved(target, *by, copy=copy_record(**changes))


def test_a_shifted_copy_equals_its_source_and_shift(pen):
    source, copy = copied(pen, 1.5, -0.5, 0, shift_mm=[1.5, -0.5])
    assert codes_of(pen, SPECT=source, CT=copy) == {"CT": [], "SPECT": []}


def test_a_copy_that_differs_from_its_record_is_named(pen):
    source, copy = copied(pen, 1.5, 0, 0, shift_mm=[1.4, 0.0])
    assert codes_of(pen, SPECT=source, CT=copy)["CT"] == ["copy_mismatch"]


def test_an_edited_copy_may_differ(pen):
    source, copy = copied(pen, 1.5, 0, 0, edited_after_copy=True)
    assert codes_of(pen, SPECT=source, CT=copy)["CT"] == []


def test_a_copy_stays_one_when_its_source_is_edited_afterwards(pen):
    case, document = pen
    source, copy = copied(pen, 0, 0, 0)
    reading.save_draft(
        case,
        draft({}, SPECT=source, CT=copy),
        base_version=0,
        key="k",
        actor=make_user("delineator1"),
        now=NOW,
    )
    smaller = circle(document, "SPECT", radius_mm=8.0)
    assert codes_of(pen, SPECT=smaller, CT=copy)["CT"] == []


def test_a_stored_roi_lies_exactly_in_its_plane(pen):
    drawn = {role: moved(circle(pen[1], role), 0, 0, 0.004) for role in ("CT", "SPECT")}
    rois = store(pen, **drawn)
    assert {v[2] for v in rois["CT"].vertices_mm} == {30.0}
    assert rois["CT"].slice_index == 2
    assert rois["SPECT"].slice_index == 3


def test_the_server_alone_computes_area_and_pixels(pen):
    rois = store(pen, CT=circle(pen[1], "CT"), SPECT=circle(pen[1], "SPECT"))
    polygon = 0.5 * 24 * 10**2 * math.sin(2 * math.pi / 24)
    assert rois["CT"].area_mm2 == pytest.approx(polygon, rel=1e-9)
    # 1 mm pixels: the count is the area within half the circumference
    assert abs(rois["CT"].n_pixels - polygon) < math.pi * 10
    assert len(rois["CT"].mask_digest) == 64


@pytest.mark.parametrize("known", GOLDEN["cases"], ids=lambda known: known["name"])
def test_the_golden_outlines_have_their_problem_codes(known):
    image = known["image"]
    plane = Slice(
        np.broadcast_to(np.zeros(1, dtype=np.uint8), (image["rows"], image["columns"])),
        tuple(image["position"]),
        tuple(image["row_cosines"]),
        tuple(image["column_cosines"]),
        tuple(image["spacing_mm"]),
    )
    vertices = outlines.vertices_of(known)
    found = set(outlines.validate_outline(vertices, plane))
    # with fewer than three points the browser adds too_small, the server stops at the first
    assert found == set(known["problems"]) or found == {"too_few_points"} <= set(known["problems"])
    assert np.allclose(plane.to_pixel(vertices), known["row_column"], atol=1e-6)
