"""How the images were acquired: what the header says, the summary, who stands out, the pages."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.archive import suv
from portal.archive.classify import PT
from portal.archive.models import Instance, Series
from portal.study import acquisition
from portal.study.acquisition import QUANTITIES, Quantity, summarise
from portal.study.models import Patient, Study
from tests.cohort import make_exam, make_patient, make_series, make_study
from tests.study.test_pages import sign_in, text_of

KV = Quantity("kvp", "Tube voltage", "kV", ("CT",))


def make_ct(study: Study, subject: str, **said: object) -> Patient:
    """A patient with one CT whose header says 120 kV, 80 mA and whatever is given."""
    patient = make_patient(study, subject)
    series = make_series(make_exam(study, subject), "CT")
    series.acquisition = {
        "vendor": "Acme",
        "model": "One",
        "kvp": 120,
        "tube_current_ma": 80,
        **said,
    }
    series.pixel = {"rows": 256, "columns": 512}
    series.geometry = {"spacing_mm": [0.5, 0.5], "slice_spacing_mm": 2.5}
    series.n_frames = 40
    series.save()
    return patient


def people(n: int) -> list[Patient]:
    return [Patient(pk=i + 1, subject=f"S{i}") for i in range(n)]


def row_of(study: Study, key: str) -> acquisition.Summary:
    (kind,) = acquisition.summary(study)
    return next(row for row in kind.summaries if row.quantity.key == key)


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        ([120, 120, 120, 140], [140]),  # a spread of nought makes every other value stand out
        ([120, 120, 140], []),  # three values are too few
        ([100, 110, 120, 130, 140], []),
        ([1, 2, 3, 4, 100], [100]),  # quartiles 2 and 4: fences -1 and 7
        ([1, 2, 3, 4, 7], []),  # on the fence
        ([None, None, None, 120], []),
        (["A", "A", "A", "B"], ["B"]),  # exactly three quarters share A
        (["A", "A", "B", "B"], []),
        (["A", "A", "A", "A", "B", "C"], []),  # two thirds are not three quarters
    ],
)
def test_what_stands_out_follows_the_fences_and_the_common_word(
    values: list[float | str | None], odd: list[float | str]
) -> None:
    found = summarise(KV, list(zip(people(len(values)), values, strict=True)))
    assert [s.value for s in found.standouts] == odd


def test_nought_has_no_sign() -> None:
    assert (acquisition.shown(-0.0), acquisition.shown(-0.5)) == ("0", "-0.5")


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=40), st.randoms())
def test_the_order_of_the_series_changes_nothing(values: list[float], random: object) -> None:
    rows = list(zip(people(len(values)), values, strict=True))
    shuffled = [*rows]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = summarise(KV, rows), summarise(KV, shuffled)
    assert (first.usual, first.spread) == (second.usual, second.spread)
    assert {s.patient.pk for s in first.standouts} == {s.patient.pk for s in second.standouts}


@given(st.lists(st.floats(1, 1e4), min_size=4, max_size=40))
def test_the_middle_half_never_stands_out(values: list[float]) -> None:
    found = summarise(KV, list(zip(people(len(values)), values, strict=True)))
    assert len(found.standouts) <= len(values) / 2


def test_unknown_values_are_counted_and_never_taken_for_zero() -> None:
    found = summarise(KV, list(zip(people(5), [120, None, 120, None, 120], strict=True)))
    assert (found.n_series, found.n_known, found.n_unknown, found.usual) == (5, 3, 2, "120")


@pytest.mark.django_db
def test_a_summary_holds_one_kind_per_role_that_has_images() -> None:
    study = make_study()
    make_ct(study, "S1")
    make_series(make_exam(study, "S1"), "SPECT")
    kinds = acquisition.summary(study)
    assert [(kind.role, kind.n_series) for kind in kinds] == [("CT", 1), ("SPECT", 1)]


@pytest.mark.django_db
def test_the_one_other_tube_voltage_is_flagged_with_its_patient() -> None:
    study = make_study()
    for i in range(6):
        make_ct(study, f"S{i}")
    odd = make_ct(study, "S9", kvp=140)
    row = row_of(study, "kvp")
    assert [(s.patient, s.value) for s in row.standouts] == [(odd, 140)]
    assert (row.usual, row.spread) == ("120", "120 to 140")


@pytest.mark.django_db
def test_held_series_other_studies_and_unregistered_subjects_do_not_count() -> None:
    study, other = make_study(), make_study("other", cast=False)
    make_ct(study, "S1")
    make_ct(other, "S1")
    held = make_series(make_exam(study, "S1"), "CT")
    Series.objects.filter(pk=held.pk).update(state="held", reason_code="geometry")
    make_series(make_exam(study, "nobody"), "CT")
    (kind,) = acquisition.summary(study)
    assert kind.n_series == 1


@pytest.mark.django_db
def test_the_words_of_a_series_carry_their_units_and_leave_out_what_is_unknown() -> None:
    study = make_study()
    make_ct(study, "S1", kvp=None)
    words = dict(acquisition.labelled(Series.objects.get()))
    assert words["Tube current"] == "80 mA"
    assert words["Matrix"] == "512 x 256"
    assert words["Pixel"] == "0.5 mm"
    assert "Tube voltage" not in words
    assert "Collimator" not in words


@pytest.mark.django_db
def test_an_index_row_without_any_header_is_unknown_throughout() -> None:
    study = make_study()
    make_patient(study, "S1")
    make_series(make_exam(study, "S1"), "SPECT")
    (kind,) = acquisition.summary(study)
    known = {row.quantity.key for row in kind.summaries if row.n_known}
    assert known == {"n_frames"}


@pytest.mark.django_db
def test_the_file_has_a_row_per_series_and_a_column_per_quantity() -> None:
    study = make_study()
    make_ct(study, "S2")
    make_ct(study, "S1", model="=cmd()", vendor="")
    rows = list(csv.DictReader(io.StringIO(acquisition.acquisition_csv(study))))
    assert [row["subject"] for row in rows] == ["S1", "S2"]
    assert rows[0]["device"] == "'=cmd()"
    assert set(rows[0]) == {"subject", "series"} | {q.key for q in QUANTITIES}
    assert (rows[1]["kvp"], rows[1]["collimator"]) == ("120", "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("who", "status"),
    [("coordinator", 200), ("analyst", 200), ("expert1", 404), ("delineator1", 404), ("monitor", 404), ("outsider", 404)],
)  # fmt: skip
@pytest.mark.parametrize("path", ["acquisition/", "acquisition/series.csv"])
def test_only_who_coordinates_or_analyses_sees_the_acquisition(
    who: str, status: int, path: str
) -> None:
    make_ct(make_study(), "S1")
    assert sign_in(who).get(f"/studies/bone/{path}").status_code == status


@pytest.mark.django_db
def test_the_page_names_the_patient_that_stands_out_and_links_to_it() -> None:
    study = make_study()
    for i in range(6):
        make_ct(study, f"S{i}")
    odd = make_ct(study, "S9", kvp=140)
    text = text_of(sign_in("coordinator"), "/studies/bone/acquisition/")
    assert "1 patient with a value that stands out" in text
    assert f"/studies/bone/patients/{odd.code}/" in text


@pytest.mark.django_db
def test_an_empty_study_says_what_to_do_first() -> None:
    make_study()
    assert "No ready image" in text_of(sign_in("coordinator"), "/studies/bone/acquisition/")


def make_pet(study: Study, subject: str, *said: suv.Factor) -> Patient:
    """A patient with a PET series of which each image says this of SUV."""
    patient = make_patient(study, subject)
    series = make_series(make_exam(study, subject), "SPECT")
    for rank, one in enumerate(said, start=1):
        Instance.objects.create(
            series=series, uid=f"{series.uid}.{rank}", sop_class_uid=PT, rank=rank, n_frames=1,
            file_digest=f"{series.pk}-{rank}", header={"suv": one},
        )  # fmt: skip
    return patient


SENTENCE = "SUV cannot be computed: the dose is missing."


@pytest.mark.django_db
def test_the_patient_page_says_the_factor_to_suv_and_that_it_is_not_applied() -> None:
    study = make_study()
    patient = make_pet(study, "S1", 2.76118e-4, 2.9e-4)
    page = text_of(sign_in("coordinator"), f"/studies/bone/patients/{patient.code}/")
    assert "<dt>SUV by body weight</dt><dd>0.0002761 g/ml per Bq/ml, not applied</dd>" in page


@pytest.mark.django_db
@pytest.mark.parametrize("sentence", [SENTENCE, suv.ALREADY])
def test_or_why_there_is_none(sentence: str) -> None:
    study = make_study()
    patient = make_pet(study, "S1", sentence, sentence)
    page = text_of(sign_in("coordinator"), f"/studies/bone/patients/{patient.code}/")
    assert f"<dt>SUV by body weight</dt><dd>{sentence}</dd>" in page


@pytest.mark.django_db
def test_the_file_has_the_factor_of_each_pet_in_full_and_the_summary_compares_none() -> None:
    study = make_study()
    make_pet(study, "S1", 2.76118e-4)
    make_pet(study, "S2", SENTENCE)
    make_ct(study, "S3")
    rows = list(csv.DictReader(io.StringIO(acquisition.acquisition_csv(study))))
    assert [row["suv"] for row in rows] == ["0.000276118", SENTENCE, ""]
    compared = {row.quantity.key for kind in acquisition.summary(study) for row in kind.summaries}
    assert "nuclide" in compared
    assert not compared & {"suv", "injected_at"}


@pytest.mark.django_db
def test_the_patient_page_says_when_was_injected_and_what_ge_would_scale_by() -> None:
    study = make_study()
    patient = make_patient(study, "S1")
    series = make_series(make_exam(study, "S1"), "SPECT")
    series.acquisition = {
        "injected_at": "20180225093012.5",
        "pixel_scale": 4.1795,
        "pixel_offset": 0,
    }
    series.save()
    page = text_of(sign_in("coordinator"), f"/studies/bone/patients/{patient.code}/")
    assert "<dt>Injection</dt><dd>2018-02-25 09:30</dd>" in page
    assert "<dt>GE&#x27;s pixel scale, not applied</dt><dd>4.179</dd>" in page
    assert "<dt>GE&#x27;s pixel offset, not applied</dt><dd>0</dd>" in page


@pytest.mark.parametrize(
    ("moment", "text"),
    [("20180225093012.5", "2018-02-25 09:30"), ("20180225", "2018-02-25"), ("093012.123456", "09:30"),
     ("09", "09:00"), ("", "")],
)  # fmt: skip
def test_a_moment_is_shown_to_the_minute(moment: str, text: str) -> None:
    assert acquisition.when(moment) == text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("assumed", "text"),
    [
        ([True, True], "anterior (assumed), posterior (assumed)"),
        ([False, True], "anterior, posterior (assumed)"),
        ([False, False], "anterior, posterior"),
        (None, "anterior, posterior"),  # of an earlier version, which did not say
    ],
)
def test_the_patient_page_says_which_views_were_assumed(
    assumed: list[bool] | None, text: str
) -> None:
    study = make_study()
    patient = make_patient(study, "S1")
    series = make_series(make_exam(study, "S1"), "WB")
    series.views, series.geometry = ["ANT", "POST"], {}
    series.acquisition = {} if assumed is None else {"assumed_views": assumed}
    series.save()
    page = text_of(sign_in("coordinator"), f"/studies/bone/patients/{patient.code}/")
    assert f"<dt>Views</dt><dd>{text}</dd>" in page
    assert "<dt>Pixel</dt>" not in page
