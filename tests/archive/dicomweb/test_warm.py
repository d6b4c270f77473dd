"""Warm frames: the same bytes as the slow way, for the same caller only, and for ten seconds."""

import resource
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from portal.accounts.tokens import issue
from portal.archive import packs
from portal.archive.dicomweb.warm import (
    DOCUMENT,
    FRAME,
    KEPT,
    SECONDS,
    Right,
    Rights,
    WarmDoor,
    WarmFrameMiddleware,
    hand_on,
    key_of,
    rights,
)
from portal.archive.frames import Location, View
from portal.archive.models import Instance
from portal.audit.models import AuditEvent
from readers.grants import grants
from tests.archive.dicomweb.test_coordinator import archive as _archive
from tests.archive.dicomweb.test_coordinator import client, path_of, whole
from tests.archive.dicomweb.test_coordinator import view as _view
from tests.cohort import make_user
from tests.readers.builders import make_reading_study, start

pytestmark = pytest.mark.django_db
archive, view = _archive, _view
STORED = "multipart/related; type=application/octet-stream; transfer-syntax=*"
FORMS = [
    None, "*/*", STORED, "application/octet-stream", "application/octet-stream; transfer-syntax=*",
    'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1',
]  # fmt: skip


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    one = Clock()
    monkeypatch.setattr(rights, "clock", one)
    rights.kept.clear()
    yield one
    rights.kept.clear()


@pytest.fixture
def desk():
    """A reader, and the addresses of the frames of the case on the desk."""
    case = start(make_reading_study()).assignments.get(position=1)
    one = client("expert1")
    document = one.get(f"/reading/cases/{case.code}/document").json()
    rights.kept.clear()
    return one, [image["url"] for s in document["series"] for image in s["images"]]


def said(answer) -> tuple[int, bytes, dict[str, str]]:
    return answer.status_code, whole(answer), dict(answer.headers)


@pytest.mark.promise("B2")
@pytest.mark.parametrize("accept", FORMS)
def test_a_warm_frame_is_the_cold_one_in_every_byte_and_header(desk, accept):
    one, urls = desk
    asked = {"headers": {"accept": accept}} if accept else {}
    for url in urls:
        rights.kept.clear()
        cold = said(one.get(url, **asked))
        assert rights.kept
        assert said(one.get(url, **asked)) == cold


@pytest.fixture
def before_django():
    """The door for gunicorn over an application that answers nothing: asked only where no frame is warm."""

    def ask(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]] | None:
        heard = []
        door = WarmDoor(lambda environ, start_response: [])
        environ = RequestFactory().get(url, headers=headers).environ
        body = b"".join(door(environ, lambda *told: heard.append(told)))
        return (int(heard[0][0][:3]), body, dict(heard[0][1])) if heard else None

    return ask


@pytest.mark.promise("B2")
@pytest.mark.parametrize("accept", FORMS[1:])
def test_before_django_a_warm_frame_is_the_same_in_every_byte_and_header(
    desk, before_django, accept
):
    urls, text = desk[1], issue(make_user("expert1"), label="t", days=1).text
    headers = {"authorization": f"Token {text}", "accept": accept}
    for url in urls:
        rights.kept.clear()
        assert before_django(url, **headers) is None
        cold = said(Client().get(url, headers=headers))
        assert before_django(url, **headers) == cold


def test_before_django_only_the_very_caller_is_answered_and_only_for_ten_seconds(
    desk, before_django, clock
):
    url, text = desk[1][0], issue(make_user("expert1"), label="t", days=1).text
    mine = {"authorization": f"Token {text}"}
    etag = Client().get(url, headers=mine)["ETag"]
    assert before_django(url, **mine) is not None
    assert before_django(url) is None
    assert before_django(url, authorization=f"Token {text}x") is None
    assert before_django(url, **mine, host="evil.example") is None
    assert before_django(url + "000", **mine) is None
    assert before_django(url, **mine, accept="video/mpeg") is None
    assert before_django(url, **mine, **{"if-none-match": etag}) is None
    clock.now += SECONDS
    assert before_django(url, **mine) is None


def test_a_warm_frame_asks_the_database_nothing_and_writes_nothing(desk, django_assert_num_queries):
    one, urls = desk
    one.get(urls[0])
    before = AuditEvent.objects.count()
    with django_assert_num_queries(0):
        assert {one.get(url).status_code for url in urls} == {200}
    assert AuditEvent.objects.count() == before


