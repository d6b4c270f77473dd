import time
from collections import Counter

import pytest

from radiomics.phantom.plan import LesionPlan, Plan, make_plan, make_practice_plan
from radiomics.phantom.recipes import SEP_CT, SEP_SPECT

SEEDS = range(1, 21)


def lesions_of(plan: Plan) -> list[LesionPlan]:
    return [lesion for patient in plan.patients for lesion in patient.lesions]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cohort_of_132_has_exactly_the_published_and_chosen_counts(seed: int) -> None:
    plan = make_plan(seed=seed)
    groups = Counter((p.diagnosis, p.sex) for p in plan.patients)
    assert groups == {
        ("metastasis", "M"): 46,
        ("metastasis", "F"): 33,
        ("benign", "M"): 32,
        ("benign", "F"): 21,
    }
    every = lesions_of(plan)
    assert Counter(le.truth for le in every) == {"metastasis": 115, "benign": 77}
    two = [p for p in plan.patients if len(p.lesions) == 2]
    assert Counter(p.diagnosis for p in two) == {"metastasis": 42, "benign": 18}
    mixed = [p for p in two if p.diagnosis == "metastasis" and p.lesions[1].truth == "benign"]
    assert len(mixed) == 6
    assert Counter(p.lesions[1].subtype for p in mixed) == {"degenerative": 4, "osteoarthritis": 2}
    assert Counter((le.truth, le.method) for le in every) == {
        ("metastasis", "pathology"): 21, ("metastasis", "follow_up"): 69, ("metastasis", "clinical"): 25,
        ("benign", "pathology"): 8, ("benign", "follow_up"): 52, ("benign", "clinical"): 17,
    }  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_primaries_kinds_and_screening_are_exact(seed: int) -> None:
    plan = make_plan(seed=seed)
    primaries = Counter(p.primary for p in plan.patients)
    assert [
        primaries[k] for k in ("breast", "lung", "prostate", "colon", "cervical", "ureteral")
    ] == [27, 50, 25, 5, 3, 1]
    assert {p.sex for p in plan.patients if p.primary == "prostate"} == {"M"}
    assert {p.sex for p in plan.patients if p.primary in ("breast", "cervical")} == {"F"}
    kinds = Counter(p.lesions[0].subtype for p in plan.patients if p.diagnosis == "benign")
    assert kinds == {"degenerative": 23, "fracture": 15, "osteoarthritis": 8, "tuberculosis": 7}
    assert {le.method for le in lesions_of(plan) if le.subtype == "tuberculosis"} == {"pathology"}
    codes = Counter(e.criterion for e in plan.excluded)
    assert [codes[k] for k in (
        "no_primary", "other_reason", "incomplete", "no_lesion_1cm", "not_delineable", "no_ct_lesion", "prior_treatment",
    )] == [7, 4, 9, 6, 4, 5, 4]  # fmt: skip
    with_images = Counter(e.criterion for e in plan.excluded if e.has_images)
    assert with_images == {"no_ct_lesion": 2, "no_lesion_1cm": 1, "not_delineable": 1}
    assert Counter(e.reason for e in plan.excluded_lesions) == {
        "beyond_two": 8,
        "inconclusive": 3,
        "not_delineable": 2,
    }
    assert len(set(plan.repeats)) == 30


@pytest.mark.parametrize("seed", SEEDS)
def test_levels_ages_and_dates_stay_within_their_ranges(seed: int) -> None:
    plan = make_plan(seed=seed)
    for p in plan.patients:
        assert 32 <= p.age <= 88
        assert p.study_date.weekday() < 5
        assert p.negative_spacing == (p.index % 2 == 1)
        assert 555 <= p.activity_mbq <= 925
        assert p.lesions[0].level == p.centre_level
        for le in p.lesions:
            assert 30 <= (le.determined_on - p.study_date).days <= 400
            assert le.image_class == le.truth


