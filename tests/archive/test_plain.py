"""Reading bytes directly says what pydicom's conversion says, or leaves it to pydicom."""

import io
import struct

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.multival import MultiValue

from portal.archive import deidentify
from portal.archive.deidentify import one_number, text_of
from portal.archive.plain import Header, Readable, dataset_of, plain_number, plain_text, tag_of
from portal.archive.prescan import scan
from portal.archive.refusals import Refusal
from tests.archive.builders import slices
from tests.archive.test_import import SHARED, needs_shared

SYNTAXES = {
    "little": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "big": "1.2.840.10008.1.2.2",
}
VALUES = {
    "Manufacturer": ["", "A", "A ", " A", "A\0", "A \0 \0", "a b", "a\\b", "Müller", "\tA", "A\r\n", "\x1b(B"],
    "Modality": ["CT", "CT ", "ct", "CT\\NM"], "StudyTime": ["0910", "0910.5 ", "x"],
    "StudyDate": ["20240101", "2024.01.01", "20240101-20240102"], "PatientID": ["1\\2", " 1 ", "1\0"],
    "SOPInstanceUID": ["1.2.3", "1.2.3\0", "1.2.3 ", "1.2\\3.4"], "PatientAge": ["065Y", "65"],
    "SliceThickness": ["2.5", " 2.5 ", "2.5\\3", "", "+2", "1e3", "x", "1.", "2.5\0"],
    "SeriesNumber": ["3", " 3 ", "3.0", "+3", "", "x", "99999999999", "007", "1_0", "1\\2"],
    "ImageType": ["ORIGINAL\\PRIMARY\\AXIAL", "A\\ B ", "A\\\\C", "A\\"],
    "PixelSpacing": ["0.8\\0.80", "+.5\\1e1", "1\\", "1_0\\2", "nan\\1"], "WindowCenter": ["40", "40\\400 "],
}  # fmt: skip


@pytest.fixture
def as_pydicom(monkeypatch):
    """The same questions with every value converted by pydicom."""

    def ask(ds: Dataset, keyword: str) -> tuple[object, object]:
        with monkeypatch.context() as patch:
            patch.setattr(deidentify, "plain_text", lambda ds, keyword: None)
            patch.setattr(deidentify, "plain_number", lambda ds, keyword: None)
            return answers(ds, keyword)

    return ask


def answers(ds: Readable, keyword: str) -> tuple[object, object]:
    """Text and number, or that this element refuses it, which takes it out of the data set."""
    found: list[object] = []
    for question in (text_of, one_number):
        try:
            found.append(question(ds, keyword))
        except Exception as error:  # noqa: BLE001  what pydicom raises is what is compared
            found.append(type(error).__name__)
    return found[0], found[1]


def got(ds: Readable, keyword: str) -> object:
    """The value with a list for several, or that this element refuses it."""
    try:
        value = ds.get(keyword)
    except Exception as error:  # noqa: BLE001  what pydicom raises is what is compared
        return type(error).__name__
    value = list(value) if isinstance(value, MultiValue) else value
    return "not a number" if "nan" in repr(value) else value


def written(keyword: str, value: str, syntax: str) -> bytes:
    """A file with these very bytes as a value."""
    meta = Dataset()
    meta.file_meta = FileMetaDataset()
    meta.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    out = io.BytesIO()
    meta.save_as(out, enforce_file_format=False)
    order = ">" if syntax == "big" else "<"
    data = {
        tag_of("SpecificCharacterSet"): b"ISO_IR 100",
        tag_of("Rows"): struct.pack(f"{order}H", 513),
    }
    data[tag_of(keyword)] = value.encode("latin-1") + b" " * (len(value) % 2)
    for tag, one in sorted(data.items()):
        out.write(struct.pack(f"{order}HH", tag.group, tag.element))
        if syntax == "implicit":
            out.write(struct.pack("<I", len(one)) + one)
        else:
            out.write(dictionary_VR(tag).encode() + struct.pack(f"{order}H", len(one)) + one)
    return out.getvalue()


