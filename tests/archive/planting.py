"""Elements of every VR planted in a file, each with a string of its own, and how to find them again."""

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
from django.db import transaction
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence
from pydicom.tag import Tag

MARK = "QZ"  # begins every planted text; the number of the element follows
TEXTS = {
    "AE": 16, "CS": 16, "LO": 64, "LT": 400, "PN": 64, "SH": 16, "ST": 400, "UC": 100, "UR": 100, "UT": 400,
}  # fmt: skip
# what gives the image its place, size and identity; its values are numbers and UIDs that are mapped
KEPT = {
    0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00200052, 0x00280002, 0x00280004, 0x00280008, 0x00280010,
    0x00280011, 0x00280030, 0x00280034, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00280106, 0x00280107,
    0x00280120, 0x00280121, 0x00200032, 0x00200037, 0x00281052, 0x00281053, 0x00281054, 0x00080005, 0x7FE00010,
    0x7FE00001, 0x7FE00002, 0x7FE00003, 0x7FE00008, 0x7FE00009, 0x00280301, 0x00080060, 0x0008001C, 0x00280006,
    0x00280051, 0x00280014, 0x00281101, 0x00281102, 0x00281103,
    # why these would hold a CT (secondary capture, burned in): tested with the held classes
    0x00080064,
}  # fmt: skip

# what makes an NM or PT object a volume, its frames counted and placed
OF_CLASS = (0x00180088, 0x00540020, 0x00540021, 0x00540022, 0x00540016, 0x00540080, 0x00540081)


def planted_value(vr: str, number: int) -> object:
    """A value that can be recognised: text with the number, or a number that stands nowhere else."""
    if vr in TEXTS:
        return f"{MARK}{number:05d}X"[: TEXTS[vr]]
    return {
        "DA": "19470311", "DT": "19470311070913.123456", "TM": "070913.4321", "AS": "043Y",
        "UI": f"1.2.999.47110815.{number}", "DS": f"47110815.{number:05d}", "IS": str(47_000_000 + number),
        "OB": f"{MARK}{number:05d}X".encode(), "UN": f"{MARK}{number:05d}X".encode(),
        "OW": f"{MARK}{number:05d}X".encode(), "FD": 47110815.0 + number / 1e5, "FL": 47110.0,
        "UL": 471108150, "SL": 471108150, "US": 47110, "SS": 27110, "AT": 0x47110815,
        "OD": struct.pack("<d", 47110815.5), "OF": struct.pack("<f", 47110.5), "OL": struct.pack("<I", 471108150),
        "OV": struct.pack("<Q", 4711081547110815), "UV": 4711081547110815, "SV": 4711081547110815,
    }.get(vr)  # fmt: skip


def plant(ds: pydicom.Dataset) -> int:
    """Every element of the dictionary that is not needed for the image, in private groups and sequences too."""
    count, inner = 0, pydicom.Dataset()
    for number, (tag, (vr, *_)) in enumerate(sorted(DicomDictionary.items())):
        group = tag >> 16
        if tag in KEPT or group < 8 or group in (0x7FE0, 0xFFFE, 0xFFFC, 0xFFFA, 0x0028, 0x5400):
            continue
        value = planted_value(vr.split(" or ")[0], number)
        if vr == "SQ" or value is None:
            continue
        element = DataElement(Tag(tag), vr.split(" or ")[0], value)
        ds[tag], inner[tag] = element, element
        count += 1
    for keyword in ("RequestAttributesSequence", "ReferencedImageSequence", "OtherPatientIDsSequence",
                    "ProcedureCodeSequence", "DeidentificationMethodCodeSequence"):  # fmt: skip
        setattr(ds, keyword, Sequence([inner]))
    block = ds.private_block(0x0009, f"{MARK}OWNER", create=True)
    for number, vr in enumerate(("LO", "PN", "UT", "SH"), start=1):
        block.add_new(number, vr, f"{MARK}PRIV{number}")
    block.add_new(9, "SQ", Sequence([inner]))
    ds.add_new(0x60000022, "LO", f"{MARK}OVERLAY")
    ds.add_new(0xFFFCFFFC, "OB", f"{MARK}TRAILER".encode())
    return count


def spoil(path: Path) -> None:
    """Plant a file of any class, its preamble included; what makes it an image of its class stays."""
    ds = pydicom.dcmread(path)
    kept = {tag: ds[tag] for tag in OF_CLASS if tag in ds}
    kinds = [str(kind) for kind in ds.ImageType]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert plant(ds) > 2000
        for tag, element in kept.items():
            ds[tag] = element
        ds.ImageType = [*kinds, f"{MARK}KIND"]
        ds.CorrectedImage, ds.ImagePresentationComments = ["ATTN", f"{MARK}CORR"], f"{MARK}COMMENT"
        ds.preamble = f"{MARK}PREAMBLE".encode().ljust(128, b"\0")
        ds.save_as(path)


# what is planted and nothing shorter, for a random token of a page may hold two letters and some digits
TEXT = re.compile(
    rb"QZ(?:[0-9]{5}X?|(?:PRIV|PREAMBLE|OWNER|OVERLAY|TRAILER|FILE|KIND|CORR|COMMENT)[0-9]*)"
)
NUMBERS = (b"19470311", b"1947-03-11", b"1.2.999.")


def tell_tales(data: bytes) -> set[bytes]:
    return {*TEXT.findall(data), *(n for n in NUMBERS if n in data)}


@contextmanager
def kept_until_the_end() -> Iterator[None]:
    """Rows that the tests of a module share; an import may commit within, and all is undone at the end."""
    block = transaction.atomic()
    block._from_testcase = True  # as Django's own test case marks the block around a test
    with block:
        yield
        transaction.set_rollback(True)
