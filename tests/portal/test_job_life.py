"""The life of a job, line by line: claim, beat, commit, back-off, reaper; and one that outlives its lease."""

import threading
import time
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import DatabaseError, IntegrityError, OperationalError, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from portal.audit.models import AuditEvent
from portal.errors import NotFound
from portal.jobs import clock, models, presence, queue, reaper, work
from portal.jobs.models import Heartbeat, Job
from portal.jobs.reaper import sweep
from tests.cohort import make_study
from tests.portal.launched import python
from tests.study.test_pages import sign_in

pytestmark = pytest.mark.django_db
State = Job.State


@pytest.fixture
def kinds(monkeypatch):
    mine: dict[str, queue.Work] = {}
    monkeypatch.setattr(work, "KINDS", mine)
    return mine


@pytest.fixture
def sent(monkeypatch):
    """What was given to the broker, as (task, arguments, options)."""
    found: list[tuple] = []
    monkeypatch.setattr(queue, "broker", queue.Broker())
    monkeypatch.setattr(
        queue.app, "send_task", lambda name, args, **more: found.append((name, args, more))
    )
    return found


def make(**more) -> Job:
    now = timezone.now()
    fields = {
        "kind": "test", "key": str(Job.objects.count()), "code_version": "1", "not_before": now - timedelta(minutes=5), "wake_at": now,
        "created_at": now, **more,
    }  # fmt: skip
    return Job.objects.create(**fields)


