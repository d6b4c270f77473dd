"""Regions on several slices, and those that a share of the maximum gives: drawn, checked, stored, never in other studies."""

import copy
import json
import uuid

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from portal.archive import packs
from portal.archive.pixels import slab, volume
from portal.audit.models import AuditEvent
from portal.errors import Invalid, NotFound
from portal.study.models import Lesion
from portal.truth.models import ReferenceStandard
from radiomics.volume_region import Sphere, threshold_region
from readers import outlines, reading
from readers.design import create_design
from readers.models import Roi
from readers.regions import has_regions, met, propose
from tests.cohort import NOW, make_user
from tests.readers.builders import circle, draft, make_reading_study, start

pytestmark = pytest.mark.django_db
CENTRE = (18.0, 70.0, 30.0)
SPHERE = {"centre_mm": list(CENTRE), "radius_mm": 20.0, "fraction": 0.42}


def heat(series) -> None:
    """A warm spot about the lesion in a cold surround, in every frame of the series."""
    n, rows, columns = series.n_frames, series.pixel["rows"], series.pixel["columns"]
    k, r, c = np.meshgrid(*(np.arange(m) for m in (n, rows, columns)), indexing="ij")
    squared = ((k - n // 2) * 1.0) ** 2 + (r - rows / 2) ** 2 + (c - columns / 2) ** 2
    pixels = (900 * np.exp(-squared / 8)).astype("<u2")
    head, tail = packs.head(series.transfer_syntax_uid), packs.tail()
    content = b"".join(head + plane.tobytes() + tail for plane in pixels)
    for name in (packs.NATIVE, packs.STORED):
        (packs.folder_of(series.folder) / name).write_bytes(content)


def at_the_desk(*, regions: bool = True, task: str = "outline"):
    """An outlining case on the desk: the case, its document, the delineator."""
    study = make_reading_study(n_lesions=2, parameters={"regions_3d": True} if regions else None)
    for lesion in Lesion.objects.of_study(study).select_related("spect_series"):
        heat(lesion.spect_series)
    who = make_user("delineator1" if task == "outline" else "expert1")
    session = start(study, who.username, task=task)
    case = reading.fresh(session.assignments.get(position=1))
    return case, reading.open_case(case, actor=who, now=NOW).to_json(csrf_token=""), who


@pytest.fixture
def desk():
    return at_the_desk()


def save(desk, version: int = 0, **drawn):
    case, _, who = desk
    return reading.save_draft(
        case, draft({}, **drawn), base_version=version, key=uuid.uuid4().hex, actor=who, now=NOW
    )


def stack(document, role: str, *radii: float) -> list[dict]:
    return [circle(document, role, radius_mm=r, image=k + 1) for k, r in enumerate(radii)]


def test_a_region_of_several_slices_is_stored_as_one_row_per_slice_the_largest_first(desk):
    case, document, who = desk
    saved = save(desk, CT=stack(document, "CT", 6.0, 11.0, 8.0), SPECT=circle(document, "SPECT"))
    assert not saved.problems.any
    reading.submit(case, version=saved.version, actor=who, now=NOW)
    rows = list(Roi.objects.filter(modality="CT").order_by("pk"))
    assert [roi.slice_index for roi in rows] == [2, 3, 1]
    assert rows[0].area_mm2 > rows[1].area_mm2 > rows[2].area_mm2
    assert Roi.objects.filter(modality="SPECT").count() == 1
    assert {roi.kind for roi in rows} == {"points"}
    assert all(roi.sphere_radius_mm is None for roi in Roi.objects.all())


def test_one_outline_per_modality_is_still_a_region(desk):
    case, document, who = desk
    saved = save(desk, CT=circle(document, "CT"), SPECT=circle(document, "SPECT"))
    reading.submit(case, version=saved.version, actor=who, now=NOW)
    assert Roi.objects.count() == 2


def test_an_ordinary_study_takes_one_outline_and_no_sphere():
    plain = at_the_desk(regions=False)
    _, document, _ = plain
    with pytest.raises(Invalid, match="one outline per modality"):
        save(plain, CT=stack(document, "CT", 6.0, 8.0))
    with pytest.raises(Invalid, match="where the study's design has regions"):
        save(plain, SPECT={**circle(document, "SPECT"), "kind": "threshold", "sphere": SPHERE})
    with pytest.raises(NotFound):
        propose(plain[0], SPHERE)


def test_an_ordinary_studys_document_says_nothing_of_regions():
    case, document, _ = at_the_desk(regions=False)
    assert "regions_3d" not in json.dumps(document)
    assert "threshold" not in json.dumps(document)
    assert not has_regions(case.session.design)


def test_a_study_with_regions_says_so_and_where_to_ask(desk):
    case, document, _ = desk
    assert document["case"]["regions_3d"] is True
    assert document["case"]["urls"]["threshold"] == f"/reading/cases/{case.code}/threshold"


def test_a_reading_session_of_such_a_study_is_an_ordinary_one():
    case, document, _ = at_the_desk(task="read")
    assert "regions_3d" not in document["case"]
    with pytest.raises(NotFound):
        propose(case, SPHERE)


def test_two_outlines_on_one_slice_are_named(desk):
    drawn = [circle(desk[1], "CT", image=2), circle(desk[1], "CT", image=2, radius_mm=5.0)]
    assert save(desk, CT=drawn).problems.outlines["CT"] == ["same_slice"]


def test_a_problem_of_any_slice_is_a_problem_of_the_region_and_is_named_once(desk):
    drawn = stack(desk[1], "CT", 6.0, 7.0, 8.0)
    for outline in drawn[:2]:
        outline["vertices"] = [[x, y, z + 0.05] for x, y, z in outline["vertices"]]
    assert save(desk, CT=drawn).problems.outlines == {"CT": ["off_plane"], "SPECT": []}


def test_a_faulty_region_blocks_submission_not_saving(desk):
    case, document, who = desk
    drawn = [circle(document, "CT", image=2), circle(document, "CT", image=2, radius_mm=5.0)]
    saved = save(desk, CT=drawn, SPECT=circle(document, "SPECT"))
    assert saved.version == 1
    with pytest.raises(Invalid, match="not valid"):
        reading.submit(case, version=1, actor=who, now=NOW)
    assert Roi.objects.count() == 0


@pytest.mark.parametrize("many", [0, 201])
def test_a_region_has_from_one_to_200_outlines(desk, many):
    with pytest.raises(Invalid, match="from 1 to 200 outlines"):
        save(desk, CT=[circle(desk[1], "CT")] * many)


def test_a_copy_may_come_from_any_slice_of_its_source(desk):
    _, document, _ = desk
    source = stack(document, "CT", 6.0, 8.0)
    copied = copy.deepcopy(source[1])
    target = circle(document, "SPECT")
    record = {"source": "CT", "source_revision": 1, "plane_distance_mm": 0.0, "shift_mm": [0.0, 0.0],
              "slices_moved": 0, "edited_after_copy": False}  # fmt: skip
    here = {**target, "vertices": copied["vertices"], "copy": record}
    assert save(desk, CT=source, SPECT=here).problems.outlines["SPECT"] == []
    away = [[x + 1, y, z] for x, y, z in copied["vertices"]]
    found = save(desk, version=1, CT=source, SPECT={**here, "vertices": away})
    assert found.problems.outlines["SPECT"] == ["copy_mismatch"]


def test_a_threshold_region_is_what_radiomics_computes_on_the_whole_series(desk):
    case, _, _ = desk
    series = case.lesion.spect_series
    wanted = threshold_region(volume(series), Sphere(CENTRE, 20.0, 0.42)).sections
    found = propose(case, SPHERE)
    assert len(found) == len(wanted) > 1
    for outline, section in zip(found, wanted, strict=True):
        assert np.allclose(outline["vertices"], section.vertices_mm, atol=5e-5)


def test_a_proposed_region_is_confirmed_by_submission_and_keeps_its_sphere(desk):
    case, document, who = desk
    drawn = propose(case, SPHERE)
    saved = save(desk, CT=circle(document, "CT"), SPECT=drawn)
    assert not saved.problems.any
    reading.submit(case, version=saved.version, actor=who, now=NOW)
    rows = list(Roi.objects.filter(modality="SPECT"))
    assert len(rows) == len(drawn)
    for roi in rows:
        assert roi.kind == "threshold"
        assert roi.sphere_centre_mm == list(CENTRE)
        assert (roi.sphere_radius_mm, roi.threshold_fraction) == (20.0, 0.42)


def test_proposing_stores_nothing(desk):
    before = AuditEvent.objects.count()
    propose(desk[0], SPHERE)
    assert AuditEvent.objects.count() == before
    assert Roi.objects.count() == 0


def shifted(drawn):
    drawn[0]["vertices"][0][0] += 0.5


def without_a_slice(drawn):
    drawn.pop()


def of_another_sphere(drawn):
    for outline in drawn:
        outline["sphere"] = {**SPHERE, "fraction": 0.9}


def of_two_spheres(drawn):
    drawn[0]["sphere"] = {**SPHERE, "radius_mm": 21.0}


def half_drawn_by_hand(drawn):
    drawn[0]["kind"] = "points"
    del drawn[0]["sphere"]


def nowhere(drawn):
    for outline in drawn:
        outline["sphere"] = {**SPHERE, "centre_mm": [18.0, 70.0, 9000.0]}


def turned_about(drawn):
    drawn[0]["vertices"] = drawn[0]["vertices"][1:] + drawn[0]["vertices"][:1]


@pytest.mark.parametrize(
    "change",
    [shifted, without_a_slice, of_another_sphere, of_two_spheres, half_drawn_by_hand, nowhere, turned_about],
)  # fmt: skip
def test_outlines_that_the_server_does_not_compute_are_no_threshold_region(desk, change):
    drawn = propose(desk[0], SPHERE)
    change(drawn)
    assert save(desk, SPECT=drawn).problems.outlines["SPECT"] == ["threshold_mismatch"]


def test_an_edited_region_is_a_drawn_one_once_it_gives_up_its_sphere(desk):
    drawn = propose(desk[0], SPHERE)
    for outline in drawn:
        outline["kind"] = "points"
        del outline["sphere"]
    drawn.pop()
    assert save(desk, SPECT=drawn).problems.outlines["SPECT"] == []


def test_the_geometry_of_a_threshold_outline_is_checked_first(desk):
    drawn = propose(desk[0], SPHERE)
    drawn[0]["frame"] = 404
    assert save(desk, SPECT=drawn).problems.outlines["SPECT"] == ["wrong_image"]


@pytest.mark.parametrize(
    ("sphere", "sentence"),
    [
        ({**SPHERE, "radius_mm": 0}, "radius"),
        ({**SPHERE, "radius_mm": -3.0}, "radius"),
        ({**SPHERE, "radius_mm": 100.5}, "radius"),
        ({**SPHERE, "radius_mm": "20"}, "radius"),
        ({**SPHERE, "radius_mm": True}, "radius"),
        ({**SPHERE, "fraction": 0}, "fraction"),
        ({**SPHERE, "fraction": 1.01}, "fraction"),
        ({**SPHERE, "fraction": None}, "fraction"),
        ({**SPHERE, "centre_mm": [1.0, 2.0]}, "three finite numbers"),
        ({**SPHERE, "more": 1}, "a centre, a radius and a fraction"),
        ([1, 2, 3], "a centre, a radius and a fraction"),
    ],
)
def test_an_impossible_sphere_is_refused_at_the_door(desk, sphere, sentence):
    outline = {**circle(desk[1], "SPECT"), "kind": "threshold", "sphere": sphere}
    with pytest.raises(Invalid, match=sentence):
        save(desk, SPECT=[outline])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"copy": {"source": "CT"}}, "no copy"),
        ({"kind": "points"}, "other fields"),
        ({"kind": "brush"}, "other fields"),
    ],
)
def test_a_threshold_outline_has_its_own_form(desk, change, sentence):
    outline = {**circle(desk[1], "SPECT"), "kind": "threshold", "sphere": SPHERE, **change}
    with pytest.raises(Invalid, match=sentence):
        save(desk, SPECT=outline)


