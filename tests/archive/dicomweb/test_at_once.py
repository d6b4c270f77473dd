"""Searches before Django: the slow way's words, for the same caller, by reading connections alone."""

from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from portal.accounts.tokens import issue
from portal.archive.dicomweb import source
from portal.archive.dicomweb.warm import SECONDS, WarmDoor, rights
from portal.archive.ingest import import_paths
from portal.archive.models import Exam, Import
from portal.fence.reading import rows_of
from portal.sql import asked
from tests.archive.builders import person, slices
from tests.archive.dicomweb.test_coordinator import client, whole
from tests.archive.dicomweb.test_source_walls import member
from tests.archive.dicomweb.test_warm import clock as _clock
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db
clock = _clock
OHIF = "?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060"


@pytest.fixture
def exams(tmp_path):
    """Three exams of two patients of one study."""
    make_study()
    for k, who in enumerate(("ZZ-1", "ZZ-1", "zz-2")):
        paths = slices(tmp_path / str(k), n=1, who=person(who, f"2.25.70{k}"), series=f"2.25.71{k}")
        import_paths(paths, door=Import.Door.COMMAND, actor=None, study_key="bone")


@pytest.fixture
def reading(monkeypatch):
    """As if the test's own connection were the reading one; the questions that it is asked."""
    told = []

    @contextmanager
    def apart(*, is_fenced: bool):
        assert not is_fenced
        yield True

    def noted(sql, values):
        told.append(sql)
        return rows_of(sql, values)

    monkeypatch.setattr(source, "apart", apart)
    monkeypatch.setattr(asked, "rows_of", noted)
    return told


def at_the_door(query: str, token: str, **headers: str):
    """Status, body and headers as the door gives them; None where Django is asked."""
    heard = []
    door = WarmDoor(lambda environ, start_response: [])
    path, _, rest = f"/dicomweb/studies{query}".partition("?")
    environ = (
        RequestFactory()
        .get(path, headers={"host": "testserver", "authorization": f"Token {token}", **headers})
        .environ
    )
    body = b"".join(
        door(
            {**environ, "QUERY_STRING": rest.encode().decode("latin-1")},
            lambda *said: heard.append(said),
        )
    )
    return (int(heard[0][0][:3]), body, dict(heard[0][1])) if heard else None


def slowly(query: str, token: str, **headers: str):
    asked_with = {"host": "testserver", "authorization": f"Token {token}", **headers}
    answer = Client().get(f"/dicomweb/studies{query}", headers=asked_with)
    return answer.status_code, whole(answer), dict(answer.headers)


def token_of(name: str) -> str:
    return issue(make_user(name), label="t", days=1).text


@pytest.mark.parametrize(
    "query",
    ["", OHIF, "?PatientID=ZZ-1", "?PatientID=ZZ-2", "?00100020=zz-1", "?PatientID=", "?limit=1", "?limit=1&offset=1",
     "?includefield=all", "?PatientID=ZZ-1&limit=1", "?fuzzymatching=true", "?Nonsense=1", "?PatientID=ZZ-1&Odd=%20",
     "?%E5%B1%B1=1", "?%C3%A9=1", "?山=1", "?\u00e9=1&limit=1", "?PatientID=ZZ-1&%C3%A9=1"],
)  # fmt: skip
def test_a_search_before_django_is_the_slow_one_in_every_byte_and_header(exams, reading, query):
    token = token_of("coordinator")
    assert at_the_door(query, token) is None
    cold = slowly(query, token)
    assert cold[0] == 200
    reading.clear()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = at_the_door(query, token)
    assert found == cold
    assert len(queries) == len(reading) > 0


@pytest.mark.parametrize(("query", "said"), [("?%E5%B1%B1=1", "%E5%B1%B1"), ("?%C3%A9=1", "%C3%A9")])  # fmt: skip
def test_a_key_in_any_script_is_named_in_ascii(exams, reading, query, said):
    token = token_of("coordinator")
    warning = f'299 testserver "Parameter {said} is not supported"'
    assert slowly(query, token)[2]["Warning"] == warning
    assert at_the_door(query, token)[2]["Warning"] == warning
    environ = RequestFactory().get("/dicomweb/studies", headers={"host": "testserver", "authorization": f"Token {token}"}).environ  # fmt: skip
    lines, _ = WarmDoor.on_the_wire({**environ, "QUERY_STRING": query[1:]}, "/dicomweb/studies")
    assert f"Warning: {warning}\r\n".encode() in lines


