"""A worker that hears no wake-up any more ends itself; one that is merely idle, busy or new does not."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.jobs.models import REAPER_SECONDS, WAKE_UP_REPEAT_SECONDS, Job
from portal.jobs.presence import DEAF_AFTER, is_deaf
from portal.jobs.reaper import sweep
from tests.cohort import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.promise("R7")]
LONG = timedelta(hours=1)
MOMENT = timedelta(seconds=1)


def job(n: int = 1, *, due: datetime = NOW - LONG, **fields) -> Job:
    return Job.objects.create(
        kind="test", key=f"{n}", code_version="0", not_before=due, wake_at=due, created_at=due, **fields
    )  # fmt: skip


def deaf(began: datetime = NOW - LONG) -> bool:
    return is_deaf(NOW, began=began)


def test_an_idle_worker_without_work_is_well():
    assert not deaf()


def test_work_that_waits_while_nobody_works_tells_of_a_deaf_worker():
    job()
    assert deaf()


@pytest.mark.parametrize(
    ("age", "is_so"),
    [(DEAF_AFTER - MOMENT, False), (DEAF_AFTER, True), (DEAF_AFTER + MOMENT, True)],
)
def test_a_new_worker_is_given_the_time_in_which_every_job_is_woken_again(age, is_so):
    job()
    assert deaf(began=NOW - age) is is_so


@pytest.mark.parametrize(
    ("age", "is_so"), [(timedelta(0), False), (DEAF_AFTER - MOMENT, False), (DEAF_AFTER, True)]
)
def test_a_job_is_given_the_same_time(age, is_so):
    job(due=NOW - age)
    assert deaf() is is_so


def test_a_job_for_later_does_not_wait():
    job(due=NOW + LONG)
    assert not deaf()


def test_while_another_job_runs_the_rest_waits_rightly():
    job(1)
    job(2, state=Job.State.RUNNING, started_at=NOW - LONG, lease_until=NOW + MOMENT)
    assert not deaf()


def test_a_job_whose_worker_was_lost_keeps_nobody_busy():
    job(1)
    job(2, state=Job.State.RUNNING, started_at=NOW - LONG, lease_until=NOW - MOMENT)
    assert deaf()


@pytest.mark.parametrize("state", ["done", "failed", "running"])
def test_short_jobs_one_after_the_other_are_work_though_none_runs_at_this_moment(state):
    job(1)
    job(2, state=state, started_at=NOW - 10 * MOMENT, ended_at=NOW - 9 * MOMENT)
    assert not deaf()


def test_what_ended_long_ago_is_no_sign_of_life():
    job(1)
    job(2, state="done", started_at=NOW - LONG, ended_at=NOW - LONG)
    assert deaf()


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_what_has_ended_does_not_wait(state):
    job(state=state)
    assert not deaf()


def test_within_the_patience_every_waiting_job_is_woken_at_least_once():
    """Sweeps every five seconds, as the reaper makes them, from any moment after a wake-up."""
    one = job(due=NOW - LONG)
    sweep(NOW)
    first = Job.objects.get(pk=one.pk).wake_at
    assert first == NOW + timedelta(seconds=WAKE_UP_REPEAT_SECONDS)
    moment, woken = NOW, 0
    while moment < NOW + DEAF_AFTER:
        moment += timedelta(seconds=REAPER_SECONDS)
        woken += sweep(moment).woken
    assert woken >= 1


@given(st.lists(st.tuples(st.sampled_from(Job.State.values), st.integers(0, 200), st.integers(0, 200)), max_size=6))  # fmt: skip
def test_it_is_deaf_only_where_something_waits_and_nothing_began(rows):
    Job.objects.all().delete()
    for n, (state, due, begun) in enumerate(rows):
        started = None if state == "queued" else NOW - timedelta(seconds=begun)
        job(n, state=state, due=NOW - timedelta(seconds=due), started_at=started)
    if deaf():
        assert any(s == "queued" and due >= 70 for s, due, _ in rows)
        assert all(begun >= 70 for s, _, begun in rows if s != "queued")
