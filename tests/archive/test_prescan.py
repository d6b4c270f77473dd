"""The walk before pydicom: each limit of 3.3 at its edge, each damage with its sentence, and no recursion."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.archive import limits
from portal.archive.prescan import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    LONG_VRS,
    scan,
)
from portal.archive.refusals import Refusal

DAMAGED = "The DICOM header is damaged; copy the file again from the scanner or PACS."
NESTED = "The header is nested or long beyond any real image; it was not read."
NO_DICOM = "This is not a DICOM file."
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
SEQUENCE, TEXT, PIXELS = (0x0040, 0x0275), (0x0010, 0x0010), (0x7FE0, 0x0010)
JPEG = "1.2.840.10008.1.2.4.50"


def element(tag: tuple[int, int], vr: bytes, value: bytes, *, syntax: str = EXPLICIT_LE, length: int | None = None) -> bytes:  # fmt: skip
    """An element written by hand; `length` says another length than there is."""
    order = ">" if syntax == EXPLICIT_BE else "<"
    n = len(value) if length is None else length
    start = struct.pack(order + "HH", *tag)
    if syntax == IMPLICIT_LE:
        return start + struct.pack("<I", n) + value
    if vr in LONG_VRS:
        return start + vr + struct.pack(order + "HI", 0, n) + value
    return start + vr + struct.pack(order + "H", n) + value


def mark(tag: tuple[int, int], length: int = 0, *, syntax: str = EXPLICIT_LE) -> bytes:
    return struct.pack((">" if syntax == EXPLICIT_BE else "<") + "HHI", *tag, length)


def meta(syntax: str) -> bytes:
    name = syntax.encode() + b"\0" * (len(syntax) % 2)
    return element((2, 0x10), b"UI", name)


def file(body: bytes, syntax: str = EXPLICIT_LE) -> bytes:
    return bytes(128) + b"DICM" + meta(syntax) + body


def nested(depth: int, syntax: str, *, is_defined: bool) -> bytes:
    """A name inside `depth` sequences of one item each."""
    inside = element(TEXT, b"PN", b"name", syntax=syntax)
    for _ in range(depth):
        if is_defined:
            item = mark(ITEM, len(inside), syntax=syntax) + inside
            inside = element(SEQUENCE, b"SQ", item, syntax=syntax)
        else:
            item = mark(ITEM, UNDEFINED, syntax=syntax) + inside + mark(ITEM_END, syntax=syntax)
            value = item + mark(END, syntax=syntax)
            inside = element(SEQUENCE, b"SQ", value, syntax=syntax, length=UNDEFINED)
    return inside + element(PIXELS, b"OW", b"\1\2", syntax=syntax)


def code(data: bytes) -> str:
    try:
        scan(data)
    except Refusal as refusal:
        return refusal.code
    return ""


SYNTAXES = [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("is_defined", [True, False])
@pytest.mark.parametrize(("depth", "found"), [(0, ""), (1, ""), (5, ""), (16, ""), (17, "nested"), (60, "nested")])  # fmt: skip
def test_sequences_are_read_to_a_depth_of_16(syntax, is_defined, depth, found):
    assert code(file(nested(depth, syntax, is_defined=is_defined), syntax)) == found


@pytest.mark.parametrize("is_defined", [True, False])
def test_the_same_limit_holds_in_deflated_data(is_defined):
    for depth, found in ((16, ""), (17, "nested")):
        worker = zlib.compressobj(wbits=-15)
        packed = worker.compress(nested(depth, EXPLICIT_LE, is_defined=is_defined)) + worker.flush()
        assert code(file(packed, DEFLATED)) == found


def test_five_thousand_levels_cost_a_sentence_and_no_recursion():
    opening = element(SEQUENCE, b"SQ", mark(ITEM, UNDEFINED), length=UNDEFINED)
    with pytest.raises(Refusal, match=NESTED):
        scan(file(opening * 5_000))


def test_sequences_side_by_side_are_not_deep():
    one = nested(16, EXPLICIT_LE, is_defined=True)
    assert code(file(one * 20)) == ""


@pytest.mark.parametrize(("n", "found"), [(50_000, ""), (50_001, "nested")])
def test_a_header_has_at_most_50_000_elements(n, found):
    assert code(file(element(TEXT, b"PN", b"") * n)) == found


@pytest.mark.parametrize(("extra", "found"), [(0, ""), (2, "nested")])
def test_one_element_holds_at_most_16_mib(extra, found):
    value = bytes(limits.MAX_ELEMENT_BYTES + extra)
    assert code(file(element((0x0042, 0x0011), b"OB", value))) == found


def test_pixels_may_be_longer_than_other_elements():
    value = bytes(limits.MAX_ELEMENT_BYTES + 2)
    assert code(file(element(PIXELS, b"OW", value))) == ""


@pytest.mark.parametrize(("extra", "found"), [(0, ""), (1, "inflated")])
def test_deflated_data_is_unpacked_to_64_mib_and_not_a_byte_further(monkeypatch, extra, found):
    monkeypatch.setattr(limits, "INFLATED_BYTES", 2**20)
    head = element(PIXELS, b"OW", b"", length=2**20 - 12)
    worker = zlib.compressobj(wbits=-15)
    packed = worker.compress(head + bytes(2**20 - 12 + extra)) + worker.flush()
    assert code(file(packed, DEFLATED)) == found


def test_a_bomb_names_the_limit():
    worker = zlib.compressobj(9, wbits=-15)
    packed = worker.compress(bytes(65 * 2**20)) + worker.flush()
    assert len(packed) < 2**17
    with pytest.raises(Refusal) as refusal:
        scan(file(packed, DEFLATED))
    assert refusal.value.sentence == (
        "Unpacked, this is larger than allowed (64 MiB); it was not unpacked further."
    )


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "This file is empty."),
        (b"\0", NO_DICOM),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), NO_DICOM),
        (b"<!doctype html>" + b" " * 300, NO_DICOM),
        (bytes(132), NO_DICOM),
        (bytes(128) + b"DIC", NO_DICOM),
        (bytes(127) + b"DICM" + bytes(9), NO_DICOM),
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", NO_DICOM),  # a data set without its file header
        (bytes(128) + b"DICM", DAMAGED),  # no transfer syntax
        (bytes(128) + b"DICM" + b"\xf3\x17\x99" * 40, DAMAGED),
        (bytes(128) + b"DICM" + element((2, 2), b"UI", b"1.2\0"), DAMAGED),
        (bytes(128) + b"DICM" + element((2, 0x10), b"UI", b""), DAMAGED),
        (bytes(128) + b"DICM" + element((2, 0x10), b"UI", b"1.2", length=99), DAMAGED),
        (bytes(128) + b"DICM" + element((2, 0x10), b"??", b"1.2\0"), DAMAGED),
        (bytes(128) + b"DICM" + element((2, 1), b"OB", b"\0\1", length=UNDEFINED), DAMAGED),
        (file(element(TEXT, b"??", b"name")), DAMAGED),
        (file(element(TEXT, b"PN", b"name"))[:-1] + b"e" + b"\1\0\1", "The file ends too early: the last element announces 8 bytes, 3 are there; copy it again."),
        (file(element(TEXT, b"PN", b"name", length=6)), "The file ends too early: (0010,0010) announces 6 bytes, 4 are there; copy it again."),
        (file(element(PIXELS, b"OW", b"ab", length=0xFFFFFFFE)), "The file ends too early: (7FE0,0010) announces 4294967294 bytes, 2 are there; copy it again."),
        (file(b"not deflated at all", DEFLATED), DAMAGED),
        (file(element(SEQUENCE, b"SQ", mark(ITEM, 40) + element(TEXT, b"PN", b"name"))), "The file ends too early: (FFFE,E000) announces 40 bytes, 12 are there; copy it again."),
    ],
)  # fmt: skip
def test_each_damage_has_its_sentence(data, sentence):
    with pytest.raises(Refusal) as refusal:
        scan(data)
    assert refusal.value.sentence == sentence


NAME = element(TEXT, b"PN", b"name")
OPEN = element(SEQUENCE, b"SQ", b"", length=UNDEFINED)
ITEM_OPEN = mark(ITEM, UNDEFINED)


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (OPEN, "(FFFE,E0DD)"),
        (OPEN + ITEM_OPEN + NAME, "(FFFE,E00D)"),
        (OPEN + ITEM_OPEN + NAME + mark(ITEM_END), "(FFFE,E0DD)"),
        (OPEN + mark(ITEM, len(NAME)) + NAME, "(FFFE,E0DD)"),
        (element(SEQUENCE, b"SQ", ITEM_OPEN + NAME), "(FFFE,E00D)"),  # its sequence says how long it is
        (OPEN + ITEM_OPEN + OPEN + ITEM_OPEN + mark(ITEM_END) + mark(END) + mark(ITEM_END), "(FFFE,E0DD)"),
        (OPEN + ITEM_OPEN + OPEN + ITEM_OPEN + mark(ITEM_END) + mark(END), "(FFFE,E00D)"),
        (OPEN + ITEM_OPEN + OPEN + ITEM_OPEN + mark(ITEM_END), "(FFFE,E0DD)"),
        (OPEN + ITEM_OPEN + NAME + element(PIXELS, b"OW", b"\1\2"), "(FFFE,E00D)"),  # which swallows the pixels
    ],
)  # fmt: skip
@pytest.mark.parametrize("padding", [0, 4])
def test_what_is_still_open_at_the_end_of_the_file_was_cut(body, missing, padding):
    sentence = (
        f"The file ends too early: {missing} announces 8 bytes, {padding} are there; copy it again."
    )
    with pytest.raises(Refusal) as refusal:
        scan(file(body + bytes(padding)))
    assert (refusal.value.code, refusal.value.sentence) == ("cut", sentence)


@pytest.mark.parametrize("syntax", SYNTAXES)
@given(data=st.data())
def test_a_file_cut_anywhere_in_its_open_sequences_is_refused(syntax, data):
    depth = data.draw(st.integers(1, 4))
    whole = nested(depth, syntax, is_defined=False)
    inside = len(whole) - len(element(PIXELS, b"OW", b"\1\2", syntax=syntax))
    at = data.draw(st.integers(12, inside - 1))  # behind the first head
    assert code(file(whole[:at], syntax)) in ("cut", "header")


def test_the_same_holds_in_deflated_data():
    worker = zlib.compressobj(wbits=-15)
    packed = worker.compress(OPEN + ITEM_OPEN + NAME) + worker.flush()
    assert code(file(packed, DEFLATED)) == "cut"


def fragments(*contents: bytes, table: bytes = b"") -> bytes:
    items = b"".join(mark(ITEM, len(c)) + c for c in (table, *contents))
    return element(PIXELS, b"OB", items, length=UNDEFINED)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (fragments(b"abcd", b"ef") + mark(END), ""),
        (fragments() + mark(END), ""),
        (fragments(b"abcd", table=b"\0\0\0\0") + mark(END), ""),
        (fragments(b"abcd") + mark(END) + element((0xFFFC, 0xFFFC), b"OB", b"\0\0"), ""),
        (fragments(b"abcd"), "cut"),  # no end
        (fragments(b"abcd")[:-1], "cut"),
        (fragments(b"abcd") + mark(ITEM, 100) + b"short", "cut"),
        (fragments(b"abcd") + mark(ITEM, UNDEFINED) + mark(END), "header"),
        (fragments(b"abcd") + element(TEXT, b"PN", b"name"), "header"),
    ],
)
def test_encapsulated_pixels_are_items_up_to_their_delimiter(body, found):
    assert code(file(body, JPEG)) == found


def test_fragments_that_hold_the_bytes_of_a_delimiter_are_passed_over_by_their_length():
    assert code(file(fragments(mark(END) + b"xx") + mark(END), JPEG)) == ""


@pytest.mark.parametrize("padding", [1, 2, 7])
def test_noughts_behind_the_last_element_are_padding(padding):
    assert code(file(element(TEXT, b"PN", b"name") + bytes(padding))) == ""


def test_executable_bytes_in_the_preamble_are_put_out():
    scanned = scan(b"MZ" + b"\x90" * 126 + file(element(TEXT, b"PN", b"name"))[128:])
    assert scanned.data[:128] == bytes(128)
    assert scanned.data[128:132] == b"DICM"


def test_a_file_that_begins_with_its_meta_group_is_given_a_preamble():
    """dicomweb-client sends data sets made in memory like this."""
    bare = meta(EXPLICIT_LE) + element(TEXT, b"PN", b"name")
    assert scan(bare).data == file(element(TEXT, b"PN", b"name"))


@pytest.mark.parametrize("syntax", [*SYNTAXES, JPEG, "1.2.3.4"])
def test_the_transfer_syntax_is_the_headers(syntax):
    body = element(TEXT, b"PN", b"name", syntax=syntax if syntax in SYNTAXES else EXPLICIT_LE)
    assert scan(file(body, syntax)).transfer_syntax_uid == syntax


def test_noughts_and_spaces_at_the_end_of_a_syntax_are_no_part_of_it():
    data = bytes(128) + b"DICM" + element((2, 0x10), b"UI", b"1.2.840.10008.1.2.1 \0\0")
    assert scan(data + element(TEXT, b"PN", b"name")).transfer_syntax_uid == EXPLICIT_LE


def test_an_implicit_data_set_under_an_explicit_name_is_walked_as_what_it_is():
    body = element((8, 0x60), b"CS", b"CT", syntax=IMPLICIT_LE)
    body += element(TEXT, b"PN", b"name", syntax=IMPLICIT_LE)
    assert code(file(body, EXPLICIT_LE)) == ""
    assert code(file(body[:-1], EXPLICIT_LE)) == "cut"


trees = st.recursive(
    st.binary(max_size=12).map(lambda b: element(TEXT, b"LO", b + b" " * (len(b) % 2))),
    lambda inner: st.lists(st.lists(inner, max_size=3), max_size=3).flatmap(
        lambda items: st.booleans().map(lambda is_defined: sequence(items, is_defined=is_defined))
    ),
    max_leaves=12,
)


def sequence(items: list[list[bytes]], *, is_defined: bool) -> bytes:
    if is_defined:
        value = b"".join(mark(ITEM, len(b"".join(i))) + b"".join(i) for i in items)
        return element(SEQUENCE, b"SQ", value)
    value = b"".join(mark(ITEM, UNDEFINED) + b"".join(i) + mark(ITEM_END) for i in items)
    return element(SEQUENCE, b"SQ", value + mark(END), length=UNDEFINED)


@given(st.lists(trees, max_size=4))
def test_a_well_formed_tree_is_walked_to_its_end(parts):
    body = b"".join(parts)
    assert scan(file(body)).data == file(body)


@given(st.lists(trees, min_size=1, max_size=3), st.data())
def test_a_byte_changed_anywhere_is_read_or_refused_with_a_sentence(parts, data):
    whole = bytearray(file(b"".join(parts)))
    at = data.draw(st.integers(128, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    assert code(bytes(whole)) in ("", "not_dicom", "header", "cut", "nested")


@given(st.binary(max_size=300))
def test_random_bytes_are_read_or_refused_with_a_sentence(data):
    assert code(file(data)) in ("", "header", "cut", "nested")
