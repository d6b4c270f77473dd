"""Bits above the stored ones (PS3.5 8.1.1): a sign that is not extended, an overlay. Such an image is held, in whatever
form it comes, and no byte of its pixels is touched."""

import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from portal.archive.decode import precision
from portal.archive.filing import release
from portal.archive.models import Series
from portal.archive.reading import read
from portal.errors import Conflict
from tests.archive.builders import change, look, report, slices, take
from tests.archive.test_reading import image, written
from tests.cohort import make_user

SENTENCE = (
    "The way the pixels are stored (bits above the 12 stored ones are in use) is not supported."
)
# the least that JPEG 2000 is written in
SHAPE = (32, 32)
N = 32 * 32
HU = np.resize([-1000, -100, -1, 0, 50, 1000], N)
UNSIGNED = HU + 1024
# stored values of twelve bits in words of sixteen: kind, words, and whether they are all that they seem
WORDS = {
    "signed": (1, HU.astype("<i2").view("<u2"), True),
    "sign not extended": (1, (HU & 0xFFF).astype("<u2"), False),
    "unsigned": (0, UNSIGNED.astype("<u2"), True),
    "overlay in bit 12": (0, (UNSIGNED | np.resize([0, 0x1000], N)).astype("<u2"), False),
    "a box in bit 15": (0, (UNSIGNED | (np.arange(N) == 40) * 0x8000).astype("<u2"), False),
}
NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)  # fmt: skip
PACKED = (RLELossless, JPEGLSLossless, JPEG2000Lossless)
HUFFMAN = (JPEGLossless, JPEGLosslessSV1)


