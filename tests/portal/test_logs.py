"""Plain logs: UTC, request id and what happened; never a body, a query, an identity, an answer or a truth."""

import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from celery.app.trace import build_tracer
from celery.signals import setup_logging
from django.conf import settings
from django.db import IntegrityError
from django.http import HttpRequest
from django.test import Client, RequestFactory
from gunicorn.config import Config
from gunicorn.http.errors import InvalidHeader

from portal import logs
from portal.audit.context import Context, current
from portal.celery import app as portal_app
from portal.jobs import queue, work
from portal.jobs.tasks import leave_logs
from portal.serving import PatientWorker, WebLogger
from tests.cohort import PASSWORD, make_study
from tests.study.test_pages import sign_in

CANARY = "DOE^JANE-4711"


class Lines:
    """What the portal's own handler wrote, by the configuration that the portal runs with."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        found = logs.configuration("DEBUG")["formatters"]["line"]
        made = {k: v for k, v in found.items() if k != "()"}
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(found["()"](**made))

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def events(self, logger: str) -> list[object]:
        return [row["event"] for row in self.rows if row["logger"] == logger]


@contextmanager
def listening() -> Iterator[Lines]:
    one, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(one.handler)
    root.setLevel("DEBUG")
    yield one
    root.removeHandler(one.handler)
    root.setLevel(level)


@pytest.fixture
def lines() -> Iterator[Lines]:
    with listening() as one:
        yield one


def failing(error: BaseException) -> tuple:
    try:
        raise error
    except type(error):
        return sys.exc_info()


def test_a_line_is_json_with_its_time_in_utc_level_logger_and_event(lines):
    logging.getLogger("portal.jobs.queue").warning("wake-up of job %s not sent", 7)
    (row,) = lines.rows
    assert {k: row[k] for k in ("level", "logger", "event")} == {
        "level": "warning", "logger": "portal.jobs.queue", "event": "wake-up of job 7 not sent"
    }  # fmt: skip
    at = str(row["timestamp"])
    assert at.endswith("Z")
    assert abs(datetime.fromisoformat(at) - datetime.now(UTC)) < timedelta(seconds=10)
    assert "request" not in row


def test_a_line_within_a_request_carries_the_id_that_the_trail_has(lines):
    token = current.set(Context(actor="u:7", request="r-1", session="s-1", ip="192.0.2.7"))
    logging.getLogger("portal.errors").warning("so it is")
    current.reset(token)
    assert lines.rows[0]["request"] == "r-1"
    assert not re.search(r"u:7|s-1|192\.0\.2\.7", lines.text)


@pytest.mark.parametrize(
    ("logger", "message", "args", "event"),
    [
        ("portal.jobs.reaper", "sweep skipped: %s", (IntegrityError(CANARY),), "sweep skipped: IntegrityError"),
        ("readers.reading", "case %s, %d", ("abc", 3), "case abc, 3"),
        ("portal", "100 % as it stands", (), "100 % as it stands"),
        ("celery.worker", "Cannot connect to %s: %s", (CANARY, OSError(CANARY)), "Cannot connect to %s: %s"),
        ("celery.app.trace", "Task %(name)s raised %(exc)s", ({"name": "run", "exc": CANARY},), "Task %(name)s raised %(exc)s"),
        ("portality", "of %s", (CANARY,), "of %s"),
        ("py.warnings", f"/x/valuerep.py:443: UserWarning: Invalid value for VR PN: '{CANARY}'\n  warn(m)", (),
         "/x/valuerep.py:443: UserWarning"),
        ("py.warnings", "of %s", (CANARY,), "of %s"),
    ],
    ids=["own error", "own values", "own percent", "broker address", "task error", "not ours by prefix", "warning", "odd warning"],
)  # fmt: skip
def test_of_others_stands_the_pattern_and_of_ours_the_sentence(lines, logger, message, args, event):
    logging.getLogger(logger).error(message, *args)
    assert lines.events(logger) == [event]
    assert CANARY not in lines.text


def test_a_ready_made_text_of_others_is_named_by_its_place_only(lines):
    logging.getLogger("pydicom").warning(f"Invalid value '{CANARY}'")
    (event,) = lines.events("pydicom")
    assert re.fullmatch(r"a message of test_logs:\d+", str(event))


def test_of_an_error_stand_class_and_places_never_its_text(lines):
    logging.getLogger("django.request").error(
        "%s: %s", "x", "y", exc_info=failing(ValueError(CANARY))
    )
    (row,) = lines.rows
    assert row["error"] == "ValueError"
    assert re.fullmatch(r".*test_logs\.py:\d+ failing", str(row["places"][-1]))
    assert CANARY not in lines.text


def test_nothing_that_a_caller_adds_to_a_line_is_written(lines):
    more = {"patient": CANARY, "stack": CANARY}
    logging.getLogger("portal.study").error("so", extra=more, stack_info=True)
    (row,) = lines.rows
    assert set(row) == {"level", "logger", "event", "timestamp"}


def test_warnings_of_libraries_take_the_same_way(lines, monkeypatch):
    """`warnings` writes to standard error otherwise, with the value that offended."""
    monkeypatch.setattr(logging.config, "dictConfig", lambda _: None)
    logging.captureWarnings(False)
    logs.start({"level": "WARNING"})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging._showwarning(UserWarning(f"Invalid: {CANARY}"), UserWarning, "reader.py", 12)
    finally:
        logging.captureWarnings(False)
    assert lines.events("py.warnings") == ["reader.py:12: UserWarning"]
    assert CANARY not in lines.text


def about(path: str, route: str | None) -> HttpRequest:
    request = RequestFactory().get(path)
    if route is not None:
        request.resolver_match = type("Match", (), {"route": route})()
    return request


@pytest.mark.parametrize(
    ("path", "route", "status", "event"),
    [
        (f"/studies/a/?patient={CANARY}", "studies/<slug:study>/", 404, "Not Found: /studies/<slug:study>/"),
        (f"/{CANARY}", None, 404, "Not Found"),
        (f"/password/reset/key/{CANARY}/", "password/reset/key/<key>/", 500, "Internal Server Error: /password/reset/key/<key>/"),
        ("/", "", 503, "Service Unavailable: /"),
        ("/", None, 999, "999"),
    ],
)  # fmt: skip
def test_a_line_about_an_answer_names_the_route(lines, path, route, status, event):
    logging.getLogger("django.request").warning(
        "%s: %s", "why", path, extra={"status_code": status, "request": about(path, route)}
    )
    assert lines.events("django.request") == [event]
    assert CANARY not in lines.text


def test_a_refusal_is_told_with_the_id_of_its_request_though_that_is_over(lines):
    request = about("/x/", "x/")
    request.audit_context = Context(request="r-9")
    logging.getLogger("django.request").warning("x", extra={"status_code": 403, "request": request})
    assert lines.rows[0]["request"] == "r-9"


# --- canaries through the real doors ------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.promise("A5")
@pytest.mark.promise("S9")
def test_no_request_leaves_what_was_sent_in_a_log(lines):
    make_study()
    client = sign_in("coordinator")
    client.raise_request_exception = False
    json_body = json.dumps({"code": CANARY, "reason": CANARY})
    client.get(
        f"/studies/bone/?q={CANARY}", headers={"X-Patient": CANARY, "Referer": f"http://x/{CANARY}"}
    )
    client.get(f"/{CANARY}/?name={CANARY}")
    client.get("/", headers={"Host": f"{CANARY}.example"})
    client.post("/studies/bone/members/", {"name": CANARY})
    client.post("/api/v1/studies/", json_body, content_type="application/json")
    client.post("/api/v1/studies/", f'{{"broken": "{CANARY}', content_type="application/json")
    client.get(
        "/healthz", headers={"Cookie": f"sessionid={CANARY}", "Authorization": f"Token {CANARY}"}
    )
    Client().post("/accounts/login/", {"login": CANARY, "password": CANARY})
    Client().post("/accounts/login/", {"login": "coordinator", "password": CANARY})
    strict = Client(enforce_csrf_checks=True)
    strict.post(f"/accounts/login/?next={CANARY}", {"login": CANARY})
    report = {
        "csp-report": {"blocked-uri": f"https://x/?q={CANARY}", "effective-directive": "img-src"}
    }
    client.post("/csp-report/", json.dumps(report), content_type="application/csp-report")
    assert len(lines.rows) >= 5
    assert CANARY not in lines.text
    assert PASSWORD not in lines.text
    assert settings.SECRET_KEY not in lines.text


@pytest.mark.django_db
@pytest.mark.promise("A5")
def test_a_failing_view_tells_class_and_place_and_request(lines, monkeypatch):
    make_study()
    client = sign_in("coordinator")
    client.raise_request_exception = False

    def fail(*_: object, **__: object) -> None:
        raise IntegrityError(f"Key (subject)=({CANARY}) already exists.")

    monkeypatch.setattr("portal.accounts.own_pages.show", fail)
    assert client.get(f"/account/?q={CANARY}").status_code == 500
    found = [r for r in lines.rows if r["logger"] == "django.request" and r["level"] == "error"]
    assert [(r["event"], r["error"]) for r in found] == [
        ("Internal Server Error: /account/", "IntegrityError")
    ]
    assert re.fullmatch("[0-9a-f]{16}", str(found[0]["request"]))
    assert CANARY not in lines.text


@pytest.mark.django_db
@pytest.mark.promise("A5")
def test_a_failing_job_leaves_its_values_on_its_row_only(lines, monkeypatch):
    """Through Celery's own tracer, which writes the error's text and the arguments into its log."""

    def fail(_: object) -> None:
        raise KeyError(CANARY)

    monkeypatch.setitem(queue.KINDS, "canary", fail)
    job = queue.enqueue("canary", {"subject": CANARY})
    app = Celery("canary", broker="memory://", set_as_current=False)
    task = app.task(name="canary.run")(work.run)
    build_tracer(task.name, task, app=app)("id", [job.pk], {}, {})
    job.refresh_from_db()
    assert (job.state, job.error_text) == ("failed", f"'{CANARY}'")
    assert "KeyError" in {row.get("error") for row in lines.rows}
    assert CANARY not in lines.text


# --- gunicorn -----------------------------------------------------------------------------------


@pytest.fixture
def web(lines) -> Iterator[PatientWorker]:
    """A worker that only tells: its logger is the one `up` names, its clients are gone."""
    error_log = logging.getLogger("gunicorn.error")
    before = (list(error_log.handlers), error_log.propagate, error_log.level)
    worker = object.__new__(PatientWorker)
    worker.cfg = Config()
    worker.log = WebLogger(worker.cfg)
    yield worker
    error_log.handlers, error_log.propagate = before[:2]
    error_log.setLevel(before[2])


class Gone:
    def sendall(self, _: bytes) -> None:
        raise OSError


@pytest.mark.promise("A5")
def test_gunicorn_tells_of_a_broken_head_without_quoting_it(web, lines):
    web.handle_error(None, Gone(), ("192.0.2.7", 1), InvalidHeader(f"Cookie {CANARY}"))
    assert len(lines.events("gunicorn.error")) >= 1
    assert CANARY not in lines.text
    assert "192.0.2.7" not in lines.text


@pytest.mark.promise("A5")
def test_gunicorn_tells_of_a_failed_request_without_its_address(web, lines):
    error = failing(RuntimeError(CANARY))
    address = f"/studies/?q={CANARY}"
    web.log.error("Error handling request %s %s", "GET", address, exc_info=error)
    (row,) = lines.rows
    assert (row["event"], row["error"]) == ("Error handling request %s %s", "RuntimeError")
    assert CANARY not in lines.text


def test_the_portal_logs_by_this_configuration_and_celery_keeps_off():
    assert settings.LOGGING_CONFIG == "portal.logs.start"
    assert logs.configuration("ERROR")["root"] == {"handlers": ["console"], "level": "ERROR"}
    portal_app.loader.init_worker()  # what a worker does before it sets its logging up
    assert leave_logs in {ref() for _, ref, *_ in setup_logging.receivers}
