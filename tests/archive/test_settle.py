"""Ready or held (4.4): each doubt, which goes first, and what a coordinator's decision covers."""

from importlib import import_module

import pytest
from django.apps import apps

from portal.archive.classify import CT, HELD, NM
from portal.archive.filing import file_exam, release, remove
from portal.archive.models import Instance, Series
from portal.archive.settle import Doubt, basis_of, decide, differences, extremes, is_stack, settle
from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from tests.archive.builders import change, look, slices, take
from tests.cohort import NOW, make_exam, make_study, make_user

WHY = "seen fused on the CT, all is well"
PIXEL = {
    "rows": 6, "columns": 5, "bits_allocated": 16, "bits_stored": 16, "high_bit": 15, "signed": True, "samples": 1,
    "photometric": "MONOCHROME2",
}  # fmt: skip


def one(*, slope: float = 1.0, intercept: float = -1024.0, unit: str = "HU", **pixel) -> Instance:
    header = {"pixel": {**PIXEL, **pixel}, "unit": unit}
    return Instance(sop_class_uid=CT, slope=slope, intercept=intercept, header=header)


@pytest.mark.parametrize(
    ("other", "differs_in"),
    [
        (one(), []),
        (one(rows=7), ["size"]),
        (one(columns=7), ["size"]),
        (one(rows=7, columns=7), ["size"]),
        (one(bits_allocated=8), ["bits"]),
        (one(bits_stored=12, high_bit=11), ["bits"]),
        (one(signed=False), ["sign"]),
        (one(samples=3), ["samples"]),
        (one(photometric="MONOCHROME1"), ["photometric form"]),
        (one(slope=2.0), ["rescale slope or intercept"]),
        (one(intercept=0.0), ["rescale slope or intercept"]),
        (one(unit="BQML"), ["unit"]),
        (one(rows=7, signed=False, slope=2.0), ["rescale slope or intercept", "sign", "size"]),
    ],
)
def test_slices_of_one_volume_agree_in_all_that_gives_their_numbers(other, differs_in):
    assert differences([one(), one(), other]) == differs_in


@pytest.mark.parametrize(("by", "expected"), [(0.0, []), (1e-7, []), (1e-3, ["pixel spacing"])])
def test_slices_of_two_pixel_spacings_are_no_one_volume(by, expected):
    """The formula of section 5.2 knows one spacing."""
    some = [one(), one(), one()]
    for k, image in enumerate(some):
        image.header["plane"] = [[0, 0, k], [1, 0, 0, 0, 1, 0], [0.9, 0.9 + by * (k == 2)]]
    assert differences(some) == expected


def test_slices_of_two_frames_of_reference_are_no_one_volume():
    """Section 5.5: only what shares a frame of reference shares a space; older rows do not say theirs."""
    some = [one(), one(), one()]
    for image, reference in zip(some, ("2.25.1", "2.25.1", ""), strict=True):
        image.header |= {"reference": reference} if reference else {}
    assert differences(some) == []
    some[2].header["reference"] = "2.25.2"
    assert differences(some) == ["frame of reference"]


def test_pet_slices_have_slopes_of_their_own():
    assert differences([one(unit="BQML", slope=1.5), one(unit="BQML", slope=2.5)]) == []


def test_objects_without_pixels_do_not_differ():
    assert differences([Instance(header={}), Instance(header={})]) == []


def series(role: str = "CT", **more) -> Series:
    return Series(role=role, geometry=more.pop("geometry", {"origin_mm": [0, 0, 0]}), **more)


FIRST, SECOND = Doubt("geometry_to_confirm", "a.", "basis 1"), Doubt("patient_conflict", "b.", "basis 2")  # fmt: skip
FINAL = Doubt("colour", "c.")


@pytest.mark.parametrize(
    ("doubts", "decisions", "reason"),
    [
        ([], {}, ""),
        ([FIRST], {}, "geometry_to_confirm"),
        ([FIRST], {"geometry_to_confirm": "basis 1"}, ""),
        ([FIRST], {"geometry_to_confirm": "an older basis"}, "geometry_to_confirm"),
        ([FIRST], {"patient_conflict": "basis 1"}, "geometry_to_confirm"),
        ([SECOND, FIRST], {}, "patient_conflict"),
        ([SECOND, FIRST], {"patient_conflict": "basis 2"}, "geometry_to_confirm"),
        ([SECOND, FIRST], {"patient_conflict": "basis 2", "geometry_to_confirm": "basis 1"}, ""),
        ([FINAL], {}, "colour"),
        ([FINAL], {"colour": ""}, "colour"),  # nobody may decide this
        ([FINAL, FIRST], {"geometry_to_confirm": "basis 1"}, "colour"),
    ],
)
def test_a_series_is_held_by_the_first_doubt_that_is_not_decided_as_it_stands(
    doubts, decisions, reason
):
    found = series(decisions=decisions)
    decide(found, doubts)
    assert (found.state, found.reason_code) == ("held" if reason else "ready", reason)
    assert found.is_volume is (reason == "")
    assert found.sentence == next((d.sentence for d in doubts if d.code == reason), "")


