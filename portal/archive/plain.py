"""Values read straight from an element's bytes, where no conversion could say anything else.

pydicom converts an element when it is first asked for; most of what the archive asks is short ASCII text.
"""

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol, cast

from pydicom import Dataset
from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import (
    DataElement,
    RawDataElement,
    convert_raw_data_element,
    empty_value_for_VR,
)
from pydicom.tag import BaseTag
from pydicom.uid import UID

from portal.archive.prescan import Element

TEXTS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UI", "UT"})
NUMBERS = frozenset({"IS", "DS"})
# a name of one group is text as well; of several pydicom leaves out the empty ones
WRITTEN = TEXTS | NUMBERS | {"PN"}
# of these several values are split alike in every character set
CODED = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "UI"})
WORDS: Mapping[str, str] = MappingProxyType({"US": "H", "SS": "h", "UL": "I", "SL": "i", "FD": "d"})
PADDING = b" \0"
CHARSET = 0x00080005
# what is told of an element whose bytes are not plain
ASK = object()


def dataset_of(data: bytes, elements: Iterable[Element]) -> Dataset:
    """The data set that pydicom reads from these bytes, its elements having been found already."""
    found: dict[BaseTag, RawDataElement | DataElement] = {}
    for number, kind, place, length in elements:
        tag, vr = tag_of_number(number), kind.decode()
        value = data[place : place + length] if length else empty_value_for_VR(vr, raw=True)
        found[tag] = RawDataElement(tag, vr, length, cast(bytes, value), place, False, True)
    ds = Dataset(found)
    charset = found.get(BaseTag(CHARSET))
    ds.set_original_encoding(False, True, list(encodings(charset)) if charset else default_encoding)
    return ds


def charset_text(raw: RawDataElement) -> Any:
    """The character sets that an element names, as pydicom reads it."""
    return named_charsets(raw.VR or "CS", raw.value)


def encodings(raw: Any) -> tuple[str, ...]:
    """Python's names of the character sets that an element names."""
    return tuple(convert_encodings(charset_text(raw)))


@lru_cache(maxsize=64)
def named_charsets(vr: str, content: bytes | None) -> Any:
    tag = BaseTag(CHARSET)
    raw = RawDataElement(tag, vr, len(content or b""), content, 0, False, True)
    return convert_raw_data_element(raw).value


@lru_cache(maxsize=4096)
def tag_of_number(number: int) -> BaseTag:
    return BaseTag(number)


@lru_cache(maxsize=256)
def uid_of(text: str) -> UID:
    """A UID of pydicom, which looks at each letter of one whenever it is made."""
    return UID(text)


@lru_cache(maxsize=1024)
def kind_of(keyword: str) -> str:
    """The value representation of an element in the dictionary."""
    return dictionary_VR(keyword)


class Readable(Protocol):
    """What a rule needs of a header: a data set of pydicom, an item of one, or a `Header`."""

    def get(self, keyword: str, default: Any = None, /) -> Any:
        """The value of an element, the default where it is absent."""

    def __contains__(self, keyword: Any, /) -> bool:
        """Whether there is such an element."""


class Header:
    """The elements of a data set for who asks of many of them: each value from its bytes, once, or by pydicom.

    Says what the data set says, with plain lists and numbers for pydicom's own. The data set must not change but
    through `say`.
    """

    def __init__(self, ds: Dataset) -> None:
        self.ds = ds
        self.raw: dict[int, Any] = {int(tag): one for tag, one in ds.items()}
        self.values: dict[str, Any] = {}

    def __contains__(self, keyword: Any, /) -> bool:
        return number_of(keyword) in self.raw

    def get(self, keyword: str, default: Any = None, /) -> Any:
        if keyword in self.values:
            return self.values[keyword]
        raw = self.raw.get(number_of(keyword))
        if raw is None:
            return default
        value = value_of(raw)
        if value is ASK:
            value = self.ds.get(keyword, default)
        self.values[keyword] = value
        return value

    def text(self, keyword: str) -> str | None:
        """The text of a plain element, '' where it is absent; None where pydicom has to look at it."""
        raw = self.raw.get(number_of(keyword))
        if raw is None:
            return ""
        return text_of_raw(raw) if isinstance(raw, RawDataElement) else None

    def has_any(self, keywords: Iterable[str]) -> bool:
        return not self.raw.keys().isdisjoint(map(number_of, keywords))

    def private(self, group: int, creator: str, element: int) -> Any:
        """The value of a private element in the block that its creator has reserved; None where there is none."""
        for block in range(0x10, 0x100):
            reserved = group << 16 | block
            if reserved in self.raw and str(self.ds[reserved].value).strip() == creator:
                tag = group << 16 | block << 8 | element
                return self.ds[tag].value if tag in self.raw else None
        return None

    def say(self, keyword: str, value: str) -> None:
        """Give an element another value."""
        setattr(self.ds, keyword, value)
        self.raw[number_of(keyword)] = self.ds[keyword]
        self.values.pop(keyword, None)

    def plain(self, keyword: str) -> RawDataElement | None:
        """The element as it was read, None where it is absent or has been converted."""
        raw = self.raw.get(number_of(keyword))
        return raw if isinstance(raw, RawDataElement) else None


