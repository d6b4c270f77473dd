"""The factor from Bq/ml to SUV by body weight: hand-computed, or a sentence that names what is missing."""

import math
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.archive import suv
from portal.archive.emission import STARTED, TRACERS, moved_facts
from portal.archive.models import Instance
from portal.archive.reading import read
from tests.archive.builders import change, pet, take
from tests.archive.test_import import SHARED, needs_shared

# 70 kg, 370 MBq of 18F with 110 min, injected an hour before the scan
DRUG = {
    "RadiopharmaceuticalStartTime": "093000",
    "RadionuclideTotalDose": 370_000_000,
    "RadionuclideHalfLife": 6600,
}
SCAN = {
    "dates": {"SeriesDate": "20190304", "AcquisitionDate": "20190304"},
    "times": {"SeriesTime": "103000.00", "AcquisitionTime": "103000.00"},
    "emission": {"Units": ["BQML"], "DecayCorrection": ["START"], TRACERS: [DRUG]},
}
# 70000 g / 3.7e8 Bq, and times 2^(60/110)
AT_INJECTION, AFTER_AN_HOUR = 1.89189e-4, 2.76118e-4
MISSING = "SUV cannot be computed: {} missing."


def scan(**changes: object) -> dict:
    """The facts of a scan with other values; None takes one away."""
    facts = deepcopy(SCAN)
    places = (facts["dates"], facts["times"], facts["emission"], facts["emission"][TRACERS][0])
    for keyword, value in changes.items():
        place = next((p for p in places if keyword in p), home(keyword, places))
        place.pop(keyword, None)
        if value is not None:
            place[keyword] = value
    return facts


def home(keyword: str, places: tuple[dict, ...]) -> dict:
    """Where a keyword stands that the scan does not say."""
    named = {
        "AcquisitionDateTime": 0,
        STARTED: 3,
        "FrameReferenceTime": 2,
        "ActualFrameDuration": 2,
    }
    return places[named.get(keyword, 0)]


def test_an_hour_after_the_injection_the_factor_is_that_of_the_formula():
    assert suv.factor(scan(), 70) == AFTER_AN_HOUR
    assert pytest.approx(70_000 / 3.7e8 * 2 ** (60 / 110), rel=1e-5) == AFTER_AN_HOUR


def test_after_a_half_life_it_is_twice_that_of_the_injection():
    assert suv.factor(scan(RadiopharmaceuticalStartTime="0840"), 70) == 3.78378e-4


def test_values_corrected_to_the_injection_need_no_decay():
    assert suv.factor(scan(DecayCorrection=["ADMIN"]), 70) == AT_INJECTION


def test_the_exact_weight_counts_not_the_rounded_one():
    assert suv.factor(scan(), 70.49) == pytest.approx(AFTER_AN_HOUR * 70.49 / 70, rel=1e-5)


def test_an_injection_before_midnight_was_the_day_before():
    late = {"SeriesTime": "001500", "AcquisitionTime": "001500"}
    assert suv.factor(scan(RadiopharmaceuticalStartTime="231500", **late), 70) == AFTER_AN_HOUR
    dated = scan(RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime="20190303231500.0", **late)  # fmt: skip
    assert suv.factor(dated, 70) == AFTER_AN_HOUR


def test_date_and_time_of_the_injection_go_before_its_time():
    """Two half-lives and a day of 89Zr, which the clock alone would take for a day less."""
    half_life = 282_240  # 78.4 h
    said = {STARTED: "20190301093000", "RadionuclideHalfLife": half_life}
    expected = 70_000 / 3.7e8 * 2 ** (73 * 3600 / half_life)
    assert suv.factor(scan(**said), 70) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "dated",
    [
        "20190304073000",  # the same moment by the clock of another zone, or another injection
        "20190304113000",  # after the scan
        "20190301093000",  # 39 half-lives before it
    ],
)
def test_an_injection_that_cannot_be_true_is_unknown(dated):
    found = suv.factor(scan(**{STARTED: dated}), 70)
    assert found == MISSING.format("the injection time is")


