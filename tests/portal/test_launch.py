"""The launcher: when it restarts, what it tells, who holds the folder; health and status for those who may know."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from argparse import Namespace
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from gunicorn.config import Config

from portal.accounts.models import User
from portal.errors import Conflict
from portal.jobs import health, launch, status, trouble
from portal.jobs.models import Heartbeat, Job
from portal.jobs.queue import LOST_WAKE_UPS
from portal.jobs.reaper import seen
from portal.jobs.supervisor import Child, FolderLock, Supervisor
from tests.cohort import make_study
from tests.study.test_pages import sign_in

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
NOTHING = ["/bin/true"]


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "trouble.json"


@pytest.fixture
def supervisor(tmp_path, file):
    one = Supervisor([Child("web", NOTHING, {})], tmp_path, trouble_file=file)
    yield one
    one.end(patience=1)


def starts(supervisor: Supervisor, seconds: float, step: float = 0.5) -> list[float]:
    """When a child that dies at once is started again, on a clock of the test's own."""
    (child,) = supervisor.children
    found: list[float] = []
    child.start = lambda _folder: found.append(now)  # type: ignore[method-assign]
    child.is_dead = lambda: True  # type: ignore[method-assign]
    for tick in range(int(seconds / step)):
        now = tick * step
        supervisor.tick(now)
    return found


@pytest.mark.promise("R9")
def test_a_dead_child_is_restarted_at_once_then_after_1_2_4_to_30_seconds(supervisor):
    found = starts(supervisor, 200)
    waits = [b - a for a, b in zip(found, found[1:], strict=False)]
    assert found[0] == 0.0
    assert [w - 0.5 for w in waits[:9]] == [1, 2, 4, 8, 16, 30, 30, 30, 30]


def test_deaths_of_more_than_five_minutes_ago_are_forgotten():
    child = Child("web", NOTHING, {})
    for moment in (0.0, 10.0, 20.0):
        child.note_death(moment)
    assert child.note_death(21.0) == 25.0
    assert child.note_death(400.0) == 400.0
    assert child.deaths == [400.0]


def test_the_tenth_restart_in_five_minutes_is_told_and_forgotten_later(supervisor, file):
    (child,) = supervisor.children
    child.deaths = [float(t) for t in range(9)]
    supervisor.tell(10.0)
    assert trouble.sentences(file) == ()
    child.deaths.append(9.5)
    supervisor.tell(10.0)
    assert trouble.sentences(file) == (
        "The web was restarted 10 times in five minutes; look at its log.",
    )
    supervisor.tell(400.0)
    assert trouble.sentences(file) == ()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_did_not_change_is_not_written_again(supervisor, file):
    supervisor.tell(1.0)
    file.unlink()
    supervisor.tell(2.0)
    assert not file.exists()


def test_a_supervisor_without_a_place_to_tell_keeps_quiet(tmp_path):
    Supervisor([Child("web", NOTHING, {})], tmp_path).tell(1.0)
    assert list(tmp_path.iterdir()) == []


def test_ending_ends_also_a_child_that_does_not_listen_and_its_own_children(tmp_path):
    program = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    child = Child("deaf", [sys.executable, "-c", program], {})
    supervisor = Supervisor([child], tmp_path)
    child.start(tmp_path)
    log = tmp_path / "deaf.log"
    until = time.monotonic() + 40
    while not log.read_text().strip() and time.monotonic() < until:
        time.sleep(0.02)
    grandchild = int(log.read_text())
    supervisor.end(patience=0.2)
    assert child.process.wait(20) == -signal.SIGKILL
    until = time.monotonic() + 20
    while is_alive(grandchild) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_alive(grandchild)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ending_what_never_started_is_quiet(tmp_path):
    child = Child("web", NOTHING, {})
    child.end()
    child.kill()
    assert child.is_dead()


def test_a_child_gets_its_variables_and_the_others_too(tmp_path, monkeypatch):
    monkeypatch.setenv("OSTEON_KEPT", "kept")
    program = "import os; print(os.environ['OSTEON_KEPT'], os.environ['ONE'])"
    child = Child("env", [sys.executable, "-c", program], {"ONE": "given"})
    child.start(tmp_path)
    child.process.wait(10)
    assert (tmp_path / "env.log").read_text() == "kept given\n"


def test_a_second_launcher_is_told_who_holds_the_folder(tmp_path):
    lock = FolderLock(tmp_path / "up.lock")
    with pytest.raises(Conflict, match=f"already served by process {os.getpid()};"):
        FolderLock(tmp_path / "up.lock")
    lock.handle.close()
    FolderLock(tmp_path / "up.lock").handle.close()


def test_the_folder_is_free_after_its_holder_was_killed(tmp_path):
    program = (
        "import django, sys, time; django.setup(); from pathlib import Path; from portal.jobs.supervisor import FolderLock;"
        "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    path = tmp_path / "up.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
    )  # fmt: skip
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(Conflict, match=str(holder.pid)):
        FolderLock(path)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    FolderLock(path).handle.close()


