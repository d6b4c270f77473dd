"""How many of what at any size: largest remainders, quotas, screening, practice."""

import datetime as dt
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomics.phantom import cohort_counts, screening
from radiomics.phantom.cohort_counts import (
    GROUPS,
    METHOD_COUNTS,
    ONLY,
    PRIMARIES,
    Finding,
    assign_methods,
    pathology_first,
    scaled,
    shuffled,
)
from radiomics.phantom.draws import largest_remainder
from radiomics.phantom.levels import LEVELS, number
from radiomics.phantom.plan import Plan, make_plan, make_practice_plan, working_days
from radiomics.phantom.records import BENIGN, METASTASIS

SIZES = (8, 24, 50, 132, 1320)
PLANS = {(n, seed): make_plan(seed=seed, n_patients=n) for n in SIZES for seed in (1, 2)}
EACH_PLAN = pytest.mark.parametrize("plan", PLANS.values(), ids=[f"{n}-{s}" for n, s in PLANS])


def test_the_shares_of_the_paper_add_up() -> None:
    assert [g[2] for g in GROUPS] == [46, 33, 32, 21]
    assert sum(PRIMARIES.values()) == 132
    assert {c: sum(counts) for c, counts in METHOD_COUNTS.items()} == {METASTASIS: 115, BENIGN: 77}
    totals = [sum(counts) for counts in zip(*METHOD_COUNTS.values(), strict=True)]
    assert totals == [29, 121, 42]
    assert sum(screening.CRITERIA.values()) == 39
    assert sum(screening.REASONS.values()) == 13


@pytest.mark.parametrize(
    ("n", "groups", "metastases", "benign", "repeats"),
    [
        (8, (3, 2, 2, 1), 7, 5, 4),
        (24, (8, 6, 6, 4), 21, 14, 5),
        (50, (17, 13, 12, 8), 44, 29, 11),
        (132, (46, 33, 32, 21), 115, 77, 30),
        (1320, (460, 330, 320, 210), 1150, 770, 30),
    ],
)
def test_counts_of_a_size_by_hand(
    n: int, groups: tuple[int, ...], metastases: int, benign: int, repeats: int
) -> None:
    """n = 50: shares 17.42, 12.5, 12.12, 7.95; the fractions .95 and .5 take the two that 48 lacks."""
    found = scaled(n)
    assert sum(found.groups) == n
    assert found.groups == groups
    assert (found.metastases, found.benign, found.repeats) == (metastases, benign, repeats)


@given(weights=st.lists(st.integers(1, 99), min_size=1, max_size=12), total=st.integers(0, 500))
def test_largest_remainders_stay_within_one_of_the_share(weights: list[int], total: int) -> None:
    found = largest_remainder(weights, total)
    assert sum(found) == total
    for count, weight in zip(found, weights, strict=True):
        assert abs(count - weight / sum(weights) * total) < 1 + 1e-9


@given(weights=st.lists(st.integers(1, 99), min_size=1, max_size=12))
def test_largest_remainders_of_the_whole_are_the_weights(weights: list[int]) -> None:
    assert largest_remainder(weights, sum(weights)) == weights


@given(n=st.integers(8, 3000))
@settings(max_examples=80, deadline=None)
def test_lesions_and_patients_of_any_size_add_up(n: int) -> None:
    found = scaled(n)
    assert sum(found.groups) == n
    assert found.metastases + found.benign == n + found.two_metastatic + found.two_benign
    assert 1 <= found.mixed <= found.two_metastatic
    assert found.two_metastatic <= sum(found.groups[:2])
    assert found.two_benign <= sum(found.groups[2:])
    assert 4 <= found.repeats <= min(30, found.metastases + found.benign)


@EACH_PLAN
def test_patients_have_the_quota_of_each_class_and_sex(plan: Plan) -> None:
    found = Counter((p.diagnosis, p.sex) for p in plan.patients)
    wanted = scaled(plan.n_patients).groups
    assert [found[c, sex] for c, sex, _ in GROUPS] == list(wanted)


@EACH_PLAN
def test_primaries_come_in_their_shares_and_fit_the_sex(plan: Plan) -> None:
    found = Counter(p.primary for p in plan.patients)
    assert [found[name] for name in PRIMARIES] == largest_remainder(
        list(PRIMARIES.values()), plan.n_patients
    )
    for person in plan.patients:
        assert ONLY.get(person.primary, person.sex) == person.sex


