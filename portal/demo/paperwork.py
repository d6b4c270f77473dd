"""Register, screen, enter the reference standards and split: a coordinator's work on the demo cohort."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from portal.accounts.models import User
from portal.demo.options import Options
from portal.study import cohort_import, screening, splitting
from portal.study.models import Criterion, Lesion, Patient, Screening, Split, Study
from portal.truth import truth_import
from portal.truth.models import ReferenceStandard
from portal.truth.strata import patient_strata
from radiomics.phantom.plan import Plan
from radiomics.phantom.render import LesionTruth

COHORT_COLUMNS = (
    "subject", "sex", "age_years", "primary_tumour", "lesion_number", "level", "x_mm", "y_mm", "z_mm",
    "longest_diameter_mm", "wb_anterior_column", "wb_anterior_row", "wb_posterior_column", "wb_posterior_row",
)  # fmt: skip
TRUTH_COLUMNS = ("subject", "lesion_number", "diagnosis", "subtype", "method", "determined_on")
METHODS = {
    "pathology": "pathology",
    "follow_up": "follow_up_imaging",
    "clinical": "clinical_course",
}
CRITERIA = {
    "no_primary": "primary-tumour",
    "other_reason": "vertebral-uptake",
    "incomplete": "complete-record",
    "no_lesion_1cm": "spinal-lesion",
    "not_delineable": "not-delineable",
    "no_ct_lesion": "no-ct-lesion",
    "prior_treatment": "prior-treatment",
}
LESION_CRITERIA = {
    "beyond_two": "lesion-cap",
    "inconclusive": "lesion-inconclusive",
    "not_delineable": "lesion-not-delineable",
}


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def place(truth: LesionTruth) -> list[Any]:
    """Position, diameter and whole-body pixels of a lesion as CSV cells."""
    x, y, z = (round(float(v), 3) for v in truth.centroid_mm)
    front, back = truth.whole_body["anterior"], truth.whole_body["posterior"]
    return [
        x,
        y,
        z,
        round(truth.longest_diameter_mm, 1),
        *(round(float(v), 1) for v in (*front, *back)),
    ]


def cohort_csv(plan: Plan, truths: dict[int, tuple[LesionTruth, ...]]) -> str:
    """Everybody who was screened: included patients with all lesions, excluded ones without."""
    rows: list[list[Any]] = []
    for patient in plan.patients:
        person = [patient.subject, patient.sex, patient.age, patient.primary]
        for lesion, truth in zip(patient.lesions, truths[patient.index], strict=True):
            rows.append([*person, lesion.slot, lesion.level, *place(truth)])
        further = [x for x in plan.excluded_lesions if x.patient == patient.index]
        rows += [[*person, x.number, x.level, *[""] * 8] for x in further]
    rows += [[p.subject, p.sex, p.age, p.primary, *[""] * 10] for p in plan.excluded]
    return csv_of(COHORT_COLUMNS, rows)


def register(
    study: Study,
    plan: Plan,
    truths: dict[int, tuple[LesionTruth, ...]],
    *,
    actor: User,
    now: datetime,
) -> None:
    """Import the cohort from CSV: the dry run first, then the write."""
    found = cohort_import.read_cohort_csv(cohort_csv(plan, truths), study)
    cohort_import.write(found, actor=actor, now=now)


def screen(study: Study, plan: Plan, *, actor: User, now: datetime) -> None:
    """Decide about every patient and lesion that has no decision yet."""
    criteria = {c.code: c for c in Criterion.objects.filter(study=study)}
    patients = {p.subject: p for p in Patient.objects.filter(study=study)}
    lesions = {
        (x.patient.subject, x.number): x
        for x in Lesion.objects.of_study(study).select_related("patient__study")
    }
    done = Screening.objects.filter(study=study, is_current=True)
    seen_patients = set(done.filter(lesion__isnull=True).values_list("patient_id", flat=True))
    seen_lesions = set(done.filter(lesion__isnull=False).values_list("lesion_id", flat=True))

    def say(subject: Patient | Lesion, decision: str, code: str = "") -> None:
        seen = seen_patients if isinstance(subject, Patient) else seen_lesions
        if subject.pk not in seen:
            screening.decide(subject, decision, criteria.get(code), actor=actor, now=now)

    for person in plan.excluded:
        say(patients[person.subject], "excluded", CRITERIA[person.criterion])
    for patient in plan.patients:
        say(patients[patient.subject], "included")
        for lesion in patient.lesions:
            say(lesions[patient.subject, lesion.slot], "included")
    for further in plan.excluded_lesions:
        subject = plan.patients[further.patient].subject
        say(lesions[subject, further.number], "excluded", LESION_CRITERIA[further.reason])


def enter_truth(study: Study, plan: Plan, *, actor: User, now: datetime) -> None:
    rows = [
        [p.subject, x.slot, x.truth, x.subtype, METHODS[x.method], x.determined_on.isoformat()]
        for p in plan.patients
        for x in p.lesions
    ]
    found = truth_import.read_truth_csv(csv_of(TRUTH_COLUMNS, rows), study, now=now)
    truth_import.write(found, actor=actor, now=now)


def split(study: Study, options: Options, *, actor: User, now: datetime) -> Split:
    """7:3 by patient, stratified by patient class; locked."""
    found = Split.objects.filter(study=study, locked_at__isnull=False).first()
    if found is not None:
        return found
    proposal = splitting.propose(study, strata=patient_strata(study), ratio=0.7, seed=options.seed)
    return splitting.lock(splitting.save(proposal, actor=actor, now=now), actor=actor, now=now)


def is_registered(study: Study) -> bool:
    return Patient.objects.filter(study=study).exists()


def has_truth(study: Study) -> bool:
    return ReferenceStandard.objects.current().filter(lesion__patient__study=study).exists()
