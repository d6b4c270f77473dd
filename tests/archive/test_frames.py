"""Frames of a view: numbers as they are written, the parts in their order, and the same 404 for all else (7.4)."""

import hashlib
import os
from email.parser import BytesParser
from email.policy import HTTP

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from portal.archive import frames, packs
from portal.archive.accept import Wanted
from portal.archive.frames import (
    BadRequest,
    Location,
    NotAcceptable,
    TooMuch,
    View,
    etag_of,
    frame_numbers,
    serve,
)
from portal.archive.packs import Extent, Spooled
from portal.archive.store import Damaged
from portal.errors import NotFound

LE, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"
STORED = "multipart/related; type=application/octet-stream; transfer-syntax=*"
ONE = "application/octet-stream"
NATIVE = [b"first frame", b"\r\n--", b"", b"the fourth"]
PACKED = [b"a", b"bb", b"ccc", b"dddd"]
KEY = {"study": "1.1", "series": "1.2", "instance": "1.3"}


def laid(folder: str, pack: str, rows: list[bytes], syntax: str, spool) -> tuple[Extent, ...]:
    spool.write_bytes(b"".join(rows))
    ends = [sum(map(len, rows[:k])) for k in range(len(rows))]
    spooled = [Spooled(spool, at, len(row)) for at, row in zip(ends, rows, strict=True)]
    return tuple(packs.append(packs.made_folder(folder), pack, spooled, syntax, after=0))


@pytest.fixture
def place(tmp_path, settings) -> Location:
    settings.ARCHIVE_DIR = tmp_path / "archive"
    packs.open_packs.forget()
    name = packs.new_folder()
    native = laid(name, packs.NATIVE, NATIVE, LE, tmp_path / "spool")
    return Location(name, RLE, native, laid(name, packs.STORED, PACKED, RLE, tmp_path / "spool"))


def ask(place: Location, numbers: str, accept: str = "", *, name: str = "view", **other):
    headers = {"accept": accept} if accept else {}
    if "held" in other:
        headers["if-none-match"] = other.pop("held")
    request = RequestFactory().get("/x", headers=headers)
    view = View(name, {("1.1", "1.2", "1.3"): place})
    return serve(request, view, frames=numbers, **{**KEY, **other})


def taken_apart(answer) -> list[tuple[str, bytes]]:
    """Syntax and content of each part, by the standard library."""
    head = f"Content-Type: {answer['Content-Type']}\r\n\r\n".encode()
    whole = BytesParser(policy=HTTP).parsebytes(head + answer.content)
    return [(p.get_param("transfer-syntax"), p.get_payload(decode=True)) for p in whole.iter_parts()]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1", (1,)), ("1,2,3", (1, 2, 3)), ("3,1,1", (3, 1, 1)), ("0000007", (7,)), ("9999999", (9999999,))],
)  # fmt: skip
def test_a_list_of_frames_keeps_its_order_and_its_repetitions(text, numbers):
    assert frame_numbers(text) == numbers


@pytest.mark.parametrize("text", ["", "0", "1,0", "-1", "+1", "1.0", "1,", ",1", "1,,2", "a", "1a", "0x1", " 1", "1 ", "1;2", "12345678", "00000001", "²", "٣", "１", "1_0", "\n1"])  # fmt: skip
def test_anything_but_whole_numbers_from_1_is_a_bad_request(text):
    with pytest.raises(BadRequest) as refusal:
        frame_numbers(text)
    assert str(refusal.value) == "A frame list holds whole numbers from 1, separated by commas."


@given(st.lists(st.integers(1, 9_999_999), min_size=1, max_size=9))
def test_what_is_written_is_read(numbers):
    assert frame_numbers(",".join(map(str, numbers))) == tuple(numbers)


@pytest.mark.parametrize("numbers", ["1", "2", "3", "1,2,3,4", "4,1", "2,2,2"])
@pytest.mark.parametrize(("accept", "syntax", "rows"), [("", LE, NATIVE), (STORED, RLE, PACKED)])
def test_the_parts_are_the_frames_in_the_order_asked(place, numbers, accept, syntax, rows):
    answer = ask(place, numbers, accept)
    wanted = [rows[int(n) - 1] for n in numbers.split(",")]
    # the body as 6.1 lays it down, byte for byte
    b = packs.boundary()
    head = f"--{b}\r\nContent-Type: application/octet-stream; transfer-syntax={syntax}\r\n\r\n"
    assert answer.content == b"".join(head.encode() + w + b"\r\n" for w in wanted) + f"--{b}--\r\n".encode()  # fmt: skip
    assert answer["Content-Type"] == f'multipart/related; type="application/octet-stream"; boundary={b}'  # fmt: skip


