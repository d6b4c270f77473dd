"""Reading one file in the ingest child: scan, parse, classify, decode every frame once, hash, place."""

import base64
import errno
import hashlib
import io
import os
import re
import struct
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from portal.archive import limits, received, suv
from portal.archive.acquisition import acquisition, besides
from portal.archive.classify import (
    DICOMDIR,
    Verdict,
    classify,
    held,
    is_image_class,
    is_known_class,
)
from portal.archive.decode import (
    Shape,
    decoder_of,
    native_frames,
    pixels_as_read,
    shape_of,
    stored_frames,
)
from portal.archive.deidentify import facts, listed, number, text_of
from portal.archive.emission import emission
from portal.archive.extremes import Extremes
from portal.archive.limits import is_valid_uid
from portal.archive.placing import placed
from portal.archive.plain import Header, Readable, dataset_of, uid_of
from portal.archive.prescan import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    MAGIC,
    PREAMBLE,
    SOP_CLASS,
    SOP_INSTANCE,
    Scanned,
    refuse,
    scan,
)
from portal.archive.refusals import Refusal

PLAIN_CHARSETS = frozenset({b"", b"ISO_IR 6", b"ISO_IR 100", b"ISO_IR 192"})
PLAIN_TEXTS = frozenset(
    {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UI", "UT"}
)
PLAIN_NUMBERS = {
    vr: re.compile(rb" *%b *(\\ *%b *)*" % (one, one))
    for vr, one in (("IS", rb"[+-]?[0-9]{1,12}"), ("DS", rb"[+-]?[0-9]{1,12}(\.[0-9]{1,12})?"))
}
WIDTHS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "OB": 1, "OW": 1}
# slope and intercept
RESCALE = frozenset({0x00281052, 0x00281053})
# a record up to this size is part of the answer
SPOKEN = 2**16
# what may stand in the place of PixelData
FLOATS = ("FloatPixelData", "DoubleFloatPixelData")
UID_KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
PARSE_ERRORS = (InvalidDicomError, ValueError, TypeError, KeyError, AttributeError, IndexError,
                struct.error, EOFError, NotImplementedError, RecursionError, UnicodeError, OverflowError)  # fmt: skip


def read(
    path: Path,
    spool: Path,
    *,
    piece: Sequence[int] | None = None,
    is_ours: bool = False,
    is_sealed: bool = False,
    boundary: str = "",
) -> dict[str, Any]:
    """Everything the index needs of one file, as JSON types; frames are written to `spool`.

    Of a nameless file it is a `piece`: its number, from where on, how many bytes.

    So is the record of a header that is to be sealed.
    Native frames of a file that `is_ours` stay where they are: nobody else changes it until they are packed.
    Raises Refusal with the sentence for the user.
    """
    data = content_of(path, piece)
    scanned = scan(data, boundary)
    syntax = uid_of(scanned.transfer_syntax_uid)
    if not syntax.is_transfer_syntax:
        raise Refusal("syntax", name=str(syntax) if is_valid_uid(syntax) else "of this file")
    ds = parsed(scanned)
    try:
        kept = Spool(spool, data if is_ours else b"", boundary, is_sealed=is_sealed)
        found = understood(ds, scanned, kept)
    except Refusal as refusal:
        refusal.uids = {n: text_of(ds, n)[:64] for n in ("SOPClassUID", "SOPInstanceUID")}
        raise
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **found}


def content_of(path: Path, piece: Sequence[int] | None) -> bytes:
    size = piece[2] if piece else path.stat().st_size
    if size > limits.FILE_BYTES:
        raise Refusal("too_large", limit=limits.in_words(limits.FILE_BYTES))
    if not piece:
        return path.read_bytes()
    data = os.pread(piece[0], size, piece[1])
    if len(data) < size:
        raise OSError(errno.EIO, "the spool is shorter than its parts")
    return data


@dataclass(frozen=True)
class Spool:
    """The folder for frames, and the bytes of a file in which they may stay, b'' where they may not."""

    folder: Path
    data: bytes
    boundary: str = ""
    is_sealed: bool = False

    def place_of(self, ds: Dataset, syntax: str, shape: Shape) -> int | None:
        """Where native frames lie in the file one behind the other, as the very bytes that were read; else None."""
        if not self.data or syntax not in (IMPLICIT_LE, EXPLICIT_LE) or shape.bits == 1:
            return None
        pixels, told = pixels_as_read(ds)
        # a preamble that was put before the file moves what pydicom tells of it
        for place in (told, told - PREAMBLE - len(MAGIC)) if isinstance(told, int) else ():
            if place > 0 and isinstance(pixels, bytes) and self.data.startswith(pixels, place):
                return place
        return None