def again(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def test_the_constants_are_those_of_the_specification():
    assert (models.LEASE_SECONDS, models.BEAT_SECONDS, models.REAPER_SECONDS) == (20, 5, 5)
    assert (models.MAX_ATTEMPTS, models.WAKE_UP_REPEAT_SECONDS) == (3, 60)
    assert models.LEASE_SECONDS + models.BEAT_SECONDS < 30  # R4: the worst case without the start


# --- queueing -----------------------------------------------------------------------------------


def test_the_wake_up_is_sent_after_the_commit_and_holds_one_number(
    sent, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        job = queue.enqueue("test", {"a": 1})
        assert sent == []
    ((name, arguments, options),) = sent
    assert (name, arguments) == ("portal.jobs.run", [job.pk])
    assert options["retry"] is False


def test_work_that_was_rolled_back_wakes_nobody(sent, django_capture_on_commit_callbacks):
    def enqueue_and_fail() -> None:
        with transaction.atomic():
            queue.enqueue("test", {"a": 1})
            raise RuntimeError

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(RuntimeError):
        enqueue_and_fail()
    assert sent == []
    assert not Job.objects.exists()


def test_each_kind_has_its_time_limit(sent, monkeypatch):
    monkeypatch.setattr(queue, "LIMITS", dict(queue.LIMITS))
    monkeypatch.setattr(queue, "KINDS", dict(queue.KINDS))
    queue.register_kind("short", lambda job: None, limit_seconds=60)
    queue.wake_up(1, "short")
    queue.wake_up(2, "unknown")
    assert [options["time_limit"] for _, _, options in sent] == [60, queue.LIMIT_SECONDS]


@pytest.mark.promise("R7")
def test_a_broker_that_is_away_raises_nothing_and_is_counted(monkeypatch):
    def away(*_args, **_more):
        raise ConnectionRefusedError

    cache.delete(queue.LOST_WAKE_UPS)
    monkeypatch.setattr(queue, "broker", queue.Broker())
    monkeypatch.setattr(queue.app, "send_task", away)
    queue.wake_up(1, "test")
    queue.wake_up(2, "test")
    assert cache.get(queue.LOST_WAKE_UPS) == 2


@pytest.mark.promise("R7")
def test_who_queues_while_the_broker_is_away_does_not_wait_for_it_again(monkeypatch):
    tries = []

    def away(*_args, **_more):
        tries.append(1)
        raise ConnectionRefusedError

    moment = [100.0]
    monkeypatch.setattr(queue, "broker", queue.Broker())
    monkeypatch.setattr(queue.app, "send_task", away)
    monkeypatch.setattr(queue.time, "monotonic", lambda: moment[0])
    for moment[0] in (100.0, 101.0, 104.9, 105.0, 106.0):
        queue.wake_up(1, "test")
    assert len(tries) == 2


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_finished_work_may_be_queued_again_as_a_new_row(state, sent):
    first = queue.enqueue("test", {"a": 1})
    Job.objects.filter(pk=first.pk).update(state=state)
    assert queue.enqueue("test", {"a": 1}).pk != first.pk


@pytest.mark.parametrize("state", ["queued", "running"])
def test_the_database_itself_refuses_the_same_work_twice(state):
    make(key="same", state=state)
    with pytest.raises(IntegrityError), transaction.atomic():
        make(key="same", state="queued")


class Keys(TestCase):
    @settings(max_examples=20, deadline=None)
    @given(st.dictionaries(st.text("abcäß ", max_size=5), st.integers(0, 9), max_size=4))
    def test_the_key_does_not_depend_on_the_order_of_arguments(self, arguments):
        turned = dict(reversed(list(arguments.items())))
        assert queue.enqueue("test", arguments).pk == queue.enqueue("test", turned).pk


# --- claim --------------------------------------------------------------------------------------


def test_a_claim_writes_state_attempt_token_lease_and_worker():
    job = make()
    before = timezone.now()
    mine = work.claim(job.pk)
    assert (mine.state, mine.attempts) == (State.RUNNING, 1)
    assert len(mine.token) == 32
    assert timedelta(seconds=19) < mine.lease_until - before < timedelta(seconds=21)
    assert mine.worker == work.worker_name()
    assert mine.started_at >= before


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_what_is_final_is_not_claimed(state):
    assert work.claim(make(state=state).pk) is None


def test_what_is_not_due_is_not_claimed():
    assert work.claim(make(not_before=timezone.now() + timedelta(seconds=2)).pk) is None


def test_the_third_attempt_is_the_last():
    assert work.claim(make(attempts=2).pk) is not None
    assert work.claim(make(attempts=3).pk) is None


def test_a_running_job_is_claimed_once_its_lease_ran_out():
    now = timezone.now()
    late = make(state="running", attempts=1, token="old", lease_until=now - timedelta(seconds=1))
    held = make(state="running", attempts=1, token="old", lease_until=now + timedelta(seconds=5))
    assert work.claim(late.pk).token != "old"
    assert work.claim(held.pk) is None


def test_a_job_that_does_not_exist_wakes_quietly():
    work.run(10**9)


@pytest.mark.promise("R8")
@pytest.mark.parametrize(("busy", "is_run"), [(0, True), (2, True)])
def test_a_wake_up_that_meets_a_busy_database_asks_again(kinds, monkeypatch, busy, is_run):
    real, asked = work.claim, []

    def claim(job_id):
        asked.append(job_id)
        if len(asked) <= busy:
            raise OperationalError("database is locked")
        return real(job_id)

    monkeypatch.setattr(work, "claim", claim)
    kinds["test"] = lambda job: None
    job = make()
    work.run(job.pk)
    assert len(asked) == busy + 1
    assert (again(job).state == State.DONE) is is_run


@pytest.mark.promise("R8")
def test_after_three_tries_the_reaper_is_left_to_it(kinds, monkeypatch):
    def busy(_job_id):
        raise OperationalError("database is locked")

    monkeypatch.setattr(work, "claim", busy)
    job = make()
    with pytest.raises(OperationalError):
        work.run(job.pk)
    assert (again(job).state, again(job).attempts) == (State.QUEUED, 0)


# --- beat and commit ----------------------------------------------------------------------------


def test_a_beat_moves_the_lease_and_nothing_else():
    mine = work.claim(make().pk)
    Job.objects.filter(pk=mine.pk).update(lease_until=timezone.now())
    assert work.still_mine(mine)
    after = again(mine)
    assert after.lease_until > timezone.now() + timedelta(seconds=18)
    assert (after.token, after.attempts, after.state) == (mine.token, 1, State.RUNNING)


def test_a_beat_of_a_lost_job_sets_the_flag():
    mine = work.claim(make().pk)
    Job.objects.filter(pk=mine.pk).update(token="theirs")
    lost = threading.Event()
    work.beat_once(mine, lost)
    assert lost.is_set()


def test_a_beat_on_a_busy_database_waits_for_the_next_one(monkeypatch):
    def busy(_job):
        raise DatabaseError("locked")

    monkeypatch.setattr(work, "still_mine", busy)
    lost = threading.Event()
    work.beat_once(make(), lost)
    assert not lost.is_set()


@pytest.mark.parametrize("verb", ["finish", "progress", "fail", "retry_later"])
def test_a_late_worker_changes_nothing(verb):
    mine = work.claim(make(total=4).pk)
    Job.objects.filter(pk=mine.pk).update(token="theirs")
    before = Job.objects.filter(pk=mine.pk).values().get()
    act = {
        "finish": lambda: work.finish(mine), "progress": lambda: work.progress(mine, 2, 4),
        "fail": lambda: work.fail(mine, ValueError("x")), "retry_later": lambda: work.retry_later(mine, OSError()),
    }[verb]  # fmt: skip
    if verb in {"finish", "progress"}:
        with pytest.raises(work.LeaseLostError):
            act()
    else:
        act()
    assert Job.objects.filter(pk=mine.pk).values().get() == before


def test_a_unit_and_its_progress_are_one_transaction():
    mine = work.claim(make(total=2).pk)
    with pytest.raises(RuntimeError):
        work.commit_unit(mine, lambda: broken_write(), done=1, total=2)
    assert again(mine).done == 0
    assert not Heartbeat.objects.filter(name="unit").exists()
    work.commit_unit(mine, lambda: reaper.seen("unit", timezone.now()), done=1, total=2)
    assert again(mine).done == 1
    assert Heartbeat.objects.filter(name="unit").exists()


def broken_write() -> None:
    reaper.seen("unit", timezone.now())
    raise RuntimeError("half-way")


def test_a_job_whose_lease_was_lost_ends_quietly_and_is_left_to_the_other(kinds):
    def robbed(job: Job) -> None:
        Job.objects.filter(pk=job.pk).update(token="theirs")
        work.progress(job, 1, 2)

    kinds["test"] = robbed
    job = make()
    work.run(job.pk)
    assert (again(job).state, again(job).token) == (State.RUNNING, "theirs")


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("bad"), NotFound("No such lesion.")])
def test_bad_input_is_not_tried_again(kinds, error):
    def refuse(_job):
        raise error

    kinds["test"] = refuse
    job = make()
    work.run(job.pk)
    row = again(job)
    assert (row.state, row.attempts, row.error_class) == (State.FAILED, 1, type(error).__name__)
    assert row.ended_at is not None


