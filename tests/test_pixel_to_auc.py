"""The tour in code: from rendered pixels to the dashboard, through every door, with a real Celery worker.

docs/tour.md walks the same stops. The demo is the tour: one command carries a synthetic cohort from DICOM files to the
comparison of models with readers; here it runs twice, embedded with two workers and on Postgres and Redis with one, and
nothing may differ.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.databases import new_database
from tests.server.test_server_profile import broker, postgres

__all__ = ["broker", "postgres"]
ROOT = Path(__file__).parents[1]
PATIENTS, LESIONS, REPEATS = 16, 23, 4
MODELS = ("ct", "spect", "combined", "experts")


def demo(folder: Path, *, workers: int, **variables: str) -> dict:
    """The demo's JSON line in a data folder of its own."""
    environment = {
        **os.environ,
        "OSTEON_DATA_DIR": str(folder),
        "OSTEON_WORKERS": str(workers),
        **variables,
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "demo", "--patients", str(PATIENTS), "--no-serve", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    body: dict = json.loads(done.stdout.strip().splitlines()[-1])
    return body


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def embedded(folder) -> dict:
    """Two workers on the embedded profile."""
    return demo(folder, workers=2)


@pytest.fixture(scope="module")
def servers(request) -> Iterator[dict[str, str]]:
    """A database of its own and the broker; nothing where there are no servers and none are required."""
    try:
        address, queue = (request.getfixturevalue(name) for name in ("postgres", "broker"))
    except pytest.skip.Exception:
        yield {}
        return
    with new_database(address) as database:
        yield {"OSTEON_DATABASE_URL": database, "OSTEON_BROKER_URL": queue}


@pytest.fixture(scope="module")
def alone(servers, tmp_path_factory) -> dict:
    """One worker: on Postgres behind Redis where they can be reached, else on the embedded profile."""
    return demo(tmp_path_factory.mktemp("alone"), workers=1, **servers)


def ask(folder: Path, program: str) -> dict:
    environment = {
        **os.environ,
        "OSTEON_DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "shell", "-v", "0", "-c", program],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def check_counts(body: dict) -> None:
    assert (body["patients"], body["lesions"]) == (PATIENTS, LESIONS)
    drawings = 2 * 2 * (LESIONS + REPEATS)  # delineators, modalities
    assert body["rois"] == body["vectors"] == drawings
    assert body["failed_vectors"] == 0
    assert body["predictions"] > 3 * LESIONS


def test_the_counts_are_those_of_the_plan(embedded):
    check_counts(embedded)


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("who", MODELS)
def test_each_part_has_the_four_aucs_with_their_limits(embedded, part, who):
    row = embedded[part][who]
    assert row["low"] <= row["auc"] <= row["high"]
    assert 0 <= row["auc"] <= 1


def test_a_second_run_builds_nothing(embedded, folder):
    again = demo(folder, workers=2)
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in embedded.items() if k != "seconds"
    }


@pytest.mark.server
def test_the_demo_runs_on_postgres_and_redis_with_a_real_worker(postgres, broker, alone):
    check_counts(alone)
    assert set(alone["validation"]) == set(MODELS)


@pytest.mark.promise("R11")
def test_one_worker_and_two_give_the_same_vectors_models_and_figures(embedded, alone):
    """And so do the two databases, where both are there."""
    assert alone["digest"] == embedded["digest"]


def test_everything_went_through_the_doors_and_left_its_act(embedded, folder):
    found = ask(
        folder,
        "import json\n"
        "from portal.audit.models import AuditEvent\n"
        "from portal.audit.verify import verify\n"
        "from portal.analysis.models import Look\n"
        "from portal.study.models import Study\n"
        "from readers.models import Read\n"
        "verbs = set(AuditEvent.objects.values_list('verb', flat=True))\n"
        "print(json.dumps({'intact': verify().is_intact, 'looks': Look.objects.count(),\n"
        "  'states': sorted(Study.objects.values_list('state', flat=True)),\n"
        "  'open': Read.objects.filter(assignment__session__study__state='UNBLINDED')"
        ".exclude(state='locked').filter(is_current=True).count(),\n"
        "  'verbs': sorted(verbs)}))\n",
    )
    assert found["intact"]
    assert (found["looks"], found["open"]) == (1, 0)
    assert found["states"] == ["READING", "UNBLINDED"]
    needed = {"study.create", "import.end", "cohort.import", "split.lock", "design.lock", "read.submit", "run.lock",
              "evaluation.compute", "study.advance"}  # fmt: skip
    assert needed <= set(found["verbs"])


KILL = """
import json, os, signal, time
from django.conf import settings
from django.utils import timezone
from portal.analysis import extraction, feature_sets
from portal.analysis.models import FeatureVector
from portal.demo import work
from portal.demo.progress import Bar
from portal.jobs.models import Job
from portal.study.models import Study
study = Study.objects.get(state='UNBLINDED')
chosen = feature_sets.use(study, {'grid_mm': 0.5}, actor=None, now=timezone.now())
total = extraction.pending(chosen).count()
with work.workers() as supervisor:
    extraction.start(chosen, user=None, shards=settings.WORKERS)
    while not FeatureVector.objects.filter(feature_set=chosen).exists():
        time.sleep(0.02)
    os.killpg(supervisor.children[0].process.pid, signal.SIGKILL)
    halfway = FeatureVector.objects.filter(feature_set=chosen).count()
    work.wait(study, extraction.KIND, Bar('features', total), supervisor)
jobs = Job.objects.filter(kind=extraction.KIND, arguments__feature_set=chosen.pk)
print(json.dumps({'total': total, 'halfway': halfway, 'pending': extraction.pending(chosen).count(),
    'vectors': FeatureVector.objects.filter(feature_set=chosen).count(),
    'states': sorted(set(jobs.values_list('state', flat=True))),
    'attempts': max(jobs.values_list('attempts', flat=True))}))
"""


@pytest.mark.promise("R4")
def test_a_worker_killed_in_mid_extraction_loses_nothing(embedded, folder):
    found = ask(folder, KILL)
    assert found["halfway"] < found["total"]
    assert (found["pending"], found["vectors"]) == (0, found["total"])
    assert found["states"] == ["done"]
    assert found["attempts"] == 2
