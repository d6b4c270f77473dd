"""A walk over tags and lengths before pydicom sees the bytes: iterative, bounded, reading nothing else."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from portal.archive import limits
from portal.archive.refusals import Refusal

PREAMBLE = 128
MAGIC = b"DICM"
LONG_VRS = {
    b"OB",
    b"OD",
    b"OF",
    b"OL",
    b"OV",
    b"OW",
    b"SQ",
    b"SV",
    b"UC",
    b"UN",
    b"UR",
    b"UT",
    b"UV",
}
KNOWN_VRS = LONG_VRS | {
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
}  # fmt: skip
IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
UNDEFINED = 0xFFFFFFFF
# of group 0002
SOP_CLASS, SOP_INSTANCE, SYNTAX = 0x0002, 0x0003, 0x0010
PIXEL_GROUP_ELEMENTS = {(0x7FE0, 0x0010), (0x7FE0, 0x0008), (0x7FE0, 0x0009)}
ITEM, ITEM_END, SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)


# tag, kind, where the value begins, how long it is
Element = tuple[int, bytes, int, int]


@dataclass(frozen=True)
class Scanned:
    """The file's bytes as a readable Part 10 stream, its transfer syntax, where the data set begins.

    `meta` holds the UIDs of group 0002 by their element, `elements` those of the data set where it is plain: Explicit VR
    Little Endian with the length of each.
    """

    data: bytes
    transfer_syntax_uid: str
    start: int = 0
    meta: Mapping[int, str] = field(default_factory=dict)
    elements: Sequence[Element] | None = None


@lru_cache(maxsize=4096)
def is_sequence(tag: int) -> bool:
    """An implicit element does not say so; the dictionary does, by which pydicom descends too."""
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def refuse(boundary: str, data: bytes) -> None:
    """What stands between the parts of answers is in a file by intent only, to end its part in the middle."""
    if boundary and boundary.encode() in data:
        raise Refusal("header")


def scan(data: bytes, boundary: str = "") -> Scanned:
    """Check that a file is DICOM whose lengths, depth and number of elements are possible, and without the boundary."""
    if not data:
        raise Refusal("empty")
    data = with_preamble(data)
    meta, start = group_two(data)
    syntax = meta[SYNTAX]
    if syntax == DEFLATED:
        inflated = inflate(data[start:])
        refuse(boundary, inflated)
        Walker(inflated, little=True, explicit=True).walk()
        return Scanned(data, syntax, start, meta)
    refuse(boundary, data)
    little = syntax != EXPLICIT_BE
    walker = Walker(data, start, little=little, explicit=syntax != IMPLICIT_LE)
    walker.walk()
    if any(data[:PREAMBLE]):
        data = bytes(PREAMBLE) + data[PREAMBLE:]
    is_plain = syntax == EXPLICIT_LE and walker.explicit and walker.is_flat
    return Scanned(data, syntax, start, meta, walker.top if is_plain else None)


def with_preamble(data: bytes) -> bytes:
    if len(data) >= PREAMBLE + 4 and data[PREAMBLE : PREAMBLE + 4] == MAGIC:
        return data
    if data[:2] == b"\x02\x00" and data[4:6] in KNOWN_VRS:
        return bytes(PREAMBLE) + MAGIC + data
    raise Refusal("not_dicom")


def group_two(data: bytes) -> tuple[dict[int, str], int]:
    """The UIDs of group 0002 and where it ends; it is always explicit little endian, and names the transfer syntax."""
    place, meta = PREAMBLE + 4, dict[int, str]()
    while place + 8 <= len(data):
        group, element = struct.unpack_from("<HH", data, place)
        if group != 2:
            break
        vr = data[place + 4 : place + 6]
        if vr not in KNOWN_VRS:
            raise Refusal("header")
        length, head = element_length(data, place, vr, "<")
        if length == UNDEFINED or place + head + length > len(data):
            raise Refusal("header")
        if vr == b"UI" or element == SYNTAX:
            value = data[place + head : place + head + length]
            meta[element] = value.rstrip(b"\0 ").decode("ascii", "replace")
        place += head + length
    if not meta.get(SYNTAX):
        raise Refusal("header")
    return meta, place


def element_length(data: bytes, place: int, vr: bytes, order: str) -> tuple[int, int]:
    """Value length and size of the element head."""
    if vr in LONG_VRS:
        if place + 12 > len(data):
            raise Refusal("header")
        return struct.unpack_from(order + "I", data, place + 8)[0], 12
    return struct.unpack_from(order + "H", data, place + 6)[0], 8


def inflate(body: bytes) -> bytes:
    """The deflated data set, never more than the limit of it."""
    worker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        out = worker.decompress(body, limits.INFLATED_BYTES + 1)
    except zlib.error as error:
        raise Refusal("header") from error
    if len(out) > limits.INFLATED_BYTES:
        raise Refusal("inflated", limit=limits.in_words(limits.INFLATED_BYTES))
    return out


def named(group: int, element: int) -> str:
    return f"({group:04X},{element:04X})"


class Walker:
    """Walks the data set that begins at `start`, with a stack of the ends of open sequences and items."""

    def __init__(self, data: bytes, start: int = 0, *, little: bool, explicit: bool) -> None:
        self.data, self.start = data, start
        self.order = "<" if little else ">"
        self.explicit = explicit and not self.begins_implicit()
        self.implicit_from: int | None = None
        self.elements = 0
        self.ends: list[int] = []
        # elements outside of sequences; flat where each of them says how long it is
        self.top: list[Element] = []
        self.is_flat = True

    def begins_implicit(self) -> bool:
        """Some writers name an explicit syntax and write an implicit data set; pydicom reads both."""
        left = len(self.data) - self.start
        if self.order != "<" or left < 8 or self.data[self.start + 4 : self.start + 6] in KNOWN_VRS:
            return False
        group, _, length = struct.unpack_from("<HHI", self.data, self.start)
        return bool(group == 0x0008 and 8 + length <= left)

    def walk(self) -> None:
        place, size = self.start, len(self.data)
        while place + 8 <= size:
            self.close_before(place)
            place = self.step(place)
        if place < size and not self.is_padding(place):
            raise Refusal("cut", tag="the last element", n=8, m=size - place)
        self.close_before(place)
        if UNDEFINED in self.ends:  # pydicom takes the end of the file for that of all that is open
            is_item = len(self.ends) % 2 == 0  # sequences and items take turns
            tag = named(*(ITEM_END if is_item else SEQUENCE_END))
            raise Refusal("cut", tag=tag, n=8, m=size - place)

    def is_padding(self, place: int) -> bool:
        return not any(self.data[place:])

    def step(self, place: int) -> int:
        group, element = struct.unpack_from(self.order + "HH", self.data, place)
        tag = (group, element)
        self.elements += 1
        if self.elements > limits.MAX_ELEMENTS:
            raise Refusal("nested")
        if group == 0xFFFE:
            self.is_flat &= bool(self.ends)
            return self.delimiter(tag, place)
        vr, length, head = self.head(place)
        start = place + head
        self.note((group << 16) + element, vr, start, length)
        if length == UNDEFINED:
            if tag in PIXEL_GROUP_ELEMENTS:
                return self.fragments(start)
            return self.open(UNDEFINED, start, vr)
        if start + length > len(self.data):
            raise Refusal("cut", tag=named(*tag), n=length, m=len(self.data) - start)
        if vr == b"SQ" or (not vr and is_sequence((group << 16) + element)):
            return self.open(start + length, start) if length else start
        if length > limits.MAX_ELEMENT_BYTES and group not in (0x7FE0,):
            raise Refusal("nested")
        return start + length

    def note(self, tag: int, vr: bytes, start: int, length: int) -> None:
        if not self.ends:
            self.top.append((tag, vr, start, length))
            self.is_flat &= length != UNDEFINED and tag > 0xFFFF

    def head(self, place: int) -> tuple[bytes, int, int]:
        if not self.explicit or self.implicit_from is not None:
            return b"", struct.unpack_from(self.order + "I", self.data, place + 4)[0], 8
        vr = self.data[place + 4 : place + 6]
        if vr not in KNOWN_VRS:
            raise Refusal("header")
        length, head = element_length(self.data, place, vr, self.order)
        return vr, length, head

    def open(self, end: int, start: int, vr: bytes = b"") -> int:
        if vr == b"UN" and self.implicit_from is None:
            self.implicit_from = len(self.ends)  # what is inside is implicit (PS3.5 6.2.2)
        self.ends.append(end)
        if len(self.ends) > 2 * limits.MAX_DEPTH:
            raise Refusal("nested")
        return start

    def close_before(self, place: int) -> None:
        """Close what said by its length that it ends here."""
        while self.ends and self.ends[-1] != UNDEFINED and place >= self.ends[-1]:
            self.close()

    def close(self) -> None:
        self.ends.pop()
        if self.implicit_from is not None and len(self.ends) <= self.implicit_from:
            self.implicit_from = None

    def delimiter(self, tag: tuple[int, int], place: int) -> int:
        length = struct.unpack_from(self.order + "I", self.data, place + 4)[0]
        if tag == ITEM:
            left = len(self.data) - place - 8
            if length != UNDEFINED and length > left:
                raise Refusal("cut", tag="(FFFE,E000)", n=length, m=left)
            return self.open(UNDEFINED if length == UNDEFINED else place + 8 + length, place + 8)
        if tag in (ITEM_END, SEQUENCE_END) and self.ends:
            self.close()
        return place + 8

    def fragments(self, place: int) -> int:
        """Encapsulated pixel data: items with lengths up to the sequence delimiter."""
        while place + 8 <= len(self.data):
            group, element, length = struct.unpack_from(self.order + "HHI", self.data, place)
            place += 8
            if (group, element) == SEQUENCE_END:
                return place
            if (group, element) != ITEM or length == UNDEFINED:
                raise Refusal("header")
            if place + length > len(self.data):
                raise Refusal("cut", tag="(7FE0,0010)", n=length, m=len(self.data) - place)
            place += length
        raise Refusal("cut", tag="(7FE0,0010)", n=8, m=len(self.data) - place)
