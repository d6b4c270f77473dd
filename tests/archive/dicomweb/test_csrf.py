"""Unsafe requests at DICOMweb's bases: 401 and 405 as for every client, and a session stores with its CSRF token only."""

from datetime import timedelta

import pytest
from django.middleware.csrf import get_token
from django.test import Client, RequestFactory
from django.utils import timezone

from portal.accounts.tokens import issue
from portal.archive.models import Import, Instance
from tests.archive.builders import slices
from tests.archive.dicomweb.test_stow import KIND, body
from tests.cohort import make_study, make_user
from tests.readers.builders import make_reading_study, start

pytestmark = pytest.mark.django_db
DOORS = ("/dicomweb/studies", "/dicomweb/studies/2.25.1")


def strict(name: str = "") -> Client:
    """As a browser or program meets it; with a session of this user."""
    one = Client(enforce_csrf_checks=True)
    if name:
        one.force_login(make_user(name))
    return one


def post(one: Client, path: str, files: list[bytes], **headers: str):
    kind = KIND.format("b")
    return one.post(path, body(*files), content_type=kind, headers={"content-type": kind, **headers})  # fmt: skip


def refused(answer) -> tuple[int, str, str]:
    assert answer["Content-Type"] == "application/json"
    return answer.status_code, answer["Allow"], answer.json()["detail"]


@pytest.fixture
def files(tmp_path) -> list[bytes]:
    make_study(is_synthetic=True)
    return [p.read_bytes() for p in slices(tmp_path, n=1)]


@pytest.fixture
def expired() -> str:
    return issue(make_user("coordinator"), label="t", days=1, now=timezone.now() - timedelta(days=2)).text  # fmt: skip


@pytest.mark.parametrize("path", DOORS)
def test_a_store_without_a_good_credential_is_401(files, expired, path):
    for headers in ({}, {"authorization": "Token x"}, {"authorization": f"Token {expired}"}):
        answer = post(strict(), path, files, **headers)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")
        assert answer["Content-Type"] == "application/json"
        assert list(answer.json()) == ["detail"]
    assert not Import.objects.exists()


@pytest.mark.parametrize("path", DOORS)
def test_a_session_stores_with_its_csrf_token_only(files, path):
    one = strict("coordinator")
    for headers in ({}, {"x-csrftoken": "x" * 32}, {"authorization": "Token x"}):
        answer = post(one, path, files, **headers)
        assert (answer.status_code, answer["Content-Type"]) == (403, "application/json")
        assert "CSRF" in answer.json()["detail"]
    assert not Import.objects.exists()


def test_a_session_with_its_csrf_token_and_a_program_store(files):
    one, asked = strict("coordinator"), RequestFactory().get("/")
    text = get_token(asked)
    one.cookies["csrftoken"] = asked.META["CSRF_COOKIE"]
    assert post(one, DOORS[0], files, **{"x-csrftoken": text}).status_code in (200, 202)
    assert Instance.objects.count() == 1
    token = issue(make_user("coordinator"), label="t", days=1).text
    assert post(strict(), DOORS[0], files, authorization=f"Token {token}").status_code in (200, 202)


def test_a_session_that_may_not_store_is_403_as_without_its_token(files):
    assert post(strict("expert1"), DOORS[0], files).status_code == 403


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_of_a_session_are_405(files, method):
    for path in (*DOORS, "/dicomweb/series"):
        answer = getattr(strict("coordinator"), method)(path)
        allowed = "GET, HEAD, POST" if path in DOORS else "GET, HEAD"
        assert refused(answer) == (
            405,
            allowed,
            f"This address takes {' and '.join(allowed.split(', '))} only.",
        )


@pytest.mark.urls("tests.readers.urls")
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_is_written_at_a_readers_base(method):
    case = start(make_reading_study()).assignments.get(position=1)
    path = f"/reading/cases/{case.code}/dicomweb/studies"
    answer = getattr(strict("expert1"), method)(path)
    assert refused(answer) == (405, "GET, HEAD", "This address takes GET and HEAD only.")
    answer = getattr(strict(), method)(path, headers={"authorization": "Token x"})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")
