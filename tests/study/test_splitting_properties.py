"""Splits against a second way: quotas by hand and by fractions, strata, seeds, warnings and the stored parts."""

import hashlib
import math
from collections import Counter, defaultdict
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.errors import Conflict
from portal.study.models import Lesion, Patient, Site, Split, SplitPart, Study
from portal.study.splitting import (
    FACTORS,
    PartSize,
    Unit,
    cohort,
    covers_cohort,
    current_split,
    draw,
    factor_of,
    fill,
    lock,
    propose,
    quotas,
    save,
    shuffled,
    size,
    split_digest,
    strata_sizes,
    warnings,
)
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import alternating_strata, coordinator, make_cohort, make_locked_split

M, B = ("metastasis",), ("benign",)
TENTHS = st.sampled_from([Fraction(n, 10) for n in range(1, 10)])
sizes = st.dictionaries(st.sampled_from([M, B, ("metastasis", "M"), ("benign", "F"), ("benign", "M")]), st.integers(1, 60), min_size=1)  # fmt: skip
rows = st.lists(st.tuples(st.sampled_from([M, B, ("benign", "F")]), st.integers(1, 4)), min_size=1, max_size=40)  # fmt: skip


def units_of(pairs: list[tuple[tuple[str, ...], int]]) -> list[Unit]:
    return [Unit(i, f"S{i:03d}", stratum, n) for i, (stratum, n) in enumerate(pairs)]


def parts_of(units: list[Unit], train: set[int]) -> dict[int, str]:
    return {u.patient_id: "train" if u.patient_id in train else "validation" for u in units}


@pytest.mark.parametrize(
    ("lesions", "ratio", "expected"),
    [
        # the published cohort, 7:3: 134.4 of 192 are 134; 0.7 x 115 = 80.5 has the larger remainder
        ({M: 115, B: 77}, 0.7, {M: 80, B: 54}),
        ({M: 10, B: 10}, 0.7, {M: 7, B: 7}),
        ({M: 3, B: 3}, 0.5, {M: 1, B: 2}),  # 1.5 and 1.5 make 3; equal remainders go by name
        ({M: 1, B: 9}, 0.7, {M: 1, B: 6}),
        ({M: 1, B: 1}, 0.5, {M: 0, B: 1}),
        ({M: 1}, 0.7, {M: 1}),
        ({M: 1}, 0.3, {M: 0}),
        ({M: 100}, 0.29, {M: 29}),  # 0.29 x 100 is 28.999… in floating point
    ],
)
def test_the_quotas_of_small_cohorts_by_hand(
    lesions: dict[tuple[str, ...], int], ratio: float, expected: dict[tuple[str, ...], int]
) -> None:
    assert quotas(lesions, ratio) == expected


@given(sizes, TENTHS)
def test_a_quota_is_the_exact_share_rounded_up_or_down(
    lesions: dict[tuple[str, ...], int], ratio: Fraction
) -> None:
    """A second way: exact fractions; no stratum is a whole lesion off its share."""
    found = quotas(lesions, float(ratio))
    for stratum, n in lesions.items():
        assert math.floor(ratio * n) <= found[stratum] <= math.ceil(ratio * n)
        assert 0 <= found[stratum] <= n


@given(sizes, st.floats(0.01, 0.99))
def test_the_quotas_add_up_to_the_rounded_share_of_all(
    lesions: dict[tuple[str, ...], int], ratio: float
) -> None:
    assert sum(quotas(lesions, ratio).values()) == round(ratio * sum(lesions.values()))


@pytest.mark.parametrize(
    ("lesions", "quota", "taken"),
    [
        ([1, 1, 1], 2, {0, 1}),
        ([2, 1, 2], 3, {0, 1}),
        ([2, 2, 1], 3, {0, 2}),  # the second does not fit, the third does
        ([2, 2], 1, set()),
        ([1], 0, set()),
        ([], 5, set()),
        ([3, 1, 1], 9, {0, 1, 2}),
    ],
)
def test_patients_are_taken_in_order_while_all_their_lesions_fit(
    lesions: list[int], quota: int, taken: set[int]
) -> None:
    assert fill(units_of([(M, n) for n in lesions]), quota) == taken


@given(rows, st.integers(0, 200))
def test_a_quota_is_never_exceeded_and_what_was_left_out_would_not_have_fitted(
    pairs: list[tuple[tuple[str, ...], int]], quota: int
) -> None:
    units = units_of(pairs)
    taken = fill(units, quota)
    used = sum(u.n_lesions for u in units if u.patient_id in taken)
    assert used <= quota
    assert all(u.n_lesions > quota - used for u in units if u.patient_id not in taken)


@given(rows, st.floats(0.1, 0.9), st.integers(0, 2**62))
def test_each_stratum_is_off_its_share_by_less_than_a_patient_and_what_came_before(
    pairs: list[tuple[tuple[str, ...], int]], ratio: float, seed: int
) -> None:
    """What one stratum could not fill goes to the next, so the sum up to any stratum is at most 3 short."""
    units = units_of(pairs)
    train = draw(units, ratio, seed)
    lesions: dict[tuple[str, ...], int] = defaultdict(int)
    inside: dict[tuple[str, ...], int] = defaultdict(int)
    for u in units:
        lesions[u.stratum] += u.n_lesions
        inside[u.stratum] += u.n_lesions * (u.patient_id in train)
    wanted, short = quotas(lesions, ratio), 0
    for stratum in sorted(lesions):
        short += wanted[stratum] - inside[stratum]
        assert short >= 0
    assert short == round(ratio * sum(lesions.values())) - sum(inside.values())


