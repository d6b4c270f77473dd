"""Bodies that stop or break on their way in: one sentence each, and nothing is stored."""

import io

import pytest
from django.test import RequestFactory
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize, NoMoreData

from portal.archive.dicomweb.incoming import reader
from portal.archive.frames import BadRequest
from portal.errors import Stalled, StudyErrorMiddleware
from tests.archive.dicomweb.test_stow import KIND


class Breaking(io.BytesIO):
    """A stream that gives its bytes and then fails."""

    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(data)
        self.error = error

    def read(self, size: int = -1) -> bytes:
        found = super().read(size)
        if not found:
            raise self.error
        return found


def asked(error: Exception, *, chunked: bool):
    """Reads the body in bytes of its own."""
    headers = {"HTTP_TRANSFER_ENCODING": "chunked"} if chunked else {}
    request = RequestFactory().post("/dicomweb/studies", content_type=KIND.format("b"), **headers)
    request.environ["wsgi.input"] = request._stream = Breaking(b"abc", error)
    into, place = reader(request), bytearray(10)
    return lambda: bytes(place[: into(memoryview(place))])


@pytest.mark.promise("H9")
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize(
    "error", [BlockingIOError(11, "again"), NoMoreData(), ConnectionResetError()]
)
def test_a_body_that_stops_coming_is_408(error, chunked):
    read = asked(error, chunked=chunked)
    assert read() == b"abc"
    with pytest.raises(Stalled, match="did not come in time") as found:
        read()
    assert found.value.status == 408


@pytest.mark.promise("H9")
@pytest.mark.parametrize("error", [InvalidChunkSize(b"zz"), ChunkMissingTerminator(b"x")])
def test_chunks_that_are_none_are_400(error):
    read = asked(error, chunked=True)
    read()
    with pytest.raises(BadRequest, match="broken"):
        read()


@pytest.mark.promise("H9")
def test_any_page_says_so_when_a_body_stops_coming():
    request = RequestFactory().post("/api/v1/x", {"a": "b"})
    request._stream = Breaking(b"", BlockingIOError(11, "again"))
    middleware = StudyErrorMiddleware(lambda _: None)
    try:
        request.body  # noqa: B018  reading it is what fails
    except OSError as error:
        answer = middleware.process_exception(request, error)
    assert answer is not None
    assert (answer.status_code, b"send it again" in answer.content) == (408, True)