# --- commands -----------------------------------------------------------------------------------


def word_after(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_the_web_runs_as_the_specification_says():
    command = launch.web(8123, {}).command
    assert word_after(command, "--bind") == "127.0.0.1:8123"
    assert word_after(command, "--workers") == "2"
    assert word_after(command, "--threads") == "4"
    assert word_after(command, "--keep-alive") == "75"
    assert word_after(command, "--graceful-timeout") == "10"
    assert word_after(command, "--max-requests") == "0"
    assert not {"--preload", "--access-logfile"} & set(command)


def test_the_web_writes_no_control_socket_into_the_home_folder():
    """gunicorn's default lies outside the data folder, and two installations would share it."""
    command = launch.web(8123, {}).command
    assert "--no-control-socket" in command
    told = gunicorn_settings(command[command.index("portal.wsgi:application") :])
    assert told.control_socket_disable is True


def gunicorn_settings(words: list[str]) -> Namespace:
    """gunicorn's own parser, so that a word it does not know fails the test."""
    found: Namespace = Config().parser().parse_args(words)
    return found


def test_the_worker_is_quiet_and_ends_cold():
    child = launch.worker({}, processes=3)
    assert word_after(child.command, "--concurrency") == "3"
    assert {"--without-gossip", "--without-mingle", "--without-heartbeat"} <= set(child.command)
    assert child.ending == signal.SIGQUIT
    assert launch.web(1, {}).ending == launch.reaper({}).ending == signal.SIGTERM


@pytest.mark.trap("K1")
def test_children_use_one_thread_for_matrices_and_the_folders_own_spool(settings):
    variables = launch.environment()
    assert {
        variables[n] for n in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    } == {"1"}
    assert variables["TMPDIR"] == str(settings.DATA_DIR / "spool")
    assert variables["OSTEON_DATA_DIR"] == str(settings.DATA_DIR)


def test_celery_is_configured_as_the_specification_says(settings):
    assert settings.CELERY_ACCEPT_CONTENT == ["json"]
    assert settings.CELERY_TASK_SERIALIZER == "json"
    assert settings.CELERY_TASK_IGNORE_RESULT is True
    assert settings.CELERY_TASK_ACKS_LATE is False
    assert settings.CELERY_WORKER_PREFETCH_MULTIPLIER == 1
    assert settings.CELERY_WORKER_ENABLE_REMOTE_CONTROL is False
    assert settings.CELERY_WORKER_SEND_TASK_EVENTS is False
    assert settings.CELERY_WORKER_MAX_TASKS_PER_CHILD == 50
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    assert options["data_folder_in"] == options["data_folder_out"] != options["control_folder"]
    assert options["polling_interval"] == 0.1


@pytest.mark.trap("K3")
@pytest.mark.trap("K4")
def test_the_brokers_folders_are_emptied_private_and_declared(settings, tmp_path):
    folder = settings.BROKER_FOLDER
    (folder / "queue").mkdir(parents=True, exist_ok=True)
    (folder / "queue" / "stale.msg").write_text("")
    launch.empty_broker(folder)
    assert not list((folder / "queue").glob("*.msg"))
    for name in ("queue", "control"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o700
    assert list((folder / "control").iterdir())


def test_a_broker_of_its_own_is_left_alone(settings, tmp_path):
    settings.CELERY_BROKER_URL = "redis://nowhere:1/0"
    launch.empty_broker(tmp_path / "broker")
    assert not (tmp_path / "broker").exists()


@pytest.mark.django_db
def test_an_owner_that_cannot_migrate_is_one_sentence(settings, tmp_path):
    settings.OWNER_URL = "postgresql://nobody@127.0.0.1:1/none"
    with pytest.raises(Conflict, match="owner of the tables could not migrate"):
        launch.migrate()


# --- health and status --------------------------------------------------------------------------


@pytest.fixture
def well(db, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    now = timezone.now()
    for name in ("worker", "reaper"):
        seen(name, now)
    return now


def test_all_seen_is_ok_and_tells_nothing_else(well):
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_process_that_will_not_live_degrades_the_health_and_only_administrators_learn_why(
    well, tmp_path
):
    trouble.write({"web": 1, "worker": 11}, tmp_path / "trouble.json")
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "degraded"})
    User.objects.create_user("admin", is_staff=True)
    page = sign_in("admin").get("/status/").content.decode()
    assert "The worker was restarted 11 times in five minutes" in page


def test_who_was_not_seen_for_30_seconds_is_named(well):
    later = well + timedelta(seconds=31)
    seen("reaper", later)
    found = health.state(later)
    assert found.missing == ("worker",)
    assert found.sentences == ("The worker has not been seen for 30 s.",)
    assert not found.is_ok


def job(n: int, state: str, now) -> Job:
    return Job.objects.create(
        kind="k", key=str(n), state=state, code_version="1", not_before=now, wake_at=now,
        created_at=now - timedelta(seconds=n),
    )  # fmt: skip


@pytest.fixture
def busy(well):
    cache.delete(LOST_WAKE_UPS)
    for n, state in enumerate(("queued", "queued", "running", "failed", "done", "done", "done")):
        job(n + 1, state, well)
    return well


def test_the_status_counts_jobs_by_state_and_the_oldest_that_waits(busy):
    found = status.status(busy)
    assert found.jobs == {"queued": 2, "running": 1, "done": 3, "failed": 1, "cancelled": 0}
    assert found.oldest_queued == 2.0
    assert found.seen == {"reaper": 0.0, "worker": 0.0}
    assert found.lost_wake_ups == 0


def test_an_idle_installation_waits_for_nothing(well):
    assert status.status(well).oldest_queued == 0.0


def test_the_metrics_are_gauges_without_a_name_of_study_case_or_person(busy):
    User.objects.create_user("admin", is_staff=True)
    answer = sign_in("admin").get("/metrics")
    lines = answer.content.decode().splitlines()
    assert answer["Content-Type"].startswith("text/plain")
    assert 'osteon_jobs{state="queued"} 2.0' in lines
    assert 'osteon_jobs{state="done"} 3.0' in lines
    assert "osteon_up 1.0" in lines
    labels = {line.split("{")[1].split("=")[0] for line in lines if "{" in line}
    assert labels == {"state", "process"}


@pytest.mark.promise("B5")
@pytest.mark.parametrize("address", ["/status/", "/metrics"])
@pytest.mark.parametrize(
    "name", ["coordinator", "analyst", "expert1", "delineator1", "monitor", "outsider", ""]
)
def test_status_and_metrics_do_not_exist_for_anybody_else(well, address, name):
    make_study()
    client = sign_in(name) if name else Client()
    assert client.get(address).status_code == 404


def test_the_status_page_says_what_to_do_when_nothing_runs(db):
    Heartbeat.objects.all().delete()
    User.objects.create_user("admin", is_staff=True)
    assert "manage.py up" in sign_in("admin").get("/status/").content.decode()


# --- starting fails closed ----------------------------------------------------------------------


@pytest.fixture
def public(settings):
    settings.DEBUG = False
    settings.SECRET_KEY = "0123456789abcdef" * 4
    settings.CSRF_TRUSTED_ORIGINS = ["https://osteon.example"]
    return settings


@pytest.mark.promise("R16")
def test_a_public_portal_with_its_doors_shut_may_start(public, tmp_path):
    assert health.open_doors(tmp_path) == []


@pytest.mark.promise("R16")
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DEBUG", True, "OSTEON_DEBUG"), ("SECRET_KEY", "short", "secret key"),
        ("SECRET_KEY", "django-insecure-" + "x" * 60, "secret key"), ("CSRF_TRUSTED_ORIGINS", [], "TLS proxy"),
        ("CSRF_TRUSTED_ORIGINS", ["http://osteon.example"], "TLS proxy"),
    ],
)  # fmt: skip
def test_each_open_door_of_a_public_portal_is_one_sentence(public, tmp_path, name, value, said):
    setattr(public, name, value)
    (sentence,) = health.open_doors(tmp_path)
    assert said in sentence
    assert sentence.endswith(".")


