"""What we write as DICOM is read back by pydicom value for value: an independent reader."""

import io
import struct

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import keyword_for_tag
from pydicom.encaps import generate_frames

from portal.archive.dicomweb.encoding import (
    FRAGMENTS_END,
    IMPLEMENTATION,
    element,
    encoded,
    file_start,
    fragment_start,
    fragments_start,
    native_start,
)
from portal.archive.dicomweb.header import known, put, value
from portal.archive.limits import is_valid_uid
from tests.archive.test_allow_list import KINDS, shown

CT, LE, RLE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"


def read(body: bytes, syntax: str = LE) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(file_start(CT, "2.25.4", syntax) + body))


def written(**values: object) -> pydicom.FileDataset:
    elements: dict = {}
    for keyword, given_ in values.items():
        put(elements, keyword, *(given_ if isinstance(given_, (list, tuple)) else [given_]))
    return read(encoded(elements))


@pytest.mark.parametrize(
    ("keyword", "said"),
    [
        ("PatientID", "S1234"), ("PatientID", "S123"), ("PatientName", "K7Q"), ("PatientSex", "F"),
        ("StudyDate", "20150304"), ("StudyTime", "101530.25"), ("ImageType", ["ORIGINAL", "PRIMARY", "RECON TOMO"]),
        ("StudyInstanceUID", "2.25.1"), ("StudyInstanceUID", "2.25.12"), ("Rows", 512), ("Rows", 65535),
        ("PixelSpacing", [0.9765625, 0.9765625]), ("KVP", 120), ("InstanceNumber", 7), ("NumberOfFrames", 64),
        ("ImagePositionPatient", [-272.13778, -283.93778, 278.33778]), ("SoftwareVersions", ["4.0", "VB42B"]),
        ("SliceVector", [1, 2, 3]), ("RescaleSlope", 1.0), ("RescaleIntercept", -1024.0), ("WindowCenter", 400.0),
        ("AvailableTransferSyntaxUID", [RLE, LE]), ("PatientAge", "060Y"), ("DeidentificationMethod", "m" * 64),
    ],
)  # fmt: skip
def test_a_value_is_read_back_as_it_was_put(keyword, said):
    found = written(**{keyword: said})[keyword].value
    assert (list(found) if isinstance(said, list) else found) == said


@pytest.mark.parametrize("keyword", ["PatientBirthDate", "AccessionNumber", "StudyID", "PatientSex", "ReferringPhysicianName", "DetectorInformationSequence"])  # fmt: skip
def test_an_element_without_a_value_is_present_and_empty(keyword):
    found = written(**{keyword: []})
    assert keyword in found
    assert not found[keyword].value


@pytest.mark.parametrize(("padding", "vr"), [(-2000, "SS"), (0, "US"), (63536, "US")])
def test_a_padding_value_has_the_vr_of_its_sign(padding, vr):
    found = written(PixelPaddingValue=padding)["PixelPaddingValue"]
    assert (found.value, found.VR) == (padding, vr)


def test_a_pointer_is_a_tag():
    assert written(FrameIncrementPointer="00540080").FrameIncrementPointer == 0x00540080


numbers = st.floats(-1e6, 1e6).map(lambda v: round(v, 6))


@given(st.lists(numbers, min_size=1, max_size=6))
def test_a_decimal_string_has_at_most_16_characters_and_keeps_ten_digits(values):
    elements: dict = {}
    put(elements, "ImagePositionPatient", *values)
    content = encoded(elements)[8:].decode().strip()
    assert all(len(part) <= 16 for part in content.split("\\"))
    found = [float(part) for part in content.split("\\")]
    assert found == pytest.approx(values, rel=1e-9, abs=1e-9)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\\^="), min_size=1, max_size=20))  # fmt: skip
def test_text_is_written_in_the_character_set_that_is_named(text):
    said = text.strip()
    if said:
        found = written(SpecificCharacterSet="ISO_IR 192", StudyDescription=said)
        assert found.StudyDescription == said.rstrip("\0")


