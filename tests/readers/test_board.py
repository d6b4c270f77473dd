"""The coordinator's board: progress without answers, design, plan, missing and reopened cases."""

import pytest
from django.test import Client

from readers import reading
from readers.board import board
from readers.models import Assignment, ReadingDesign, ReadingSession
from tests.cohort import NOW, make_user
from tests.readers.builders import answers, make_reading_study, plan, read_case, read_session, start

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.readers.urls")]
HOME = "/studies/bone/readers/"


@pytest.fixture
def study():
    return make_reading_study()


def signed_in(name: str = "coordinator") -> Client:
    client = Client()
    client.force_login(make_user(name))
    return client


def test_the_board_shows_each_readers_cases(study):
    session = start(study)
    plan(study, "expert2")
    read_case(session.assignments.get(position=1), actor=make_user("expert1"))
    found = board(study, task="read")
    assert found.readers == ("expert1", "expert2")
    assert len(found.rows) == 3
    assert sorted(row.states[0] for row in found.rows) == ["assigned", "assigned", "submitted"]


def test_progress_is_shown_without_any_answer(study):
    session = start(study)
    case = session.assignments.get(position=1)
    said = answers("metastasis", 5, comment="looks malignant")
    read_case(case, said=said, actor=make_user("expert1"))
    page = signed_in("monitor").get(HOME).content.decode()
    assert "1 of 3" in page
    for word in ("metastasis", "malignant", "Declare missing"):
        assert word not in page


@pytest.mark.promise("B5")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "outsider"])
def test_readers_and_strangers_have_no_board(study, name):
    assert signed_in(name).get(HOME).status_code == 404


def test_a_monitor_changes_nothing(study):
    for verb in ("design/", "lock/", "plan/"):
        assert signed_in("monitor").post(HOME + verb).status_code == 404


def test_a_design_is_created_locked_and_planned_from_the_page(study):
    boss = signed_in()
    boss.post(HOME + "design/", {"seed": "11", "sitting": "2", "scale": "confidence"})
    design = ReadingDesign.objects.get(study=study, version=2)
    boss.post(HOME + "lock/", {"design": "2"})
    boss.post(
        HOME + "plan/", {"design": "2", "reader": ["expert1"], "task": "read", "kind": "main"}
    )
    sessions = ReadingSession.objects.filter(design=design)
    assert [s.assignments.count() for s in sessions] == [2, 1]
    assert "sittings of 2" in boss.get(HOME).content.decode()


def test_a_field_that_is_no_number_is_refused(study):
    assert signed_in().post(HOME + "design/", {"seed": "x"}).status_code == 422


def test_a_case_is_declared_missing_from_the_page(study):
    case = start(study).assignments.get(position=1)
    boss = signed_in()
    address = f"{HOME}missing/{case.code}/"
    assert boss.post(address, {"reason": "short"}).status_code == 422
    boss.post(address, {"reason": "the scan was withdrawn"})
    assert Assignment.objects.get(pk=case.pk).state == "missing"


def test_a_locked_case_is_reopened_from_the_page(study):
    session = start(study)
    reader = make_user("expert1")
    read_session(session, actor=reader)
    from_page = signed_in()
    reading.close_session(session, actor=reader, now=NOW)
    case = session.assignments.get(position=2)
    from_page.post(
        f"{HOME}reopen/{case.code}/", {"reason_code": "protocol", "reason": "wrong images shown"}
    )
    assert Assignment.objects.get(pk=case.pk).state == "draft"
    assert ReadingSession.objects.get(pk=session.pk).state == "open"


def test_a_case_of_another_study_is_not_reached(study):
    other = make_reading_study("other")
    case = start(other).assignments.get(position=1)
    address = f"{HOME}missing/{case.code}/"
    assert signed_in().post(address, {"reason": "not my study at all"}).status_code == 404