def lossless_jpeg(words: np.ndarray, bits: int = 16) -> bytes:
    """JPEG process 14 (predictor 1, every category of differences a code of five bits), written by hand."""
    code, values = "", words.astype(int).reshape(SHAPE) & (2**bits - 1)
    for (row, column), value in np.ndenumerate(values):
        before = values[row, column - 1] if column else values[row - 1, 0] if row else 2 ** (bits - 1)  # fmt: skip
        step = (int(value) - int(before) + 2**15) % 2**16 - 2**15
        size = abs(step).bit_length()
        code += f"{size:05b}"
        if 0 < size < 16:
            code += f"{step if step > 0 else step + 2**size - 1:0{size}b}"
    code += "1" * (-len(code) % 8)
    stream = int(code, 2).to_bytes(len(code) // 8, "big").replace(b"\xff", b"\xff\0")
    parts = {
        0xC3: struct.pack(">BHHB", bits, *SHAPE, 1) + b"\1\x11\0",
        0xC4: bytes([0, 0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17)),
        0xDA: b"\1\1\0\1\0\0",
    }
    heads = (struct.pack(">BBH", 255, k, len(part) + 2) + part for k, part in parts.items())
    return b"\xff\xd8" + b"".join(heads) + stream + b"\xff\xd9"


def twelve_bits(path: Path, words: np.ndarray, sign: int, syntax: str) -> Path:
    """The CT slice with these words for pixels, in a form of its own."""
    ds = pydicom.dcmread(path)
    ds.PixelRepresentation, ds.RescaleIntercept = sign, 0 if sign else -1024
    ds.Rows, ds.Columns = SHAPE
    del ds.PixelPaddingValue
    order = ">u2" if syntax == ExplicitVRBigEndian else "<u2"
    ds.PixelData = words.astype(order).tobytes()
    ds["PixelData"].VR = "OW"
    if syntax in PACKED:  # all bits are written, whatever is called stored afterwards
        ds.compress(syntax, generate_instance_uid=False)
    elif syntax in HUFFMAN:
        ds.PixelData = encapsulate([lossless_jpeg(words)])
        ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = syntax
    ds.BitsStored, ds.HighBit = 12, 11
    whole = Dataset(ds)  # of no encoding yet: another than the one that was read
    whole.file_meta = ds.file_meta
    whole.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("syntax", [*NATIVE, *PACKED, *HUFFMAN], ids=lambda uid: uid.name[:24])
@pytest.mark.parametrize("what", WORDS)
def test_the_same_bits_are_judged_alike_in_every_form_and_kept_as_they_came(tmp_path, what, syntax):
    sign, words, is_plain = WORDS[what]
    (path,) = slices(tmp_path, n=1)
    answer = read(twelve_bits(path, words, sign, syntax), tmp_path)
    assert (answer["reason_code"], answer["sentence"]) == (("", "") if is_plain else ("pixel_encoding", SENTENCE))  # fmt: skip
    assert (tmp_path / "native").read_bytes() == words.tobytes()
    assert answer["role"] == "CT"


@pytest.mark.parametrize("what", WORDS)
def test_frames_that_stay_in_their_file_are_looked_at_as_well(tmp_path, what):
    sign, words, is_plain = WORDS[what]
    (path,) = slices(tmp_path, n=1)
    answer = read(twelve_bits(path, words, sign, ExplicitVRLittleEndian), tmp_path, is_ours=True)
    assert (answer["is_in_file"], answer["reason_code"] == "") == (True, is_plain)


@pytest.mark.parametrize("bits", [12, 13, 15, 16])
@pytest.mark.parametrize("what", ["signed", "unsigned"])
def test_a_jpeg_extends_signs_from_the_bits_of_its_own_stream(tmp_path, what, bits):
    """Encoders write twelve stored bits as twelve or as sixteen: the same image."""
    sign, words, _ = WORDS[what]
    (path,) = slices(tmp_path, n=1)
    twelve_bits(path, words, sign, JPEGLossless)
    change(path, lambda ds: setattr(ds, "PixelData", encapsulate([lossless_jpeg(words, bits)])))
    assert read(path, tmp_path)["reason_code"] == ""
    assert (tmp_path / "native").read_bytes() == words.tobytes()


def test_the_bits_of_a_jpeg_are_those_of_its_first_frame_header():
    stream = lossless_jpeg(WORDS["unsigned"][1], 12)
    assert precision(stream) == 12
    comment = b"\xff\xfe\0\6\xff\xc3\0\0"
    assert precision(stream[:2] + comment + b"\xff\xff" + stream[2:]) == 12
    # where it cannot be found, every bit counts
    assert [precision(s) for s in (b"", stream[:2], stream[:6], b"\xff\xd8" + bytes(9))] == [64] * 4


PADDED = np.where(np.arange(N) < 7, 63536, UNSIGNED).astype("<u2")  # -2000 in sixteen bits


@pytest.mark.parametrize(
    ("padding", "vr", "is_held"),
    [(63536, "US", False), (-2000, "SS", False), (None, "US", True), (0, "US", True), (63535, "US", True)],
)  # fmt: skip
def test_padding_may_use_all_bits_and_nothing_else_may(tmp_path, padding, vr, is_held):
    (path,) = slices(tmp_path, n=1)
    twelve_bits(path, PADDED, 0, ExplicitVRLittleEndian)
    if padding is not None:
        change(path, lambda ds: ds.add_new("PixelPaddingValue", vr, padding))
    assert (read(path, tmp_path)["reason_code"] == "pixel_encoding") == is_held


def test_beside_padding_one_other_value_is_enough(tmp_path):
    (path,) = slices(tmp_path, n=1)
    words = PADDED.copy()
    words[-1] |= 0x1000
    twelve_bits(path, words, 0, ExplicitVRLittleEndian)
    change(path, lambda ds: ds.add_new("PixelPaddingValue", "US", 63536))
    assert read(path, tmp_path)["sentence"] == SENTENCE


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("sign", [0, 1])
def test_where_all_bits_are_stored_every_value_is_one(tmp_path, bits, sign):
    """So it is in Xeleris: signed counts in 16 of 16 bits."""
    (path,) = slices(tmp_path, n=1)

    def edit(ds: Dataset) -> None:
        ds.BitsAllocated = ds.BitsStored = bits
        ds.HighBit, ds.PixelRepresentation = bits - 1, sign
        ds.PixelData = np.resize([0, 1, 2 ** (bits - 1), 2**bits - 1], 30).astype(f"<u{bits // 8}").tobytes()  # fmt: skip

    change(path, edit)
    assert read(path, tmp_path)["reason_code"] == ""


@pytest.mark.parametrize(
    ("stored", "sign", "value", "is_held"),
    [
        (12, 0, 4095, False), (12, 0, 4096, True), (12, 1, 2047, False), (12, 1, 2048, True),
        (12, 1, -2048, False), (12, 1, -2049, True), (15, 0, 2**15, True), (10, 0, 1023, False), (10, 0, 1024, True),
    ],
)  # fmt: skip
def test_one_value_in_one_frame_beyond_the_stored_bits_is_enough(
    tmp_path, stored, sign, value, is_held
):
    words = np.zeros((3, 9), np.int64)
    words[2, 4] = value
    data = (words & 0xFFFF).astype("<u2").tobytes()
    ds = image(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.20", ImageType=["ORIGINAL", "PRIMARY", "STATIC"], NumberOfFrames=3,
        BitsAllocated=16, BitsStored=stored, HighBit=stored - 1, PixelRepresentation=sign, PixelData=data,
    )  # fmt: skip
    answer = read(written(tmp_path / "a.dcm", ds), tmp_path)
    assert (answer["reason_code"], answer["role"]) == ("pixel_encoding" * is_held, "WB")


def test_what_is_held_for_its_class_keeps_that_reason(tmp_path):
    ds = image(BitsAllocated=16, BitsStored=12, HighBit=11, PixelData=b"\xff" * 18)
    assert read(written(tmp_path / "a.dcm", ds), tmp_path)["reason_code"] == "other_class"


@pytest.mark.django_db
def test_such_slices_are_one_held_series_that_nobody_releases(tmp_path):
    paths = slices(tmp_path, n=4)
    for path in paths:
        sign, words, _ = WORDS["sign not extended"]
        twelve_bits(path, words, sign, ExplicitVRLittleEndian)
    row = take(*paths, study_key="bone")
    assert report(row) == ["pixel_encoding"] * 4
    assert {f.sentence for f in row.files.all()} == {SENTENCE}
    series = Series.objects.get()
    assert (series.state, series.is_volume, series.n_frames) == ("held", False, 4)
    assert series.sentence == SENTENCE
    with pytest.raises(Conflict):
        release(
            series,
            reason="seen on the CT, all is well",
            actor=make_user("chief"),
            study="bone",
            seen=look(series),
        )