def test_a_coordinators_frames_become_warm_series_by_series(archive, django_assert_num_queries):
    slices = [path_of(i) for i in Instance.objects.filter(series__role="CT")]
    nm = path_of(Instance.objects.get(series__role="SPECT"))
    one = client()
    one.get(f"{slices[0]}/frames/1")
    with django_assert_num_queries(0):
        assert {one.get(f"{path}/frames/1").status_code for path in slices} == {200}
    assert one.get(f"{nm}/frames/5").status_code == 200
    with django_assert_num_queries(0):
        assert {one.get(f"{path}/frames/1").status_code for path in [*slices, nm]} == {200}


def test_a_right_ends_after_ten_seconds_and_is_not_lengthened_by_use(desk, clock):
    one, urls = desk
    assert one.get(urls[0]).status_code == 200
    make_user("expert1").memberships.update(can_read=False)
    clock.now += SECONDS - 0.01
    assert one.get(urls[1]).status_code == 200
    clock.now += 0.02
    grants.kept.clear()
    assert one.get(urls[1]).status_code == 404


def test_nobody_else_is_served_by_a_warm_right(desk):
    one, urls = desk
    assert one.get(urls[0]).status_code == 200
    assert Client().get(urls[0]).status_code == 401
    assert client("expert2").get(urls[0]).status_code == 404
    assert client("coordinator").get(urls[0]).status_code == 404
    assert one.get(urls[0], headers={"authorization": "Token wrong"}).status_code in (200, 401)
    assert one.get(urls[0], headers={"host": "evil.example"}).status_code == 400


def test_a_token_is_a_caller_of_its_own(desk):
    one, urls = desk
    text = issue(make_user("expert1"), label="t", days=1).text
    with_token = {"authorization": f"Token {text}"}
    assert Client().get(urls[0], headers=with_token).status_code == 200
    assert len(rights.kept) == 1
    assert Client().get(urls[1], headers=with_token).status_code == 200
    assert Client().get(urls[1], headers={"authorization": f"Token {text}x"}).status_code == 401


@pytest.mark.parametrize(
    ("tail", "status"), [("0", 400), ("999", 404), ("1,999", 404), ("a", 400), ("1,,1", 400)]
)
def test_what_the_slow_way_refuses_a_warm_right_does_not_serve(desk, tail, status):
    one, urls = desk
    one.get(urls[0])
    base = urls[0].rsplit("/", 1)[0]
    warm = said(one.get(f"{base}/{tail}"))
    rights.kept.clear()
    assert said(one.get(f"{base}/{tail}")) == warm
    assert warm[0] == status


