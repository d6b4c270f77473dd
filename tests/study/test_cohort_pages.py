"""The pages of patients, lesions, screening and the cohort file."""

from collections.abc import Callable

import pytest

from portal.study.models import Criterion, Lesion, Patient, Screening
from tests.cohort import make_exam, make_lesion, make_patient, make_series, make_study
from tests.study.builders import cohort_csv, lesion_row, make_cohort
from tests.study.test_pages import filled_study, sign_in, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.study.urls")]


def test_patients_are_searched_filtered_sorted_and_paged() -> None:
    study = make_study(state="SCREENING")
    for i in range(60):
        make_patient(study, f"S{i:03d}")
    client = sign_in("coordinator")
    first = text_of(client, "/studies/bone/patients/")
    assert "S000" in first
    assert "S059" not in first
    assert "S059" in text_of(client, "/studies/bone/patients/?page=2")
    assert "S059" in text_of(client, "/studies/bone/patients/?sort=-subject")
    found = text_of(client, "/studies/bone/patients/?q=S01")
    assert "S011" in found
    assert "S020" not in found


@pytest.mark.promise("X4")
@pytest.mark.parametrize(
    "query",
    ["sort=code", "sort=study__memberships", "sort=-", "sex=X", "page=-3", "page=abc", "q=%00"],
)
def test_what_is_not_on_the_allow_list_is_ignored(query: str) -> None:
    filled_study()
    assert "S000" in text_of(sign_in("coordinator"), f"/studies/bone/patients/?{query}") or "q=" in query  # fmt: skip


def test_the_screening_filter_finds_the_excluded_and_the_undecided() -> None:
    study = filled_study()
    make_patient(study, "S999")
    client = sign_in("coordinator")
    excluded = text_of(client, "/studies/bone/patients/?screening=excluded")
    undecided = text_of(client, "/studies/bone/patients/?screening=undecided")
    assert ("S900" in excluded, "S999" in excluded) == (True, False)
    assert ("S900" in undecided, "S999" in undecided) == (False, True)


def test_a_list_asks_the_same_few_queries_whatever_its_length(
    django_assert_max_num_queries: Callable[[int], object],
) -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 40, with_two=20)
    client = sign_in("coordinator")
    for path in ("patients/", "lesions/", "screening/"):
        with django_assert_max_num_queries(14):  # type: ignore[attr-defined]
            text_of(client, f"/studies/bone/{path}")


def test_a_patient_and_a_lesion_are_registered_through_forms() -> None:
    make_study()
    client = sign_in("coordinator")
    client.post("/studies/bone/new-patient/", {"subject": "P1", "sex": "F", "age_years": "61"})
    patient = Patient.objects.get()
    address = f"/studies/bone/patients/{patient.code}/"
    fields = {"number": "1", "level": "L3", "x_mm": "1.5", "y_mm": "2", "z_mm": "-3"}
    client.post(f"{address}new-lesion/", fields)
    lesion = Lesion.objects.get()
    assert lesion.world_mm == (1.5, 2.0, -3.0)
    assert "L3" in text_of(client, address)
    assert "1.50, 2.00, -3.00 mm" in text_of(client, f"/studies/bone/lesions/{lesion.code}/")


def test_a_subject_given_twice_is_said_in_the_form() -> None:
    make_patient(make_study(), "P1")
    response = sign_in("coordinator").post("/studies/bone/new-patient/", {"subject": "P1"})
    assert response.status_code == 422
    assert "registered already" in response.content.decode()


def test_patients_of_another_study_are_not_reached() -> None:
    make_study()
    foreign = make_lesion(make_patient(make_study("other")))
    client = sign_in("coordinator")
    assert client.get(f"/studies/bone/patients/{foreign.patient.code}/").status_code == 404
    assert client.get(f"/studies/bone/lesions/{foreign.code}/").status_code == 404


def test_a_lesions_series_are_chosen_and_its_registration_confirmed() -> None:
    study = make_study(state="SCREENING")
    patient = make_patient(study, "P1")
    exam = make_exam(study, "P1")
    ct = make_series(exam, "CT", frame_of_reference_uid="2.25.1")
    spect = make_series(exam, "SPECT", frame_of_reference_uid="2.25.2")
    lesion = make_lesion(patient, included=False)
    client, address = sign_in("coordinator"), f"/studies/bone/lesions/{lesion.code}/"
    client.post(f"{address}series/", {"ct": ct.pk, "spect": spect.pk})
    assert "do not share a frame" in text_of(client, address)
    assert client.post(f"{address}include/").status_code == 409
    client.post(f"{address}registration/")
    assert "confirmed by coordinator" in text_of(client, address)
    assert client.post(f"{address}include/").status_code == 302
    lesion.refresh_from_db()
    assert (lesion.is_included, lesion.ct_series) == (True, ct)