@pytest.mark.parametrize("error", [OperationalError("locked"), MemoryError()])
@pytest.mark.parametrize(("attempts", "pause"), [(0, 2), (1, 4)])
def test_what_may_pass_waits_two_then_four_seconds(kinds, error, attempts, pause):
    def passing(_job):
        raise error

    kinds["test"] = passing
    job = make(attempts=attempts)
    before = timezone.now()
    work.run(job.pk)
    row = again(job)
    assert row.state == State.QUEUED
    assert row.wake_at == row.not_before
    assert abs((row.not_before - before).total_seconds() - pause) < 1
    assert row.lease_until is None


def test_what_did_not_pass_three_times_has_failed(kinds):
    def never(_job):
        raise OperationalError("locked")

    kinds["test"] = never
    job = make(attempts=2)
    work.run(job.pk)
    assert (again(job).state, again(job).error_class) == (State.FAILED, "OperationalError")


def test_a_long_complaint_is_cut(kinds):
    def talk(_job):
        raise ValueError("x" * 9999)

    kinds["test"] = talk
    job = make()
    work.run(job.pk)
    assert len(again(job).error_text) == 2000


def test_an_unknown_kind_fails_and_says_so(kinds):
    job = make(kind="gone")
    with pytest.raises(KeyError):
        work.run(job.pk)
    assert (again(job).state, again(job).error_class) == (State.FAILED, "KeyError")


# --- the reaper ---------------------------------------------------------------------------------


def expired(**more) -> Job:
    return make(
        state="running",
        attempts=more.pop("attempts", 1),
        lease_until=timezone.now() - timedelta(seconds=1),
        **more,
    )


def test_a_lost_job_is_queued_at_once_without_a_pause(sent):
    job = expired()
    now = timezone.now()
    assert sweep(now) == reaper.Swept(requeued=1, failed=0, woken=1)
    row = again(job)
    assert (row.state, row.not_before, row.lease_until) == (State.QUEUED, now, None)
    assert [arguments for _, arguments, _ in sent] == [[job.pk]]


def test_a_job_lost_for_the_third_time_has_failed_and_says_so_on_its_page(sent):
    make_study()
    job = expired(attempts=3, study="bone")
    assert sweep(timezone.now()) == reaper.Swept(requeued=0, failed=1, woken=0)
    page = sign_in("coordinator").get("/studies/bone/jobs/").content.decode()
    assert "The worker was lost 3 times" in page
    assert again(job).error_class == "WorkerLost"


