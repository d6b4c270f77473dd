"""Reading one file: odd but honest headers are read, numbers are right, and the rest is one sentence."""

import struct
from importlib.metadata import version

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from portal.archive.classify import CT, NM, PT, classify
from portal.archive.context import Context
from portal.archive.decode import decoder_of
from portal.archive.deidentify import DATES
from portal.archive.index import digested, prepare
from portal.archive.models import Instance, Series
from portal.archive.reading import read
from portal.archive.refusals import Refusal
from tests.archive.builders import change, report, slices, take


def image(**more) -> Dataset:
    """A small MR image in this machine's own bytes: stored, read and compared without the archive."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "2.25.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "2.25.2", "2.25.3"
    ds.PatientID, ds.SamplesPerPixel, ds.PhotometricInterpretation = "P", 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.PixelRepresentation = 3, 3, 0
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    return ds


def written(path, ds: Dataset, syntax=ExplicitVRLittleEndian):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    meta.TransferSyntaxUID = syntax
    ds.file_meta = meta
    ds.save_as(path, enforce_file_format=True)
    return path


ROOT = "1.2.840.10008.5.1.4.1.1"
PICTURES = (
    "1", "1.1", "1.2.1", "2", "2.1", "2.2", "3", "3.1", "4", "4.1", "4.3", "5", "6", "6.1", "6.3", "7", "7.1", "7.4",
    "12.1", "12.1.1", "12.2", "13.1.3", "14.1", "20", "77.1.1", "77.1.1.1", "77.1.4", "77.1.5.1", "77.1.6", "128",
    "128.1", "130", "481.1", "481.23",
)  # fmt: skip
# spectra, parametric maps, raw data, segmentations, presentation states, registrations, reports, waveforms, PDF, doses,
# structures: none of them is a picture, or it need not be one
OTHERS = (
    "4.2", "6.2", "30", "66", "66.1", "66.4", "66.5", "67", "11.1", "88.11", "88.33", "88.59", "9.1.1", "104.1", "481.2",
    "481.3", "481.5",
)  # fmt: skip


@pytest.mark.parametrize("tail", PICTURES)
def test_a_picture_without_pixels_is_refused_whatever_its_class(tmp_path, tail):
    ds = image(SOPClassUID=f"{ROOT}.{tail}")
    with pytest.raises(Refusal) as refusal:
        read(written(tmp_path / "a.dcm", ds), tmp_path)
    assert refusal.value.reason == 0xA900
    assert refusal.value.sentence == "There is no image in this file (PixelData is missing)."


@pytest.mark.parametrize("tail", OTHERS)
def test_what_need_not_be_a_picture_is_held_without_pixels(tmp_path, tail):
    found = read(written(tmp_path / "a.dcm", image(SOPClassUID=f"{ROOT}.{tail}")), tmp_path)
    assert (found["reason_code"], found["frames"]) == ("other_class", [])


@pytest.mark.parametrize("sop_class", [CT, NM, PT])
def test_without_pixels_the_number_of_bits_is_no_question(tmp_path, sop_class):
    """Held for its bits it would be an image that has none."""
    for bits in (None, 64):
        ds = image(SOPClassUID=sop_class, BitsAllocated=bits)
        with pytest.raises(Refusal, match="PixelData is missing"):
            read(written(tmp_path / "a.dcm", ds), tmp_path)


@pytest.mark.parametrize(("sop_class", "reason"), [(CT, "pixel_encoding"), (f"{ROOT}.4", "other_class")])  # fmt: skip
@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_pixels_in_floating_point_are_pixels(tmp_path, sop_class, reason, keyword):
    width = 8 if keyword.startswith("Double") else 4
    ds = image(SOPClassUID=sop_class, BitsAllocated=8 * width, **{keyword: bytes(9 * width)})
    found = read(written(tmp_path / "a.dcm", ds), tmp_path)
    assert (found["reason_code"], found["frames"]) == (reason, [])


def native(path, spool) -> bytes:
    answer = read(path, spool)
    data = (spool / "native").read_bytes()
    return b"".join(data[o : o + n] for o, n, _ in answer["frames"])


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_eight_bit_pixels_in_big_endian_words_come_out_in_order(tmp_path, frames):
    """Frames of 9 bytes: with an odd size the words run across the frames."""
    values = np.arange(9 * frames, dtype=np.uint8)
    words = np.concatenate([values, np.zeros(len(values) % 2, np.uint8)]).view(np.uint16)
    ds = image(NumberOfFrames=frames, PixelData=words.byteswap().tobytes())
    ds["PixelData"].VR = "OW"
    path = written(tmp_path / "a.dcm", ds, ExplicitVRBigEndian)
    assert native(path, tmp_path) == values.tobytes()


def test_eight_bit_pixels_in_bytes_stay_as_they_are_in_big_endian(tmp_path):
    values = bytes(range(10))
    ds = image(Rows=2, Columns=5, PixelData=values)
    ds["PixelData"].VR = "OB"
    assert native(written(tmp_path / "a.dcm", ds, ExplicitVRBigEndian), tmp_path) == values


@pytest.mark.parametrize("bits", [16, 32])
def test_wider_big_endian_pixels_become_little_endian(tmp_path, bits):
    values = np.arange(9, dtype=f"<u{bits // 8}") + 250
    ds = image(BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1)
    ds.PixelData = values.astype(f">u{bits // 8}").tobytes()
    ds["PixelData"].VR = "OW"
    path = written(tmp_path / "a.dcm", ds, ExplicitVRBigEndian)
    assert native(path, tmp_path) == values.tobytes()


@pytest.mark.parametrize(("missing", "outcome"), [(0, "read"), (2, "short_pixels")])
def test_halved_chroma_takes_two_samples_a_pixel(tmp_path, missing, outcome):
    ds = image(SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL_422", Columns=4)
    ds.PlanarConfiguration, ds.PixelData = 0, bytes(3 * 4 * 2 - missing)
    ds["PixelData"].VR = "OB"
    path = written(tmp_path / "a.dcm", ds)
    if outcome == "read":
        assert len(native(path, tmp_path)) == 24
    else:
        with pytest.raises(Refusal) as refusal:
            read(path, tmp_path)
        assert refusal.value.sentence == "The image is incomplete: 22 of 24 bytes; copy it again."


def test_an_implicit_data_set_under_an_explicit_name_is_read(tmp_path):
    path = written(tmp_path / "a.dcm", image(PixelData=bytes(10)), ImplicitVRLittleEndian)
    data = path.read_bytes()
    old = struct.pack("<HH2sH", 2, 0x10, b"UI", 18) + b"1.2.840.10008.1.2\0"
    new = struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
    assert old in data
    path.write_bytes(data.replace(old, new))
    assert len(read(path, tmp_path)["frames"]) == 1


def test_a_sequence_of_unknown_vr_is_walked_as_implicit(tmp_path):
    path = written(tmp_path / "a.dcm", image(PixelData=bytes(10)))
    inner = struct.pack("<HHI", 0x08, 0x104, 4) + b"name"
    item = (
        struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
        + inner
        + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    )
    block = struct.pack("<HH2sHI", 0x0009, 0x1010, b"UN", 0, 0xFFFFFFFF) + item
    block += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    data = path.read_bytes()
    before = struct.pack("<HH2s", 0x0010, 0x0020, b"LO")
    path.write_bytes(data.replace(before, block + before, 1))
    assert len(read(path, tmp_path)["frames"]) == 1


def test_an_unreadable_value_is_left_out_with_a_warning(tmp_path):
    ds = image(PixelData=bytes(10))
    ds.NumberOfFrames = 1
    path = written(tmp_path / "a.dcm", ds)
    data = path.read_bytes()
    old = struct.pack("<HH2sH", 0x28, 0x08, b"IS", 2) + b"1 "
    assert old in data
    path.write_bytes(data.replace(old, old[:-2] + b"1A"))
    answer = read(path, tmp_path)
    assert (len(answer["frames"]), answer["warning"]) == (
        1,
        "Left out, being unreadable: (0028,0008).",
    )


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("value", ["NaN", "inf", "-inf", "1e31", "one"])
def test_an_image_whose_values_are_unknown_is_held_and_never_read_as_stored(
    tmp_path, keyword, value
):
    """Section 4.4: a slope that is not finite; without one the stored numbers would pass for values."""
    (path,) = slices(tmp_path, n=1)
    assert read(path, tmp_path)["reason_code"] == ""
    ds = pydicom.dcmread(path)
    kept = {k: str(ds[k].value) for k in ("RescaleSlope", "RescaleIntercept")}
    path.write_bytes(with_text(path.read_bytes(), ds[keyword], kept[keyword], value))
    answer = read(path, tmp_path)
    assert (answer["reason_code"], answer["role"]) == ("pixel_encoding", "OTHER")
    assert "rescale slope or intercept" in answer["sentence"]
    assert "(0028,105" in answer["warning"]


def with_text(data: bytes, element: pydicom.DataElement, old: str, new: str) -> bytes:
    """The file with another text in one short element."""

    def written_as(text: str) -> bytes:
        content = text.encode() + b" " * (len(text) % 2)
        tag = struct.pack("<HH", element.tag.group, element.tag.element)
        return tag + element.VR.encode() + struct.pack("<H", len(content)) + content

    before = next(
        one for one in (old, f"{old}.0", old.removesuffix(".0")) if written_as(one) in data
    )
    return data.replace(written_as(before), written_as(new))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("weight", "kept"), [("71.4", 71), ("71.6", 72), ("0", None), ("9000", None)]
)
def test_weight_is_kept_to_the_kilogram(tmp_path, weight, kept):
    paths = slices(tmp_path, n=1)
    change(paths[0], lambda ds: setattr(ds, "PatientWeight", weight))
    take(*paths)
    series = Series.objects.get()
    assert series.acquisition["weight_kg"] == kept
    assert weight not in str(series.instances.get().header) or weight in ("0", "9000")


@pytest.mark.django_db
@pytest.mark.parametrize("first", [True, False])
def test_a_localizer_is_left_out_and_the_volume_stays_ready(tmp_path, first):
    paths = slices(tmp_path, n=5)

    def localizer(ds):
        ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        ds.ImageOrientationPatient = ["1", "0", "0", "0", "0", "-1"]

    which = 0 if first else 4
    change(paths[which], localizer)
    row = take(*paths)
    assert sorted(set(report(row))) == ["localizer", "ready"]
    volume_ = Series.objects.get(state="ready")
    assert (volume_.n_frames, volume_.is_volume) == (4, True)
    assert Series.objects.get(state="held").n_frames == 1


NUCLIDES = {
    "^18^Fluorine": "PET", "18F": "PET", "Ga-68": "PET", "^99m^Technetium": "SPECT", "Tc-99m": "SPECT",
    "177 Lutetium": "SPECT", "I-131": "SPECT", "": "PT", "Xx-1": "PT",
}  # fmt: skip


@pytest.mark.parametrize("nuclide", NUCLIDES)
def test_the_nuclide_tells_pet_from_spect(nuclide):
    ds = image(SOPClassUID=PT, ImageType=["ORIGINAL", "PRIMARY"])
    drug, code = Dataset(), Dataset()
    code.CodeMeaning = nuclide
    drug.RadionuclideCodeSequence = Sequence([code])
    ds.RadiopharmaceuticalInformationSequence = Sequence([drug])
    assert classify(ds).label == NUCLIDES[nuclide]


KINDS = {
    "RECON TOMO": "", "WHOLE BODY": "", "STATIC": "", "TOMO": "not_a_volume", "GATED TOMO": "not_a_volume",
    "DYNAMIC": "not_a_volume", "GATED": "not_a_volume", "RECON GATED TOMO": "not_a_volume", "OTHER": "not_a_volume",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_third_value_of_image_type_tells_what_an_nm_object_is(kind):
    ds = image(
        SOPClassUID=NM, ImageType=["ORIGINAL", "PRIMARY", kind], BitsAllocated=16, BitsStored=16
    )
    ds.HighBit = 15
    assert classify(ds).reason == KINDS[kind]


HOLDS = {
    "burned_in": {"BurnedInAnnotation": "YES"},
    "colour": {"SamplesPerPixel": 3},
    "secondary_capture": {"ConversionType": "WSD"},
    "pixel_encoding": {"HighBit": 6},
    "other_class": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"},
}


@pytest.mark.parametrize("reason", HOLDS)
def test_what_never_enters_a_case_is_held_with_its_reason(reason):
    found = classify(image(**{"SOPClassUID": CT, **HOLDS[reason]}))
    assert (found.reason, found.role) == (reason, "OTHER")
    assert found.sentence


def test_the_digest_of_a_content_does_not_tell_when_it_was(tmp_path, monkeypatch):
    """It has no key and its other parts stand in tables: of true dates, a few hundred trials would find them."""
    (path,) = slices(tmp_path, n=1)
    context = Context(b"k" * 32, "", None, None, keeps_subject=False)
    found = []
    for weeks, day in ((3, "20260105"), (4, "20260112"), (4, "20260105")):
        change(path, lambda ds, day=day: ds.update(dict.fromkeys(DATES, day)))
        answer = {"ok": True, **read(path, tmp_path)}
        monkeypatch.setattr("portal.archive.index.uids.shift_weeks", lambda *_, weeks=weeks: weeks)
        found.append(digested(context, answer))
        prepare(context, answer)
        assert answer["content"] == found[-1]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("syntax", "name"),
    [("1.2.840.10008.1.2.4.80", "pyjpegls"), ("1.2.840.10008.1.2.4.90", "pylibjpeg-openjpeg"),
     ("1.2.840.10008.1.2.4.70", "python-gdcm"), ("1.2.840.10008.1.2.4.50", "pillow"), ("1.2.840.10008.1.2.5", "pydicom")],
)  # fmt: skip
def test_what_decodes_is_recorded_with_its_version(syntax, name):
    """Section 9: lossy images differ by a grey value between libraries."""
    assert decoder_of(syntax) == f"{name} {version(name)}"


@pytest.mark.django_db
def test_an_image_remembers_its_decoder_and_its_frame_of_reference(tmp_path):
    (path,) = slices(tmp_path / "raw", n=1)
    take(path)
    ds = pydicom.dcmread(path)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "2.25.71.99"
    ds.compress("1.2.840.10008.1.2.4.80")
    ds.save_as(tmp_path / "packed.dcm")
    take(tmp_path / "packed.dcm")
    plain, packed = Instance.objects.order_by("pk")
    assert (plain.header["decoder"], packed.header["decoder"]) == (
        "",
        f"pyjpegls {version('pyjpegls')}",
    )
    assert (
        plain.header["reference"]
        == plain.series.frame_of_reference_uid
        == packed.header["reference"]
    )
