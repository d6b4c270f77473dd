"""The numbers of the flow diagram: the published Figure 1, a second count, and every path of a decision."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.study.flow import Excluded, FlowNumbers, Stage, bottom, flow, flow_svg, in_words, stage
from portal.study.models import Criterion, Lesion, Patient, Study
from portal.study.patients import include_lesion
from portal.study.screening import add_default_criteria, decide
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import coordinator


def criteria_of(*texts: str) -> dict[int, Criterion]:
    return {n: Criterion(pk=n, code=f"c{n}", text=text) for n, text in enumerate(texts, start=1)}


def test_the_published_cohort_adds_up() -> None:
    """Jin et al. 2022, Figure 1: 132 patients and 192 lesions are left."""
    rows: list[tuple[str, int | None]] = [("included", None)] * 132 + [("excluded", 1)] * 21 + [("excluded", 2)] * 18  # fmt: skip
    numbers = stage(171, rows, criteria_of("Irregular", "Earlier treatment"))
    assert (numbers.included, numbers.n_excluded, numbers.difference) == (132, 39, 0)
    assert numbers.excluded == (Excluded("Irregular", 21), Excluded("Earlier treatment", 18))


@pytest.mark.parametrize(
    ("screened", "included", "excluded", "difference"),
    [
        (0, 0, (), 0),
        (1, 1, (), 0),
        (5, 2, (1, 2), 0),
        (5, 2, (1,), 2),
        (5, 0, (), 5),
        (3, 2, (2,), -1),
    ],
)
def test_the_difference_is_what_is_screened_and_neither(
    screened: int, included: int, excluded: tuple[int, ...], difference: int
) -> None:
    reasons = tuple(Excluded(f"reason {i}", n) for i, n in enumerate(excluded))
    assert Stage(screened, included, reasons).difference == difference


@pytest.mark.parametrize(("patients", "lesions", "holds"), [(0, 0, True), (1, 0, False), (0, 1, False), (-1, 1, False)])  # fmt: skip
def test_one_stage_does_not_make_up_for_the_other(patients: int, lesions: int, holds: bool) -> None:
    assert FlowNumbers(Stage(patients, 0, ()), Stage(lesions, 0, ())).adds_up is holds


def test_reasons_stand_in_the_order_of_the_criteria_and_other_reasons_last() -> None:
    rows: list[tuple[str, int | None]] = [("excluded", None), ("excluded", 2), ("excluded", 1)]
    reasons = [e.reason for e in stage(3, rows, criteria_of("first", "second")).excluded]
    assert reasons == ["first", "second", "Other reason"]


def test_a_criterion_for_inclusion_excludes_by_not_being_met() -> None:
    lacking = Criterion(code="a", text="A history of a primary tumour", kind="include")
    against = Criterion(code="b", text="Earlier surgery", kind="exclude")
    rows: list[tuple[str, int | None]] = [("excluded", 1), ("excluded", 2)]
    reasons = [e.reason for e in stage(2, rows, {1: lacking, 2: against}).excluded]
    assert reasons == ["Not met: A history of a primary tumour", "Earlier surgery"]


def test_a_criterion_that_excluded_nobody_is_not_drawn() -> None:
    assert stage(1, [("excluded", 2)], criteria_of("first", "second")).excluded == (Excluded("second", 1),)  # fmt: skip


def test_a_criterion_named_by_an_inclusion_excludes_nobody() -> None:
    assert stage(1, [("included", 1)], criteria_of("first")).n_excluded == 0


@given(st.lists(st.tuples(st.sampled_from(["included", "excluded"]), st.sampled_from([None, 1, 2, 3]))), st.integers(0, 9))  # fmt: skip
def test_every_row_of_the_log_is_counted_once(rows: list[tuple[str, int | None]], more: int) -> None:  # fmt: skip
    numbers = stage(len(rows) + more, rows, criteria_of("a", "b", "c"))
    assert numbers.included + numbers.n_excluded == len(rows)
    assert numbers.difference == more


@given(st.lists(st.integers(0, 9), max_size=6))
def test_the_next_box_begins_below_the_reasons(counts: list[int]) -> None:
    """One line of 18 px for the heading and each reason, 42 above, 16 of padding, 46 of gap."""
    reasons = tuple(Excluded(str(i), n) for i, n in enumerate(counts))
    assert bottom(Stage(0, 0, reasons)) == 42 + 18 * (1 + len(counts)) + 16 + 46


def test_the_words_say_all_six_numbers() -> None:
    numbers = FlowNumbers(Stage(9, 6, (Excluded("a", 2), Excluded("b", 1))), Stage(8, 5, (Excluded("c", 3),)))  # fmt: skip
    assert in_words(numbers) == "9 patients screened, 3 excluded, 6 included; 8 lesions screened, 3 excluded, 5 included."  # fmt: skip


def test_the_diagram_of_an_empty_study_is_drawn() -> None:
    assert "screened (n = 0)" in flow_svg(FlowNumbers(Stage(0, 0, ()), Stage(0, 0, ())))


def screening_study() -> Study:
    study = make_study(f"s{Study.objects.count()}", state="SCREENING", cast=False)
    add_default_criteria(study, actor=coordinator(), now=NOW)
    return study


def say(subject: Patient | Lesion, decision: str) -> None:
    """Decide as a page would: on the row as the database holds it now."""
    kind = type(subject)
    fresh = kind.objects.get(pk=subject.pk)  # type: ignore[attr-defined]
    decide(fresh, decision, None, actor=coordinator(), now=NOW, note="as seen")


def lesion_numbers(study: Study) -> tuple[int, int, int, int]:
    found = flow(study).lesions
    return (found.screened, found.included, found.n_excluded, found.difference)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # patient (p) or lesion (l), in (+) or out (-): lesions screened, included, excluded, undecided
        ("", (0, 0, 0, 0)),
        ("p+", (1, 0, 0, 1)),
        ("p+ l+", (1, 1, 0, 0)),
        ("p+ l-", (1, 0, 1, 0)),
        ("p+ l+ l-", (1, 0, 1, 0)),
        ("p+ l- l+", (1, 1, 0, 0)),
        ("l+", (0, 0, 0, 0)),
        ("l+ p+", (1, 1, 0, 0)),
        ("p+ l+ p-", (0, 0, 0, 0)),
        ("p+ l+ p- p+", (1, 0, 0, 1)),
        ("p+ l+ p- p+ l+", (1, 1, 0, 0)),
        ("p+ l- p- p+", (1, 0, 1, 0)),
        ("p-", (0, 0, 0, 0)),
        ("p- p+ l+", (1, 1, 0, 0)),
    ],
)
def test_the_lesions_of_the_flow_follow_every_path_of_decisions(
    steps: str, expected: tuple[int, int, int, int]
) -> None:
    study = screening_study()
    patient = make_patient(study)
    lesion = make_lesion(patient, included=False)
    for step in steps.split():
        say(patient if step[0] == "p" else lesion, "included" if step[1] == "+" else "excluded")
    assert lesion_numbers(study) == expected


@pytest.mark.django_db
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=14))
def test_included_lesions_of_the_diagram_are_the_cohort(acts: list[tuple[int, bool]]) -> None:
    """A second way: the diagram counts decisions, the cohort counts rows in slots."""
    study = screening_study()
    patients = [make_patient(study) for _ in range(2)]
    lesions = [make_lesion(p, number=n, included=False) for p in patients for n in (1, 2)]
    last = dict[int, bool]()
    for which, is_in in acts:
        subject = (*patients, *lesions)[which]
        is_out = which >= 2 and last.get((which - 2) // 2) is False
        if is_in and is_out:
            continue  # refused: the patient is excluded
        last[which] = is_in
        say(subject, "included" if is_in else "excluded")
    numbers = flow(study)
    inside = [i for i in range(2) if last.get(i)]
    cohort = Lesion.objects.of_study(study).included()
    assert numbers.lesions.included == cohort.filter(patient__in=[patients[i] for i in inside]).count()  # fmt: skip
    assert numbers.patients.included == len(inside)
    assert numbers.patients.n_excluded == Counter(last.get(i) for i in range(2))[False]
    assert numbers.lesions.screened == 2 * len(inside)


@pytest.mark.django_db
def test_a_lesion_included_from_its_own_page_counts_like_a_decision() -> None:
    study = screening_study()
    patient = make_patient(study)
    say(patient, "included")
    include_lesion(make_lesion(patient, included=False), actor=coordinator(), now=NOW)
    assert lesion_numbers(study) == (1, 1, 0, 0)


@pytest.mark.django_db
def test_the_log_of_another_study_does_not_count() -> None:
    one, other = screening_study(), screening_study()
    say(make_patient(other), "included")
    assert flow(one).patients == Stage(0, 0, ())


@pytest.mark.django_db
@pytest.mark.parametrize(("is_synthetic", "note"), [(False, ""), (True, "The numbers of this synthetic study's screening log are invented.")])  # fmt: skip
def test_only_an_invented_log_carries_the_note(is_synthetic: bool, note: str) -> None:
    assert flow(make_study(cast=False, is_synthetic=is_synthetic)).note == note