def test_another_reader_of_multipart_finds_the_same_parts(place):
    assert taken_apart(ask(place, "1,4", STORED)) == [(RLE, b"a"), (RLE, b"dddd")]


@pytest.mark.parametrize(
    ("accept", "syntax", "content"),
    [(ONE, LE, NATIVE[3]), (f"{ONE}; transfer-syntax=*", RLE, PACKED[3]), (f"{ONE}; transfer-syntax={RLE}", RLE, PACKED[3])],
)  # fmt: skip
def test_a_single_part_is_the_frame_and_its_syntax_stands_in_the_header(place, accept, syntax, content):  # fmt: skip
    answer = ask(place, "4", accept)
    assert (answer.content, answer["Content-Type"]) == (content, f"{ONE}; transfer-syntax={syntax}")


@pytest.mark.parametrize(("numbers", "accept"), [("1,2", ONE), ("1", "video/mpeg"), ("1", 'multipart/related; type="image/jp2"')])  # fmt: skip
def test_what_is_not_offered_is_406(place, numbers, accept):
    with pytest.raises(NotAcceptable) as refusal:
        ask(place, numbers, accept)
    assert (str(refusal.value), refusal.value.status) == ("None of the accepted forms is offered for frames.", 406)  # fmt: skip


@pytest.mark.parametrize(
    ("numbers", "other"),
    [
        ("5", {}), ("1,5", {}), ("9999999", {}), ("1", {"study": "1.9"}), ("1", {"series": "1.9"}), ("1", {"instance": "1.9"}),
        ("1", {"study": "1.2", "series": "1.1"}), ("5", {"instance": "1.9"}),
    ],
)  # fmt: skip
def test_what_the_view_does_not_hold_is_one_and_the_same_404(place, numbers, other):
    with pytest.raises(NotFound) as refusal:
        ask(place, numbers, **other)
    assert (str(refusal.value), refusal.value.status) == ("There is no such image here.", 404)


@pytest.mark.parametrize(("most", "is_served"), [(25, True), (24, False)])
def test_an_answer_has_at_most_so_many_bytes(place, monkeypatch, most, is_served):
    assert frames.MAX_BYTES == 256 * 2**20
    assert sum(map(len, NATIVE)) == 25
    monkeypatch.setattr(frames, "MAX_BYTES", most)
    if is_served:
        assert ask(place, "1,2,3,4").status_code == 200
    else:
        with pytest.raises(TooMuch) as refusal:
            ask(place, "1,2,3,4")
        assert (str(refusal.value), refusal.value.status) == ("These frames are too many for one answer; ask for fewer.", 413)  # fmt: skip


def test_frames_never_change_and_are_kept_by_their_owner_alone(place):
    answer = ask(place, "1")
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer["Vary"] == "Accept, Accept-Encoding, Authorization, Cookie"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_who_holds_the_frame_is_sent_304_and_no_body(place):
    first = ask(place, "1")
    again = ask(place, "1", held=first["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert ask(place, "1", held='"other"').status_code == 200


def test_a_mark_says_nothing_of_the_frame_and_differs_in_all_that_the_answer_depends_on():
    """Also in the folder: what was removed and sent again under the same UIDs is another image."""
    native, single, stored = Wanted(LE, False), Wanted(LE, True), Wanted(RLE, False)
    here, again = Location("f" * 32, LE, (), ()), Location("e" * 32, LE, (), ())
    held = Location("f" * 32, LE, (), (), is_settled=False)
    marks = [
        etag_of("case 1", here, "1.3", "1", native), etag_of("case 2", here, "1.3", "1", native),
        etag_of("case 1", here, "1.4", "1", native), etag_of("case 1", here, "1.3", "2", native),
        etag_of("case 1", here, "1.3", "1", single), etag_of("case 1", here, "1.3", "1", stored),
        etag_of("case 1", again, "1.3", "1", native), etag_of("case 1", held, "1.3", "1", native),
    ]  # fmt: skip
    assert len(set(marks)) == 8
    assert all(len(m) == 34 and m[0] == m[-1] == '"' for m in marks)
    unkeyed = hashlib.sha256(f"case 1|1.3|1|{LE}|False".encode()).hexdigest()
    assert unkeyed[:32] not in marks[0]


@pytest.mark.parametrize("accept", ["", ONE, STORED])
def test_a_frame_that_its_pack_lacks_is_a_refusal_and_no_empty_answer_for_good(place, accept):
    assert ask(place, "4", accept).status_code == 200
    for pack in packs.folder_of(place.folder).iterdir():
        os.truncate(pack, 60)
    with pytest.raises(Damaged) as refusal:
        ask(place, "4", accept)
    assert refusal.value.status == 503