@EACH_PLAN
def test_a_second_lesion_lies_one_level_above_or_below(plan: Plan) -> None:
    for person in plan.patients:
        levels = [number(le.level) for le in person.lesions]
        assert levels[0] == number(person.centre_level)
        assert all(abs(b - a) == 1 for a, b in zip(levels, levels[1:], strict=False))
        assert [le.slot for le in person.lesions] == list(range(1, len(levels) + 1))
        assert {le.patient for le in person.lesions} == {person.index}


@EACH_PLAN
def test_second_benign_lesions_follow_the_first(plan: Plan) -> None:
    follows = {
        "degenerative": "degenerative", "osteoarthritis": "osteoarthritis",
        "fracture": "degenerative", "tuberculosis": "degenerative",
    }  # fmt: skip
    for person in plan.patients:
        if person.diagnosis == BENIGN and len(person.lesions) == 2:
            first, second = person.lesions
            assert second.subtype == follows[first.subtype]


@EACH_PLAN
def test_a_benign_patient_has_no_metastasis(plan: Plan) -> None:
    for person in plan.patients:
        truths = {le.truth for le in person.lesions}
        assert truths == {BENIGN} if person.diagnosis == BENIGN else METASTASIS in truths


@EACH_PLAN
def test_repeated_drawings_are_different_lesions_of_the_cohort(plan: Plan) -> None:
    every = {(le.patient, le.slot) for p in plan.patients for le in p.lesions}
    assert len(set(plan.repeats)) == len(plan.repeats) == scaled(plan.n_patients).repeats
    assert set(plan.repeats) <= every


@EACH_PLAN
def test_excluded_patients_are_numbered_after_the_included_ones(plan: Plan) -> None:
    n = plan.n_patients
    assert [e.index for e in plan.excluded] == list(range(n, n + len(plan.excluded)))
    assert len(plan.excluded) == int(39 * n / 132 + 0.5)
    assert [e.subject for e in plan.excluded] == [f"SYN{e.index + 1:04d}" for e in plan.excluded]
    assert sum(e.has_images for e in plan.excluded) <= 4
    for person in plan.excluded:
        assert (person.primary == "") == (person.criterion == "no_primary")
        assert ONLY.get(person.primary, person.sex) == person.sex
        assert 32 <= person.age <= 88


@EACH_PLAN
def test_excluded_lesions_are_further_ones_of_patients_with_two(plan: Plan) -> None:
    by_index = {p.index: p for p in plan.patients}
    assert len({e.patient for e in plan.excluded_lesions}) == len(plan.excluded_lesions)
    for lesion in plan.excluded_lesions:
        own = by_index[lesion.patient].lesions
        assert len(own) == 2
        assert lesion.number == 3
        assert lesion.level in set(LEVELS) - {le.level for le in own}


@EACH_PLAN
def test_a_disc_infection_has_its_vertebra_above_in_the_scan(plan: Plan) -> None:
    for lesion in (le for p in plan.patients for le in p.lesions if le.subtype == "tuberculosis"):
        assert number(lesion.level) >= 1
        assert lesion.shape == "disc"


@pytest.mark.parametrize("seed", range(1, 21))
def test_ages_do_not_differ_between_the_classes(seed: int) -> None:
    """Age depends on the primary only, which is shuffled: 4 SE of the difference of two means."""
    plan = make_plan(seed=seed)
    ages = [[p.age for p in plan.patients if p.diagnosis == c] for c in (METASTASIS, BENIGN)]
    spread = np.sqrt(sum(np.var(a, ddof=1) / len(a) for a in ages))
    assert abs(np.mean(ages[0]) - np.mean(ages[1])) < 4 * spread


def test_ages_follow_the_primary() -> None:
    plan = PLANS[1320, 1]
    for primary, mean in (("prostate", 70), ("breast", 57), ("lung", 63), ("colon", 61)):
        ages = [p.age for p in plan.patients if p.primary == primary]
        assert np.mean(ages) == pytest.approx(mean, abs=4 * 9 / np.sqrt(len(ages)))


def test_centre_levels_follow_their_weights() -> None:
    found = Counter(p.centre_level for p in PLANS[1320, 1].patients)
    weights = {"T6": 0.6, "T9": 0.9, "T12": 1.6, "L1": 1.8, "L4": 1.5}
    for level, weight in weights.items():
        share = weight / 13.2
        assert found[level] == pytest.approx(
            1320 * share, abs=4 * np.sqrt(1320 * share * (1 - share))
        )