def test_a_threshold_region_is_of_spect_only(desk):
    outline = {**circle(desk[1], "CT"), "kind": "threshold", "sphere": SPHERE}
    with pytest.raises(Invalid, match="drawn on SPECT"):
        save(desk, CT=[outline])


@pytest.mark.parametrize(
    ("centre", "sentence"),
    [((18.0, 70.0, 9000.0), "The sphere holds no voxel"), ((-30.0, 20.0, 30.0), "no value above 0")],
)  # fmt: skip
def test_a_sphere_without_uptake_gives_a_sentence(desk, centre, sentence):
    with pytest.raises(Invalid, match=sentence):
        propose(desk[0], {**SPHERE, "centre_mm": list(centre), "radius_mm": 6.0})


def test_only_the_slices_that_the_sphere_meets_are_read(desk):
    series = desk[0].lesion.spect_series
    assert met(series, Sphere(CENTRE, 20.0)) == (0, 6)
    assert met(series, Sphere(CENTRE, 5.0)) == (2, 4)
    assert met(series, Sphere(CENTRE, 1.0)) == (3, 3)


def test_a_slab_is_a_part_of_the_volume(desk):
    for series in (desk[0].lesion.ct_series, desk[0].lesion.spect_series):
        whole, part = volume(series), slab(series, 1, 3)
        assert np.array_equal(part.pixels, whole.pixels[1:4])
        assert np.array_equal(part.positions_mm, whole.positions_mm[1:4])
        assert part.to_patient([[0, 2, 3]]) == pytest.approx(whole.to_patient([[1, 2, 3]]))


