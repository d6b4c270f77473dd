"""The demo waits for its worker: until nothing is active, and not a moment longer when something fails."""

import io
from datetime import timedelta

import pytest

from portal.demo import work
from portal.demo.options import Options
from portal.demo.progress import Bar
from portal.errors import Conflict
from portal.jobs import clock
from portal.jobs.models import Job
from portal.jobs.queue import enqueue
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db
KIND = "extract"


class Worker:
    """Stands where the supervisor stands: at each look it does what a worker would have done meanwhile."""

    def __init__(self, *steps) -> None:
        self.steps, self.looks = list(steps), 0

    def tick(self, now: float) -> None:
        self.looks += 1
        if self.steps:
            self.steps.pop(0)()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(work, "POLL_SECONDS", 0.0)


def bar(total: int = 10) -> Bar:
    return Bar("features", total, io.StringIO())


def job(n: int, *, study: str = "demo", kind: str = KIND, **fields) -> Job:
    one = enqueue(kind, {"n": n}, study=study, total=5)
    return change(one, **fields)


def change(one: Job, **fields) -> Job:
    Job.objects.filter(pk=one.pk).update(**fields)
    one.refresh_from_db()
    return one


def ended(state: str, **fields) -> dict:
    return {"state": state, "ended_at": clock.now(), **fields}


def test_without_jobs_there_is_nothing_to_wait_for():
    worker = Worker()
    work.wait(make_study("demo"), KIND, bar(), worker)
    assert worker.looks == 1


def test_it_waits_for_the_last_of_them_and_the_bar_follows():
    study, one, two, shown = make_study("demo"), job(1), job(2), bar()
    counted = []
    worker = Worker(
        lambda: change(one, state="running", done=3),
        lambda: (counted.append(shown.done), change(one, **ended("done", done=5))),
        lambda: (counted.append(shown.done), change(two, **ended("done", done=5))),
    )
    work.wait(study, KIND, shown, worker)
    assert (counted, shown.done, worker.looks) == ([3, 5], 10, 3)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_what_is_active_is_waited_for(state):
    study, one = make_study("demo"), job(1, state=state)
    worker = Worker(lambda: None, lambda: None, lambda: change(one, **ended("done")))
    work.wait(study, KIND, bar(), worker)
    assert worker.looks == 3


def test_a_failed_job_stops_the_demo_with_its_sentence_though_others_still_run():
    study, _, broken = make_study("demo"), job(1, state="running"), job(2)
    worker = Worker(lambda: change(broken, **ended("failed", error_text="The disk is full.")))
    with pytest.raises(Conflict, match=f"^Job {broken.pk} failed: The disk is full.$"):
        work.wait(study, KIND, bar(), worker)


def test_a_cancelled_job_is_neither_waited_for_nor_a_failure():
    study = make_study("demo")
    job(1, **ended("cancelled"))
    work.wait(study, KIND, bar(), Worker())


@pytest.mark.parametrize("other", [{"study": "bone"}, {"kind": "train"}])
def test_jobs_of_other_studies_and_kinds_do_not_concern_it(other):
    study = make_study("demo")
    job(1, **other, state="failed", error_text="not ours")
    job(2, **other, state="running")
    work.wait(study, KIND, bar(), Worker())


def test_what_failed_before_this_run_does_not_stop_it_and_is_not_counted():
    """Run again after a failure, the demo would otherwise stop at the old row for ever."""
    study, earlier = make_study("demo"), clock.now() - timedelta(hours=1)
    job(1, state="failed", ended_at=earlier, error_text="the machine went down", done=4)
    fresh, shown = job(2), bar()
    worker = Worker(lambda: change(fresh, **ended("done", done=5)))
    work.wait(study, KIND, shown, worker, since=clock.now() - timedelta(seconds=1))
    assert shown.done == 5


def test_what_fails_in_this_run_stops_it():
    study, broken = make_study("demo"), job(1)
    since = clock.now()
    worker = Worker(lambda: change(broken, **ended("failed", error_text="no room")))
    with pytest.raises(Conflict, match="no room"):
        work.wait(study, KIND, bar(), worker, since=since)


def test_models_are_not_trained_without_a_locked_split():
    study = make_study("demo")
    with pytest.raises(Conflict, match="The demo has no locked split"):
        work.train_all(study, None, Options(), bar(), Worker(), actor=make_user("analyst"))
    assert not Job.objects.exists()


def test_with_every_outline_extracted_nothing_is_queued_and_the_bar_is_full():
    study, shown = make_study("demo"), bar(0)
    work.extract_all(study, shown, Worker(), actor=make_user("analyst"))
    assert not Job.objects.exists()
    assert (shown.done, shown.total) == (0, 0)
    assert work.n_vectors(study) == 0
