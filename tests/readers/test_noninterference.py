"""Two runs of one reader script that differ only in what a reader must not learn answer alike."""

import json
import re

import pytest
from django.test import Client

from portal.study.models import Lesion, Split, SplitPart
from portal.truth.models import ReferenceStandard
from readers import reading
from tests.cohort import NOW, make_user
from tests.readers.builders import (
    answers,
    draft,
    make_read_lesion,
    make_reading_study,
    read_session,
    start,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.readers.urls"),
    pytest.mark.promise("B4"),
]
TOKEN = re.compile(rb'(csrfmiddlewaretoken" value="|csrf_token": ?")[^"]+|name="key" value="[^"]+')


@pytest.fixture
def study():
    return make_reading_study(parameters={"still_pictures": True}, state="SCREENING")


@pytest.fixture
def script(study):
    """What a reader can ask for, as (status, headers, bytes) without the tokens of the request."""
    study.state = "READING"
    study.save()
    session = start(study)
    case = session.assignments.get(position=1)
    later = session.assignments.get(position=2)
    root = f"/reading/cases/{case.code}/"
    addresses = [
        "/reading/",
        f"/reading/sessions/{session.code}/",
        f"/reading/next/{session.code}/",
        root,
        f"{root}?view=pictures",
        f"{root}document",
        f"{root}picture.png?role=PET",
        f"/reading/cases/{later.code}/",
        f"/studies/{study.code}/readers/",
    ]

    def visit() -> list[tuple]:
        client = Client()
        client.force_login(make_user("expert1"))
        seen = [client.get(address) for address in addresses]
        seen.append(
            client.put(
                f"{root}draft",
                json.dumps(draft()),
                content_type="application/json",
                headers={"If-Match": "7", "Idempotency-Key": "k"},
            )
        )
        return [(a.status_code, sorted(a.headers.items()), TOKEN.sub(b"", a.content)) for a in seen]

    return visit


def test_flipping_every_diagnosis_changes_no_byte(study, script):
    boss = make_user("coordinator")
    standards = [
        ReferenceStandard.objects.create(
            lesion=lesion, diagnosis="benign", method="pathology", entered_by=boss, entered_at=NOW
        )
        for lesion in Lesion.objects.of_study(study)
    ]
    before = script()
    for old in standards:
        ReferenceStandard.objects.filter(pk=old.pk).update(is_current=False)
        ReferenceStandard.objects.create(
            lesion=old.lesion,
            revision=2,
            diagnosis="metastasis",
            reason="flipped by this test",
            method="pathology",
            entered_by=boss,
            entered_at=NOW,
        )
    assert script() == before


def test_the_cohort_part_changes_no_byte(study, script):
    before = script()
    split = Split.objects.create(study=study, version=1, ratio=0.7, seed=1, created_at=NOW)
    for patient in study.patients.all():
        SplitPart.objects.create(split=split, patient=patient, part="validation")
    assert script() == before


def test_the_work_of_others_changes_no_byte(study, script):
    before = script()
    session = start(study, "expert2")
    read_session(session, actor=make_user("expert2"))
    reading.close_session(session, actor=make_user("expert2"), now=NOW)
    assert script() == before


def test_how_others_called_the_lesion_changes_no_byte(study, script):
    other = make_user("expert2")
    session = start(study, "expert2")
    first = session.assignments.get(position=1)
    reading.open_case(first, actor=other, now=NOW)
    for version, call in enumerate(("benign", "metastasis")):
        said = draft(answers(call, 5))
        reading.save_draft(first, said, base_version=version, key=call, actor=other, now=NOW)
        if version == 0:
            before = script()
    assert script() == before


@pytest.mark.promise("B8")
def test_the_first_drawing_is_out_of_reach_during_the_second(study):
    study.state = "READING"
    study.save()
    who = make_user("delineator1")
    first = start(study, "delineator1", task="outline")
    out = {"cannot_judge": "yes", "cannot_judge_reason": "too faint to draw"}
    for case in first.assignments.order_by("position"):
        saved = reading.save_draft(
            case, draft(out), base_version=0, key=case.code, actor=who, now=NOW
        )
        reading.submit(case, version=saved.version, actor=who, now=NOW)
    reading.close_session(first, actor=who, now=NOW)
    client = Client()
    client.force_login(who)
    for case in first.assignments.all():
        for verb in ("", "document", "picture.png", "?view=pictures"):
            assert client.get(f"/reading/cases/{case.code}/{verb}").status_code == 404
    assert client.get(f"/reading/sessions/{first.code}/").status_code == 200
    assert b"too faint" not in client.get(f"/reading/sessions/{first.code}/").content


def test_a_lesion_added_elsewhere_changes_no_byte(study, script):
    before = script()
    other = make_reading_study("other", n_lesions=0, state="SCREENING")
    make_read_lesion(other)
    assert script() == before
