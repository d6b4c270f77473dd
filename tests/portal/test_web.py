"""The web's own dangers: redirects, hosts, cookies, guessed accounts, uploaded pages, secrets, the clock."""

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from portal.audit import trail
from portal.audit.models import AuditEvent
from portal.audit.verify import verify
from tests.cohort import PASSWORD, make_study, make_user
from tests.study.test_pages import sign_in

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
LOGIN = "/accounts/login/"
ELSEWHERE = ("https://evil.example/", "//evil.example", "javascript:alert(1)", "http:///evil.example", "\\\\evil")  # fmt: skip


@pytest.fixture(autouse=True)
def no_limit_is_left_over():
    cache.clear()
    yield
    cache.clear()


def log_in(client: Client, name: str, password: str = PASSWORD, **more):
    return client.post(LOGIN, {"login": name, "password": password, **more})


@pytest.mark.promise("S2")
@pytest.mark.parametrize("target", ELSEWHERE)
def test_nobody_is_sent_elsewhere_after_signing_in(target):
    make_user("expert1")
    response = log_in(Client(), "expert1", next=target)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/")
    assert not response.headers["Location"].startswith(("//", "/\\"))


@pytest.mark.promise("S3")
@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_a_foreign_host_is_not_answered(host):
    assert Client().get(LOGIN, headers={"host": host}).status_code == 400


@pytest.mark.promise("S5")
def test_the_session_is_new_after_signing_in_and_its_cookie_is_for_no_script():
    make_user("expert1")
    client = Client()
    client.get(LOGIN)
    client.session["seed"] = 1
    before = client.cookies.get("sessionid")
    log_in(client, "expert1")
    cookie = client.cookies["sessionid"]
    assert before is None or before.value != cookie.value
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


@pytest.mark.promise("S5")
def test_signing_out_ends_the_session_on_the_server():
    make_study()
    client = sign_in("coordinator")
    key = client.cookies["sessionid"].value
    client.post("/sign-out/")
    thief = Client()
    thief.cookies["sessionid"] = key
    assert thief.get("/studies/bone/").status_code == 302


def first_failure(client: Client, name: str) -> str:
    page = log_in(client, name, "wrong").content.decode()
    return page.split('class="errorlist')[1][:300] if 'class="errorlist' in page else page[-2000:]


@pytest.mark.promise("S6")
def test_a_wrong_password_does_not_tell_whether_the_account_exists():
    make_user("expert1")
    known, unknown = (log_in(Client(), name, "wrong") for name in ("expert1", "nobody-here"))
    assert known.status_code == unknown.status_code
    strip = lambda r, name: r.content.decode().replace(name, "")  # noqa: E731
    assert len(strip(known, "expert1")) == len(strip(unknown, "nobody-here"))


@pytest.mark.promise("S6")
@pytest.mark.parametrize("name", ["expert1", "nobody-here"])
def test_ten_wrong_passwords_lock_the_name_known_or_not(name):
    make_user("expert1")
    answers = [log_in(Client(), name, f"wrong{k}").status_code for k in range(14)]
    last = log_in(Client(), name, PASSWORD)
    assert answers[0] == 200
    assert last.status_code in {200, 429}
    assert "sessionid" not in last.cookies


@pytest.mark.promise("S7")
def test_every_answer_forbids_guessing_its_type_and_framing(tmp_path):
    make_study()
    client = sign_in("coordinator")
    for path in ("/", "/studies/bone/", "/studies/bone/import/", "/no-such-page/", LOGIN):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "'unsafe-eval'" not in headers["Content-Security-Policy"]


@pytest.mark.promise("R14")
def test_a_clock_that_steps_back_changes_no_order_and_is_marked(monkeypatch):
    trail.record("first")
    earlier = timezone.now() - timedelta(hours=3)
    monkeypatch.setattr(trail.timezone, "now", lambda: earlier)
    trail.record("second")
    rows = list(AuditEvent.objects.order_by("seq").values_list("verb", "clock"))
    assert rows == [("first", "ok"), ("second", "back")]
    assert verify().is_intact


def manage(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OSTEON_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", *words], cwd=ROOT, check=False,
        env={**environment, "OSTEON_DATA_DIR": str(folder), **variables}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.promise("S8")
def test_the_public_profile_passes_the_deployment_check(tmp_path):
    done = manage(
        tmp_path, "check", "--deploy", "--fail-level", "WARNING",
        OSTEON_PUBLIC="1", OSTEON_HOSTS="osteon.example", OSTEON_SECRET_KEY="k" * 60 + "0aZ!",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.promise("S9")
def test_the_first_start_writes_a_secret_of_its_own_for_the_owner_alone(tmp_path):
    keys = []
    for name in ("one", "two"):
        done = manage(
            tmp_path / name,
            "shell",
            "-v",
            "0",
            "-c",
            "from django.conf import settings; import json; print(json.dumps(settings.SECRET_KEY))",
        )
        assert done.returncode == 0, done.stderr
        keys.append(json.loads(done.stdout.strip().splitlines()[-1]))
        (file,) = [p for p in (tmp_path / name).rglob("secret_key*") if p.is_file()]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert keys[-1] in file.read_text()
    assert keys[0] != keys[1]
    assert min(len(key) for key in keys) >= 50


@pytest.mark.promise("S9")
def test_an_error_page_shows_neither_settings_nor_the_secret(client):
    page = client.get("/no-such-page/").content.decode()
    assert settings.SECRET_KEY not in page
    assert "DJANGO_SETTINGS_MODULE" not in page
    assert "Traceback" not in page
