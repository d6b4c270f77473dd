"""Reading an Accept header leniently: alternatives by q, parameters in any order and case, quotes optional."""

from dataclasses import dataclass
from functools import lru_cache

from portal.archive.decode import LITTLE_ENDIAN

IMPLICIT = "1.2.840.10008.1.2"
TYPED = {
    "image/jls": ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"),
    "image/jp2": ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"),
    "image/jpx": ("1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93"),
    "image/jphc": ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"),
    "image/jpeg": ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57",
                   "1.2.840.10008.1.2.4.70"),
    "image/dicom-rle": ("1.2.840.10008.1.2.5",),
}  # fmt: skip


@dataclass(frozen=True)
class Alternative:
    """One media range with its parameters, lower-case keys, quotes taken off."""

    media: str
    parameters: dict[str, str]
    q: float


@dataclass(frozen=True)
class Wanted:
    """The form of an answer: transfer syntax, and one part or multipart."""

    syntax: str
    is_single: bool


def split_outside_quotes(text: str, mark: str) -> list[str]:
    parts, quoted, current = [], False, ""
    for letter in text:
        quoted ^= letter == '"'
        if letter == mark and not quoted:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [*parts, current]


def alternatives(header: str) -> list[Alternative]:
    """Media ranges, the most wanted first; what cannot be read is skipped."""
    found = []
    for text in split_outside_quotes(header, ","):
        media, *rest = (p.strip() for p in split_outside_quotes(text, ";"))
        parameters = {}
        for part in rest:
            key, _, value = part.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        try:
            q = float(parameters.pop("q", "1"))
        except ValueError:
            continue
        if "/" in media and q > 0:
            found.append(Alternative(media.lower(), parameters, q))
    return sorted(found, key=lambda a: -a.q)


@lru_cache(maxsize=512)
def wanted_frames(
    header: str, stored: str, has_stored: bool, *, is_one: bool = True
) -> Wanted | None:
    """The form of one frame or several for an Accept header, None where nothing acceptable is offered."""
    if not header.strip():
        return Wanted(LITTLE_ENDIAN, is_single=False)
    for alternative in alternatives(header):
        found = of_alternative(alternative, stored if has_stored else LITTLE_ENDIAN)
        if found is not None and (is_one or not found.is_single):
            return found
    return None


def of_alternative(alternative: Alternative, stored: str) -> Wanted | None:
    media, parameters = alternative.media, alternative.parameters
    is_single = media == "application/octet-stream"
    if media == "*/*":
        return Wanted(LITTLE_ENDIAN, is_single=False)
    if not is_single and media != "multipart/related":
        return None
    inner = parameters.get("type", "application/octet-stream").lower()
    if inner in TYPED:
        is_asked = parameters.get("transfer-syntax", "*") in ("*", stored)
        return Wanted(stored, is_single=False) if is_asked and stored in TYPED[inner] else None
    if inner not in ("application/octet-stream", "*/*"):
        return None
    syntax = parameters.get("transfer-syntax", LITTLE_ENDIAN)
    if syntax == "*":
        return Wanted(stored, is_single)
    if syntax in (LITTLE_ENDIAN, IMPLICIT):
        return Wanted(LITTLE_ENDIAN, is_single)
    return Wanted(stored, is_single) if syntax == stored else None
