"""The pages of the reference standards and of the split."""

import pytest
from django.urls import get_resolver

from portal.audit.models import AuditEvent
from portal.study.models import Lesion, Split, SplitPart, Study
from portal.study.splitting import propose
from portal.truth.models import ReferenceStandard
from portal.truth.part_table import part_table
from portal.truth.strata import patient_strata
from portal.truth.truth_import import template_csv
from tests.cohort import make_lesion, make_patient, make_study
from tests.study.builders import carry_to, make_cohort
from tests.study.test_pages import sign_in, text_of
from tests.truth.builders import give_standards, make_standard

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.study.urls")]
PAGES = ("truth/", "truth/import/", "truth/import/template.csv", "split/")


def study_with_truth(n: int = 10) -> Study:
    study = make_study(state="SCREENING")
    make_cohort(study, n)
    give_standards(study)
    return study


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("n", [0, 10])
def test_every_page_opens_for_the_coordinator(path: str, n: int) -> None:
    study_with_truth(n)
    assert text_of(sign_in("coordinator"), f"/studies/bone/{path}")


@pytest.mark.promise("B5")
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("name", ["analyst", "monitor", "expert1", "delineator1", "outsider"])
def test_nobody_else_finds_them(path: str, name: str) -> None:
    study_with_truth()
    assert sign_in(name).get(f"/studies/bone/{path}").status_code == 404


def test_every_view_declares_its_rule() -> None:
    for pattern in get_resolver("portal.truth.urls").url_patterns:
        assert getattr(pattern.callback, "rule", None), pattern  # type: ignore[union-attr]


def test_the_list_says_how_many_are_missing_and_filters_by_answer() -> None:
    study = study_with_truth(5)
    make_lesion(make_patient(study, "S900"))
    client = sign_in("coordinator")
    assert "1 included lesions have no reference standard yet" in text_of(client, "/studies/bone/truth/")  # fmt: skip
    missing = text_of(client, "/studies/bone/truth/?state=missing&lesions=included")
    assert ("S900" in missing, "S000" in missing) == (True, False)
    benign = text_of(client, "/studies/bone/truth/?state=benign&sort=-lesion")
    assert ("S003" in benign, "S000" in benign) == (True, False)


def test_a_lesion_that_turns_inconclusive_during_reading_is_counted_with_its_reason() -> None:
    study = study_with_truth(5)
    carry_to(study, "READING")
    client = sign_in("coordinator")
    assert "no split, fit or figure" not in text_of(client, "/studies/bone/truth/")
    lesion = Lesion.objects.of_study(study).get(patient__subject="S001")
    make_standard(lesion, "inconclusive", reason="biopsy <re-read>")
    page = text_of(client, "/studies/bone/truth/")
    assert "1 included lesion is inconclusive: no split, fit or figure counts it." in page
    assert "biopsy &lt;re-read&gt;" in page
    make_standard(
        Lesion.objects.of_study(study).get(patient__subject="S003"), "inconclusive", reason="lost"
    )
    assert "2 included lesions are inconclusive: no split, fit or figure counts them." in text_of(
        client, "/studies/bone/truth/"
    )
    make_standard(lesion, "benign", reason="follow-up of 2 years")
    assert "biopsy &lt;re-read&gt;" not in text_of(client, "/studies/bone/truth/")


def test_a_standard_is_entered_and_revised_through_the_form() -> None:
    lesion = make_lesion(make_patient(make_study(state="SCREENING")))
    client, address = sign_in("coordinator"), f"/studies/bone/truth/{lesion.code}/"
    fields = {"diagnosis": "metastasis", "method": "pathology", "determined_on": "2020-05-14"}
    assert client.post(address, fields).status_code == 302
    response = client.post(address, {**fields, "diagnosis": "benign"})
    assert response.status_code == 422
    assert "say why it changes" in response.content.decode()
    client.post(address, {**fields, "diagnosis": "benign", "reason": "second biopsy"})
    shown = text_of(client, address)
    assert "second biopsy" in shown
    assert ReferenceStandard.objects.filter(lesion=lesion).count() == 2


def test_a_lesion_of_another_study_is_not_reached() -> None:
    make_study(state="SCREENING")
    foreign = make_lesion(make_patient(make_study("other", state="SCREENING")))
    assert sign_in("coordinator").get(f"/studies/bone/truth/{foreign.code}/").status_code == 404


