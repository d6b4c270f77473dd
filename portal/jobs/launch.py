"""What the launcher starts: gunicorn, a Celery worker and the reaper, on this data folder."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from portal.celery import app
from portal.errors import Conflict
from portal.jobs.supervisor import Child

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
WEB_ONLY = {"OSTEON_STATEMENT_SECONDS": "30"}


def migrate() -> None:
    """Bring the schema up to date, as the tables' owner where the run-time role is another one."""
    if not settings.OWNER_URL:
        call_command("migrate", verbosity=0, interactive=False)
        return
    done = subprocess.run(  # noqa: S603  the command is our own
        [
            sys.executable,
            str(settings.BASE_DIR / "manage.py"),
            "migrate",
            "--skip-checks",
            "--verbosity",
            "0",
            "--no-input",
        ],
        env={**os.environ, **environment(), "OSTEON_DATABASE_URL": settings.OWNER_URL},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Conflict(f"The owner of the tables could not migrate them: {reason}")


def environment() -> dict[str, str]:
    """What every child process is told: this data folder, one BLAS thread, private temporary files."""
    spool = settings.DATA_DIR / "spool"
    return {
        **ONE_THREAD,
        "OSTEON_DATA_DIR": str(settings.DATA_DIR),
        "TMPDIR": str(spool),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join([str(settings.BASE_DIR), os.environ.get("PYTHONPATH", "")]),
    }


def empty_broker(folder: Path) -> None:
    """Clear the embedded broker and declare its queue; the job table holds what is to be done."""
    if not settings.CELERY_BROKER_URL.startswith("filesystem"):
        return
    for name in ("queue", "control"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(mode=0o700, parents=True)
    with app.connection_for_write() as connection:
        app.amqp.queues["celery"](connection.default_channel).declare()


def web(port: int, variables: Mapping[str, str], *, host: str = "127.0.0.1") -> Child:
    command = [
        sys.executable, "-m", "gunicorn", "portal.wsgi:application",
        "--bind", f"{host}:{port}", "--worker-class", "portal.serving.PatientWorker", "--workers", "2", "--threads", "4",
        "--logger-class", "portal.serving.WebLogger",
        "--no-control-socket",  # it would lie in the home folder, and nothing of ours asks it
        "--keep-alive", "75", "--graceful-timeout", "10", "--max-requests", "0",
    ]  # fmt: skip
    return Child("web", command, variables)


def worker(variables: Mapping[str, str], *, processes: int) -> Child:
    command = [
        sys.executable, "-m", "celery", "-A", "portal.celery", "worker", "--loglevel", "WARNING",
        "--concurrency", str(processes), "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip
    return Child("worker", command, variables, ending=signal.SIGQUIT)


def reaper(variables: Mapping[str, str]) -> Child:
    return Child(
        "reaper", [sys.executable, str(settings.BASE_DIR / "manage.py"), "reaper"], variables
    )


def log_folder() -> Path:
    folder: Path = settings.DATA_DIR / "logs"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