def test_a_job_whose_lease_holds_is_left_alone(sent):
    make(state="running", attempts=1, lease_until=timezone.now() + timedelta(seconds=9))
    assert sweep(timezone.now()) == reaper.Swept(0, 0, 0)


def test_a_wake_up_is_repeated_after_a_minute_and_not_before(sent):
    now = timezone.now()
    make(wake_at=now - timedelta(seconds=1))
    assert [sweep(now + timedelta(seconds=s)).woken for s in (0, 30, 59, 61)] == [1, 0, 0, 1]


def test_what_is_not_due_is_not_woken(sent):
    now = timezone.now()
    make(wake_at=now - timedelta(seconds=1), not_before=now + timedelta(seconds=9))
    assert sweep(now).woken == 0


def test_at_most_a_hundred_are_woken_the_oldest_first(sent):
    now = timezone.now()
    jobs = [make(wake_at=now - timedelta(seconds=1)) for _ in range(103)]
    assert sweep(now).woken == 100
    assert [arguments[0] for _, arguments, _ in sent] == [job.pk for job in jobs[:100]]
    assert sweep(now).woken == 3


def test_two_reapers_do_what_one_does(sent):
    job = expired()
    now = timezone.now()
    sweep(now)
    assert sweep(now) == reaper.Swept(0, 0, 0)
    assert again(job).attempts == 1


def test_the_reaper_outlives_a_busy_database(monkeypatch, caplog):
    stop = threading.Event()
    rounds = []

    def busy(_now):
        rounds.append(1)
        if len(rounds) == 3:
            stop.set()
        raise DatabaseError("locked")

    monkeypatch.setattr(reaper, "sweep", busy)
    reaper.serve(stop, period=0.001)
    assert len(rounds) == 3


def test_a_person_may_queue_a_failed_job_again_with_a_reason_as_one_act():
    make_study()
    job = make(state="failed", attempts=3, study="bone")
    client = sign_in("coordinator")
    address = f"/studies/bone/jobs/{job.pk}/requeue/"
    assert client.post(address, {"reason": "short"}).status_code == 422
    assert again(job).state == State.FAILED
    assert client.post(address, {"reason": "the disk was full, it is not now"}).status_code == 302
    assert (again(job).state, again(job).attempts) == (State.QUEUED, 0)
    assert [e.verb for e in AuditEvent.objects.all()] == ["job.requeue"]
    assert client.post(address, {"reason": "the disk was full, it is not now"}).status_code == 409


# --- presence and clock -------------------------------------------------------------------------


def test_a_worker_is_seen_while_it_beats(monkeypatch):
    stop = threading.Event()
    monkeypatch.setattr(presence, "stop", stop)
    monkeypatch.setattr(stop, "wait", lambda _period: stop.set())
    presence.beat()
    assert timezone.now() - Heartbeat.objects.get(name="worker").seen_at < timedelta(seconds=5)


def test_the_clock_tells_utc_and_does_not_stand():
    first = clock.now()
    time.sleep(0.002)
    assert clock.now() > first
    assert first.utcoffset() == timedelta(0)


# --- a job longer than its lease ----------------------------------------------------------------

LONG = """
import django, json, threading, time
django.setup()
from django.utils import timezone
from portal.jobs import queue, work
from portal.jobs.models import Job
from portal.jobs.reaper import sweep
work.LEASE_SECONDS, work.BEAT_SECONDS = 2.0, 0.25
starts, stop = [], threading.Event()
def long(job):
    starts.append(job.pk)
    time.sleep(6.2)
queue.KINDS["long"] = long
job = queue.enqueue("long", {}, total=1)
def other_workers():
    while not stop.is_set():
        sweep(timezone.now())
        work.run(job.pk)
        time.sleep(0.05)
one, two = (threading.Thread(target=f) for f in (lambda: work.run(job.pk), other_workers))
one.start(); time.sleep(0.3); two.start(); one.join(); stop.set(); two.join()
row = Job.objects.get()
print(json.dumps([len(starts), row.state, row.attempts]))
"""


@pytest.mark.promise("R5")
def test_a_job_of_three_leases_starts_once_while_others_try_for_it(tmp_path):
    python(tmp_path, "manage.py", "migrate", "jobs", "--skip-checks", "--verbosity", "0")
    assert python(tmp_path, "-c", LONG) == '[1, "done", 1]'
