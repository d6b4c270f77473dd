"""Which reads stand for an expert: main, unaided, current, locked calls, and two of one name stay two."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from portal.accounts.models import User
from portal.analysis.cases import complete, expert_reads, reader_arrays, told_apart
from portal.study.models import Lesion, Study
from readers.models import Assignment, Read, ReadingDesign, ReadingSession
from tests.cohort import NOW, make_lesion, make_patient, make_study, make_user
from tests.readers.builders import answers, create_design, create_questionnaire, lock_design

pytestmark = pytest.mark.django_db
Say = Callable[..., Read]
SCORE = {("metastasis", 5): 10, ("metastasis", 1): 6, ("benign", 1): 5, ("benign", 5): 1}


@pytest.fixture
def study() -> Study:
    found, boss = make_study(state="READING"), make_user("coordinator")
    for name in ("P1", "P2"):
        make_lesion(make_patient(found, name))
    design = create_design(found, seed=7, patient_gap=1, n_repeats=0, actor=boss, now=NOW)
    lock_design(design, actor=boss, now=NOW)
    for task in ("read", "outline"):
        create_questionnaire(found, task, actor=boss, now=NOW)
    return found


@pytest.fixture
def say(study: Study) -> Say:
    """Write a read of a lesion directly, locked unless told."""
    design = ReadingDesign.objects.get(study=study)
    numbers = iter(range(1, 100))

    def write(
        name: str, lesion: Lesion, *, call: str = "metastasis", confidence: int = 5, kind: str = "main",
        task: str = "read", condition: str = "unaided", state: str = "locked", **fields: object,
    ) -> Read:  # fmt: skip
        session = ReadingSession.objects.create(
            study=study, design=design, questionnaire=study.questionnaires.get(task=task), reader=make_user(name),
            number=next(numbers), task=task, kind=kind, condition=condition, order_digest="0" * 64,
        )  # fmt: skip
        case = Assignment.objects.create(session=session, lesion=lesion, position=1, occasion=1)
        said = {"document": {"answers": answers(call, confidence)}, "call": call, "confidence": confidence,
                "score": SCORE[call, confidence]} if call else {"cannot_judge": True}  # fmt: skip
        read = Read.objects.create(assignment=case, started_at=NOW, **{**said, **fields})
        for step in ("submitted", "locked")[: ("draft", "submitted", "locked").index(state)]:
            Read.objects.filter(pk=read.pk).update(state=step)
        return read

    return write


def lesions(study: Study) -> list[Lesion]:
    return list(Lesion.objects.of_study(study).order_by("patient__subject"))


def test_a_locked_call_of_a_main_unaided_session_counts(study, say):
    first, second = lesions(study)
    one, two = say("expert1", first), say("expert1", second, call="benign")
    assert expert_reads(study) == {"expert1": {first.pk: one, second.pk: two}}


@pytest.mark.parametrize(
    "left_out",
    [
        {"kind": "training"}, {"kind": "adjudication"}, {"kind": "repeat"}, {"condition": "aided"}, {"state": "submitted"},
        {"state": "draft"}, {"call": ""}, {"is_current": False}, {"task": "outline"},
    ],
    ids=lambda change: "-".join(f"{k}={v}" for k, v in change.items()),
)  # fmt: skip
def test_no_other_read_counts(study, say, left_out):
    say("expert1", lesions(study)[0], **left_out)
    assert expert_reads(study) == {}


def test_two_experts_of_one_printed_name_stay_two_readers(study, say):
    """Merged, the reads of the second would have taken the place of the first's."""
    first = lesions(study)[0]
    User.objects.filter(username__in=["expert1", "expert2"]).update(first_name="A.", last_name="Li")
    one, two = say("expert1", first), say("expert2", first, call="benign", confidence=1)
    assert expert_reads(study) == {
        "A. Li (expert1)": {first.pk: one},
        "A. Li (expert2)": {first.pk: two},
    }


def test_readers_come_in_the_order_of_their_user_names(study, say):
    first = lesions(study)[0]
    for name in ("expert2", "expert1"):
        say(name, first)
    assert list(expert_reads(study)) == ["expert1", "expert2"]


def test_the_reads_of_another_study_are_left_out(study, say):
    say("expert1", lesions(study)[0])
    assert expert_reads(make_study("knee")) == {}


@pytest.mark.parametrize(
    ("people", "wanted"),
    [
        ([("a", "Ann Li"), ("b", "Ben Xu")], ["Ann Li", "Ben Xu"]),
        ([("a", "Ann Li"), ("b", "Ann Li"), ("c", "Cem")], ["Ann Li (a)", "Ann Li (b)", "Cem"]),
        ([("a", ""), ("b", "")], ["a", "b"]),
        ([], []),
    ],
)
def test_a_printed_name_alone_where_it_is_enough(people, wanted):
    users = [User(pk=i, username=u, first_name=n) for i, (u, n) in enumerate(people, start=1)]
    assert [told_apart(users)[user] for user in users] == wanted


class Spot(SimpleNamespace):
    """A lesion as `complete` knows it."""

    def __str__(self) -> str:
        return f"P{self.pk}/1"


@pytest.mark.parametrize(
    ("y", "scored", "read", "reason"),
    [
        (True, True, True, None),
        (False, True, True, "no conclusive reference standard"),
        (True, False, True, "not scored by the CT model"),
        (True, True, False, "no call by Ann"),
        (False, False, False, "no conclusive reference standard"),
        (True, False, False, "not scored by the CT model"),
    ],
)
def test_a_lesion_that_lacks_something_is_dropped_with_the_first_thing_it_lacks(y, scored, read, reason):  # fmt: skip
    spot = Spot(pk=1)
    kept, dropped = complete(
        [spot], {1: 1} if y else {}, {"ct": {1: 0.5} if scored else {}}, {"Ann": {1: "r"} if read else {}}
    )  # fmt: skip
    assert (kept, dropped) == (([spot], {}) if reason is None else ([], {"P1/1": reason}))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_probability_of_zero_is_a_score_like_any_other(p):
    kept, dropped = complete([Spot(pk=1)], {1: 0}, {"ct": {1: p}}, {})
    assert (len(kept), dropped) == (1, {})


def test_the_arrays_of_a_reader_follow_the_order_of_the_lesions(study, say):
    first, second = lesions(study)
    reads = {
        first.pk: say("expert1", first, wall_seconds=50.0, active_seconds=31.5),
        second.pk: say("expert1", second, call="benign", confidence=1),
    }
    found = reader_arrays("Ann", reads, [second, first])
    assert found.calls.tolist() == [0, 1]
    assert found.scores.tolist() == [5.0, 10.0]
    assert np.isnan(found.seconds[0])
    assert found.seconds[1] == 31.5