def test_the_study_period_has_its_working_days() -> None:
    days = working_days()
    assert (days[0], days[-1]) == (dt.date(2019, 1, 7), dt.date(2020, 10, 30))
    assert len(days) == 95 * 5  # 95 whole weeks from Monday to Friday
    assert all(day.weekday() < 5 for day in days)


@pytest.mark.parametrize(
    ("names", "places", "wanted"),
    [
        (["clinical", "pathology", "follow_up"], 1, ["pathology", "clinical", "follow_up"]),
        (["pathology", "clinical", "pathology"], 2, ["pathology", "pathology", "clinical"]),
        (["clinical", "pathology"], 5, ["pathology", "clinical"]),
        (["clinical", "follow_up"], 1, ["clinical", "follow_up"]),
        (["pathology", "clinical"], 0, ["pathology", "clinical"]),
    ],
)
def test_pathology_goes_to_the_first_places(
    names: list[str], places: int, wanted: list[str]
) -> None:
    assert pathology_first(names, places) == wanted


def test_tuberculoses_take_the_benign_pathologies_first() -> None:
    every = [Finding(BENIGN, "degenerative") for _ in range(70)]
    every += [Finding(BENIGN, "tuberculosis") for _ in range(7)]
    assign_methods(np.random.default_rng(0), every)
    assert {f.method for f in every[70:]} == {"pathology"}
    assert Counter(f.method for f in every) == {"pathology": 8, "follow_up": 52, "clinical": 17}


def test_quotas_that_the_primaries_cannot_meet_are_drawn_again() -> None:
    """Three prostate cancers cannot be two men; `people` therefore never returns such a shuffle."""
    counts = cohort_counts.Counts((2, 1, 0, 0), 0, 0, 0, 3, 0, 4)
    rng = np.random.default_rng(0)
    assert cohort_counts.fitting_sexes(rng, [METASTASIS] * 3, ["prostate"] * 3, counts) == []
    sexes = cohort_counts.fitting_sexes(rng, [METASTASIS] * 3, ["prostate", "colon", "breast"], counts)  # fmt: skip
    assert sexes == ["M", "M", "F"]


def test_a_shuffle_keeps_the_counts_and_depends_on_the_generator() -> None:
    one, two = (shuffled(np.random.default_rng(s), ("a", "b"), (30, 20)) for s in (1, 2))
    assert Counter(one) == Counter(two) == {"a": 30, "b": 20}
    assert one != two


def test_uptake_and_recorded_activity_share_one_factor() -> None:
    for person in PLANS[132, 1].patients:
        assert person.activity_mbq == round(min(max(740 * person.delta, 555), 925), 1)


def test_count_factors_are_log_normal_and_tell_nothing_of_the_class() -> None:
    people = PLANS[1320, 1].patients
    logs = np.log([p.delta for p in people])
    assert logs.mean() == pytest.approx(0, abs=4 * 0.22 / np.sqrt(1320))
    assert logs.std() == pytest.approx(0.22, rel=0.08)
    sick = np.array([p.diagnosis == METASTASIS for p in people])
    difference = logs[sick].mean() - logs[~sick].mean()
    assert abs(difference) < 4 * 0.22 * np.sqrt(1 / sick.sum() + 1 / (~sick).sum())


@pytest.mark.parametrize("size", [8, 24])
def test_a_null_cohort_changes_neither_patients_nor_truth(size: int) -> None:
    plain, null = (make_plan(seed=6, n_patients=size, null=flag) for flag in (False, True))
    for a, b in zip(plain.patients, null.patients, strict=True):
        assert (a.sex, a.age, a.primary, a.study_date) == (b.sex, b.age, b.primary, b.study_date)
        assert [le.truth for le in a.lesions] == [le.truth for le in b.lesions]
        assert [le.method for le in a.lesions] == [le.method for le in b.lesions]
    assert plain.excluded == null.excluded


def test_difficulty_changes_neither_patients_nor_truth() -> None:
    easy, hard = (make_plan(seed=6, n_patients=24, difficulty=d) for d in (1.0, 0.2))
    for a, b in zip(easy.patients, hard.patients, strict=True):
        assert [(le.truth, le.level, le.determined_on) for le in a.lesions] == [
            (le.truth, le.level, le.determined_on) for le in b.lesions
        ]


def test_practice_plans_of_two_seeds_differ() -> None:
    one, two = make_practice_plan(1), make_practice_plan(2)
    assert len(one.patients) == len(two.patients) == 12
    assert [p.age for p in one.patients] != [p.age for p in two.patients]
