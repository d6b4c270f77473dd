"""Text that is JSON but that no database of ours can hold: a NUL, half of a character."""

import uuid

import pytest

from portal.audit.models import AuditEvent
from portal.errors import Invalid
from readers import reading
from readers.documents import EMPTY, NOT_TEXT, checked
from readers.models import DraftSave, ReadEvent
from readers.questions import default_questions
from tests.cohort import NOW, make_user
from tests.readers.builders import answers, draft, make_reading_study, read_case, start

UNSTORABLE = ["\x00", "half \ud83d", "\udfff", "a\x00b"]
QUESTIONS = default_questions("confidence")
OUTLINE = {
    "vertices": [],
    "sop_instance_uid": "2.25.1",
    "frame": 1,
    "frame_of_reference_uid": None,
    "kind": "points",
    "copy": None,
}


def check(**changes):
    return checked({**EMPTY, **changes}, questions=QUESTIONS, task="outline")


@pytest.fixture
def case(db):
    return start(make_reading_study(n_lesions=1)).assignments.get()


@pytest.mark.parametrize("text", UNSTORABLE)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (lambda text: {"answers": {"comment": text}}, "answers.comment"),
        (lambda text: {"answers": {"call": [text]}}, "answers.call"),
        (lambda text: {"looks": {"ct": {"slice": text}}}, "looks"),
        (lambda text: {"looks": {text: 1}}, "looks"),
        (lambda text: {"looks": {"ct": [{"a": {text: 1}}]}}, "looks"),
    ],
)
def test_a_draft_with_a_sign_that_cannot_be_stored_is_refused_by_its_field(changes, field, text):
    with pytest.raises(Invalid) as refusal:
        check(**changes(text))
    assert (refusal.value.field, refusal.value.sentence) == (field, NOT_TEXT)


@pytest.mark.parametrize("text", UNSTORABLE)
@pytest.mark.parametrize("name", ["sop_instance_uid", "frame_of_reference_uid"])
def test_an_outline_names_its_image_in_storable_text(name, text):
    with pytest.raises(Invalid) as refusal:
        check(outlines={"CT": {**OUTLINE, name: text}, "SPECT": None})
    assert refusal.value.field == "outlines.CT"


@pytest.mark.parametrize(
    "text", ["é", "骨", "\U0001f9b4", "a\nb\tc", "\\u0000 as typed", "\ue000", "‏"]
)
def test_whole_characters_of_any_script_are_stored_as_typed(case, text):
    reading.open_case(case, actor=make_user("expert1"), now=NOW)
    reading.save_draft(
        case,
        draft(answers(comment=text)),
        base_version=0,
        key="k",
        actor=make_user("expert1"),
        now=NOW,
    )
    assert DraftSave.objects.get(assignment=case).document["answers"]["comment"] == text


def test_a_refused_comment_leaves_no_version_and_no_row_in_the_trail(case):
    reader = make_user("expert1")
    reading.open_case(case, actor=reader, now=NOW)
    with pytest.raises(Invalid):
        reading.save_draft(
            case,
            draft(answers(comment="\ud83d")),
            base_version=0,
            key=uuid.uuid4().hex,
            actor=reader,
            now=NOW,
        )
    assert not DraftSave.objects.exists()
    assert not AuditEvent.objects.filter(verb="read.save").exists()


@pytest.mark.parametrize("text", UNSTORABLE)
@pytest.mark.parametrize("place", ["page_load", "value", "name"])
def test_timing_events_hold_storable_text(case, place, text):
    page = text if place == "page_load" else "page"
    detail = {"question": text} if place == "value" else {text: 1} if place == "name" else {}
    event = {"seq": 0, "t_ms": 1, "kind": "answer", "detail": detail}
    with pytest.raises(Invalid):
        reading.record_events(case, page, [event], actor=make_user("expert1"), now=NOW)
    assert not ReadEvent.objects.exists()


@pytest.mark.parametrize("text", UNSTORABLE)
def test_a_reason_holds_storable_text(case, text):
    reader = make_user("expert1")
    read_case(case, actor=reader)
    with pytest.raises(Invalid) as refusal:
        reading.reopen(
            case,
            reason_code="slip",
            reason="I pressed the wrong key " + text + ".",
            actor=reader,
            now=NOW,
        )
    assert (refusal.value.field, refusal.value.sentence) == ("reason", NOT_TEXT)


@pytest.mark.parametrize("text", UNSTORABLE)
def test_the_desk_is_answered_with_a_sentence_not_with_an_error(client, case, text):
    client.force_login(make_user("expert1"))
    address = f"/reading/cases/{case.code}/"
    assert client.get(f"{address}document").status_code == 200
    answer = client.put(
        f"{address}draft",
        draft(answers(comment=text)),
        content_type="application/json",
        headers={"If-Match": '"0"', "Idempotency-Key": "k1"},
    )
    assert answer.status_code == 422
    assert answer.json()["detail"] == NOT_TEXT