@given(st.lists(st.sampled_from([M, B]), min_size=1, max_size=60), TENTHS, st.integers(0, 2**40))
def test_with_one_lesion_per_patient_every_stratum_has_its_quota_exactly(
    strata: list[tuple[str, ...]], ratio: Fraction, seed: int
) -> None:
    units = units_of([(s, 1) for s in strata])
    train = draw(units, float(ratio), seed)
    found = Counter(u.stratum for u in units if u.patient_id in train)
    assert dict(found) == {s: n for s, n in quotas(Counter(strata), float(ratio)).items() if n}


@given(rows, st.floats(0.1, 0.9), st.integers(0, 2**40))
def test_the_same_seed_draws_the_same_and_every_patient_is_in_one_part(
    pairs: list[tuple[tuple[str, ...], int]], ratio: float, seed: int
) -> None:
    units = units_of(pairs)
    train = draw(units, ratio, seed)
    assert draw(list(reversed(units)), ratio, seed) == train
    parts = parts_of(units, train)
    both = [size(units, parts, part) for part in ("train", "validation")]
    assert sum(p.patients for p in both) == len(units)
    assert sum(p.lesions for p in both) == sum(u.n_lesions for u in units)


def test_over_many_seeds_each_patient_is_drawn_as_often_as_the_ratio_says() -> None:
    """400 seeds, 10 patients, 7 of 10 taken: 280 expected, standard deviation 9.2; within 4 of them."""
    units = units_of([(M, 1)] * 10)
    times = Counter(i for seed in range(400) for i in draw(units, 0.7, seed))
    assert all(abs(times[i] - 280) < 37 for i in range(10))


@given(st.integers(0, 2**63 - 1), st.permutations(range(12)))
def test_the_order_is_the_sorted_sha_256_whatever_came_in(seed: int, order: list[int]) -> None:
    units = [Unit(i, f"S{i}", M, 1) for i in order]
    keys = [hashlib.sha256(f"{seed}:{u.subject}".encode()).hexdigest() for u in shuffled(units, seed)]  # fmt: skip
    assert keys == sorted(keys)


EMPTY = "The {} part is empty."
WARNED = [
    ([(M, 1), (M, 1)], {0, 1}, 0.9, (EMPTY.format("validation"),)),
    ([(M, 1), (M, 1)], set(), 0.1, (EMPTY.format("train"),)),
    ([(M, 1), (B, 1)], {0}, 0.5, ("Stratum benign is in the validation part only.", "Stratum metastasis is in the train part only.")),
    ([(M, 5), (M, 5), (B, 5), (B, 5)], {0, 2}, 0.7, ("The train part is 4 lesions off the ratio asked for.",)),
    ([(M, 1), (M, 1), (B, 1), (B, 1)], {0, 2}, 0.5, ()),
    ([(M, 4), (M, 4)], {0}, 0.75, ()),  # off by exactly 2
    ([(("benign", "F"), 1), (M, 1), (M, 1)], {1}, 0.4, ("Stratum benign / F is in the validation part only.",)),
]  # fmt: skip


@pytest.mark.parametrize(("pairs", "train", "ratio", "expected"), WARNED)
def test_what_is_odd_about_a_split_is_said(
    pairs: list[tuple[tuple[str, ...], int]], train: set[int], ratio: float, expected: tuple[str, ...]
) -> None:  # fmt: skip
    units = units_of(pairs)
    assert warnings(units, parts_of(units, train), ratio) == expected


def test_the_sizes_of_the_strata_by_hand() -> None:
    units = units_of([(M, 2), (M, 1), (B, 1), (("benign", "F"), 3)])
    assert strata_sizes(units, parts_of(units, {0, 3})) == {
        "benign": (PartSize(0, 0), PartSize(1, 1)),
        "benign / F": (PartSize(1, 3), PartSize(0, 0)),
        "metastasis": (PartSize(1, 2), PartSize(1, 1)),
    }


@pytest.mark.parametrize(
    ("fields", "factor", "value"),
    [
        ({"age_years": None}, "age", ""),
        ({"age_years": 0}, "age", "<60"),
        ({"age_years": 59}, "age", "<60"),
        ({"age_years": 60}, "age", ">=60"),
        ({"sex": "M"}, "sex", "M"),
        ({"sex": ""}, "sex", ""),
        ({"primary_tumour": "lung"}, "primary_tumour", "lung"),
        ({"site": None}, "site", ""),
        ({"site": Site(code="north")}, "site", "north"),
    ],
)
def test_the_value_of_a_factor(fields: dict[str, object], factor: str, value: str) -> None:
    assert factor_of(Patient(**fields), factor) == value
    assert factor in FACTORS


