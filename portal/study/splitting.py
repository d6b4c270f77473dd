"""Dividing the cohort: by patient, stratified, the same on every database for one seed."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from portal.accounts.models import User
from portal.audit.chain import digest
from portal.errors import Conflict, Invalid, Locked
from portal.study.acts import note_act
from portal.study.models import Lesion, Patient, Split, SplitPart, State, Study
from portal.study.patients import require_state

FACTORS = ("sex", "age", "primary_tumour", "site")
TRAIN, VALIDATION = "train", "validation"


@dataclass(frozen=True)
class Unit:
    """A patient of the cohort as the draw sees it."""

    patient_id: int
    subject: str
    stratum: tuple[str, ...]
    n_lesions: int


@dataclass(frozen=True)
class PartSize:
    patients: int
    lesions: int


@dataclass(frozen=True)
class SplitProposal:
    """A division that is not yet stored; `parts` goes from patient id to part."""

    study: Study
    ratio: float
    seed: int
    factors: tuple[str, ...]
    parts: Mapping[int, str]
    train: PartSize
    validation: PartSize
    strata: Mapping[str, tuple[PartSize, PartSize]]
    warnings: tuple[str, ...]


def factor_of(patient: Patient, factor: str) -> str:
    if factor == "age":
        return "" if patient.age_years is None else ("<60" if patient.age_years < 60 else ">=60")
    if factor == "site":
        return patient.site.code if patient.site else ""
    return str(getattr(patient, factor))


def cohort(study: Study, strata: Mapping[int, str], factors: Sequence[str]) -> list[Unit]:
    """The patients with an included lesion, in order of subject."""
    lesions = Counter(
        Lesion.objects.of_study(study).included().values_list("patient_id", flat=True)
    )
    patients = Patient.objects.filter(pk__in=lesions).select_related("site")
    lacking = sorted(p.subject for p in patients if p.pk not in strata)
    if lacking:
        raise Conflict(
            f"{len(lacking)} patients have no reference standard yet, among them {lacking[0]}; enter them first."
        )
    units = [
        Unit(p.pk, p.subject, (strata[p.pk], *(factor_of(p, f) for f in factors)), lesions[p.pk])
        for p in patients
    ]
    return sorted(units, key=lambda unit: unit.subject)


def shuffled(units: Sequence[Unit], seed: int) -> list[Unit]:
    """A keyed order: by SHA-256 of seed and subject, in plain Python on every machine."""
    return sorted(
        units, key=lambda u: (hashlib.sha256(f"{seed}:{u.subject}".encode()).digest(), u.subject)
    )


def quotas(sizes: Mapping[tuple[str, ...], int], ratio: float) -> dict[tuple[str, ...], int]:
    """Train lesions per stratum: shares rounded by largest remainder to the rounded total."""
    target = round(ratio * sum(sizes.values()))
    floors = {stratum: int(ratio * n) for stratum, n in sizes.items()}
    by_remainder = sorted(sizes, key=lambda s: (floors[s] - ratio * sizes[s], s))
    for stratum in by_remainder[: target - sum(floors.values())]:
        floors[stratum] += 1
    return floors


def fill(units: Sequence[Unit], quota: int) -> set[int]:
    """Take patients in order while their lesions still fit into the quota."""
    chosen: set[int] = set()
    for unit in units:
        if unit.n_lesions <= quota:
            chosen.add(unit.patient_id)
            quota -= unit.n_lesions
    return chosen


def draw(units: Sequence[Unit], ratio: float, seed: int) -> set[int]:
    """The patients of the train part; what one stratum could not fill goes to the next."""
    members: dict[tuple[str, ...], list[Unit]] = defaultdict(list)
    for unit in shuffled(units, seed):
        members[unit.stratum].append(unit)
    sizes = {stratum: sum(u.n_lesions for u in group) for stratum, group in members.items()}
    wanted, train, left = quotas(sizes, ratio), set[int](), 0
    for stratum in sorted(members):
        chosen = fill(members[stratum], wanted[stratum] + left)
        filled = sum(u.n_lesions for u in members[stratum] if u.patient_id in chosen)
        left = wanted[stratum] + left - filled
        train |= chosen
    return train


def size(units: Sequence[Unit], parts: Mapping[int, str], part: str) -> PartSize:
    inside = [u for u in units if parts[u.patient_id] == part]
    return PartSize(len(inside), sum(u.n_lesions for u in inside))


def warnings(units: Sequence[Unit], parts: Mapping[int, str], ratio: float) -> tuple[str, ...]:
    found = []
    lesions = {p: size(units, parts, p).lesions for p in (TRAIN, VALIDATION)}
    found += [f"The {part} part is empty." for part, n in lesions.items() if n == 0]
    off = lesions[TRAIN] - ratio * sum(lesions.values())
    if abs(off) > 2:
        found.append(f"The train part is {abs(off):.0f} lesions off the ratio asked for.")
    for stratum in sorted({u.stratum for u in units}):
        held = {parts[u.patient_id] for u in units if u.stratum == stratum}
        if len(held) == 1 and all(lesions.values()):
            found.append(f"Stratum {' / '.join(stratum)} is in the {held.pop()} part only.")
    return tuple(found)


def strata_sizes(
    units: Sequence[Unit], parts: Mapping[int, str]
) -> dict[str, tuple[PartSize, PartSize]]:
    groups = sorted({u.stratum for u in units})
    inside = {g: [u for u in units if u.stratum == g] for g in groups}
    return {
        " / ".join(g): (size(inside[g], parts, TRAIN), size(inside[g], parts, VALIDATION))
        for g in groups
    }


def propose(
    study: Study,
    *,
    strata: Mapping[int, str],
    ratio: float,
    seed: int,
    factors: Sequence[str] = (),
) -> SplitProposal:
    """Divide the included lesions' patients so that about `ratio` of the lesions are for training."""
    if not 0 < ratio < 1:
        raise Invalid("The ratio lies between 0 and 1, 0.7 for 7:3.", field="ratio")
    if not 0 <= seed < 2**63:
        raise Invalid("The seed is a whole number from 0.", field="seed")
    if set(factors) - set(FACTORS):
        raise Invalid(f"Factors are some of {', '.join(FACTORS)}.", field="factors")
    units = cohort(study, strata, factors)
    if not units:
        raise Conflict("No lesion is included yet; finish the screening first.")
    train = draw(units, ratio, seed)
    parts = {u.patient_id: TRAIN if u.patient_id in train else VALIDATION for u in units}
    return SplitProposal(
        study=study,
        ratio=ratio,
        seed=seed,
        factors=tuple(factors),
        parts=parts,
        train=size(units, parts, TRAIN),
        validation=size(units, parts, VALIDATION),
        strata=strata_sizes(units, parts),
        warnings=warnings(units, parts, ratio),
    )


