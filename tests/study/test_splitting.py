"""Splits: by patient, stratified, counted in lesions, the same for one seed everywhere."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid, Locked
from portal.study.models import SplitPart
from portal.study.splitting import (
    Unit,
    covers_cohort,
    current_split,
    draw,
    lock,
    propose,
    quotas,
    save,
    shuffled,
)
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import (
    alternating_strata,
    coordinator,
    make_cohort,
    make_locked_split,
)

strata_of_units = st.sampled_from([("metastasis",), ("benign",), ("metastasis", "M")])
cohorts = st.lists(st.tuples(strata_of_units, st.integers(1, 2)), min_size=1, max_size=60)


def units_of(rows: list[tuple[tuple[str, ...], int]]) -> list[Unit]:
    return [Unit(i, f"S{i:03d}", stratum, n) for i, (stratum, n) in enumerate(rows)]


@given(cohorts, st.floats(0.05, 0.95), st.integers(0, 2**40))
def test_the_train_part_never_exceeds_the_rounded_share_and_misses_it_by_few(
    rows: list[tuple[tuple[str, ...], int]], ratio: float, seed: int
) -> None:
    units = units_of(rows)
    train = draw(units, ratio, seed)
    lesions = sum(u.n_lesions for u in units if u.patient_id in train)
    target = round(ratio * sum(u.n_lesions for u in units))
    assert 0 <= target - lesions <= 2


@given(cohorts, st.integers(0, 2**40))
def test_the_draw_depends_on_subjects_and_seed_not_on_ids_or_order(
    rows: list[tuple[tuple[str, ...], int]], seed: int
) -> None:
    units = units_of(rows)
    other = [Unit(1000 - u.patient_id, u.subject, u.stratum, u.n_lesions) for u in reversed(units)]
    assert {u.subject for u in units if u.patient_id in draw(units, 0.7, seed)} == {
        u.subject for u in other if u.patient_id in draw(other, 0.7, seed)
    }


def test_the_order_is_that_of_sha_256_over_seed_and_subject() -> None:
    units = units_of([(("benign",), 1)] * 5)
    by_hand = sorted(
        (u.subject for u in units), key=lambda s: hashlib.sha256(f"2022:{s}".encode()).hexdigest()
    )
    assert [u.subject for u in shuffled(units, 2022)] == by_hand


def test_the_order_of_a_seed_is_pinned() -> None:
    # sha256sum of "1:S000" … "1:S003"; in this order the digests begin 0f, 37, 3a, 6b
    units = units_of([(("benign",), 1)] * 4)
    assert [u.subject for u in shuffled(units, 1)] == ["S000", "S001", "S003", "S002"]


def test_quotas_sum_to_the_rounded_total() -> None:
    assert quotas({("metastasis",): 115, ("benign",): 77}, 0.7) == {
        ("metastasis",): 80,
        ("benign",): 54,
    }


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [0, 1, 2, 2022])
def test_the_published_sizes_come_out_of_the_published_cohort(seed: int) -> None:
    study = make_study(state="SCREENING", cast=False)
    patients = make_cohort(study, 132, with_two=60)
    strata = {p.pk: "metastasis" if i % 132 < 79 else "benign" for i, p in enumerate(patients)}
    proposal = propose(study, strata=strata, ratio=0.7, seed=seed)
    assert abs(proposal.train.lesions - 134) <= 2
    assert abs(proposal.validation.lesions - 58) <= 2
    assert proposal.train.patients + proposal.validation.patients == 132


@pytest.mark.django_db
def test_each_stratum_is_divided_in_the_ratio() -> None:
    study = make_study(state="SCREENING", cast=False)
    patients = make_cohort(study, 50)
    proposal = propose(study, strata=alternating_strata(patients), ratio=0.7, seed=1)
    sizes = {name: (a.lesions, b.lesions) for name, (a, b) in proposal.strata.items()}
    assert sizes == {"metastasis": (21, 9), "benign": (14, 6)}


@pytest.mark.django_db
def test_another_seed_gives_another_division() -> None:
    study = make_study(state="SCREENING", cast=False)
    strata = alternating_strata(make_cohort(study, 30))
    divisions = {
        tuple(propose(study, strata=strata, ratio=0.7, seed=s).parts.items()) for s in range(5)
    }
    assert len(divisions) == 5


@pytest.mark.django_db
def test_patients_without_an_included_lesion_are_not_divided() -> None:
    study = make_study(state="SCREENING", cast=False)
    patients = make_cohort(study, 6)
    make_lesion(make_patient(study, "EXTRA"), included=False)
    proposal = propose(study, strata=alternating_strata(patients), ratio=0.5, seed=1)
    assert set(proposal.parts) == {p.pk for p in patients}


@pytest.mark.django_db
def test_a_patient_without_a_standard_holds_the_split_back() -> None:
    study = make_study(state="SCREENING", cast=False)
    make_cohort(study, 3)
    with pytest.raises(
        Conflict, match="3 patients have no reference standard yet, among them S000"
    ):
        propose(study, strata={}, ratio=0.7, seed=1)


@pytest.mark.django_db
def test_a_study_without_lesions_cannot_be_split() -> None:
    with pytest.raises(Conflict, match="No lesion"):
        propose(make_study(cast=False), strata={}, ratio=0.7, seed=1)


@pytest.mark.django_db
def test_an_empty_part_is_allowed_and_said() -> None:
    study = make_study(state="SCREENING")
    strata = alternating_strata(make_cohort(study, 2))
    proposal = propose(study, strata=strata, ratio=0.99, seed=1)
    assert "The validation part is empty." in proposal.warnings
    assert "empty" in save(proposal, actor=coordinator(), now=NOW).warning


@pytest.mark.django_db
def test_a_stratum_in_one_part_only_is_said() -> None:
    study = make_study(state="SCREENING", cast=False)
    patients = make_cohort(study, 10)
    strata = {p.pk: "benign" if i == 0 else "metastasis" for i, p in enumerate(patients)}
    proposal = propose(study, strata=strata, ratio=0.7, seed=1)
    assert any("Stratum benign" in w for w in proposal.warnings)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "match"),
    [({"ratio": 0.0}, "ratio"), ({"ratio": 1.0}, "ratio"), ({"seed": -1}, "seed"),
     ({"factors": ["diagnosis"]}, "Factors")],
)  # fmt: skip
def test_faulty_parameters_are_refused(change: dict[str, object], match: str) -> None:
    arguments = {"strata": {}, "ratio": 0.7, "seed": 1, **change}
    with pytest.raises(Invalid, match=match):
        propose(make_study(cast=False), **arguments)  # type: ignore[arg-type]


@pytest.mark.django_db
def test_factors_refine_the_strata() -> None:
    study = make_study(state="SCREENING", cast=False)
    patients = make_cohort(study, 20)
    for patient in patients[::2]:
        patient.sex = "M"
        patient.save()
    strata = dict.fromkeys((p.pk for p in patients), "benign")
    proposal = propose(study, strata=strata, ratio=0.7, seed=1, factors=["sex", "age"])
    assert set(proposal.strata) == {"benign / F / >=60", "benign / M / >=60"}


@pytest.mark.django_db
def test_a_saved_split_is_a_new_version_with_a_part_per_patient() -> None:
    study = make_study(state="SCREENING")
    strata = alternating_strata(make_cohort(study, 10))
    first = save(propose(study, strata=strata, ratio=0.7, seed=1), actor=coordinator(), now=NOW)
    second = save(propose(study, strata=strata, ratio=0.7, seed=2), actor=coordinator(), now=NOW)
    assert (first.version, second.version) == (1, 2)
    assert SplitPart.objects.filter(split=second).count() == 10
    assert list(AuditEvent.objects.values_list("verb", flat=True)) == ["split.save", "split.save"]


@pytest.mark.django_db
def test_locking_stores_a_digest_that_depends_on_the_parts() -> None:
    study = make_study(state="SCREENING")
    strata = alternating_strata(make_cohort(study, 10))
    one, two = make_locked_split(study, strata, seed=1), make_locked_split(study, strata, seed=2)
    assert len(one.digest) == 64
    assert one.digest != two.digest
    assert current_split(study) == two


@pytest.mark.django_db
def test_a_locked_split_is_not_locked_again() -> None:
    study = make_study(state="SCREENING")
    split = make_locked_split(study, alternating_strata(make_cohort(study, 4)))
    with pytest.raises(Locked):
        lock(split, actor=coordinator(), now=NOW)


@pytest.mark.django_db
def test_a_split_of_yesterdays_cohort_cannot_be_locked() -> None:
    study = make_study(state="SCREENING")
    strata = alternating_strata(make_cohort(study, 4))
    split = save(propose(study, strata=strata, ratio=0.7, seed=1), actor=coordinator(), now=NOW)
    make_lesion(make_patient(study, "LATE"))
    assert not covers_cohort(split)
    with pytest.raises(Conflict, match="cohort has changed"):
        lock(split, actor=coordinator(), now=NOW)


@pytest.mark.django_db
def test_splits_are_made_while_screening_only() -> None:
    study = make_study(state="READING")
    strata = alternating_strata(make_cohort(study, 4))
    with pytest.raises(Conflict, match="SCREENING"):
        save(propose(study, strata=strata, ratio=0.7, seed=1), actor=coordinator(), now=NOW)
