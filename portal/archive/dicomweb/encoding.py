"""Explicit VR Little Endian of what a view shows: our own values written out, nothing of a sender's bytes."""

import struct
from collections.abc import Sequence
from typing import Any

from pydicom.valuerep import format_number_as_ds

from portal.archive.dicomweb.header import Elements

LONG = {"OB", "OW", "SQ", "UN", "UT", "UC", "UR"}
PACKED = {"US": "<H", "SS": "<h", "UL": "<I", "SL": "<i", "FL": "<f", "FD": "<d"}
IMPLEMENTATION = "2.25.263571823547102944731048122016120211021"
UNDEFINED = 0xFFFFFFFF


def element(tag: str, vr: str, content: bytes) -> bytes:
    """Tag, VR, length and an even number of bytes."""
    if len(content) % 2:
        content += b"\0" if vr in ("UI", "OB") else b" "
    start = struct.pack("<HH", int(tag[:4], 16), int(tag[4:], 16)) + vr.encode()
    if vr in LONG:
        return start + struct.pack("<HI", 0, len(content)) + content
    return start + struct.pack("<H", len(content)) + content


def content_of(vr: str, values: Sequence[Any]) -> bytes:
    if vr == "SQ":
        items = [encoded(v) for v in values]
        return b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(i)) + i for i in items)
    if vr in PACKED:
        return b"".join(struct.pack(PACKED[vr], v) for v in values)
    if vr == "AT":
        return b"".join(struct.pack("<HH", int(v[:4], 16), int(v[4:], 16)) for v in values)
    if vr == "DS":
        return "\\".join(format_number_as_ds(float(v)) for v in values).encode()
    if vr == "PN":
        return "\\".join(v["Alphabetic"] for v in values).encode()
    return "\\".join(str(v) for v in values).encode()


def encoded(elements: Elements) -> bytes:
    """A data set in ascending order of its tags."""
    return b"".join(
        element(tag, one["vr"], content_of(one["vr"], one.get("Value", [])))
        for tag, one in sorted(elements.items())
    )


def file_start(sop_class: str, instance: str, syntax: str) -> bytes:
    """Preamble, magic word and file meta information."""
    rest = b"".join(
        [
            element("00020001", "OB", b"\0\1"),
            element("00020002", "UI", sop_class.encode()),
            element("00020003", "UI", instance.encode()),
            element("00020010", "UI", syntax.encode()),
            element("00020012", "UI", IMPLEMENTATION.encode()),
        ]
    )
    return bytes(128) + b"DICM" + element("00020000", "UL", struct.pack("<I", len(rest))) + rest


def native_start(length: int, bits: int) -> bytes:
    """The head of the pixel element of uncompressed frames."""
    vr = b"OB" if bits <= 8 else b"OW"
    return struct.pack("<HH", 0x7FE0, 0x0010) + vr + struct.pack("<HI", 0, length + length % 2)


def fragments_start(lengths: Sequence[int]) -> bytes:
    """The head of encapsulated pixels and their offset table, one fragment per frame."""
    start = struct.pack("<HH", 0x7FE0, 0x0010) + b"OB" + struct.pack("<HI", 0, UNDEFINED)
    offsets, at = [], 0
    for length in lengths:
        offsets.append(at)
        at += 8 + length + length % 2
    if at >= UNDEFINED:
        offsets = []
    table = struct.pack(f"<{len(offsets)}I", *offsets)
    return start + struct.pack("<HHI", 0xFFFE, 0xE000, len(table)) + table


def fragment_start(length: int) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, length + length % 2)


FRAGMENTS_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