@pytest.mark.parametrize(
    ("n", "two", "two_benign", "mixed"),
    [(8, 4, 1, 1), (24, 11, 3, 1), (50, 23, 7, 2), (1320, 600, 180, 60)],
)
def test_other_sizes_follow_the_scaled_rules(n: int, two: int, two_benign: int, mixed: int) -> None:
    for seed in (1, 7):
        started = time.process_time()
        plan = make_plan(seed=seed, n_patients=n)
        assert time.process_time() - started < 1.5
        assert len(plan.patients) == n
        pairs = [p for p in plan.patients if len(p.lesions) == 2]
        assert len(pairs) == two
        assert sum(p.diagnosis == "benign" for p in pairs) == two_benign
        assert sum(p.lesions[0].truth != p.lesions[1].truth for p in pairs) == mixed
        total = n + two
        assert len(plan.repeats) == min(30, max(4, int(30 * total / 192 + 0.5)))


def test_twenty_four_patients_make_21_and_14_lesions() -> None:
    plan = make_plan(seed=3, n_patients=24)
    assert Counter(p.diagnosis for p in plan.patients) == {"metastasis": 14, "benign": 10}
    assert Counter(le.truth for le in lesions_of(plan)) == {"metastasis": 21, "benign": 14}


def test_a_plan_is_a_pure_function_of_its_arguments() -> None:
    assert make_plan(seed=5) == make_plan(seed=5)
    assert make_plan(seed=5).patients != make_plan(seed=6).patients


def test_null_mode_moves_image_classes_and_leaves_the_truth() -> None:
    plain, null = make_plan(seed=4), make_plan(seed=4, null=True)
    a, b = lesions_of(plain), lesions_of(null)
    assert [le.truth for le in a] == [le.truth for le in b]
    assert Counter(le.image_class for le in b) == {"metastasis": 115, "benign": 77}
    agree = sum(le.truth == le.image_class for le in b)
    assert agree < 130


def test_latents_are_separated_by_difficulty_only() -> None:
    for difficulty in (0.0, 0.5, 1.0):
        every = lesions_of(make_plan(seed=2, difficulty=difficulty))
        for name, sep in (("t_ct", SEP_CT), ("t_sp", SEP_SPECT)):
            means = [
                sum(getattr(le, name) for le in every if le.truth == c)
                / sum(le.truth == c for le in every)
                for c in ("metastasis", "benign")
            ]
            assert means[0] - means[1] == pytest.approx(sep * difficulty, abs=1e-9)


def test_shapes_and_types_follow_their_shares() -> None:
    every = lesions_of(make_plan(seed=9))
    odd = [le for le in every if le.truth == "metastasis" and le.is_atypical]
    assert len(odd) == pytest.approx(0.28 * 115, abs=1)
    assert {le.shape for le in odd} == {"wedge", "end_plate", "focal"}
    assert {le.shape for le in every if le.subtype == "tuberculosis"} == {"disc"}
    benign = Counter(le.ct_type for le in every if le.truth == "benign")
    assert benign["sclerotic"] == pytest.approx(0.58 * 77, abs=1)


def test_practice_patients_are_twelve_others() -> None:
    plan, main = make_practice_plan(2022), make_plan(seed=2022)
    assert [p.subject for p in plan.patients] == [f"PRA{i:04d}" for i in range(1, 13)]
    assert plan.excluded == ()
    assert plan.seed != main.seed
    assert plan == make_practice_plan(2022)


@pytest.mark.parametrize(
    ("bad", "word"),
    [({"n_patients": 7}, "patients"), ({"n_patients": 100_001}, "patients"), ({"difficulty": 1.2}, "difficulty"),
     ({"difficulty": float("nan")}, "difficulty"), ({"seed": -1}, "seed")],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(bad: dict[str, float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        make_plan(**{"seed": 1, **bad})  # type: ignore[arg-type]
