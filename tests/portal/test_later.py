"""Work named by its path: each path leads to its function, and a process that only starts imports none of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from portal.analysis import extraction, perturbing, training
from portal.archive import copies, packs, store
from portal.jobs.later import Later
from portal.jobs.queue import KINDS, make_ready
from portal.study import pulling

ROOT = Path(__file__).parents[2]
FUNCTIONS = {
    extraction.KIND: extraction.work,
    training.KIND: training.work,
    training.REPEAT: training.repeat_work,
    perturbing.KIND: perturbing.work,
    store.PUSH: copies.push_pending,
    pulling.KIND: pulling.work,
}
HEAVY = ("sklearn", "statsmodels", "matplotlib", "scipy.stats", "highdicom", "dicomweb_client")
STARTED = (
    "import sys, django; django.setup(); print(*[name for name in {0!r} if name in sys.modules])"
)


def test_each_kind_of_job_leads_to_its_function():
    named = {kind: work for kind, work in KINDS.items() if isinstance(work, Later)}
    assert {kind: work.ready() for kind, work in named.items()} == FUNCTIONS


def test_a_series_is_brought_back_by_the_copies():
    assert [fetch.ready() for fetch in packs.fetchers if isinstance(fetch, Later)] == [copies.fetch]


def test_it_is_called_with_what_it_is_given_and_answers():
    assert Later("math.pow")(2, 10) == 1024.0


def test_a_path_to_nothing_is_an_error():
    with pytest.raises(ImportError):
        Later("math.no_such_function").ready()


def loaded(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_process_that_starts_has_imported_nothing_heavy(monkeypatch, tmp_path):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "portal.settings")
    monkeypatch.setenv("OSTEON_DATA_DIR", str(tmp_path / "data"))
    started = STARTED.format(HEAVY)
    assert loaded(started) == []
    assert "sklearn" in loaded(
        f"{started}; from portal.jobs import queue; queue.make_ready(); {started}"
    )


def test_a_worker_has_all_of_it_before_it_forks():
    make_ready()
    assert {"sklearn", "statsmodels"} <= set(sys.modules)