def test_a_file_is_checked_then_written() -> None:
    study = make_study(state="SCREENING")
    for subject in ("P001", "P002"):
        make_lesion(make_patient(study, subject))
    client = sign_in("coordinator")
    shown = client.post("/studies/bone/truth/import/", {"text": template_csv()}).content.decode()
    assert "2 new or changed standards, 0 unchanged, 0 problems" in shown
    assert not ReferenceStandard.objects.exists()
    client.post("/studies/bone/truth/import/", {"text": template_csv(), "write": "1"})
    assert ReferenceStandard.objects.count() == 2


def test_a_split_is_previewed_saved_and_locked() -> None:
    study_with_truth(20)
    client = sign_in("coordinator")
    shown = text_of(client, "/studies/bone/split/?ratio=0.7&seed=3&factors=sex")
    assert "nothing is saved yet" in shown
    assert ">14<" in shown
    assert not Split.objects.exists()
    client.post("/studies/bone/split/save/", {"ratio": "0.7", "seed": "3", "factors": "sex"})
    assert SplitPart.objects.filter(part="train").count() == 14
    client.post("/studies/bone/split/1/lock/")
    split = Split.objects.get()
    assert split.locked_at is not None
    assert split.digest in text_of(client, "/studies/bone/split/")


def test_what_is_saved_is_what_was_previewed() -> None:
    study = study_with_truth(20)
    proposal = propose(study, strata=patient_strata(study), ratio=0.7, seed=3)
    sign_in("coordinator").post("/studies/bone/split/save/", {"ratio": "0.7", "seed": "3"})
    assert dict(SplitPart.objects.values_list("patient_id", "part")) == dict(proposal.parts)


@pytest.mark.parametrize(
    "query", ["ratio=2&seed=1", "ratio=x&seed=1", "ratio=0.7&seed=-1", "ratio=0.7"]
)
def test_a_faulty_preview_is_answered_in_the_form(query: str) -> None:
    study_with_truth()
    assert "errorlist" in text_of(sign_in("coordinator"), f"/studies/bone/split/?{query}")


def test_a_preview_without_standards_says_what_to_do() -> None:
    make_cohort(make_study(state="SCREENING"), 4)
    shown = text_of(sign_in("coordinator"), "/studies/bone/split/?ratio=0.7&seed=1")
    assert "4 included lesions have no reference standard" in shown


def test_a_locked_split_is_refused_with_a_sentence_when_locked_again() -> None:
    study_with_truth()
    client = sign_in("coordinator")
    client.post("/studies/bone/split/save/", {"ratio": "0.7", "seed": "3"})
    client.post("/studies/bone/split/1/lock/")
    assert client.post("/studies/bone/split/1/lock/").status_code == 423
    assert client.post("/studies/bone/split/9/lock/").status_code == 404


def test_the_split_is_closed_once_reading_has_begun() -> None:
    study = study_with_truth()
    carry_to(study, "READING")
    response = sign_in("coordinator").post(
        "/studies/bone/split/save/", {"ratio": "0.7", "seed": "3"}
    )
    assert response.status_code == 409
    assert not Split.objects.exists()


def test_table_1_counts_patients_by_sex_and_lesions_by_class() -> None:
    study = make_study(state="SCREENING")
    patients = make_cohort(study, 10)
    for patient in patients[:4]:
        patient.sex = "M"
        patient.save()
    for lesion in Lesion.objects.all():
        make_standard(lesion, "benign")
    table = {r.label: r for r in part_table(propose(study, strata=patient_strata(study), ratio=0.7, seed=1))}  # fmt: skip
    assert (table["Patients"].train, table["Patients"].validation) == ("7", "3")
    assert table["Lesion: benign"].train == "7 (100 %)"
    men = [int(table["Sex: M"].train.split()[0]), int(table["Sex: M"].validation.split()[0])]
    assert sum(men) == 4
    assert table["Age, years"].train == "61.0 ± 0.0"


@pytest.mark.promise("A1")
def test_each_post_is_one_audit_row_and_each_get_none() -> None:
    study_with_truth()
    client, before = sign_in("coordinator"), AuditEvent.objects.count()
    for path in (*PAGES, "split/?ratio=0.7&seed=1"):
        client.get(f"/studies/bone/{path}")
    assert AuditEvent.objects.count() == before
    client.post("/studies/bone/split/save/", {"ratio": "0.7", "seed": "3"})
    client.post("/studies/bone/split/1/lock/")
    assert AuditEvent.objects.count() == before + 2