def read_again(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data), force=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("keyword", "value"), [(k, v) for k, some in VALUES.items() for v in some])
def test_odd_values_are_what_pydicom_says(as_pydicom, keyword, value, syntax):
    data = written(keyword, value, syntax)
    assert answers(read_again(data), keyword) == as_pydicom(read_again(data), keyword)
    assert answers(read_again(data), "Rows") == ("513", 513)
    header = Header(read_again(data))
    assert answers(header, keyword) == as_pydicom(read_again(data), keyword)
    assert got(header, keyword) == got(read_again(data), keyword) == got(header, keyword)
    assert (header.get("Rows"), "Rows" in header, "Columns" in header) == (513, True, False)
    assert header.get("Columns", 7) == 7


def test_a_header_says_what_it_was_told():
    header = Header(read_again(written("SOPClassUID", "1.2.3", "little")))
    assert header.get("SOPClassUID") == "1.2.3"
    header.say("SOPClassUID", "1.2.4")
    header.say("SOPInstanceUID", "1.2.5")
    assert [header.get("SOPClassUID"), text_of(header, "SOPInstanceUID")] == ["1.2.4", "1.2.5"]
    assert header.ds.SOPClassUID == "1.2.4"


@pytest.mark.filterwarnings("ignore")
@needs_shared
def test_every_element_of_every_sample_is_what_pydicom_says(as_pydicom):
    n_plain = 0
    for path in sorted(p for p in SHARED.rglob("*") if p.is_file()):
        try:
            mine, theirs, raw, ours = (
                pydicom.dcmread(path, stop_before_pixels=True) for _ in range(4)
            )
            header = Header(ours)
            named = map(keyword_for_tag, mine.keys())
            keywords = [k for k in named if k and tag_for_keyword(k)]
        except Exception:  # noqa: BLE001, S112  a sample that is no DICOM file, or damaged
            continue
        for keyword in keywords:
            n_plain += (
                plain_text(raw, keyword) is not None or plain_number(raw, keyword) is not None
            )
            known = as_pydicom(theirs, keyword)
            assert answers(mine, keyword) == known, (path.name, keyword)
            assert answers(header, keyword) == known, (path.name, keyword)
            assert got(header, keyword) == got(theirs, keyword), (path.name, keyword)
    assert n_plain > 1000


def as_read(ds: Dataset) -> tuple[object, ...]:
    """Everything that pydicom has read and not yet converted."""
    if "SpecificCharacterSet" in ds:
        assert ds["SpecificCharacterSet"].VR == "CS"  # pydicom converts it while it reads
    raw = {int(tag): one if isinstance(one, RawDataElement) else (one.VR, one.value) for tag, one in ds.items()}  # fmt: skip
    return (raw, ds.original_encoding, ds.original_character_set, ds._character_set)


def assert_same(data: bytes) -> bool:
    """The scan's elements give pydicom's data set; False where they are left to it."""
    try:
        scanned = scan(data)
    except Refusal:
        return False
    if scanned.elements is None:
        return False
    theirs = pydicom.dcmread(io.BytesIO(scanned.data), force=True)
    assert as_read(dataset_of(scanned.data, scanned.elements)) == as_read(theirs)
    return True


@pytest.mark.filterwarnings("ignore")
@needs_shared
def test_a_data_set_of_scanned_elements_is_the_one_that_pydicom_reads():
    paths = sorted(p for p in SHARED.rglob("*") if p.is_file())
    assert sum(assert_same(p.read_bytes()) for p in paths) > 50


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(4))
def test_so_it_is_of_a_damaged_copy(tmp_path, seed):
    (path,) = slices(tmp_path, n=1)
    whole, rng, n = path.read_bytes(), np.random.default_rng(seed), 0
    for _ in range(150):
        data = bytearray(whole)
        for place in rng.integers(132, len(whole), rng.integers(1, 4)):
            data[place] = rng.integers(256)
        n += assert_same(bytes(data))
    assert n > 20
