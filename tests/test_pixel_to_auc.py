"""The tour in code: from rendered pixels to the dashboard, through every door, with a real Celery worker.

docs/tour.md walks the same stops. The demo is the tour: one command carries a synthetic cohort from DICOM files to the
comparison of models with readers; here it runs twice, with one worker and with two, and nothing may differ.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENTS, LESIONS, REPEATS = 16, 23, 4


@cache
def demo(folder: Path, workers: int) -> dict:
    """The demo's JSON line in a data folder of its own."""
    environment = {**os.environ, "OSTEON_DATA_DIR": str(folder), "OSTEON_WORKERS": str(workers)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "demo", "--patients", str(PATIENTS), "--no-serve", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    body: dict = json.loads(done.stdout.strip().splitlines()[-1])
    return body


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[int, Path]:
    return {n: tmp_path_factory.mktemp(f"demo{n}") for n in (1, 2)}


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


def test_the_counts_are_those_of_the_plan(folders):
    body = demo(folders[2], 2)
    assert (body["patients"], body["lesions"]) == (PATIENTS, LESIONS)
    drawings = 2 * 2 * (LESIONS + REPEATS)  # delineators, modalities
    assert body["rois"] == body["vectors"] == drawings
    assert body["failed_vectors"] == 0
    assert body["predictions"] > 3 * LESIONS


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("who", ["ct", "spect", "combined", "experts"])
def test_each_part_has_the_four_aucs_with_their_limits(folders, part, who):
    row = demo(folders[2], 2)[part][who]
    assert row["low"] <= row["auc"] <= row["high"]
    assert 0 <= row["auc"] <= 1


def test_a_second_run_builds_nothing(folders):
    first = demo(folders[2], 2)
    demo.cache_clear()
    again = demo(folders[2], 2)
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in first.items() if k != "seconds"
    }


@pytest.mark.promise("R11")
def test_one_worker_and_two_give_the_same_vectors_models_and_figures(folders):
    assert demo(folders[1], 1)["digest"] == demo(folders[2], 2)["digest"]


def test_everything_went_through_the_doors_and_left_its_act(folders):
    demo(folders[2], 2)
    found = ask(
        folders[2],
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
def test_a_worker_killed_in_mid_extraction_loses_nothing(folders):
    demo(folders[1], 1)
    found = ask(folders[1], KILL)
    assert found["halfway"] < found["total"]
    assert (found["pending"], found["vectors"]) == (0, found["total"])
    assert found["states"] == ["done"]
    assert found["attempts"] == 2