@given(st.binary(max_size=30), st.sampled_from(["OB", "UI", "LO", "UN"]))
def test_an_element_is_of_even_length_and_padded_by_its_kind(content, vr):
    found = element("00091010", vr, content)
    assert len(found) % 2 == 0
    if len(content) % 2:
        assert found[-1:] == (b"\0" if vr in ("OB", "UI") else b" ")


@pytest.mark.parametrize("is_case", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_element_of_a_view_survives_the_way_through_a_file(kind, is_case):
    elements = shown(kind, is_case=is_case)
    found = read(encoded(elements))
    assert {f"{e.tag:08X}" for e in found} == set(elements)
    for tag, one in elements.items():
        keyword = keyword_for_tag(int(tag, 16))
        if one["vr"] in ("SQ", "AT", "PN"):
            continue
        back = found[keyword].value
        back = list(back) if isinstance(back, (list, pydicom.multival.MultiValue)) else [back]
        assert [b for b in back if b not in ("", None)] == one.get("Value", []), keyword
    assert [e.tag for e in found] == sorted(e.tag for e in found)


def test_a_sequence_is_read_back_with_what_its_items_hold():
    found = read(encoded(shown("SPECT")))
    (detector,) = found.DetectorInformationSequence
    assert list(detector.ImagePositionPatient) == [-5.0, -6.0, -7.0]
    codes = [item.CodeValue for item in found.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113107", "113108", "113109"]


@pytest.mark.parametrize("syntax", [LE, RLE])
def test_the_file_header_is_whole_and_ours(syntax):
    found = read(b"", syntax)
    assert found.preamble == bytes(128)
    meta = found.file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CT, "2.25.4")
    assert (meta.TransferSyntaxUID, meta.ImplementationClassUID) == (syntax, IMPLEMENTATION)
    assert is_valid_uid(IMPLEMENTATION)
    start = file_start(CT, "2.25.4", syntax)
    assert meta.FileMetaInformationGroupLength == len(start) - 128 - 4 - 12


@pytest.mark.parametrize(("bits", "vr"), [(8, "OB"), (16, "OW"), (32, "OW")])
@pytest.mark.parametrize("length", [0, 1, 2, 59, 60])
def test_native_pixels_are_read_back_with_their_padding(bits, vr, length):
    data = bytes(range(length))
    found = read(native_start(length, bits) + data + b"\0" * (length % 2))["PixelData"]
    assert (found.value or b"", found.VR) == (data + b"\0" * (length % 2), vr)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6))
def test_fragments_are_read_back_frame_by_frame(frames):
    body = fragments_start([len(f) for f in frames])
    for frame in frames:
        body += fragment_start(len(frame)) + frame + b"\0" * (len(frame) % 2)
    found = read(body + FRAGMENTS_END, RLE)
    back = list(generate_frames(found.PixelData, number_of_frames=len(frames)))
    assert back == [f + b"\0" * (len(f) % 2) for f in frames]


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_the_offset_table_says_where_each_fragment_begins(lengths):
    start = fragments_start(lengths)
    table = struct.unpack(f"<{len(lengths)}I", start[20:])
    at = 0
    for offset, length in zip(table, lengths, strict=True):
        assert offset == at
        at += 8 + length + length % 2


def test_without_room_for_its_offsets_the_table_is_empty():
    """Offsets have 32 bits; beyond them a reader counts the fragments."""
    assert len(fragments_start([2**31, 2**31])) == 20
    assert len(fragments_start([2**31 - 100, 2**31 - 100])) == 28


def test_a_keyword_that_does_not_exist_is_an_error_of_ours():
    with pytest.raises(ValueError, match="PatientIdd is no DICOM keyword"):
        known("PatientIdd")


@pytest.mark.parametrize(
    ("values", "element_"),
    [
        ((), {"vr": "LO"}), (("",), {"vr": "LO"}), ((None,), {"vr": "LO"}), (("a",), {"vr": "LO", "Value": ["a"]}),
        (("a", "", "b"), {"vr": "LO", "Value": ["a", "b"]}),
    ],
)  # fmt: skip
def test_put_leaves_out_what_has_no_value(values, element_):
    found: dict = {}
    put(found, "PatientID", *values)
    assert found == {"00100020": element_}
    assert value(found, "PatientID", "none") == (element_.get("Value") or ["none"])[0]
