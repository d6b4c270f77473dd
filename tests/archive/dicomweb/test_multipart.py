"""Request bodies in parts: any legal boundary, preamble and epilogue, reads of any size, and each limit."""

import io
from email.parser import BytesParser
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.archive.dicomweb import multipart
from portal.archive.dicomweb.incoming import by_reading
from portal.archive.dicomweb.multipart import (
    HEAD_BYTES,
    MOST_BYTES,
    parameters,
    parts,
    single,
)
from portal.archive.frames import BadRequest, TooMuch
from portal.archive.room import Folder

BROKEN = "The multipart body is broken; send it again."
DICOM = b"Content-Type: application/dicom\r\n"


def taken(data: bytes, boundary: str = "b", *, size: int = 2**16, **more) -> list[tuple[str, bytes]]:  # fmt: skip
    """Media type and content of each part, the body being read in pieces of `size`."""
    stream = io.BytesIO(data)
    room = Folder(more.pop("folder"))
    came = parts(by_reading(lambda n: stream.read(min(n, size))), boundary, room, **more)
    found = [(part.media, part.path.read_bytes()) for part in came]
    assert stream.read() == b""  # the connection can be used again
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("parts")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"--b\r\n\r\nx\r\n--b--", [("", b"x")]),  # no header, no end of line after it
        (b"--b\r\n" + DICOM + b"\r\nx\r\n--b--\r\n", [("application/dicom", b"x")]),
        (b"--b\r\n" + DICOM + b"\r\n\r\n--b--", [("application/dicom", b"")]),
        (b"--b\r\n" + DICOM + b"\r\nx\r\n--b\r\n" + DICOM + b"\r\ny\r\n--b--", [("application/dicom", b"x"), ("application/dicom", b"y")]),
        (b"preamble\r\n--b\r\n\r\nx\r\n--b--", [("", b"x")]),
        (b"--bb not ours\r\n--b\r\n\r\nx\r\n--b--", [("", b"x")]),
        (b"--b\r\n\r\nx\r\n--b--\r\nepilogue\r\n--b\r\n\r\nnever\r\n--b--", [("", b"x")]),
        (b"--b  \t\r\n\r\nx\r\n--b--", [("", b"x")]),  # padding of RFC 2046
        (b"--b\r\n\r\nx\r\n--bc\r\n--b--", [("", b"x\r\n--bc")]),  # a longer mark is content
        (b"--b\r\n\r\n--b\r\n\r\n--b--", [("", b"--b\r\n")]),  # without a line's end before it, it is content
        (b"--b\r\n\r\nx\r\n\r\n--b--", [("", b"x\r\n")]),  # the last line's end belongs to the mark, no more
        (b"--b\r\n\r\n\r\n\r\nx\r\n--b--", [("", b"\r\n\r\nx")]),
        (b"--b\r\ncontent-type: Application/DICOM; x=y\r\n\r\nx\r\n--b--", [("application/dicom", b"x")]),
        (b"--b\r\nContent-Location: a\r\nCONTENT-TYPE:image/png\r\nX: y\r\n\r\nx\r\n--b--", [("image/png", b"x")]),
        (b"--b\r\nX-Content-Type: image/png\r\n\r\nx\r\n--b--", [("", b"x")]),
        (b"--b--", []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 3, 2**16])
def test_a_body_is_taken_apart_as_rfc_2046_says(folder, data, found, size):
    assert taken(data, folder=folder, size=size) == found


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\r\n", b"--b", b"--b\r\n", b"--b\r\n\r\n", b"--b\r\n\r\nx", b"--b\r\n\r\nx\r\n", b"--b\r\n\r\nx\r\n--b",
        b"--b\r\n\r\nx\r\n--b-", b"no mark at all", b"--c\r\n\r\nx\r\n--c--", b"--b\r\n" + DICOM,
    ],
)  # fmt: skip
def test_a_body_without_its_end_is_broken(folder, data):
    with pytest.raises(BadRequest) as refusal:
        taken(data, folder=folder)
    assert str(refusal.value) == BROKEN


legal = st.text("0123456789abcXYZ'()+_,-./:=?", min_size=1, max_size=70)
# bytes that are nearly marks, so that windows and false beginnings are tried
nearly = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", b"b", b"x", b"\r\n--bx"]), max_size=12).map(b"".join)  # fmt: skip


def whole(contents: list[bytes], boundary: str) -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + DICOM + b"\r\n" + c + b"\r\n" for c in contents) + mark + b"--\r\n"  # fmt: skip


@given(st.lists(nearly, min_size=1, max_size=4), st.integers(1, 40))
def test_what_nearly_is_a_mark_is_content_whatever_the_size_of_the_reads(folder, contents, size):
    boundary = "bound"
    assert taken(whole(contents, boundary), boundary, folder=folder, size=size) == [
        ("application/dicom", c) for c in contents
    ]


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4), legal)
def test_any_legal_boundary_separates(folder, contents, boundary):
    if any(f"\r\n--{boundary}".encode() in b"\r\n" + c + b"\r\n--" for c in contents):
        return
    found = taken(whole(contents, boundary), boundary, folder=folder)
    assert [content for _, content in found] == contents


