"""The job table: claimed once, fenced by tokens, requeued after a lost lease, never looping."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from portal.errors import Invalid
from portal.jobs import health, queue, work
from portal.jobs.models import MAX_ATTEMPTS, Job
from portal.jobs.reaper import seen, sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def kinds(monkeypatch):
    """A private registry of kinds."""
    mine: dict[str, queue.Work] = {}
    monkeypatch.setattr(work, "KINDS", mine)
    return mine


def enqueue(**arguments) -> Job:
    return queue.enqueue("test", arguments, total=1)


def expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_the_same_work_is_queued_once():
    assert enqueue(a=1).pk == enqueue(a=1).pk
    assert enqueue(a=2).pk != enqueue(a=1).pk


def test_a_job_is_claimed_by_one_worker_only():
    job = enqueue()
    assert work.claim(job.pk) is not None
    assert work.claim(job.pk) is None


def test_a_finished_job_is_done_and_not_run_again(kinds):
    ran = []
    kinds["test"] = lambda job: ran.append(job.pk)
    job = enqueue()
    work.run(job.pk)
    work.run(job.pk)
    job.refresh_from_db()
    assert ran == [job.pk]
    assert job.state == Job.State.DONE
    assert job.done == job.total == 1


@pytest.mark.promise("R3")
def test_a_lost_lease_gives_the_job_to_the_next_worker():
    job = enqueue()
    first = work.claim(job.pk)
    expire(job)
    assert sweep(timezone.now()).requeued == 1
    second = work.claim(job.pk)
    assert second is not None
    assert second.attempts == 2
    assert not work.still_mine(first)
    with pytest.raises(work.LeaseLostError):
        work.finish(first)
    work.finish(second)


@pytest.mark.promise("R6")
def test_a_job_that_always_dies_ends_failed_after_three_attempts():
    job = enqueue()
    for _ in range(MAX_ATTEMPTS):
        assert work.claim(job.pk) is not None
        expire(job)
        sweep(timezone.now())
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert "3 times" in job.error_text
    assert work.claim(job.pk) is None


def test_bad_input_fails_at_once_with_its_sentence(kinds):
    def refuse(job: Job) -> None:
        raise Invalid("This cannot be done.")

    kinds["test"] = refuse
    job = enqueue()
    work.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_text, job.attempts) == (
        Job.State.FAILED,
        "This cannot be done.",
        1,
    )


def test_a_busy_database_puts_the_job_back_with_a_pause(kinds):
    def busy(job: Job) -> None:
        raise OperationalError("database is locked")

    kinds["test"] = busy
    job = enqueue()
    work.run(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED
    assert job.not_before > timezone.now()
    assert work.claim(job.pk) is None


def test_an_unforeseen_fault_is_recorded_and_raised(kinds):
    def broken(job: Job) -> None:
        raise RuntimeError("boom")

    kinds["test"] = broken
    job = enqueue()
    with pytest.raises(RuntimeError):
        work.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_class) == (Job.State.FAILED, "RuntimeError")


def test_a_lost_wake_up_is_repeated_by_the_reaper():
    job = enqueue()
    Job.objects.filter(pk=job.pk).update(wake_at=timezone.now() - timedelta(seconds=1))
    assert sweep(timezone.now()).woken == 1
    assert sweep(timezone.now()).woken == 0


def test_a_unit_is_not_written_once_the_lease_is_lost():
    job = enqueue()
    mine = work.claim(job.pk)
    expire(job)
    sweep(timezone.now())
    written = []
    with pytest.raises(work.LeaseLostError):
        work.commit_unit(mine, lambda: written.append(enqueue(side=True)), done=1, total=1)
    assert not Job.objects.filter(arguments={"side": True}).exists()


def test_health_names_what_was_not_seen():
    now = timezone.now()
    seen("worker", now)
    assert health.state(now).missing == ("reaper",)
    seen("reaper", now)
    assert health.state(now).is_ok
    assert not health.state(now + timedelta(minutes=2)).is_ok


def test_the_self_check_finds_nothing_wrong_with_a_migrated_database():
    problems = [p for p in health.self_check() if "journal_mode" not in p]
    assert problems == []