def value_of(raw: Any) -> Any:
    """The value of an element as pydicom has it, from bytes that leave no choice; else ASK."""
    if not isinstance(raw, RawDataElement) or raw.VR is None:
        return ASK
    content, vr = raw.value, raw.VR
    if vr in WORDS and isinstance(content, bytes):
        form = ("<" if raw.is_little_endian else ">") + WORDS[vr]
        return struct.unpack(form, content)[0] if len(content) == struct.calcsize(form) else ASK
    if vr not in TEXTS and vr not in NUMBERS or not isinstance(content, bytes):
        return ASK
    if not content.isascii() or b"\x1b" in content:
        return ASK
    text = content.rstrip(PADDING).decode("ascii")
    if vr in NUMBERS:
        return numbers(text, vr)
    if "\\" not in text:
        return text if text == text.strip() else ASK
    return text.split("\\") if vr in CODED and " " not in text else ASK


def numbers(text: str, vr: str) -> Any:
    """One number or several; ASK where any of them is not written in the plainest way."""
    make = int if vr == "IS" else float
    try:
        found = [make(one) for one in text.split("\\")]
    except ValueError:
        return ASK
    if "_" in text:  # Python's own way to write a number
        return ASK
    return found[0] if len(found) == 1 else found


@lru_cache(maxsize=1024)
def number_of(keyword: str) -> int:
    """A tag as a plain number: pydicom's own compares in Python."""
    return int(tag_of(keyword))


@lru_cache(maxsize=1024)
def tag_of(keyword: str) -> BaseTag:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return BaseTag(tag)


def raw_of(ds: Readable, keyword: str) -> RawDataElement | None:
    """The element as it was read, None where it is absent or has been converted."""
    if not isinstance(ds, Dataset):
        return ds.plain(keyword) if isinstance(ds, Header) else None
    found = ds.get_item(tag_of(keyword)) if tag_of(keyword) in ds else None
    return found if isinstance(found, RawDataElement) else None


def one_value(raw: RawDataElement, kinds: frozenset[str]) -> bytes | None:
    """The bytes of a single ASCII value of one of these kinds."""
    value = raw.value
    if raw.VR not in kinds or not isinstance(value, bytes) or not value.isascii():
        return None
    return None if b"\\" in value or b"\x1b" in value else value.rstrip(PADDING)


def plain_text(ds: Readable, keyword: str) -> str | None:
    """The text of a plain element, None where pydicom has to look at it."""
    raw = raw_of(ds, keyword)
    return text_of_raw(raw) if raw is not None else None


def text_of_raw(raw: RawDataElement) -> str | None:
    value = one_value(raw, WRITTEN)
    if value is None:
        return None
    text = value.decode("ascii").strip()
    is_known = raw.VR not in NUMBERS or numbers(text, raw.VR) is not ASK
    return text if is_known and (raw.VR != "PN" or "=" not in text) else None


def plain_number(ds: Readable, keyword: str) -> str | int | None:
    """The digits or the whole number of a plain element, None where pydicom has to look at it."""
    raw = raw_of(ds, keyword)
    if raw is None:
        return None
    if raw.VR == "US" and isinstance(raw.value, bytes) and len(raw.value) == 2:
        return int.from_bytes(raw.value, "little" if raw.is_little_endian else "big")
    value = one_value(raw, NUMBERS)
    return value.decode("ascii").strip() if value else None
