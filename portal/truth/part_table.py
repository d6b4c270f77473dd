"""Table 1 of a split that is being considered: what each part would hold."""

import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from portal.study.models import Patient
from portal.study.splitting import TRAIN, VALIDATION, SplitProposal
from portal.truth.strata import labels


@dataclass(frozen=True)
class PartRow:
    """One line: a characteristic, and its text for train and for validation."""

    label: str
    train: str
    validation: str


def share(count: int, total: int) -> str:
    return f"{count} ({100 * count / total:.0f} %)" if total else "0"


def ages(patients: list[Patient]) -> str:
    known = [p.age_years for p in patients if p.age_years is not None]
    if len(known) < 2:
        return "not recorded" if not known else str(known[0])
    return f"{statistics.mean(known):.1f} ± {statistics.stdev(known):.1f}"


def rows_of(label: str, values: Mapping[str, list[str]]) -> list[PartRow]:
    counts = {part: Counter(values[part]) for part in (TRAIN, VALIDATION)}
    names = sorted(set(counts[TRAIN]) | set(counts[VALIDATION]))
    return [
        PartRow(
            f"{label}: {name or 'not recorded'}",
            share(counts[TRAIN][name], len(values[TRAIN])),
            share(counts[VALIDATION][name], len(values[VALIDATION])),
        )
        for name in names
    ]


def part_table(proposal: SplitProposal) -> list[PartRow]:
    """Sizes, age, sex, primaries by patient; class by lesion."""
    inside: dict[str, list[Patient]] = {TRAIN: [], VALIDATION: []}
    for patient in Patient.objects.filter(pk__in=proposal.parts).order_by("subject"):
        inside[proposal.parts[patient.pk]].append(patient)
    answers = lesion_classes(proposal)
    train, validation = proposal.train, proposal.validation
    return [
        PartRow("Patients", str(train.patients), str(validation.patients)),
        PartRow("Lesions", str(train.lesions), str(validation.lesions)),
        PartRow("Age, years", ages(inside[TRAIN]), ages(inside[VALIDATION])),
        *rows_of("Sex", {part: [p.sex for p in inside[part]] for part in inside}),
        *rows_of("Primary", {part: [p.primary_tumour for p in inside[part]] for part in inside}),
        *rows_of("Lesion", answers),
    ]


def lesion_classes(proposal: SplitProposal) -> dict[str, list[str]]:
    """The class of each lesion by part."""
    found: dict[str, list[str]] = {TRAIN: [], VALIDATION: []}
    by_patient = labels_by_patient(proposal)
    for patient, classes in by_patient.items():
        found[proposal.parts[patient]] += classes
    return found


def labels_by_patient(proposal: SplitProposal) -> dict[int, list[str]]:
    answer = labels(proposal.study)
    found: dict[int, list[str]] = {}
    lesions = Patient.objects.filter(pk__in=proposal.parts).values_list("pk", "lesions__pk")
    for patient, lesion in lesions:
        if lesion in answer:
            found.setdefault(patient, []).append("metastasis" if answer[lesion] else "benign")
    return found
