"""Correcting a patient or a lesion: with a reason, on the trail, until the cohort is fixed."""

import pytest

from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from portal.study.amending import Person, Site, amend_lesion, amend_patient
from portal.study.models import Lesion, Patient
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import coordinator
from tests.study.test_pages import sign_in, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.study.urls")]
SITE = Site("L4", 1.0, 2.0, 3.0, 15.0)


def test_a_patients_details_are_corrected_and_the_earlier_ones_stay_on_the_trail() -> None:
    patient = make_patient(make_study())
    person = Person("M", 62, "lung")
    amend_patient(patient, person, reason="typing slip", actor=coordinator(), now=NOW)
    row = Patient.objects.get()
    assert (row.sex, row.age_years, row.primary_tumour) == ("M", 62, "lung")
    event = AuditEvent.objects.get()
    assert event.verb == "patient.amend"
    assert '"age_years":61' in event.values.body
    assert "typing slip" in event.values.body


def test_nothing_corrected_is_no_act() -> None:
    patient = make_patient(make_study())
    amend_patient(patient, Person("F", 61, ""), reason="x", actor=coordinator(), now=NOW)
    assert not AuditEvent.objects.exists()


def test_a_lesions_place_is_corrected() -> None:
    lesion = make_lesion(make_patient(make_study()))
    amend_lesion(lesion, SITE, reason="wrong level", actor=coordinator(), now=NOW)
    row = Lesion.objects.get()
    assert (row.level, row.world_mm) == ("L4", (1.0, 2.0, 3.0))


def test_an_included_lesion_keeps_a_position() -> None:
    lesion = make_lesion(make_patient(make_study()))
    with pytest.raises(Conflict, match="exclude it first"):
        amend_lesion(
            lesion, Site("L4", None, None, None, 1.0), reason="x", actor=coordinator(), now=NOW
        )


def test_a_faulty_correction_is_refused() -> None:
    lesion = make_lesion(make_patient(make_study()))
    with pytest.raises(Invalid, match="no level"):
        amend_lesion(lesion, Site("X", 1, 2, 3, 4), reason="x", actor=coordinator(), now=NOW)
    with pytest.raises(Invalid, match="Age"):
        amend_patient(
            lesion.patient, Person("F", 200, ""), reason="x", actor=coordinator(), now=NOW
        )


@pytest.mark.parametrize("state", ["READING", "READS_LOCKED", "UNBLINDED"])
def test_nothing_is_corrected_once_reading_has_begun(state: str) -> None:
    lesion = make_lesion(make_patient(make_study(state=state)))
    with pytest.raises(Conflict, match=state):
        amend_lesion(lesion, SITE, reason="x", actor=coordinator(), now=NOW)


def test_the_pages_correct_with_a_reason() -> None:
    lesion = make_lesion(make_patient(make_study()))
    client = sign_in("coordinator")
    address = f"/studies/bone/lesions/{lesion.code}/"
    assert "Correct" in text_of(client, address)
    fields = {"level": "L4", "x_mm": "1", "y_mm": "2", "z_mm": "3"}
    assert client.post(f"{address}amend/", fields).status_code == 422
    assert client.post(f"{address}amend/", {**fields, "reason": "slip"}).status_code == 302
    assert Lesion.objects.get().level == "L4"
    page = f"/studies/bone/patients/{lesion.patient.code}/amend/"
    assert client.post(page, {"sex": "M", "reason": "slip"}).status_code == 302
    assert Patient.objects.get().sex == "M"


@pytest.mark.parametrize("name", ["analyst", "monitor", "expert1", "outsider"])
def test_only_the_coordinator_corrects(name: str) -> None:
    lesion = make_lesion(make_patient(make_study()))
    address = f"/studies/bone/lesions/{lesion.code}/amend/"
    assert sign_in(name).post(address, {"level": "L4", "reason": "x"}).status_code == 404
    assert Lesion.objects.get().level == "L3"
