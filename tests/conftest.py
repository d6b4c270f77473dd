"""One BLAS thread per test process: the matrices are small and the machine is shared."""

import gc
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import audit_watch

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# what is imported and collected stays for good: to look through it for garbage is a tenth of the whole run
gc.disable()

# the machine is shared: a slow second says nothing of what a test is about
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

# what a machine may lack: how a skip's reason begins, and the variable that turns such a skip into a failure
LACKS = {
    "shared data not found": (("shared data not found", "golden public data", "NO REAL"), "OSTEON_REQUIRE_SHARED"),
    "no browser": (("NO BROWSER", "NO BUILD"), "OSTEON_REQUIRE_BROWSER"),
}  # fmt: skip
skips: dict[str, int] = dict.fromkeys(LACKS, 0)
WHOLE_SUITE = 1500
LONGEST = (
    "test_pixel_to_auc.py", "test_server_profile.py", "test_faults.py", "test_redis_faults.py", "test_backup.py",
    "test_comparison.py", "test_archive_writers.py", "test_blinding.py",
)  # fmt: skip
ran: set[str] = set()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first, so that all processes end together (`--no-loadscope-reorder` keeps it so)."""
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    ran.add(report.nodeid)
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        for what, (beginnings, _) in LACKS.items():
            skips[what] += reason.startswith(beginnings)


def is_required(what: str) -> bool:
    return os.environ.get(LACKS[what][1]) == "1"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What this machine lacks is said last, where it is read."""
    for what, n in skips.items():
        if n:
            failed = " – and they are required here" if is_required(what) else ""
            terminalreporter.write_line(f"{n} tests skipped: {what}{failed}")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A parallel worker ends: what it watched counts for all."""
    audit_watch.seen.update(getattr(node, "workeroutput", {}).get("writes", []))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After the whole suite: every route that writes has been written to, and was watched (A1)."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["writes"] = sorted(audit_watch.seen)
        return
    if any(n and is_required(what) for what, n in skips.items()):
        session.exitstatus = 1
    if len(ran) < WHOLE_SUITE or session.config.option.keyword or exitstatus:
        return
    missed = sorted(audit_watch.writing_routes() - audit_watch.seen)
    if missed:
        session.exitstatus = 1
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        reporter.write_line(f"Routes that write, and no test writes to them: {', '.join(missed)}")