@pytest.mark.promise("R16")
def test_the_demos_passwords_do_not_go_public(public, tmp_path):
    (tmp_path / "demo-accounts.json").write_text("{}")
    (sentence,) = health.open_doors(tmp_path)
    assert "demo" in sentence


@pytest.mark.promise("R16")
@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("server:/x {0} nfs4 rw 0 0", "nfs4"), ("//s/x {0} cifs rw 0 0", "cifs"), ("x {0} fuse.sshfs rw 0 0", "fuse.sshfs"),
    ],
)  # fmt: skip
def test_a_data_folder_on_a_network_file_system_is_refused(tmp_path, line, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\n{line.format(tmp_path)}\n")
    (sentence,) = health.network_folder(tmp_path / "data", mounts)
    assert kind in sentence


@pytest.mark.promise("R16")
def test_a_local_disk_inside_a_network_share_and_an_unknown_system_are_fine(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"s:/x / nfs rw 0 0\n/dev/sdb {tmp_path} ext4 rw 0 0\nshort\n")
    assert health.network_folder(tmp_path / "data", mounts) == []
    assert health.network_folder(tmp_path, tmp_path / "no-such-file") == []


@pytest.mark.promise("R16")
def test_the_start_refuses_with_every_sentence_at_once(public, tmp_path, db):
    public.PUBLIC, public.DEBUG, public.SECRET_KEY, public.DATA_DIR = True, True, "x", tmp_path
    found = [p for p in health.self_check() if "journal_mode" not in p]
    assert len(found) == 2


def test_the_trouble_file_is_plain_numbers(tmp_path):
    trouble.write({"web": 3}, tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text()) == {"web": 3}
    assert not (tmp_path / "t.part").exists()