@pytest.mark.parametrize(
    ("role", "geometry", "is_volume"),
    [("CT", {"a": 1}, True), ("SPECT", {"a": 1}, True), ("WB", {"a": 1}, False), ("OTHER", {"a": 1}, False), ("CT", {}, False)],
)  # fmt: skip
def test_only_ct_and_spect_with_a_geometry_are_volumes(role, geometry, is_volume):
    found = series(role, geometry=geometry)
    decide(found, [])
    assert (found.state, found.is_volume) == ("ready", is_volume)


@pytest.mark.parametrize(
    ("role", "sop_class", "header", "found"),
    [
        ("CT", CT, {"plane": []}, True), ("SPECT", CT, {"plane": []}, True), ("SPECT", NM, {"plane": []}, False),
        ("WB", CT, {"plane": []}, False), ("OTHER", CT, {"plane": []}, False), ("CT", CT, {}, False),
    ],
)  # fmt: skip
def test_slices_with_a_place_are_a_stack_and_nm_objects_are_not(role, sop_class, header, found):
    images = [Instance(sop_class_uid=CT, header={"plane": []}), Instance(sop_class_uid=sop_class, header=header)]  # fmt: skip
    assert is_stack(series(role), images) is found


def test_the_extremes_of_a_series_are_those_of_its_slices():
    rows = [{"minimum": 3, "maximum": 7, "p999_positive": None}, {"minimum": -2, "maximum": 5, "p999_positive": 4.5}, {}]  # fmt: skip
    images = [Instance(header={"values": r, "windows": [[k, 1]]}) for k, r in enumerate(rows)]
    assert extremes(images) == {"minimum": -2.0, "maximum": 7.0, "p999_positive": 4.5, "windows": [[0, 1]]}  # fmt: skip
    assert extremes([Instance(header={})])["maximum"] is None


@pytest.fixture
def gap(tmp_path) -> Series:
    """Seven slices of which the fourth is missing."""
    take(*(p for k, p in enumerate(slices(tmp_path / "a", n=7)) if k != 3), study_key="bone")
    return Series.objects.get()


@pytest.mark.django_db
def test_a_gap_is_held_with_its_place_and_released_with_a_reason(gap):
    assert (gap.state, gap.reason_code) == ("held", "geometry_to_confirm")
    assert gap.sentence.startswith("Slices are missing between z = ")
    someone = make_user("coordinator")
    release(gap, reason=WHY, actor=someone, study="bone", seen=look(gap))
    gap.refresh_from_db()
    assert (gap.state, gap.reason_code, gap.is_volume) == ("ready", "", True)
    assert (
        not gap.is_regular
    )  # a person may take it as it is; nothing is laid over it as if no slice were missing
    assert gap.volume_reason == "Slices are missing between z = -2.0 and 3.0 mm."
    event = AuditEvent.objects.get(verb="series.release")
    assert (event.actor, event.obj, event.study) == (f"u:{someone.pk}", f"series:{gap.pk}", "bone")


@pytest.mark.django_db
def test_settling_again_keeps_a_decision_and_a_new_slice_asks_for_another(gap, tmp_path):
    release(gap, reason=WHY, actor=make_user("coordinator"), study="bone", seen=look(gap))
    settle(gap)
    assert gap.state == "ready"
    take(*slices(tmp_path / "b", first=9, n=1), study_key="bone")
    gap.refresh_from_db()
    assert (gap.state, gap.reason_code) == ("held", "geometry_to_confirm")


@pytest.mark.django_db
def test_what_would_be_confirmed_depends_on_every_image(gap, tmp_path):
    before = basis_of(gap, "geometry_to_confirm")
    assert before == basis_of(gap, "geometry_to_confirm")
    assert basis_of(gap, "colour") == ""
    take(*slices(tmp_path / "b", first=9, n=1), study_key="bone")
    gap.refresh_from_db()
    assert before != basis_of(gap, "geometry_to_confirm")


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["", "too short", "         x", " " * 40])
def test_a_release_and_a_removal_want_a_reason_of_ten_characters(gap, reason):
    someone = make_user("coordinator")
    with pytest.raises(Invalid, match="Say in at least 10 characters why the series is released"):
        release(gap, reason=reason, actor=someone, study="bone")
    with pytest.raises(Invalid, match="Say in at least 10 characters why the series is removed"):
        remove(gap, reason=reason, actor=someone, study="bone")
    assert Series.objects.get().state == "held"
    assert not AuditEvent.objects.filter(verb__startswith="series.").exists()