def save(proposal: SplitProposal, *, actor: User, now: datetime) -> Split:
    """Store a proposal as the next version, not yet locked."""
    study = proposal.study
    require_state(study, (State.SCREENING,), "Splits are made")
    with transaction.atomic():
        last = Split.objects.filter(study=study).aggregate(last=Max("version"))["last"] or 0
        split = Split.objects.create(
            study=study, version=last + 1, ratio=proposal.ratio, seed=proposal.seed,
            factors=list(proposal.factors), warning=" ".join(proposal.warnings), created_at=now,
        )  # fmt: skip
        SplitPart.objects.bulk_create(
            SplitPart(split=split, patient_id=patient, part=part)
            for patient, part in proposal.parts.items()
        )
        new = {"version": split.version, "ratio": split.ratio, "seed": split.seed}
        note_act(study, actor, "split.save", f"split:{study.code}/{split.version}", new=new)
    return split


def split_digest(split: Split) -> str:
    """SHA-256 over the rule and the part of each subject."""
    rows = SplitPart.objects.filter(split=split).values_list("patient__subject", "part")
    return digest(
        {
            "study": split.study.code,
            "version": split.version,
            "ratio": split.ratio,
            "seed": split.seed,
            "factors": split.factors,
            "parts": dict(rows),
        }
    )


def covers_cohort(split: Split) -> bool:
    included = Lesion.objects.of_study(split.study).included().values("patient")
    parts = SplitPart.objects.filter(split=split).values_list("patient_id", flat=True)
    return set(parts) == set(Patient.objects.filter(pk__in=included).values_list("pk", flat=True))


def lock(split: Split, *, actor: User, now: datetime) -> Split:
    """From here on the split never changes; a new split is a new version."""
    require_state(split.study, (State.SCREENING,), "A split is locked")
    if split.locked_at is not None:
        raise Locked(f"Split {split.version} is locked already.")
    if not covers_cohort(split):
        raise Conflict("The cohort has changed since this split was made; make a new one.")
    with transaction.atomic():
        split.locked_at, split.digest = now, split_digest(split)
        split.save(update_fields=["locked_at", "digest"])
        obj = f"split:{split.study.code}/{split.version}"
        note_act(split.study, actor, "split.lock", obj, new={"digest": split.digest})
    return split


def current_split(study: Study) -> Split | None:
    """The locked split with the highest version."""
    return (
        Split.objects.filter(study=study, locked_at__isnull=False)
        .select_related("study")
        .order_by("-version")
        .first()
    )
