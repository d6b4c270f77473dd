"""Builders of the study floor: carrying a study forward, standards, splits, a cohort file."""

from collections.abc import Mapping

from portal.accounts.models import User
from portal.study import cohort_import, splitting
from portal.study.models import STATE_ORDER, Lesion, Patient, Split, Study
from tests.cohort import NOW, make_lesion, make_patient, make_user


def carry_to(study: Study, state: str) -> Study:
    """Move a study's row forward step by step, past its checklists (the triggers see every step)."""
    for step in STATE_ORDER[STATE_ORDER.index(study.state) + 1 : STATE_ORDER.index(state) + 1]:
        Study.objects.filter(pk=study.pk).update(state=step)
    study.refresh_from_db()
    return study


def coordinator() -> User:
    return make_user("coordinator")


def make_cohort(study: Study, n_patients: int, *, with_two: int = 0) -> list[Patient]:
    """Patients S000, S001 … with one included lesion, the first `with_two` with two."""
    patients = [make_patient(study, f"S{i:03d}") for i in range(n_patients)]
    for i, patient in enumerate(patients):
        make_lesion(patient)
        if i < with_two:
            make_lesion(patient, number=2)
    return patients


def alternating_strata(patients: list[Patient]) -> dict[int, str]:
    return {p.pk: "metastasis" if i % 5 < 3 else "benign" for i, p in enumerate(patients)}


def make_locked_split(study: Study, strata: Mapping[int, str], *, seed: int = 1) -> Split:
    proposal = splitting.propose(study, strata=strata, ratio=0.7, seed=seed)
    split = splitting.save(proposal, actor=coordinator(), now=NOW)
    return splitting.lock(split, actor=coordinator(), now=NOW)


def cohort_csv(*rows: Mapping[str, object]) -> str:
    """A cohort file with every column; cells that a row does not name are empty."""
    names = [c.name for c in cohort_import.COLUMNS]
    lines = [",".join(names)]
    lines += [",".join(str(row.get(name, "")) for name in names) for row in rows]
    return "\n".join(lines) + "\n"


def lesion_row(subject: str = "P1", number: int = 1, **cells: object) -> dict[str, object]:
    return {
        "subject": subject, "sex": "F", "age_years": 61, "primary_tumour": "breast",
        "lesion_number": number, "level": "L3", "x_mm": 1.5, "y_mm": 70, "z_mm": -30.25,
        "longest_diameter_mm": 21, **cells,
    }  # fmt: skip


def in_slot(patient: Patient, slot: int) -> Lesion:
    return Lesion.objects.get(patient=patient, slot=slot)