@pytest.mark.parametrize(
    "query",
    ["?PatientID=ZZ-*", "?PatientID=nobody", "?PatientName=a*", "?limit=x", "?limit=0", "?PatientID=ZZ-1&StudyDate=2019",
     "?fuzzymatching=perhaps", "?StudyInstanceUID=2.25.700", "?ModalitiesInStudy=CT"],
)  # fmt: skip
def test_everything_else_is_left_to_django(exams, reading, query):
    token = token_of("coordinator")
    assert slowly("", token)[0] == 200
    assert at_the_door("", token) is not None
    assert at_the_door(query, token) is None


def test_a_nul_is_no_question_to_the_database(exams, reading):
    token = token_of("coordinator")
    slowly("", token)
    at_the_door("?PatientID=nobody", token)
    n = len(reading)
    reading.clear()
    assert at_the_door("?PatientID=%00", token) is None
    assert len(reading) < n
    assert slowly("?PatientID=%00", token)[0] == 204


def test_only_what_is_accepted_and_not_held_already_is_sent(exams, reading):
    token = token_of("coordinator")
    etag = slowly("", token)[2]["ETag"]
    assert at_the_door("", token, accept="text/csv") is None
    assert at_the_door("", token, **{"if-none-match": etag}) is None
    assert at_the_door("", token, accept="application/json") is not None


@pytest.mark.promise("B2")
def test_nobody_else_is_answered_and_nobody_after_ten_seconds(exams, reading, clock):
    token = token_of("coordinator")
    slowly("", token)
    for other in ("x" + token, token_of("expert1"), token_of("coordinator")):
        assert at_the_door("", other) is None
    assert at_the_door("", token, host="evil.example") is None
    assert at_the_door("", token) is not None
    clock.now += SECONDS
    assert at_the_door("", token) is None


@pytest.mark.promise("B1")
def test_readers_and_coordinators_without_the_right_to_truth_get_nothing_at_once(exams, reading):
    member("half", sees_truth=False)
    for name, status in (("half", 200), ("expert1", 403)):
        token = token_of(name)
        assert slowly("", token)[0] == status
        assert at_the_door("", token) is None


def test_a_stranger_finds_only_the_own_exams(exams, reading, tmp_path):
    make_study("other", cast=False)
    member("stranger", "other", sees_truth=True)
    import_paths(slices(tmp_path / "own", n=1, who=person("ZZ-1", "2.25.900"), series="2.25.91"),
                 door=Import.Door.COMMAND, actor=make_user("stranger"))  # fmt: skip
    token = token_of("stranger")
    cold = slowly("?PatientID=ZZ-1", token)
    assert at_the_door("?PatientID=ZZ-1", token) == cold
    assert b"2.25.900" in cold[1]
    assert b"2.25.70" not in cold[1]


def test_where_the_archive_view_shows_some_exams_django_is_asked(exams, reading):
    token = token_of("coordinator")
    slowly("", token)
    assert at_the_door("", token) is not None
    Exam.objects.filter(pk=Exam.objects.first().pk).update(has_source=False)
    assert at_the_door("", token) is None


def test_where_identities_are_not_kept_django_is_asked(exams, reading, settings):
    settings.IDENTITIES = "none"
    token = token_of("coordinator")
    assert slowly("", token)[0] == 200
    assert at_the_door("", token) is None


def test_without_a_reading_connection_django_is_asked(exams):
    """As in this test, whose rows only its own transaction sees."""
    token = token_of("coordinator")
    slowly("", token)
    assert at_the_door("", token) is None
    assert rights.kept


def test_a_session_is_answered_at_once_too(exams, reading):
    one = client()
    host = {"host": "testserver"}
    one.get("/dicomweb/studies", headers=host)
    cookie = "; ".join(f"{k}={v.value}" for k, v in one.cookies.items())
    environ = RequestFactory().get("/dicomweb/studies", headers={"cookie": cookie, **host}).environ
    heard = []
    WarmDoor(lambda *_: [])(environ, lambda *said: heard.append(said))
    assert heard