HARD = {
    "burned_in": ("BurnedInAnnotation", "YES"), "secondary_capture": ("ConversionType", "WSD"),
    "pixel_encoding": ("HighBit", 3), "localizer": ("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]),
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("code", HARD)
def test_what_could_show_a_name_or_cannot_be_read_is_never_released(tmp_path, code):
    (path,) = slices(tmp_path / "a", n=1)
    change(path, lambda ds: setattr(ds, *HARD[code]))
    take(path, study_key="bone")
    held = Series.objects.get()
    assert (held.state, held.reason_code) == ("held", code)
    with pytest.raises(Conflict, match="This series cannot be released; ask for the original"):
        release(held, reason=WHY, actor=make_user("coordinator"), study="bone")


@pytest.mark.django_db
def test_a_ready_series_and_slices_in_one_place_are_not_released(tmp_path):
    take(*slices(tmp_path / "a"), study_key="bone")
    with pytest.raises(Conflict, match="cannot be released"):
        release(Series.objects.get(), reason=WHY, actor=make_user("coordinator"), study="bone")
    twice = slices(tmp_path / "b", n=3, series="2.25.72")
    change(twice[1], lambda ds: setattr(ds, "ImagePositionPatient", [-5.0, -6.0, -7.0]))
    take(*twice, study_key="bone")
    flat = Series.objects.get(state="held")
    assert flat.reason_code == "geometry_to_confirm"
    with pytest.raises(Conflict, match="These slices make no volume as they are"):
        release(flat, reason=WHY, actor=make_user("coordinator"), study="bone")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("is_synthetic", "expects", "sentence"),
    [
        (True, False, "Synthetic images cannot enter this real study."),
        (False, True, "Real images cannot enter this synthetic study."),
        (True, True, ""),
        (False, False, ""),
    ],
)
def test_synthetic_and_real_never_mix_when_an_exam_is_filed(is_synthetic, expects, sentence):
    exam = make_exam()
    exam.is_synthetic = is_synthetic
    exam.save()
    how = {"study_key": "bone", "expects_synthetic": expects, "actor": make_user("coordinator"), "now": NOW}  # fmt: skip
    if sentence:
        with pytest.raises(Conflict) as refusal:
            file_exam(exam, **how)
        assert str(refusal.value) == sentence
    else:
        file_exam(exam, **how)
    exam.refresh_from_db()
    assert exam.study_key == ("" if sentence else "bone")
    assert AuditEvent.objects.filter(verb="exam.file").count() == (0 if sentence else 1)


@pytest.mark.django_db
def test_an_exam_is_filed_once():
    study = make_study("lung", cast=False)
    exam = make_exam(study)
    with pytest.raises(Conflict, match=r"This exam belongs to a study already\."):
        file_exam(exam, study_key="bone", expects_synthetic=False, actor=make_user("c"), now=NOW)


@pytest.mark.django_db
def test_filing_an_exam_of_another_patient_into_a_study_that_has_it_is_a_conflict():
    study = make_study("bone", cast=False)
    there, mine = make_exam(study), make_exam()
    mine.mapped_uid = there.mapped_uid
    mine.save()
    filed = file_exam(mine, study_key="bone", expects_synthetic=False, actor=make_user("c"), now=NOW)  # fmt: skip
    assert filed.has_conflict
    assert HELD["patient_conflict"] == "This exam already belongs to another patient; decide in the held list."  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("is_tilted", [False, True])
def test_what_was_released_before_is_told_to_be_no_grid(gap, is_tilted):
    """Rows of an earlier version: the step of the migration that looks at them."""
    release(gap, reason=WHY, actor=make_user("coordinator"), study="bone", seen=look(gap))
    said = "Slices are missing, or their distances differ."
    if is_tilted:
        gap.geometry["positions_mm"] = [[0, 0.5 * k, 2.5 * k] for k in range(gap.n_frames)]
        said = "The stack is tilted against its slices."
    gap.volume_reason = ""
    gap.save()
    import_module("portal.archive.migrations.0007_uneven_volumes").mark(apps, None)
    gap.refresh_from_db()
    assert (gap.is_regular, gap.volume_reason) == (False, said)


@pytest.mark.django_db
def test_an_even_volume_stays_a_grid(gap):
    gap.state, gap.is_volume, gap.volume_reason = "ready", True, ""
    gap.reason_code, gap.decisions = "", {"geometry_to_confirm": "basis"}
    gap.geometry["positions_mm"] = [[0, 0, 2.5 * k] for k in range(gap.n_frames)]
    gap.save()
    import_module("portal.archive.migrations.0007_uneven_volumes").mark(apps, None)
    gap.refresh_from_db()
    assert gap.is_regular