def row(**changes) -> Roi:
    """A copy of a stored threshold ROI on another slice."""
    old = Roi.objects.filter(kind="threshold").first()
    names = [f.attname for f in Roi._meta.concrete_fields if f.attname != "id"]
    return Roi(**{n: getattr(old, n) for n in names} | {"slice_index": 6} | changes)


@pytest.fixture
def stored(desk):
    """A threshold region among the rows, and the draft of a reopened case to which rows may be added."""
    case, document, who = desk
    saved = save(desk, CT=circle(document, "CT"), SPECT=propose(case, SPHERE))
    reading.submit(case, version=saved.version, actor=who, now=NOW)
    reading.reopen(case, reason_code="slip", reason="drawn on the wrong slice", actor=who, now=NOW)
    return reading.current_read(reading.fresh(case), now=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold_fraction": 0.0}, {"threshold_fraction": 1.5}, {"threshold_fraction": None},
        {"sphere_radius_mm": 0.0}, {"sphere_radius_mm": -1.0}, {"sphere_radius_mm": None},
        {"sphere_centre_mm": None}, {"modality": "CT"}, {"kind": "points"},
        {"kind": "points", "sphere_centre_mm": None, "sphere_radius_mm": None},
    ],
)  # fmt: skip
def test_the_database_refuses_a_threshold_row_that_does_not_add_up(stored, changes):
    with pytest.raises(IntegrityError, match="a_threshold_roi_names_its_sphere"), transaction.atomic():  # fmt: skip
        row(read_id=stored.pk, **changes).save()