def understood(ds: Dataset, scanned: Scanned, spool: Spool) -> dict[str, Any]:
    """Identity, role, facts, pixels and place of a parsed data set."""
    came = [len(ds), sum(tag.is_private for tag in ds.keys())]  # noqa: SIM118  a data set, not a mapping
    unreadable = without_unreadable(ds)
    sealed = seal(ds, scanned, spool.folder) if spool.is_sealed else {}
    header = Header(ds)
    check_identity(header, scanned.meta)
    verdict = verdict_of(header, unreadable)
    said = {**facts(header), "emission": emission(header)}
    pixels = pixels_of(header, scanned.transfer_syntax_uid, verdict, spool)
    verdict = looked_at(verdict, pixels)
    found = {
        **sealed,
        "transfer_syntax_uid": scanned.transfer_syntax_uid,
        "sop_class_uid": str(header.get("SOPClassUID")),
        "source": source_of(header),
        "facts": said,
        **suv.of_image(header, said),
        "came": came,
        "acquisition": acquisition(header),
        "besides": besides(header),
        "warning": " ".join(
            filter(None, (meta_warning(header, scanned.meta), left_out(unreadable)))
        ),
        **pixels,
    }
    return placed(found, header, verdict)


def seal(ds: Dataset, scanned: Scanned, folder: Path) -> dict[str, Any]:
    """The record of the header as received, while no value of it has been converted: as text, or a file where it is long."""
    if not all(is_valid_uid(text_of(ds, name)) for name in UID_KEYWORDS):
        return {}  # refused in a moment
    content, lengths = received.record(ds, scanned)
    found = {"sealed": lengths, "sealed_digest": hashlib.sha256(content).hexdigest()}
    if len(content) <= SPOKEN:  # a file costs more than the rest of it
        return {**found, "record": base64.b64encode(content).decode()}
    (folder / "header").write_bytes(content)
    return found