@pytest.mark.django_db
def test_the_cohort_is_the_patients_with_an_included_lesion_by_subject() -> None:
    study = make_study(state="SCREENING")
    for subject, n in (("S2", 2), ("S10", 1), ("S1", 1)):
        patient = make_patient(study, subject)
        for number in range(1, n + 1):
            make_lesion(patient, number=number)
    make_lesion(make_patient(study, "OUT"), included=False)
    make_patient(study, "NONE")
    strata = dict.fromkeys(Patient.objects.values_list("pk", flat=True), "benign")
    assert [(u.subject, u.n_lesions, u.stratum) for u in cohort(study, strata, ["sex", "age"])] == [
        ("S1", 1, ("benign", "F", ">=60")),
        ("S10", 1, ("benign", "F", ">=60")),
        ("S2", 2, ("benign", "F", ">=60")),
    ]


@pytest.mark.django_db
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 2), min_size=2, max_size=12), st.floats(0.2, 0.8), st.integers(0, 2**63 - 1))  # fmt: skip
def test_in_the_database_no_patient_straddles_and_none_is_forgotten(
    lesions: list[int], ratio: float, seed: int
) -> None:
    study = make_study(f"s{Study.objects.count()}", state="SCREENING", cast=False)
    patients = [make_patient(study, f"S{i:02d}") for i in range(len(lesions))]
    for patient, n in zip(patients, lesions, strict=True):
        for number in range(1, n + 1):
            make_lesion(patient, number=number)
    proposal = propose(study, strata=alternating_strata(patients), ratio=ratio, seed=seed)
    split = lock(save(proposal, actor=coordinator(), now=NOW), actor=coordinator(), now=NOW)
    part_of = dict(SplitPart.objects.filter(split=split).values_list("patient_id", "part"))
    assert set(part_of) == {p.pk for p in patients}
    by_part = Counter(part_of[p] for p in Lesion.objects.of_study(study).values_list("patient_id", flat=True))  # fmt: skip
    assert (by_part["train"], by_part["validation"]) == (proposal.train.lesions, proposal.validation.lesions)  # fmt: skip
    assert 0 <= round(ratio * sum(lesions)) - by_part["train"] <= 1


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"ratio": 0.6}, {"seed": 2}, {"version": 7}, {"factors": ["sex"]}])  # fmt: skip
def test_the_digest_of_a_split_covers_its_rule(change: dict[str, object]) -> None:
    study = make_study(state="SCREENING")
    proposal = propose(study, strata=alternating_strata(make_cohort(study, 5)), ratio=0.7, seed=1)
    split = save(proposal, actor=coordinator(), now=NOW)
    before = split_digest(split)
    for name, value in change.items():
        setattr(split, name, value)
    assert split_digest(split) != before


@pytest.mark.django_db
def test_the_digest_of_a_split_covers_the_part_of_each_subject() -> None:
    study = make_study(state="SCREENING")
    proposal = propose(study, strata=alternating_strata(make_cohort(study, 5)), ratio=0.7, seed=1)
    split = save(proposal, actor=coordinator(), now=NOW)
    seen = {split_digest(split)}
    for row in SplitPart.objects.filter(split=split):
        other = {"train": "validation", "validation": "train"}[row.part]
        SplitPart.objects.filter(pk=row.pk).update(part=other)
        seen.add(split_digest(split))
        SplitPart.objects.filter(pk=row.pk).update(part=row.part)
    assert len(seen) == 6


@pytest.mark.django_db
def test_a_split_covers_the_cohort_of_its_own_study_only() -> None:
    study = make_study(state="SCREENING")
    split = make_locked_split(study, alternating_strata(make_cohort(study, 4)))
    make_lesion(make_patient(make_study("knee", cast=False), "K1"))
    assert covers_cohort(split)
    lesion = Lesion.objects.of_study(study).order_by("pk")[0]
    make_lesion(lesion.patient, number=2)  # another lesion of a patient who has a part
    assert covers_cohort(split)
    Lesion.objects.filter(patient=lesion.patient).update(is_included=False, slot=None)
    assert not covers_cohort(split)


@pytest.mark.django_db
def test_the_newest_locked_split_counts_and_an_unlocked_one_never() -> None:
    study = make_study(state="SCREENING")
    assert current_split(study) is None
    strata = alternating_strata(make_cohort(study, 5))
    first = make_locked_split(study, strata, seed=1)
    save(propose(study, strata=strata, ratio=0.7, seed=2), actor=coordinator(), now=NOW)
    assert current_split(study) == first
    third = make_locked_split(study, strata, seed=3)
    assert (current_split(study), third.version) == (third, 3)
    assert Split.objects.filter(study=study).count() == 3


@pytest.mark.django_db
def test_who_has_no_standard_is_counted_and_the_first_is_named() -> None:
    study = make_study(state="SCREENING")
    patients = make_cohort(study, 4)
    with pytest.raises(Conflict) as refusal:
        propose(study, strata={patients[1].pk: "benign"}, ratio=0.7, seed=1)
    assert refusal.value.sentence == "3 patients have no reference standard yet, among them S000; enter them first."  # fmt: skip