def test_the_database_takes_one_that_does(stored):
    row(read_id=stored.pk).save()
    with pytest.raises(IntegrityError), transaction.atomic():
        row(read_id=stored.pk).save()


def test_a_reopened_case_keeps_its_region_as_a_draft(stored):
    assert isinstance(stored.document["outlines"]["SPECT"], list)
    assert stored.document["outlines"]["SPECT"][0]["sphere"] == SPHERE


def test_a_design_says_true_or_false_of_regions():
    study = make_reading_study(n_lesions=1)
    boss = make_user("coordinator")
    with pytest.raises(Invalid, match="either true or false"):
        create_design(study, seed=1, actor=boss, now=NOW, parameters={"regions_3d": "yes"})
    assert not has_regions(create_design(study, seed=1, actor=boss, now=NOW))


def ask(who, code: str, **change) -> tuple[int, dict]:
    client = Client()
    client.force_login(who)
    query = {"centre_mm": "18,70,30", "radius_mm": "20", "fraction": "0.42", **change}
    answer = client.get(f"/reading/cases/{code}/threshold", query)
    return answer.status_code, answer.json()


def test_the_desk_asks_for_a_region_and_gets_outlines_without_a_number(desk):
    case, _, who = desk
    status, body = ask(who, case.code)
    assert status == 200
    assert set(body) == {"outlines"}
    assert {key for outline in body["outlines"] for key in outline} == {
        "vertices", "sop_instance_uid", "frame", "frame_of_reference_uid", "kind", "copy", "sphere",
    }  # fmt: skip
    assert save(desk, SPECT=body["outlines"]).problems.outlines["SPECT"] == []


@pytest.mark.parametrize(
    "change",
    [{"centre_mm": "1,2"}, {"centre_mm": ""}, {"centre_mm": "a,b,c"}, {"centre_mm": "nan,1,2"}, {"radius_mm": "0"},
     {"radius_mm": "inf"}, {"radius_mm": ""}, {"fraction": "2"}, {"fraction": "x"}],
)  # fmt: skip
def test_a_bad_request_for_a_region_is_answered_with_a_sentence(desk, change):
    case, _, who = desk
    status, body = ask(who, case.code, **change)
    assert status == 422
    assert body["detail"].endswith(".")


def test_asking_changes_nothing_and_cannot_be_posted(desk):
    case, _, who = desk
    client = Client()
    client.force_login(who)
    assert client.post(f"/reading/cases/{case.code}/threshold").status_code == 405
    before = AuditEvent.objects.count()
    ask(who, case.code)
    assert AuditEvent.objects.count() == before


def test_no_other_readers_case_and_no_waiting_case_gives_a_region(desk):
    case, _, who = desk
    later = case.session.assignments.get(position=2)
    assert ask(who, later.code)[0] == 404
    assert ask(make_user("delineator2"), case.code)[0] == 404
    assert ask(make_user("expert1"), case.code)[0] == 404
    assert Client().get(f"/reading/cases/{case.code}/threshold").status_code == 401


def test_an_ordinary_case_answers_like_an_address_that_is_not_there():
    case, _, who = at_the_desk(regions=False)
    assert ask(who, case.code) == ask(who, "nosuchcase")


def test_a_proposed_region_does_not_depend_on_the_truth(desk):
    case, _, who = desk
    before = ask(who, case.code)
    ReferenceStandard.objects.create(
        lesion=case.lesion, diagnosis="metastasis", method="pathology",
        entered_by=make_user("coordinator"), entered_at=NOW,
    )  # fmt: skip
    assert ask(who, case.code) == before
    assert outlines.problems(case, draft({}, SPECT=propose(case, SPHERE))["outlines"])["SPECT"] == []  # fmt: skip