@pytest.mark.parametrize(
    ("changes", "weight", "what"),
    [
        ({"Units": ["CNTS"]}, 70, "the unit Bq/ml is"),
        ({"Units": None}, 70, "the unit Bq/ml is"),
        ({"RadionuclideTotalDose": None}, 70, "the dose is"),
        ({"RadionuclideTotalDose": 0}, 70, "the dose is"),
        ({"RadionuclideTotalDose": 370}, 70, "the dose is"),  # MBq where the standard has Bq
        ({}, None, "the patient's weight is"),
        ({"RadiopharmaceuticalStartTime": None}, 70, "the injection time is"),
        ({"RadiopharmaceuticalStartTime": "000000.00"}, 70, "the injection time is"),
        ({"SeriesTime": None, "AcquisitionTime": None}, 70, "the reference time is"),
        ({"SeriesTime": "000000", "AcquisitionTime": None}, 70, "the reference time is"),
        ({"SeriesDate": None, "AcquisitionDate": None}, 70, "the reference time is"),
        ({"SeriesDate": "00010101", "AcquisitionDate": None}, 70, "the reference time is"),
        ({"RadionuclideHalfLife": None}, 70, "the half-life is"),
        ({"RadionuclideHalfLife": 0}, 70, "the half-life is"),
        ({"DecayCorrection": ["NONE"]}, 70, "the decay correction is"),
        ({"DecayCorrection": None}, 70, "the decay correction is"),
        ({"RadionuclideTotalDose": None}, None, "the dose and the patient's weight are"),
        ({"DecayCorrection": ["ADMIN"], "RadionuclideHalfLife": None}, 70, "the half-life is"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_computed(changes, weight, what):
    assert suv.factor(scan(**changes), weight) == MISSING.format(what)


def test_a_header_without_anything_misses_all_of_it_in_one_sentence():
    assert suv.factor({}, None) == MISSING.format(
        "the unit Bq/ml, the dose, the patient's weight, the injection time, the reference time, the half-life and "
        "the decay correction are"
    )


def test_a_file_in_grams_per_millilitre_says_it_is_suv_already():
    assert suv.factor(scan(Units=["GML"], RadionuclideTotalDose=None), None) == suv.ALREADY


# a frame of 240 s: x = 240 ln 2 / 6600 = 0.0252054, so its mean count rate is 240 (1/2 - x/24) = 119.748 s in
FRAME = {"ActualFrameDuration": 240_000}


@pytest.mark.parametrize("beds_before", [0, 1, 7])
def test_a_series_time_written_anew_is_reckoned_back_from_the_frame(beds_before):
    """Reconstructed again in the evening: the series says 18:00, the bed began so many times 4 min after 10:30."""
    began = datetime(2019, 3, 4, 10, 30, tzinfo=UTC) + beds_before * timedelta(minutes=4)
    said = {"SeriesTime": "180000", "AcquisitionTime": began.strftime("%H%M%S")}
    middle = {"FrameReferenceTime": beds_before * 240_000 + 119_748, **FRAME}
    assert suv.factor(scan(**said, **middle), 70) == pytest.approx(AFTER_AN_HOUR, rel=1e-5)


def test_without_its_frame_time_such_an_image_starts_when_it_was_acquired():
    said = {"SeriesTime": "180000", "AcquisitionTime": "103400"}
    expected = AFTER_AN_HOUR * 2 ** (4 / 110)
    assert suv.factor(scan(**said), 70) == pytest.approx(expected, rel=1e-5)
    whole = scan(**said | {"AcquisitionTime": None}, AcquisitionDateTime="20190304103400.00")
    assert suv.factor(whole, 70) == suv.factor(scan(**said), 70)


def test_a_series_that_began_before_its_later_beds_is_the_reference_of_all():
    later = {"AcquisitionTime": "105800", "FrameReferenceTime": 1_799_748, **FRAME}
    assert suv.factor(scan(**later), 70) == AFTER_AN_HOUR


def test_of_a_series_the_earliest_start_counts_and_one_image_without_spoils_it():
    assert suv.of_series([3e-4, AFTER_AN_HOUR, 2.9e-4]) == AFTER_AN_HOUR
    assert suv.of_series([3e-4, suv.ALREADY]) == suv.ALREADY
    assert suv.of_series([]) is None


@given(st.integers(1, 521))
def test_weeks_by_which_the_dates_move_change_nothing(weeks):
    facts = scan(**{STARTED: "20190304093000"})
    assert suv.factor(moved_facts(facts, weeks, None), 70) == suv.factor(facts, 70)


@given(st.floats(1, 400), st.floats(1e6, 1e11), st.integers(1, 9 * 60))
def test_multiplying_back_the_activity_that_is_left_gives_the_weight(weight, dose, minutes):
    """C = D 2^(-t/T) / W spread evenly through the body has an SUV of 1 g/ml, by definition."""
    began = datetime(2019, 3, 4, 10, 30, tzinfo=UTC) - timedelta(minutes=minutes)
    facts = scan(RadiopharmaceuticalStartTime=began.strftime("%H%M%S"), RadionuclideTotalDose=dose)
    even = dose * math.exp(-math.log(2) * minutes / 110) / (1000 * weight)
    assert suv.factor(facts, weight) * even == pytest.approx(1, rel=1e-5)


@pytest.mark.django_db
def test_an_import_keeps_the_factor_by_the_exact_weight_and_the_weight_rounded(tmp_path):
    paths = pet(tmp_path, n=2)
    for path in paths:
        change(path, injected)
    take(*paths)
    for image in Instance.objects.all():
        assert image.header["suv"] == pytest.approx(AFTER_AN_HOUR * 70.49 / 70, rel=1e-5)
        assert image.header["facts"]["PatientWeight"] == 70
    assert Instance.objects.count() == 2


def injected(ds: pydicom.Dataset) -> None:
    ds.PatientWeight, ds.DecayCorrection = "70.49", "START"
    ds.SeriesTime = ds.AcquisitionTime = "103000"
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    for keyword, value in DRUG.items():
        setattr(drug, keyword, value)


@needs_shared
def test_the_real_pet_of_sts_044_is_suv_already(tmp_path):
    for path in sorted((SHARED / "petct_STS_044" / "PET").iterdir())[:3]:
        assert read(path, tmp_path)["suv"] == suv.ALREADY


@needs_shared
def test_no_other_class_says_anything_of_suv(tmp_path):
    for name in ("pair_ct_01", "pair_nm_neg", "nm_whole_body_ant_post"):
        assert "suv" not in read(SHARED / "synthetic" / f"{name}.dcm", tmp_path)
