"""Why a file is not taken: a code, the STOW failure reason, and the sentence for the user."""

import re
from typing import Any

DAMAGED = 0xC000
SIZES = 0xA900
TOO_LARGE = 0xA700
SYNTAX = 0xC122
UNKNOWN_CLASS = 0x0122
STOPPED = FAILED = 0x0110
CONFLICT = 0x0111
OTHER_EXAM = 0xA901

SENTENCES: dict[str, tuple[int, str]] = {
    "empty": (DAMAGED, "This file is empty."),
    "not_dicom": (DAMAGED, "This is not a DICOM file."),
    "dicomdir": (
        DAMAGED,
        "DICOMDIR is only an index; the images are imported from their own files.",
    ),
    "header": (
        DAMAGED,
        "The DICOM header is damaged; copy the file again from the scanner or PACS.",
    ),
    "cut": (
        DAMAGED,
        "The file ends too early: {tag} announces {n} bytes, {m} are there; copy it again.",
    ),
    "short_pixels": (SIZES, "The image is incomplete: {m} of {n} bytes; copy it again."),
    "nested": (DAMAGED, "The header is nested or long beyond any real image; it was not read."),
    "inflated": (
        TOO_LARGE,
        "Unpacked, this is larger than allowed ({limit}); it was not unpacked further.",
    ),
    "unsafe_name": (DAMAGED, "This entry has an unsafe name or is a link; it was left out."),
    "locked_zip": (
        DAMAGED,
        "Unpack the archive first; encrypted and nested archives are not opened.",
    ),
    "damaged_zip": (DAMAGED, "This archive is damaged; pack it again."),
    "damaged_entry": (DAMAGED, "This entry of the archive is damaged; pack it again."),
    "sizes": (SIZES, "The image claims {r} x {c} x {f}; allowed are 4096 x 4096 x 4096 and 2 GiB."),
    "no_image": (SIZES, "There is no image in this file ({keyword} is missing)."),
    "uid": (DAMAGED, "{keyword} is missing or not a valid UID; export the image again."),
    "syntax": (
        SYNTAX,
        "Transfer syntax {name} cannot be decoded here; send it uncompressed or as JPEG 2000.",
    ),
    "frame": (DAMAGED, "Frame {k} is damaged; copy the file again."),
    "class": (UNKNOWN_CLASS, "{uid} is not an image class this portal knows."),
    "conflict": (
        CONFLICT,
        "Another image with this UID is already stored; the stored one was kept. Ask the sender which is right.",
    ),
    "patient_conflict": (
        DAMAGED,
        "This exam already belongs to another patient; decide in the held list.",
    ),
    "other_exam": (OTHER_EXAM, "The file belongs to another exam than the address names."),
    "synthetic": (DAMAGED, "{kind} images cannot enter this {study} study."),
    "too_large": (TOO_LARGE, "The file is larger than {limit}."),
    "stopped": (STOPPED, "Reading this file took too long or too much memory, so it was stopped."),
    "archive_down": (FAILED, "The image archive does not answer; try again in a minute."),
    "archive_damaged": (
        FAILED,
        "The series of this image is damaged in the archive; tell the coordinator.",
    ),
    "disk": (
        TOO_LARGE,
        "The archive's disk is full; nothing of this file was stored. Free space and send it again.",
    ),
}


def wording(code: str) -> str:
    """The sentence of a refusal for the logs: without what is filled into it, which may be of the file."""
    _, template = SENTENCES.get(code, (DAMAGED, ""))
    return re.sub(r"\{\w+\}", "…", template)


class Refusal(Exception):
    """One file is refused; nothing of it is kept."""

    def __init__(self, code: str, **values: Any) -> None:
        reason, template = SENTENCES[code]
        self.uids: dict[str, str] = {}
        self.code = code
        self.reason = reason
        self.sentence = template.format(**{k: str(v)[:120] for k, v in values.items()})
        super().__init__(self.sentence)
