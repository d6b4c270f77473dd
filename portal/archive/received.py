"""The header as received, in the ingest child: its bytes as Explicit VR Little Endian, and what they say as DICOM JSON.

Both go to the sealed store in one record: elements before the pixels, those behind them, bulk values, their index, JSON.
"""

import base64
import io
import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag

from portal.archive.plain import ASK, charset_text, uid_of, value_of
from portal.archive.prescan import DEFLATED, UNDEFINED, Scanned

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
PIXELS = 0x7FE00010
PIXEL_TAG = struct.pack("<HH", 0x7FE0, 0x0010)
HEAD = 12
LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
# binary values up to this size stand in the JSON, larger ones are bulk data; text may be longer
INLINE, INLINE_TEXT = 4096, 2**16
# once the JSON is this long, only short values are added
LONG, SHORT = 4 * 2**20, 256
LATIN = frozenset({"", "ISO_IR 6", "ISO_IR 100"})
FREE = frozenset({"LT", "ST", "UT", "UR"})
LOCAL = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
TEXTS = FREE | LOCAL | {"AE", "AS", "CS", "DA", "DT", "TM", "UI"}
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
NUMBERS: Mapping[str, str] = MappingProxyType(
    {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
)
WIDER: Mapping[str, str] = MappingProxyType({"OW": "u2", "OL": "u4", "OF": "u4", "OD": "u8", "OV": "u8"})  # fmt: skip
Json = dict[str, Any]
# tag -> the JSON of an element
Said = dict[str, str]


@dataclass
class Written:
    """What a header says as JSON so far, and the values that stand beside it as bulk data."""

    root: str
    bulk: list[bytes] = field(default_factory=list)
    index: dict[str, list[int]] = field(default_factory=dict)
    n_bulk: int = 0
    n_inline: int = 0

    def is_bulk(self, content: bytes, most: int) -> bool:
        """Too large to stand in the JSON; what is not is counted."""
        if len(content) > (most if self.n_inline < LONG else SHORT):
            return True
        self.n_inline += len(content)
        return False

    def put(self, path: str, content: bytes) -> str:
        """Keep a value beside the JSON; its address."""
        self.index[path] = [self.n_bulk, len(content)]
        self.bulk.append(content)
        self.n_bulk += len(content)
        return f"{self.root}/bulkdata/{path}"


def record(ds: Dataset, scanned: Scanned) -> tuple[bytes, list[int]]:
    """The record of a data set whose pixels were not yet looked at, and the lengths of its five parts."""
    pieces = pieces_of(ds, scanned)
    if pieces is None:
        pieces = (encoded(ds), b"")
        ds = reread(ds, pieces[0])
    names = (named(ds.get_item(k)) for k in UIDS)
    study, series, image = names
    written = Written(f"@/studies/{study}/series/{series}/instances/{image}")
    found = elements(ds, written, "", "ISO_IR 6")
    found.update(of_pixels(ds, written, scanned.transfer_syntax_uid))
    text = joined(found).encode()
    index = json.dumps(written.index).encode() if written.index else b""
    parts = [*pieces, b"".join(written.bulk), index, text]
    return b"".join(parts), [len(part) for part in parts]


def named(one: Any) -> str:
    """A UID as it was read, whether or not pydicom has converted it."""
    value = one.value
    return value.decode("ascii").rstrip("\0 ") if isinstance(value, bytes) else str(value)


def pieces_of(ds: Dataset, scanned: Scanned) -> tuple[bytes, bytes] | None:
    """The very bytes of the file before and behind its pixels; None where they are written in another way."""
    if scanned.transfer_syntax_uid == DEFLATED or ds.original_encoding != (False, True):
        return None
    data, start = scanned.data, scanned.start
    if "PixelData" not in ds:
        return data[start:], b""
    pixels: Any = ds.get_item("PixelData")
    if not isinstance(pixels, RawDataElement):
        return None
    place = pixels.value_tell
    if data[place - HEAD : place - HEAD + 4] != PIXEL_TAG:
        return None
    is_open = pixels.length == UNDEFINED
    end = fragments_end(data, place) if is_open else place + pixels.length
    return data[start : place - HEAD], data[end:]


def fragments_end(data: bytes, place: int) -> int:
    """Behind the delimiter of encapsulated pixels, whose lengths the scan has checked."""
    while True:
        _, element, length = struct.unpack_from("<HHI", data, place)
        place += 8
        if element == 0xE0DD:
            return place
        place += int(length)


def encoded(ds: Dataset) -> bytes:
    """A data set that came in another encoding, without its pixels; what cannot be written is left out."""
    kept = Dataset()
    for tag in list(ds.keys()):
        if tag == PIXELS or (tag.element == 0 and tag.group > 6):
            continue
        kept[tag] = turned(ds[tag]) if ds.original_encoding[1] is False else ds[tag]
    encoded_as(kept, ds)
    try:
        return written_out(kept)
    except Exception:  # noqa: BLE001  pydicom raises almost anything on a damaged value
        for tag in [t for t in kept.keys() if not can_be_written(kept, t)]:  # noqa: SIM118  a data set
            del kept[tag]
    return written_out(kept)


def written_out(ds: Dataset) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = False, True
    write_dataset(out, ds)
    return out.getvalue()


def encoded_as(ds: Dataset, other: Any) -> None:
    charset: Any = other.original_character_set
    set_encoding: Any = ds.set_original_encoding
    set_encoding(*other.original_encoding, charset)


def can_be_written(ds: Dataset, tag: BaseTag) -> bool:
    alone = Dataset()
    encoded_as(alone, ds)
    try:
        alone[tag] = ds[tag]
        written_out(alone)
    except Exception:  # noqa: BLE001  pydicom raises almost anything on a damaged value
        return False
    return True


def turned(element: DataElement) -> DataElement:
    """Words that came with their high byte first; numbers are turned when they are written."""
    width = WIDER.get(element.VR)
    if width is None or not isinstance(element.value, bytes):
        return element
    size = len(element.value) // int(width[1]) * int(width[1])
    words = np.frombuffer(element.value[:size], dtype=f">{width}").astype(f"<{width}")
    return DataElement(element.tag, element.VR, words.tobytes())


def reread(ds: Dataset, content: bytes) -> Dataset:
    found = read_dataset(io.BytesIO(content), is_implicit_VR=False, is_little_endian=True)
    if "PixelData" in ds:  # stands for itself where the JSON tells of it
        found.add_new(PIXELS, "OW", b"")
    return found


def of_pixels(ds: Dataset, written: Written, syntax: str) -> Said:
    """The address of the pixels, and in which transfer syntaxes they may be had."""
    found = {"00083002": syntaxes_text(syntax)}
    if "PixelData" in ds:
        bits = value_of(ds.get_item("BitsAllocated")) if "BitsAllocated" in ds else 16
        bits = ds.get("BitsAllocated") if bits is ASK else bits
        vr = "OB" if isinstance(bits, int) and bits <= 8 else "OW"
        address = f"{written.root}/bulkdata/7FE00010"
        found["7FE00010"] = as_text({"vr": vr, "BulkDataURI": address})
    return found


@lru_cache(maxsize=64)
def syntaxes_text(syntax: str) -> str:
    """In which transfer syntaxes pixels may be had that came in this one."""
    kept = [syntax] if uid_of(syntax).is_compressed and syntax != DEFLATED else []
    return as_text({"vr": "UI", "Value": list(dict.fromkeys([*kept, LITTLE_ENDIAN]))})


def charset_of(ds: Dataset, outer: str) -> str:
    if "SpecificCharacterSet" not in ds:
        return outer
    one: Any = ds.get_item("SpecificCharacterSet")
    value = charset_text(one) if isinstance(one, RawDataElement) else one.value
    return value if isinstance(value, str) else "\\".join(map(str, value or ""))


def as_text(found: Json) -> str:
    return json.dumps(found, separators=(",", ":"))


def joined(found: Said) -> str:
    return "{" + ",".join(f'"{tag}":{found[tag]}' for tag in sorted(found)) + "}"


def elements(ds: Dataset, written: Written, above: str, outer: str) -> Said:
    """Every element but the pixels, group lengths and what cannot be read."""
    charset, found = charset_of(ds, outer), {}
    for tag, raw in list(ds.items()):
        name = f"{tag:08X}"
        if name[4:] == "0000" or (name == "7FE00010" and not above):
            continue
        try:
            found[name] = element(ds, tag, raw, written, above + name, charset)
        except Exception:  # noqa: BLE001, S112  pydicom raises almost anything on a damaged value
            continue
    if "00080005" in found:
        found["00080005"] = '{"vr":"CS","Value":["ISO_IR 192"]}'  # as the JSON is written
    return found


def element(ds: Dataset, tag: BaseTag, raw: Any, written: Written, path: str, charset: str) -> str:
    if raw.VR is None:  # an implicit item of an explicit data set
        raw = ds[tag]
    vr = raw.VR
    if vr == "SQ":
        items = ds[tag].value or []
        inner = [joined(elements(d, written, f"{path}/{k}/", charset)) for k, d in enumerate(items, 1)]  # fmt: skip
        return f'{{"vr":"SQ","Value":[{",".join(inner)}]}}' if inner else '{"vr":"SQ"}'
    content, charset = bytes_of(raw, charset)
    if content is None:
        return as_text(by_pydicom(ds[tag], written, path))
    if vr in BINARY and content:
        return as_text(binary(vr, content, written, path))
    if content and vr in LOCAL and charset not in LATIN and charset != "ISO_IR 192":
        return as_text(by_pydicom(ds[tag], written, path))
    if written.is_bulk(content, INLINE_TEXT):
        return as_text({"vr": vr, "BulkDataURI": written.put(path, content)})
    say = said_once if len(content) > SHORT else said
    return say(vr, content, "utf-8" if charset == "ISO_IR 192" else "latin-1")


def said_once(vr: str, content: bytes, encoding: str) -> str:
    values = plain(vr, content, encoding) if content else []
    is_empty = all(v is None for v in values)
    return as_text({"vr": vr} if is_empty else {"vr": vr, "Value": values})


# slices of a series say the same in most of their elements
said = lru_cache(maxsize=8192)(said_once)


def bytes_of(raw: Any, charset: str) -> tuple[bytes | None, str]:
    """The bytes of a value and their character set; None where pydicom has made more of them than text."""
    value = raw.value
    if isinstance(value, str) and raw.VR in TEXTS:
        return value.encode(), "ISO_IR 192"
    is_raw = isinstance(raw, RawDataElement) and isinstance(value, bytes | None)
    return (value or b"", charset) if is_raw else (None, charset)


def binary(vr: str, content: bytes, written: Written, path: str) -> Json:
    if written.is_bulk(content, INLINE):
        return {"vr": vr, "BulkDataURI": written.put(path, content)}
    return {"vr": vr, "InlineBinary": base64.b64encode(content).decode()}


def plain(vr: str, content: bytes, encoding: str) -> list[Any]:
    """The values of an element by its bytes; None stands for an empty one."""
    if vr in TEXTS:
        text = content.decode(encoding, "replace").rstrip("\0 ")
        values: list[Any] = [text] if vr in FREE else [v.strip(" \0") for v in text.split("\\")]
        return [name_of(v) for v in values] if vr == "PN" else [v or None for v in values]
    if vr in ("DS", "IS"):
        return [number(v) for v in content.decode("ascii").rstrip("\0 ").split("\\")]
    if vr in NUMBERS:
        form = NUMBERS[vr]
        found = struct.unpack(f"<{len(content) // struct.calcsize(form)}{form}", content)
        return [v if math.isfinite(v) else None for v in found]
    if vr == "AT":
        words = struct.unpack(f"<{len(content) // 2}H", content)
        return [f"{g:04X}{e:04X}" for g, e in zip(words[::2], words[1::2], strict=True)]
    raise ValueError(f"no such kind of value: {vr}")


def number(text: str) -> int | float | None:
    """The number of a decimal string; None for an empty one."""
    stripped = text.strip()
    if not stripped:
        return None
    found = float(stripped)
    if not math.isfinite(found):
        raise ValueError(stripped)
    return int(found) if found.is_integer() and abs(found) < 2**53 else found


def name_of(text: str) -> dict[str, str] | None:
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False)
    return {name: one for name, one in groups if one} or None


def by_pydicom(one: DataElement, written: Written, path: str) -> Json:
    """The same by pydicom, for texts of other character sets and values that were converted before."""
    if one.VR in BINARY:
        return binary(one.VR, bytes(one.value or b""), written, path) if one.value else {"vr": one.VR}  # fmt: skip
    found: Json = one.to_json_dict(None, 2**40)
    values = [number(str(v)) if one.VR in ("DS", "IS") else v for v in found.get("Value", [])]
    if written.is_bulk("\\".join(map(str, values)).encode(), INLINE_TEXT):
        return {"vr": one.VR, "BulkDataURI": written.put(path, "\\".join(map(str, values)).encode())}  # fmt: skip
    return {"vr": one.VR, "Value": values} if values else {"vr": one.VR}
