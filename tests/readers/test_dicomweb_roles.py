"""Every address at the reader's base, for everybody: the reader of the case on the desk, and the same 404 for others."""

import pytest
from django.test import Client

from portal.accounts.tokens import issue
from portal.archive.dicomweb.warm import rights
from readers.grants import grants
from readers.models import Assignment
from tests.cohort import make_user
from tests.readers.builders import make_reading_study, start

pytestmark = pytest.mark.django_db
FOUND = (
    "studies", "series", "instances", "studies/{s}/series", "studies/{s}/instances", "studies/{s}/metadata",
    "studies/{s}", "studies/{s}/series/{e}", "studies/{s}/series/{e}/instances", "studies/{s}/series/{e}/metadata",
    "studies/{s}/series/{e}/rendered", "studies/{s}/series/{e}/thumbnail", "studies/{s}/series/{e}/instances/{i}",
    "studies/{s}/series/{e}/instances/{i}/metadata", "studies/{s}/series/{e}/instances/{i}/frames/1",
    "studies/{s}/series/{e}/instances/{i}/rendered", "studies/{s}/series/{e}/instances/{i}/thumbnail",
    "studies/{s}/series/{e}/instances/{i}/frames/1/rendered", "studies/{s}/series/{e}/instances/{i}/frames/1/thumbnail",
    "studies/{s}/series/{e}/instances/{i}/bulkdata/7FE00010",
)  # fmt: skip
OTHERS = ("expert2", "delineator1", "coordinator", "analyst", "monitor", "outsider", "root")


def client(name: str) -> Client:
    one = Client()
    user = make_user(name)
    if name == "root":
        user.is_superuser = user.is_staff = True
        user.save()
    one.force_login(user)
    return one


@pytest.fixture
def case() -> Assignment:
    grants.kept.clear()
    rights.kept.clear()
    return start(make_reading_study()).assignments.get(position=1)


def addresses(case: Assignment) -> list[str]:
    """Each kind of resource of the case's CT, under the UIDs of the case."""
    document = client("expert1").get(f"/reading/cases/{case.code}/document").json()
    ct = next(s for s in document["series"] if s["role"] == "CT")
    words = {"s": ct["study_uid"], "e": ct["series_uid"], "i": ct["images"][0]["sop_instance_uid"]}
    return [f"/reading/cases/{case.code}/dicomweb/{place.format(**words)}" for place in FOUND]


@pytest.mark.promise("B6")
def test_the_reader_of_the_case_is_answered_and_nobody_else(case):
    where = addresses(case)
    mine = client("expert1")
    assert {mine.get(path).status_code for path in where} == {200}
    for path in where:
        answer = Client().get(path)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")
    for name in OTHERS:
        one = client(name)
        answers = [one.get(path) for path in where]
        assert {a.status_code for a in answers} == {404}, name
        assert len({a.content for a in answers}) == 1, name


@pytest.mark.promise("B6")
def test_a_case_that_is_not_on_the_desk_looks_like_no_case_at_all(case):
    later = Assignment.objects.get(session=case.session_id, position=2)
    one, where = client("expert1"), addresses(case)
    for path in where:
        foreign = one.get(path.replace(case.code, later.code))
        unknown = one.get(path.replace(case.code, "A" * len(case.code)))
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.content == unknown.content
        assert dict(foreign.headers) == dict(unknown.headers)


def test_a_token_reads_the_base_and_nothing_is_written_there(case):
    headers = {"authorization": f"Token {issue(make_user('expert1'), label='t', days=1).text}"}
    for path in addresses(case):
        assert Client().get(path, headers=headers).status_code == 200
        for method in ("post", "put", "patch", "delete"):
            answer = getattr(Client(), method)(path, headers=headers)
            assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("place", "cache"),
    [("studies", "private, no-cache"), ("studies/{s}/metadata", "private, no-cache"),
     ("studies/{s}/series/{e}/instances/{i}/frames/1", "private, max-age=31536000, immutable"),
     ("studies/{s}/series/{e}/rendered", "private, max-age=31536000, immutable"),
     ("studies/{s}/series/{e}/instances/{i}/bulkdata/7FE00010", "private, max-age=31536000, immutable")],
)  # fmt: skip
def test_pixels_may_be_kept_and_headers_are_asked_for_again(case, place, cache):
    path = addresses(case)[FOUND.index(place)]
    first = client("expert1").get(path)
    assert first["Cache-Control"] == cache
    assert first["Vary"] == "Accept, Accept-Encoding, Authorization, Cookie"
    again = client("expert1").get(path, headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
