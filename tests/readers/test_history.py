"""Undo goes on through the saved versions of a draft, on any machine, and never reaches an earlier drawing."""

import json
import uuid
from datetime import timedelta

import pytest
from django.test import Client

from portal.study.models import Lesion
from readers import reading
from readers.history import STEPS, saved_draft
from readers.models import DraftSave, Read, ReadingSession
from tests.cohort import NOW, make_user
from tests.readers.builders import circle, draft, make_reading_study, plan, start

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.readers.urls")]
NOTHING = {"CT": None, "SPECT": None}


def opened(session):
    case = session.assignments.get(position=1)
    shown = reading.open_case(case, actor=session.reader, now=NOW)
    return case, shown.to_json(csrf_token="t")


def save(case, actor, *, at=NOW, **outlines):
    version = Read.objects.current().get(assignment=case).version
    reading.save_draft(
        case,
        draft({}, **outlines),
        base_version=version,
        key=uuid.uuid4().hex,
        actor=actor,
        now=at,
    )


@pytest.fixture
def drawing():
    session = start(make_reading_study(), "delineator1", task="outline")
    case, document = opened(session)
    return session, case, document


def test_a_new_case_has_no_versions_but_the_empty_one(drawing):
    _, case, _ = drawing
    assert saved_draft(case).outlines == [NOTHING]
    assert saved_draft(case).document is None


def test_each_change_of_an_outline_is_a_version_oldest_first(drawing):
    session, case, document = drawing
    small, large = circle(document, "SPECT", radius_mm=8), circle(document, "SPECT", radius_mm=12)
    for spect in (small, large, None):
        save(case, session.reader, SPECT=spect)
    found = saved_draft(case).outlines
    assert [o["SPECT"] for o in found] == [None, small, large, None]


def test_saves_that_change_no_outline_are_no_versions(drawing):
    session, case, document = drawing
    spect = circle(document, "SPECT")
    for _ in range(3):
        save(case, session.reader, SPECT=spect)
    assert len(saved_draft(case).outlines) == 2


def test_the_newest_versions_are_kept_at_least_two_hundred(drawing):
    session, case, document = drawing
    shapes = [circle(document, "SPECT", radius_mm=8 + k / 100) for k in range(STEPS + 5)]
    DraftSave.objects.bulk_create(
        DraftSave(
            assignment=case,
            key=str(k),
            version=k + 1,
            body_digest="d",
            document=draft({}, SPECT=shape),
            saved_at=NOW,
        )
        for k, shape in enumerate(shapes)
    )
    Read.objects.filter(assignment=case).update(version=STEPS + 5)
    found = saved_draft(case).outlines
    assert len(found) == STEPS >= 200
    assert [o["SPECT"] for o in found] == shapes[-STEPS:]


def test_a_reopened_read_begins_with_what_was_submitted_and_not_earlier(drawing):
    session, case, document = drawing
    first, last = circle(document, "CT", radius_mm=6), circle(document, "CT", radius_mm=9)
    spect = circle(document, "SPECT")
    save(case, session.reader, CT=first, SPECT=spect)
    save(case, session.reader, CT=last, SPECT=spect)
    version = Read.objects.current().get(assignment=case).version
    later = NOW + timedelta(minutes=5)
    reading.submit(case, version=version, actor=session.reader, now=NOW)
    reading.reopen(
        case, reason_code="slip", reason="wrong slice drawn", actor=session.reader, now=later
    )
    assert saved_draft(case).outlines == [{"CT": last, "SPECT": spect}]
    save(case, session.reader, CT=None, SPECT=spect, at=later + timedelta(minutes=1))
    assert [o["CT"] for o in saved_draft(case).outlines] == [last, None]


@pytest.mark.promise("B8")
def test_the_first_drawing_is_no_version_of_the_repeat(drawing):
    session, case, document = drawing
    spect = circle(document, "SPECT")
    save(case, session.reader, CT=circle(document, "CT"), SPECT=spect)
    version = Read.objects.current().get(assignment=case).version
    reading.submit(case, version=version, actor=session.reader, now=NOW)
    for other in session.assignments.exclude(pk=case.pk):
        reading.declare_missing(
            other, "not needed for this test", actor=make_user("coordinator"), now=NOW
        )
    reading.close_session(session, actor=session.reader, now=NOW)
    later = NOW + timedelta(days=40)
    lesions = list(Lesion.objects.filter(pk=case.lesion_id))
    (repeat,) = plan(
        session.study, "delineator1", task="outline", kind="repeat", occasion=2, lesions=lesions
    )
    reading.open_session(repeat, actor=session.reader, now=later)
    again, _ = opened(repeat)
    assert again.lesion_id == case.lesion_id
    assert saved_draft(again).outlines == [NOTHING]


def test_the_door_gives_versions_of_the_case_on_the_desk_alone(drawing):
    session, case, document = drawing
    save(case, session.reader, SPECT=circle(document, "SPECT"))
    client = Client(headers={"accept": "application/json"})
    client.force_login(session.reader)
    answer = client.get(f"/reading/cases/{case.code}/draft")
    assert answer.json() == json.loads(json.dumps(saved_draft(case).to_json()))
    assert answer["Cache-Control"] == "no-store"
    waiting = session.assignments.get(position=2)
    assert client.get(f"/reading/cases/{waiting.code}/draft").status_code == 404
    client.force_login(make_user("delineator2"))
    assert client.get(f"/reading/cases/{case.code}/draft").status_code == 404
    assert ReadingSession.objects.count() == 1