def test_the_series_of_another_subject_are_not_offered() -> None:
    study = make_study(state="SCREENING")
    lesion = make_lesion(make_patient(study, "P1"), included=False)
    foreign = make_series(make_exam(study, "P2"), "CT")
    client, address = sign_in("coordinator"), f"/studies/bone/lesions/{lesion.code}/"
    assert foreign.uid not in text_of(client, address)
    assert client.post(f"{address}series/", {"ct": foreign.pk}).status_code == 404


def test_the_patient_page_shows_geometry_and_acquisition_of_the_images() -> None:
    study = make_study()
    series = make_series(make_exam(study, "P1"), "CT")
    series.geometry = {"spacing_mm": [0.98, 0.98], "slice_spacing_mm": 2.5}
    series.acquisition = {"kvp": 120}
    series.save()
    shown = text_of(
        sign_in("coordinator"), f"/studies/bone/patients/{make_patient(study, 'P1').code}/"
    )
    assert "<dt>Pixel</dt><dd>0.98 mm</dd>" in shown
    assert "<dt>Tube voltage</dt><dd>120 kV</dd>" in shown


def test_a_decision_is_logged_through_its_form() -> None:
    study = filled_study()
    patient = make_patient(study, "S999")
    client, address = sign_in("coordinator"), f"/studies/bone/patients/{patient.code}/decide/"
    assert "primary tumour" in text_of(client, address)
    response = client.post(address, {"decision": "excluded"})
    assert response.status_code == 422
    assert "names its criterion" in response.content.decode()
    client.post(address, {"decision": "excluded", "criterion": "primary-tumour"})
    row = Screening.objects.get(patient=patient)
    assert (row.decision, row.decided_by.username) == ("excluded", "coordinator")


def test_a_lesions_decision_is_logged_through_its_form() -> None:
    study = filled_study()
    lesion = make_lesion(make_patient(study, "S999"), included=False)
    client, address = sign_in("coordinator"), f"/studies/bone/lesions/{lesion.code}/decide/"
    assert client.get(address).status_code == 200
    assert client.post(address, {"decision": "excluded"}).status_code == 422
    assert (
        client.post(address, {"decision": "excluded", "note": "overlaps another"}).status_code
        == 302
    )
    row = Screening.objects.get(lesion=lesion)
    assert (row.decision, row.decided_by.username) == ("excluded", "coordinator")


def test_the_screening_page_shows_a_difference_in_red() -> None:
    study = filled_study()
    client = sign_in("coordinator")
    make_patient(study, "S999")
    shown = text_of(client, "/studies/bone/screening/")
    assert "1 patients, 4 lesions" in shown
    assert 'class="difference"' in shown
    assert "<svg" in shown


def test_criteria_are_taken_added_and_removed() -> None:
    make_study()
    client = sign_in("coordinator")
    client.post("/studies/bone/criteria/", {"defaults": "1"})
    fields = {"code": "age", "text": "Adults", "kind": "include", "level": "patient"}
    client.post("/studies/bone/criteria/", fields)
    assert Criterion.objects.count() == 11
    client.post("/studies/bone/criteria/age/remove/")
    assert not Criterion.objects.filter(code="age").exists()


def test_a_cohort_file_is_checked_then_written() -> None:
    make_study()
    client, text = sign_in("coordinator"), cohort_csv(lesion_row())
    shown = client.post("/studies/bone/cohort/", {"text": text}).content.decode()
    assert "1 new patients, 1 new lesions, 0 problems" in shown
    assert not Patient.objects.exists()
    client.post("/studies/bone/cohort/", {"text": text, "write": "1"})
    assert Lesion.objects.count() == 1


def test_a_faulty_file_lists_its_problems_and_writes_nothing() -> None:
    make_study()
    text = cohort_csv(lesion_row(sex="x"))
    response = sign_in("coordinator").post("/studies/bone/cohort/", {"text": text, "write": "1"})
    assert "Sex is F, M, O or empty." in response.content.decode()
    assert not Patient.objects.exists()


@pytest.mark.promise("X1")
def test_markup_in_a_file_is_shown_as_text() -> None:
    make_study()
    text = 'subject,sex\n"<script>alert(1)</script>",zz\n'
    shown = sign_in("coordinator").post("/studies/bone/cohort/", {"text": text}).content.decode()
    assert "<script>alert" not in shown
    client = sign_in("coordinator")
    client.post("/studies/bone/cohort/", {"text": text.replace("zz", ""), "write": "1"})
    listed = text_of(client, "/studies/bone/patients/")
    assert "<script>alert" not in listed
    assert "&lt;script&gt;alert" in listed


def test_a_file_that_is_not_text_is_refused() -> None:
    make_study()
    response = sign_in("coordinator").post("/studies/bone/cohort/", {})
    assert response.status_code == 422
    assert "Choose a CSV file." in response.content.decode()
