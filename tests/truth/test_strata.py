"""The answers as other floors may have them."""

import pytest
from django.core.management import call_command
from django.db import connection

from portal.errors import Conflict
from portal.study.models import Lesion, Patient, SplitPart
from portal.study.splitting import propose
from portal.truth.checks import standards_check
from portal.truth.fit_view import drop, make
from portal.truth.models import ReferenceStandard
from portal.truth.strata import (
    all_labels,
    inconclusive,
    labels,
    patient_strata,
    train_labels,
    truth_digest,
)
from tests.cohort import make_lesion, make_patient, make_study
from tests.study.builders import carry_to, make_cohort, make_locked_split
from tests.truth.builders import give_standards, make_standard

pytestmark = pytest.mark.django_db


def test_any_metastasis_makes_the_patient_one() -> None:
    patient = make_patient(make_study(state="SCREENING"))
    make_standard(make_lesion(patient), "benign")
    make_standard(make_lesion(patient, number=2), "metastasis")
    assert patient_strata(patient.study) == {patient.pk: "metastasis"}


def test_a_patient_of_benign_lesions_is_benign() -> None:
    patient = make_patient(make_study(state="SCREENING"))
    make_standard(make_lesion(patient), "benign")
    make_standard(make_lesion(patient, number=2), "benign")
    assert patient_strata(patient.study) == {patient.pk: "benign"}


def test_lesions_that_are_not_included_or_inconclusive_do_not_count() -> None:
    study = make_study(state="SCREENING")
    a, b = make_patient(study), make_patient(study)
    make_standard(make_lesion(a, included=False), "metastasis")
    make_standard(make_lesion(b), "inconclusive")
    assert patient_strata(study) == {}


def test_only_the_current_revision_counts() -> None:
    patient = make_patient(make_study(state="SCREENING"))
    lesion = make_lesion(patient)
    make_standard(lesion, "metastasis")
    make_standard(lesion, "benign", reason="follow-up")
    assert patient_strata(patient.study) == {patient.pk: "benign"}


def test_another_studys_answers_stay_there() -> None:
    study, other = make_study(state="SCREENING"), make_study("other", state="SCREENING")
    make_standard(make_lesion(make_patient(other)), "metastasis")
    assert patient_strata(study) == {}
    assert labels(study) == {}


def test_train_labels_are_those_of_the_train_part_and_no_other() -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 20, with_two=5)
    give_standards(study)
    split = make_locked_split(study, patient_strata(study))
    train = SplitPart.objects.filter(split=split, part="train").values("patient")
    lesions = set(Lesion.objects.filter(patient__in=train).values_list("pk", flat=True))
    assert set(train_labels(split)) == lesions
    assert train_labels(split) == labels(study, "train", split)
    assert set(train_labels(split)) < set(labels(study))


def test_labels_are_one_for_metastasis_and_zero_for_benign() -> None:
    study = make_study(state="SCREENING")
    a, b = (make_lesion(make_patient(study)) for _ in range(2))
    make_standard(a, "metastasis")
    make_standard(b, "benign")
    assert labels(study) == {a.pk: 1, b.pk: 0}


@pytest.mark.promise("B7")
def test_a_changed_validation_answer_leaves_the_train_labels_alone() -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 20)
    give_standards(study)
    split = make_locked_split(study, patient_strata(study))
    before = train_labels(split)
    hidden = SplitPart.objects.filter(split=split, part="validation").values("patient")
    for lesion in Lesion.objects.filter(patient__in=hidden):
        was = ReferenceStandard.objects.current().get(lesion=lesion).diagnosis
        make_standard(lesion, "benign" if was == "metastasis" else "metastasis", reason="noise")
    assert train_labels(split) == before


def test_an_inconclusive_lesion_is_in_no_label_and_in_the_list_of_those_left_out() -> None:
    """Included lesions = those with a label + those left out: none is lost between the two."""
    study = make_study(state="SCREENING")
    make_cohort(study, 20)
    give_standards(study)
    split = make_locked_split(study, patient_strata(study))
    carry_to(study, "READING")
    everyone = set(Lesion.objects.of_study(study).included().values_list("pk", flat=True))
    assert set(labels(study)) == everyone
    assert not inconclusive(study)
    lesion = Lesion.objects.get(pk=min(train_labels(split)))
    make_standard(lesion, "inconclusive", reason="two biopsies disagree")
    assert lesion.pk not in labels(study) | train_labels(split)
    assert [(r.lesion, r.reason) for r in inconclusive(study)] == [
        (lesion, "two biopsies disagree")
    ]
    assert set(labels(study)) | {lesion.pk} == everyone


def test_an_inconclusive_lesion_outside_the_cohort_or_the_study_is_not_counted() -> None:
    study, other = make_study(state="SCREENING"), make_study("knee", state="SCREENING")
    make_standard(make_lesion(make_patient(study), included=False), "inconclusive")
    make_standard(make_lesion(make_patient(other)), "inconclusive")
    assert not inconclusive(study)


@pytest.mark.parametrize("state", ["DRAFT", "SCREENING", "READING", "READS_LOCKED"])
@pytest.mark.promise("B10")
def test_no_answer_of_all_is_given_before_the_unblinding(state: str) -> None:
    with pytest.raises(Conflict, match="sealed"):
        all_labels(make_study(state=state, cast=False))


def test_all_answers_are_given_after_the_unblinding() -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 5)
    give_standards(study)
    carry_to(study, "UNBLINDED")
    assert sorted(all_labels(study).values()) == [0, 0, 1, 1, 1]


def test_the_digest_follows_the_answers_and_nothing_else() -> None:
    study = make_study(state="SCREENING")
    patients = make_cohort(study, 3)
    give_standards(study)
    before = truth_digest(study)
    Patient.objects.filter(pk=patients[0].pk).update(age_years=30)
    assert truth_digest(study) == before
    lesion = Lesion.objects.get(patient=patients[0])
    make_standard(lesion, "benign", reason="second opinion")
    assert truth_digest(study) != before


def test_reading_waits_for_every_standard() -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 3)
    assert [c.is_met for c in standards_check(study)] == [False, True]
    assert "3 more lesions" in standards_check(study)[0].hint
    give_standards(study)
    assert all(c.is_met for c in standards_check(study))


def test_an_inconclusive_lesion_must_leave_the_cohort_before_reading() -> None:
    study = make_study(state="SCREENING")
    make_standard(make_lesion(make_patient(study)), "inconclusive")
    assert [(c.code, c.is_met) for c in standards_check(study)] == [
        ("truth", True),
        ("inconclusive", False),
    ]


def test_the_strata_are_what_a_split_needs() -> None:
    study = make_study(state="SCREENING")
    make_cohort(study, 10)
    give_standards(study)
    proposal = propose(study, strata=patient_strata(study), ratio=0.7, seed=1)
    assert set(proposal.strata) == {"metastasis", "benign"}


def test_the_view_survives_a_migrate() -> None:
    call_command("migrate", verbosity=0)
    assert "truth_train_label" in connection.introspection.table_names(include_views=True)


def test_the_view_can_be_dropped_and_made_again() -> None:
    drop(connection)
    assert "truth_train_label" not in connection.introspection.table_names(include_views=True)
    make(connection)
    assert "truth_train_label" in connection.introspection.table_names(include_views=True)