def parsed(scanned: Scanned) -> Dataset:
    """The data set; of a plain file without group 0002, and of the elements that the scan has found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if scanned.elements is not None:
                return dataset_of(scanned.data, scanned.elements)
            return pydicom.dcmread(io.BytesIO(scanned.data))
        except PARSE_ERRORS as error:
            raise Refusal("header") from error


def without_unreadable(ds: Dataset) -> list[BaseTag]:
    """Take out the elements whose value cannot be read; their tags."""
    is_latin = charset_of(ds) in PLAIN_CHARSETS
    bad = [
        tag
        for tag, one in list(ds.items())
        if not (is_latin and is_plain(one)) and not is_readable(ds, tag)
    ]
    for tag in bad:
        del ds[tag]
    return bad


def left_out(bad: Sequence[BaseTag]) -> str:
    """The warning that names the elements left out, '' if none."""
    names = ", ".join(f"({tag.group:04X},{tag.element:04X})" for tag in bad[:5])
    return f"Left out, being unreadable: {names}." if bad else ""


def charset_of(ds: Dataset) -> bytes | None:
    """The character set as its bytes; b'' where none is named, None where several are or it cannot be read."""
    if "SpecificCharacterSet" not in ds:
        return b""
    value = ds.get_item("SpecificCharacterSet").value
    if isinstance(value, str):  # pydicom has read this one already, to know how to read the others
        value = value.encode("ascii", "replace")
    return value.strip() if isinstance(value, bytes) else None


def is_plain(raw: object) -> bool:
    """An element of a named kind whose bytes no conversion refuses: it waits until somebody asks for it."""
    if not isinstance(raw, RawDataElement) or not isinstance(raw.value, bytes) or not raw.VR:
        return False
    if raw.VR in PLAIN_TEXTS:
        return raw.value.isascii() and b"\x1b" not in raw.value
    if raw.VR in PLAIN_NUMBERS:
        return PLAIN_NUMBERS[raw.VR].fullmatch(raw.value) is not None
    return raw.VR in WIDTHS and len(raw.value) % WIDTHS[raw.VR] == 0


def is_readable(ds: Dataset, tag: BaseTag) -> bool:
    try:
        element = ds[tag]
    except Exception:  # noqa: BLE001  pydicom raises almost anything on a damaged value
        return False
    if element.VR not in ("IS", "DS") or element.value in (None, ""):
        return True
    values = element.value if isinstance(element.value, MultiValue) else [element.value]
    return all(number(v) is not None for v in values)


def check_identity(header: Header, meta: Mapping[int, str]) -> None:
    sop = text_of(header, "SOPClassUID") or meta.get(SOP_CLASS, "")
    if sop == DICOMDIR:
        raise Refusal("dicomdir")
    for keyword in UID_KEYWORDS:
        value = text_of(header, keyword)
        if not is_valid_uid(value):
            raise Refusal("uid", keyword=keyword)
    if not sop or not is_known_class(sop):
        raise Refusal("class", uid=sop if is_valid_uid(sop) else "This object")
    if header.get("SOPClassUID") != sop:
        header.say("SOPClassUID", sop)


def verdict_of(header: Header, unreadable: Sequence[int]) -> Verdict:
    """Held, too, where the numbers that turn what is stored into values were left out."""
    try:
        found = classify(header)
    except PARSE_ERRORS as error:
        raise Refusal("header") from error
    is_unknown = not RESCALE.isdisjoint(unreadable) and not found.reason
    return held("pixel_encoding", why="rescale slope or intercept") if is_unknown else found


def looked_at(verdict: Verdict, pixels: dict[str, Any]) -> Verdict:
    """Held, too, where the pixels use bits that are no part of their values: a sign, an overlay, which may be text."""
    if not pixels.pop("is_beyond", False) or verdict.reason:
        return verdict
    stored = pixels["pixel"]["bits_stored"]
    why = f"bits above the {stored} stored ones are in use"
    return held("pixel_encoding", role=verdict.role, label=verdict.label, why=why)


def meta_warning(header: Header, meta: Mapping[int, str]) -> str:
    declared, said = meta.get(SOP_INSTANCE, ""), str(header.get("SOPInstanceUID"))
    return "The data set's UID is used." if declared and declared != said else ""


def source_of(ds: Readable) -> dict[str, str]:
    """What identifies patient and exam: it goes to the sealed tables only."""
    names = (
        *UID_KEYWORDS, "FrameOfReferenceUID", "PatientID", "PatientName", "PatientBirthDate", "StudyDate",
        "StudyTime", "AccessionNumber", "StudyDescription", "StudyID", "ReferringPhysicianName",
        "SeriesDescription", "SeriesNumber", "InstanceNumber", "Modality",
    )  # fmt: skip
    return {name: text_of(ds, name)[:400] for name in names}


def pixels_of(header: Header, syntax: str, verdict: Verdict, spool: Spool) -> dict[str, Any]:
    """Sizes, digests and extent of the frames and the file that has them; none for classes without pixels."""
    if "PixelData" not in header:
        is_picture = is_image_class(str(header.get("SOPClassUID")))
        if is_picture and not any(name in header for name in FLOATS):
            raise Refusal("no_image", keyword="PixelData")
        return {"frames": [], "stored": [], "pixel": {}, "values": {}, "is_in_file": False}
    ds, shape = header.ds, shape_of(header, syntax)
    extremes = Extremes(header, verdict.role)
    place = spool.place_of(ds, syntax, shape)
    frames = native_extents(ds, syntax, shape, extremes, spool, place)
    if len(frames) != shape.frames:
        raise Refusal("frame", k=len(frames) + 1)
    return {
        "frames": frames,
        "is_in_file": place is not None,
        "stored": write_stored(ds, syntax, shape, spool.folder),
        "decoder": decoder_of(syntax),
        "pixel": pixel_module(header, shape),
        "values": extremes.summary(),
        "is_beyond": extremes.is_beyond,
    }


def native_extents(
    ds: Dataset, syntax: str, shape: Shape, extremes: Extremes, spool: Spool, place: int | None
) -> list[list[Any]]:
    """Offset, length and SHA-256 of each frame, written to the folder or lying in its file from a place on."""
    frames: list[list[Any]] = []
    at = place or 0
    with (spool.folder / "native").open("wb") if place is None else nullcontext() as out:
        for frame in native_frames(ds, syntax, shape):
            if place is None:  # decoded, or of another order of bytes: not searched yet
                refuse(spool.boundary, frame)
            if len(frame) != shape.frame_bytes and shape.bits != 1:
                raise Refusal("frame", k=len(frames) + 1)
            frames.append([at, len(frame), hashlib.sha256(frame).hexdigest()])
            at += len(frame)
            if out is not None:
                out.write(frame)
            extremes.add(frame)
    return frames


def write_stored(ds: Dataset, syntax: str, shape: Shape, spool: Path) -> list[list[Any]]:
    if not uid_of(syntax).is_compressed or syntax == "1.2.840.10008.1.2.1.99":
        return []
    extents: list[list[Any]] = []
    with (spool / "stored").open("wb") as out:
        for frame in stored_frames(ds, shape):
            extents.append([out.tell(), len(frame), hashlib.sha256(frame).hexdigest()])
            out.write(frame)
    return extents


def pixel_module(ds: Readable, shape: Shape) -> dict[str, Any]:
    stored = int(ds.get("BitsStored", shape.bits) or shape.bits)
    return {
        "rows": shape.rows,
        "columns": shape.columns,
        "bits_allocated": shape.bits,
        "bits_stored": stored,
        "high_bit": int(ds.get("HighBit", stored - 1)),
        "signed": bool(int(ds.get("PixelRepresentation", 0) or 0)),
        "samples": shape.samples,
        "photometric": listed(ds, "PhotometricInterpretation") or "MONOCHROME2",
    }