def test_a_frame_that_is_held_is_not_sent_again_and_other_methods_take_the_slow_way(desk):
    one, urls = desk
    first = one.get(urls[0])
    again = one.get(urls[0], headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    head = one.head(urls[0])
    assert (head.content, head["Content-Length"]) == (b"", str(len(first.content)))
    assert one.post(urls[0]).status_code == 405
    assert one.get(urls[0], headers={"accept": "video/mpeg"}).status_code == 406


def test_refusals_teach_nothing(desk):
    one, urls = desk
    assert one.get(urls[0] + "000").status_code == 404
    assert not rights.kept


def right(name: str, until: float = 1.0, **places) -> Right:
    return Right(name, {(k, k, k): v for k, v in places.items()}, until)


def test_rights_gain_places_but_never_time():
    clock = SimpleNamespace(now=0.0)
    kept = Rights(clock=lambda: clock.now)
    place = Location("f", "1.2", (), ())
    kept.keep(b"k", right("a", 5.0, x=place))
    kept.keep(b"k", right("a", 9.0, y=place))
    found = kept.of(b"k")
    assert found is not None
    assert set(found.places) == {("x",) * 3, ("y",) * 3}
    clock.now = 5.0
    assert kept.of(b"k") is None


@pytest.mark.parametrize(
    ("until", "age", "is_served"),
    [
        (None, 9.99, True), (None, 10.0, False), (103.0, 2.99, True), (103.0, 3.0, False), (500.0, 9.99, True),
        (500.0, 10.0, False), (100.0, 0.0, False), (50.0, 0.0, False),
    ],
)  # fmt: skip
def test_a_right_ends_with_the_sign_in_and_after_ten_seconds_at_the_latest(clock, until, age, is_served):  # fmt: skip
    """`until` is when the case closes or the session ends; the clock begins at 100."""
    request = RequestFactory().get("/x")
    hand_on(request, View("a", {("x",) * 3: Location("f", "1.2", (), ())}), until)
    rights.keep(b"k", request.right)
    clock.now += age
    assert (rights.of(b"k") is not None) is is_served


@pytest.mark.parametrize(
    ("path", "frame", "document"),
    [
        ("/dicomweb/studies/1.2/series/1.3/instances/1.4/frames/1", True, False),
        ("/dicomweb/studies/1.2/series/1.3/instances/1.4/frames/1,2", True, False),
        ("/reading/cases/K7Q/dicomweb/studies/1.2/series/1.3/instances/1.4/frames/1", True, False),
        ("/dicomweb/studies/1.2/series/1.3/instances/1.4/frames/1/rendered", False, False),
        ("/dicomweb/studies/1.2/series/1.3/instances/1.4/frames/1/", False, False),
        (
            "/dicomweb/studies/../series/1.3/instances/1.4/frames/1",
            True,
            False,
        ),  # no UID, so no place has it
        ("/dicomweb/studies", False, True),
        ("/dicomweb/studies/1.2/series/1.3/metadata", False, True),
        ("/dicomweb/studies/1.2/series/1.3/instances", False, True),
        (
            "/dicomweb/studies/1.2",
            False,
            False,
        ),  # whole images: each retrieval is a row of the trail
        ("/dicomweb/studies/1.2/series/1.3", False, False),
        ("/dicomweb/studies/1.2/rendered", False, False),
        ("/studies/bone/", False, False),
        ("/dicomweb/", False, False),
    ],
)
def test_only_frames_searches_and_metadata_are_ever_warm(path, frame, document):
    assert (FRAME.fullmatch(path) is not None, DOCUMENT.fullmatch(path) is not None) == (frame, document)  # fmt: skip


def test_another_view_takes_the_place_of_the_older_one():
    kept = Rights(clock=lambda: 0.0)
    kept.keep(b"k", right("a", x=Location("f", "1.2", (), ())))
    kept.keep(b"k", right("b"))
    found = kept.of(b"k")
    assert found is not None
    assert (found.name, found.places) == ("b", {})


def test_only_so_many_rights_are_kept():
    kept = Rights(clock=lambda: 0.0)
    for k in range(KEPT + 5):
        kept.keep(str(k).encode(), right("a"))
    assert len(kept.kept) == KEPT
    assert kept.of(b"0") is None


def test_a_key_holds_no_credential_and_differs_in_all_that_sign_in_looks_at():
    def asked(**more):
        return RequestFactory().get("/x", **more)

    variants = [
        asked(), asked(HTTP_COOKIE="sessionid=a"), asked(HTTP_COOKIE="sessionid=b"), asked(HTTP_AUTHORIZATION="Token a"),
        asked(HTTP_HOST="localhost"), asked(HTTP_X_FORWARDED_PROTO="https"), asked(secure=True),
    ]  # fmt: skip
    keys = [key_of(v.META, "/a/dicomweb") for v in variants]
    keys.append(key_of(variants[0].META, "/b/dicomweb"))
    assert len(set(keys)) == len(keys)
    assert all(len(k) == 16 for k in keys)


def test_an_answer_that_sets_a_cookie_teaches_nothing():
    def view(request):
        request.right = right("a", x=Location("f", "1.2", (), ()))
        answer = HttpResponse("x")
        answer.set_cookie("sessionid", "new")
        return answer

    url = "/dicomweb/studies/1.2/series/1.2/instances/1.2/frames/1"
    WarmFrameMiddleware(view)(RequestFactory().get(url))
    assert not rights.kept


def test_a_hundred_thousand_frames_leave_memory_as_it_was(tmp_path, archive):
    """Extents and rights are what a process keeps per frame; a hundred thousand of them stay small."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = Rights(clock=lambda: 0.0)
    place = Location(
        "f" * 32, "1.2.840.10008.1.2.1", tuple(packs.Extent(33_000 * k, 32_768) for k in range(100_000)), ()
    )  # fmt: skip
    kept.keep(b"k", Right("a", {("1", "2", "3"): place}, 1.0))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 50


def test_many_frames_in_a_row_do_not_pile_up(desk):
    one, urls = desk
    one.get(urls[0])
    for _ in range(50):
        one.get(urls[0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for k in range(2000):
        one.get(urls[k % len(urls)])
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 8
    assert len(rights.kept) == 1


def test_sixteen_clients_at_once_each_get_their_own_frames(desk):
    """Ten frames each, in orders of their own, out of one process: no byte of another's frame."""
    _, urls = desk
    said = {"HTTP_AUTHORIZATION": f"Token {issue(make_user('expert1'), label='t', days=1).text}"}
    wanted = {url: Client().get(url, **said).content for url in urls}
    (key,) = rights.kept
    door = WarmFrameMiddleware(lambda _: HttpResponse(status=500))

    def ask(number: int) -> list[bool]:
        order = [urls[(7 * number + k * (number + 1)) % len(urls)] for k in range(10)]
        asked = [RequestFactory().get(url, **said) for url in order]
        return [door(r).content == wanted[u] for r, u in zip(asked, order, strict=True)]

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(ask, range(16)))
    assert list(rights.kept) == [key]
    assert found == [[True] * 10] * 16