@given(st.lists(st.text("abc -", max_size=20), min_size=1, max_size=4))
def test_the_standard_library_takes_it_apart_in_the_same_way(folder, texts):
    """An independent reader, of text without line ends, which it would change."""
    data = whole([t.encode() for t in texts], "bound")
    head = b'Content-Type: multipart/related; boundary="bound"\r\n\r\n'
    other = BytesParser(policy=HTTP).parsebytes(head + data)
    expected = [(p.get_content_type(), p.get_payload(decode=True)) for p in other.get_payload()]
    assert taken(data, "bound", folder=folder) == expected


@pytest.mark.parametrize("boundary", ["", "b" * 201])
def test_a_boundary_has_1_to_200_characters(folder, boundary):
    with pytest.raises(BadRequest, match=r"The request names no boundary of its parts\."):
        taken(whole([b"x"], boundary), boundary, folder=folder)


@pytest.mark.parametrize("length", [70, 73, 200])
def test_a_boundary_may_be_longer_than_is_legal_as_orthancs_is(folder, length):
    boundary = "b" * length
    assert taken(whole([b"x"], boundary), boundary, folder=folder) == [("application/dicom", b"x")]


@pytest.mark.parametrize(("extra", "is_taken"), [(0, True), (1, False)])
def test_the_head_of_a_part_has_at_most_16_kib(folder, extra, is_taken):
    assert HEAD_BYTES == 16 * 1024
    head = b"\r\nX: " + b"y" * (HEAD_BYTES - 5 + extra)
    data = b"--b" + head + b"\r\n\r\nx\r\n--b--"
    if is_taken:
        assert taken(data, folder=folder) == [("", b"x")]
    else:
        with pytest.raises(BadRequest, match=r"The head of a part is too long\."):
            taken(data, folder=folder)


def test_a_head_without_an_end_is_given_up_after_its_limit(folder):
    with pytest.raises(BadRequest, match="too long"):
        taken(b"--b\r\nX: " + b"y" * 10**6, folder=folder, size=1000)


@pytest.mark.parametrize(("n", "is_taken"), [(5_000, True), (5_001, False)])
def test_a_request_has_at_most_so_many_parts(folder, n, is_taken):
    if is_taken:
        assert len(taken(whole([b"x"] * n, "b"), folder=folder)) == n
    else:
        with pytest.raises(TooMuch) as refusal:
            taken(whole([b"x"] * n, "b"), folder=folder)
        assert (str(refusal.value), refusal.value.status) == ("A request holds at most 5000 images.", 413)  # fmt: skip


@pytest.mark.parametrize("over", [0, 1])
def test_a_request_has_at_most_so_many_bytes(folder, over):
    assert MOST_BYTES == 4 * 2**30
    data = whole([b"x" * 100], "b")
    if not over:
        assert len(taken(data, folder=folder, most_bytes=len(data))) == 1
    else:
        with pytest.raises(TooMuch, match="send fewer images at once"):
            taken(data, folder=folder, most_bytes=len(data) - 1)


@pytest.mark.parametrize("size", [1, 64, 2**16])
@pytest.mark.parametrize("over", [0, 1])
def test_a_single_image_has_at_most_as_many_bytes(tmp_path, size, over):
    stream = io.BytesIO(b"x" * 100)
    came = single(by_reading(lambda n: stream.read(min(n, size))), "application/dicom", Folder(tmp_path), most_bytes=100 - over)  # fmt: skip
    if not over:
        assert [part.size for part in came] == [100]
        return
    with pytest.raises(TooMuch, match="send fewer images at once") as refusal:
        list(came)
    assert refusal.value.status == 413
    assert (tmp_path / "1").stat().st_size < 100


def test_parts_lie_under_numbers_of_ours_whatever_they_are_called(tmp_path):
    head = b'--b\r\nContent-Disposition: attachment; filename="../../etc/passwd"\r\n\r\n'
    found = [p.path for p in parts(by_reading(io.BytesIO(head + b"x\r\n" + head + b"y\r\n--b--").read), "b", Folder(tmp_path))]  # fmt: skip
    assert found == [tmp_path / "1", tmp_path / "2"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "2"]


def test_a_large_part_is_never_whole_in_memory(tmp_path):
    """16 MiB in reads of 64 KiB: the window stays as wide as it was."""
    left = [b"--b\r\n\r\n", *[bytes(2**16)] * 256, b"\r\n--b--"]
    room = Folder(tmp_path)
    window = room.window()
    into = by_reading(lambda _: left.pop(0) if left else b"")
    body = multipart.Body(into, "b", window, MOST_BYTES)
    body.to_delimiter(None)
    body.head()
    with room.opened(1, body.at) as (out, place):
        assert body.to_delimiter(out)
    assert place.path == tmp_path / "1"
    assert (tmp_path / "1").stat().st_size == body.written == 2**24
    assert len(window.bytes) < 2**20


@pytest.mark.parametrize(
    ("text", "media", "given_"),
    [
        ("multipart/related; boundary=b", "multipart/related", {"boundary": "b"}),
        ('Multipart/Related; TYPE="application/dicom"; Boundary="a b;c"', "multipart/related", {"type": "application/dicom", "boundary": "a b;c"}),
        ("application/dicom", "application/dicom", {}),
        ("", "", {}),
        ("a/b;", "a/b", {"": ""}),
        ("a/b; x", "a/b", {"x": ""}),
        ("a/b;x=1=2", "a/b", {"x": "1=2"}),
    ],
)  # fmt: skip
def test_a_content_type_is_its_media_type_and_its_parameters(text, media, given_):
    assert parameters(text) == (media, given_)
