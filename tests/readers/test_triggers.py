"""What the database refuses, asked by raw SQL and by bulk calls of the ORM."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from portal.errors import Locked
from portal.fence.triggers import missing
from portal.study.models import Study
from readers import reading
from readers.models import Aid, Assignment, DraftSave, Questionnaire, Read, ReadEvent, Roi
from tests.cohort import NOW, make_user
from tests.readers.builders import make_reading_study, plan, read_case, read_session, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return make_reading_study(n_lesions=2)


@pytest.fixture
def reader(study):
    return make_user("expert1")


@pytest.fixture
def session(study, reader):
    session = start(study)
    event = {"seq": 0, "t_ms": 1, "kind": "desk_ready", "detail": {}}
    case = session.assignments.get(position=1)
    reading.record_events(case, "page", [event], actor=reader, now=NOW)
    read_case(case, actor=reader)
    return session


@pytest.fixture
def locked(session, reader):
    read_case(session.assignments.get(position=2), actor=reader)
    reading.close_session(session, actor=reader, now=NOW)
    return session


def refuse(act, match: str | None = None) -> None:
    with pytest.raises(IntegrityError, match=match), transaction.atomic():
        act()


def sql(statement: str):
    def act() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return act


def test_every_trigger_of_the_reading_room_is_installed(study):
    assert missing(connection) == []


@pytest.mark.parametrize(
    "change",
    [
        "\"call\" = 'metastasis', score = 8",
        "document = '{}'",
        "version = version + 1",
        "active_seconds = 1, wall_seconds = 2",
        "digest = 'x'",
        "submitted_at = NULL",
        "reason = 'because'",
        "state = 'draft'",
        "revision = 7, reason = 'x'",
        "locked_at = '2026-01-01 00:00:00'",
    ],
)
def test_a_submitted_read_never_changes(session, change):
    refuse(sql(f"UPDATE readers_read SET {change} WHERE state = 'submitted'"))


@pytest.mark.parametrize(
    "change", ["document = '{}'", "state = 'submitted'", "is_simulated = TRUE", "locked_at = NULL"]
)
def test_a_locked_read_never_changes(locked, change):
    refuse(sql(f"UPDATE readers_read SET {change}"))


def test_bulk_calls_are_refused_like_raw_sql(locked):
    refuse(lambda: Read.objects.update(confidence=5, score=1))
    refuse(lambda: Read.objects.update(state="draft"))
    refuse(lambda: Read.objects.all().delete())
    refuse(lambda: DraftSave.objects.update(version=9))


@pytest.mark.parametrize(
    "table",
    [
        "readers_read",
        "readers_readevent",
        "readers_draftsave",
        "readers_assignment",
        "readers_readingsession",
        "readers_questionnaire",
        "readers_readingdesign",
    ],
)
def test_nothing_is_deleted(session, table):
    refuse(sql(f"DELETE FROM {table}"), "never deleted")


@pytest.mark.trap("D2")
@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite knows INSERT OR REPLACE")
@pytest.mark.parametrize("table", ["readers_draftsave", "readers_readevent", "readers_read"])
def test_replace_does_not_walk_past_the_triggers(session, table):
    refuse(sql(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"))


def test_events_and_saves_are_append_only(session):
    refuse(lambda: ReadEvent.objects.update(t_ms=5), "never changes")
    refuse(lambda: DraftSave.objects.update(document={}), "never changes")


def test_an_amendment_without_reason_is_refused(session):
    case = session.assignments.get(position=1)
    Read.objects.filter(assignment=case).update(is_current=False)
    refuse(
        lambda: Read.objects.create(assignment=case, revision=2, started_at=NOW),
        "an_amendment_names_its_reason",
    )


def test_a_second_current_read_is_refused(session):
    case = session.assignments.get(position=1)
    refuse(
        lambda: Read.objects.create(
            assignment=case, revision=2, reason="a good reason", started_at=NOW
        )
    )


def test_a_superseded_revision_never_comes_back(session):
    Read.objects.update(is_current=False)
    refuse(lambda: Read.objects.update(is_current=True), "never becomes current")


def test_a_read_is_born_as_a_draft(session):
    case = session.assignments.get(position=2)
    refuse(
        lambda: Read.objects.create(assignment=case, state="locked", started_at=NOW),
        "begins as a draft",
    )


@pytest.mark.parametrize("confidence", [0, 6])
def test_a_confidence_off_its_scale_is_refused(study, confidence):
    session = start(study, "expert2")
    refuse(
        lambda: Read.objects.create(
            assignment=session.assignments.first(),
            started_at=NOW,
            call="benign",
            confidence=confidence,
            score=3,
        )
    )


def test_a_case_of_a_started_session_keeps_its_lesion_and_place(session):
    case = session.assignments.get(position=2)
    other = session.assignments.get(position=1).lesion_id
    refuse(lambda: Assignment.objects.filter(pk=case.pk).update(lesion=other))
    refuse(lambda: Assignment.objects.filter(pk=case.pk).update(position=9), "never change")
    refuse(lambda: Assignment.objects.filter(pk=case.pk).update(state="locked"))
    refuse(
        lambda: Assignment.objects.create(session=session, lesion_id=other, position=9),
    )


def test_a_started_session_keeps_its_order_and_reader(session):
    for change in ("order_digest = 'x'", "reader_id = 1", "told = ''", "state = 'planned'"):
        refuse(sql(f"UPDATE readers_readingsession SET {change}"))


def test_a_used_questionnaire_and_a_locked_design_never_change(session):
    refuse(
        lambda: Questionnaire.objects.filter(task="read").update(instructions="Say benign."),
        "never changes once it is used",
    )
    refuse(sql("UPDATE readers_readingdesign SET seed = 1"), "A locked design never changes")


def test_the_washout_holds_in_the_database(study, reader, locked):
    (again,) = plan(study, "expert1", kind="repeat", occasion=2)
    for days, stamp in ((27, "2026-02-01"), (0, "2026-01-05")):
        day = 20458 + days
        refuse(
            sql(
                f"UPDATE readers_readingsession SET state = 'open', opened_day = {day}, "
                f"opened_at = '{stamp} 10:00:00' WHERE id = {again.pk}"
            ),
            "washout",
        )
    later = NOW + timedelta(days=28)
    assert reading.open_session(again, actor=reader, now=later).opened_day == 20458 + 28


@pytest.mark.promise("R15")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE readers_read SET is_current = FALSE",
        "UPDATE readers_assignment SET missing_reason = 'x'",
        "UPDATE readers_readingsession SET state = 'open'",
        "INSERT INTO readers_read (assignment_id, revision, state, is_current, version, document, "
        '"call", cannot_judge, is_fallback_view, reason_code, reason, started_at, digest, '
        "has_event_gap, is_simulated) SELECT id, 5, 'draft', FALSE, 0, '{}', '', FALSE, FALSE, '', "
        "'x', '2026-01-01', '', FALSE, FALSE FROM readers_assignment",
    ],
)
def test_nothing_changes_once_the_reads_are_locked(study, locked, statement):
    Study.objects.filter(pk=study.pk).update(state="READS_LOCKED")
    refuse(sql(statement), "reads of this study are locked")


@pytest.mark.promise("R15")
def test_no_verb_changes_anything_once_the_reads_are_locked(study, locked):
    Study.objects.filter(pk=study.pk).update(state="READS_LOCKED")
    case = locked.assignments.get(position=1)
    from_above = {"actor": make_user("coordinator"), "now": NOW}
    with pytest.raises(Locked):
        reading.reopen(case, reason_code="slip", reason="far too late now", **from_above)
    with pytest.raises(Locked):
        reading.declare_missing(case, "far too late now", **from_above)


def test_a_prediction_waits_for_the_locked_unaided_read(study, reader, session):
    (aided,) = plan(study, "expert1", condition="aided")
    case = aided.assignments.first()

    def release() -> None:
        Aid.objects.create(
            assignment=case,
            probability=0.7,
            model_name="Com",
            model_digest="0" * 64,
            released_at=NOW,
        )

    refuse(release, "only after the unaided read is locked")
    read_case(session.assignments.get(position=2), actor=reader)
    reading.close_session(session, actor=reader, now=NOW)
    release()
    refuse(lambda: Aid.objects.update(probability=0.1), "never changes")


def test_a_roi_never_arrives_after_the_submission(session):
    read = Read.objects.get(assignment__position=1)
    lesion = read.assignment.lesion
    refuse(
        lambda: Roi.objects.create(
            read=read,
            modality="CT",
            series=lesion.ct_series,
            sop_instance_uid="2.25.1",
            frame=1,
            slice_index=0,
            vertices_mm=[],
            area_mm2=1.0,
            n_pixels=1,
            mask_digest="",
            created_at=NOW,
        ),
        "never later",
    )


def test_a_whole_session_passes_the_triggers(study, reader, locked):
    assert Read.objects.locked().of_study(study).primary().count() == 2
    read_session(start(study, "expert2"), actor=make_user("expert2"))
