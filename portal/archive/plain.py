"""Values read straight from an element's bytes, where no conversion could say anything else.

pydicom converts an element when it is first asked for; most of what the archive asks is short ASCII text.
"""

from functools import lru_cache

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

TEXTS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UI", "UT"})
NUMBERS = frozenset({"IS", "DS"})
PADDING = b" \0"


@lru_cache(maxsize=1024)
def tag_of(keyword: str) -> BaseTag:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return BaseTag(tag)


def raw_of(ds: Dataset, keyword: str) -> RawDataElement | None:
    """The element as it was read, None where it is absent or has been converted."""
    found = ds.get_item(tag_of(keyword)) if tag_of(keyword) in ds else None
    return found if isinstance(found, RawDataElement) else None


def one_value(raw: RawDataElement, kinds: frozenset[str]) -> bytes | None:
    """The bytes of a single ASCII value of one of these kinds."""
    value = raw.value
    if raw.VR not in kinds or not isinstance(value, bytes) or not value.isascii():
        return None
    return None if b"\\" in value or b"\x1b" in value else value.rstrip(PADDING)


def plain_text(ds: Dataset, keyword: str) -> str | None:
    """The text of a plain element, None where pydicom has to look at it."""
    raw = raw_of(ds, keyword)
    value = one_value(raw, TEXTS) if raw is not None else None
    return value.decode("ascii").strip() if value is not None else None


def plain_number(ds: Dataset, keyword: str) -> str | int | None:
    """The digits or the whole number of a plain element, None where pydicom has to look at it."""
    raw = raw_of(ds, keyword)
    if raw is None:
        return None
    if raw.VR == "US" and isinstance(raw.value, bytes) and len(raw.value) == 2:
        return int.from_bytes(raw.value, "little" if raw.is_little_endian else "big")
    value = one_value(raw, NUMBERS)
    return value.decode("ascii").strip() if value else None
