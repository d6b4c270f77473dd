"""Section 4.3 of the specification as one table: files that hold every element, and what each view has of them."""

import struct
from datetime import date, time
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag

from portal.archive.context import Context
from portal.archive.dicomweb.encoding import encoded
from portal.archive.dicomweb.header import Elements, Names, archive_names, header
from portal.archive.emission import emission
from portal.archive.index import header_of
from portal.archive.models import Exam, Instance, Series
from portal.archive.reading import read
from portal.archive.uids import shift_weeks
from portal.archive.writer import SpectSeries, WholeBody, write_spect, write_whole_body
from tests.archive.builders import change, person, pet, slices

KEY = bytes(32)
WEEKS = shift_weeks(KEY, "archive", "SYN0001")
ALL = "CT SPECT WB PET"
VOLUMES, EMISSION, NUCLEAR = "CT SPECT PET", "SPECT WB PET", "SPECT WB"
# elements of the table -> the view that has them (C: also a case, A: the archive alone), and in which images
TABLE = """
0008,0005 0008,0016 0008,0018 0020,000D 0020,000E 0008,0008   C  CT SPECT WB PET
0020,0052                                                     C  CT SPECT PET
0008,001C                                                     A  CT SPECT WB PET
0008,0060 0008,103E 0020,0011                                 C  CT SPECT WB PET
0008,0020 0008,0021 0008,0022 0008,0023                       C  CT SPECT WB PET
0008,002A                                                     A  CT SPECT WB PET
0008,0030                                                     C  CT SPECT WB PET
0008,0031 0008,0032 0008,0033                                 A  CT SPECT WB PET
0008,0070 0008,1090 0018,1020                                 A  CT SPECT WB PET
0010,0010 0010,0020                                           C  CT SPECT WB PET
0010,0030 0008,0050 0008,0090 0020,0010                       C  CT SPECT WB PET
0020,1040                                                     C  CT SPECT PET
0010,0040                                                     C  CT SPECT WB PET
0010,1010 0010,1020 0010,1030                                 A  CT SPECT WB PET
0012,0062 0012,0063 0012,0064 0028,0303                       C  CT SPECT WB PET
0018,0050 0018,0060 0018,0070 0018,0090 0018,1100             C  CT SPECT WB PET
0018,1120 0018,1150 0018,1151 0018,1152 0018,1242 0018,5100   C  CT SPECT WB PET
0018,0088                                                     C  CT SPECT PET
0018,1160 0018,1210                                           A  CT SPECT WB PET
0020,0013                                                     C  CT SPECT WB PET
0020,0032 0020,0037                                           C  CT PET
0028,0002 0028,0004 0028,0010 0028,0011 0028,0030 0028,0051   C  CT SPECT WB PET
0028,0006 0028,0120 0028,0121 0028,2110 0028,2112 0028,2114   C  CT SPECT WB PET
0028,0100 0028,0101 0028,0102 0028,0103 0028,1050 0028,1051   C  CT SPECT WB PET
0028,0008 0028,0009                                           C  SPECT WB
0028,1052 0028,1053 0028,1054                                 C  CT PET
0054,0010 0054,0011 0054,0012 0054,0021 0054,0022             C  SPECT WB
0054,0020                                                     C  WB
0054,0050                                                     C  SPECT
0054,0051 0054,0052                                           C  SPECT WB
0054,0080                                                     C  SPECT
0054,0081                                                     C  SPECT PET
0054,0016                                                     A  SPECT WB PET
0054,0410 0054,0414                                           C  SPECT WB PET
0054,1000 0054,1001 0054,1002 0054,1102                       C  PET
0054,1300 0054,1321 0054,1330                                 C  PET
0008,3002                                                     C  CT SPECT WB PET
"""
# inside the sequences: item -> what it holds
INSIDE = {
    "00120064": {"00080100", "00080102", "00080104"},
    "00540012": {"00540013"}, "00540013": {"00540014", "00540015"},
    "00540016": {"00181072", "00181074", "00181075", "00181076", "00181078", "00540300"},
    "00540022": {"00200032", "00200037", "00181181", "00540220"},
    "00540052": {"00540053"},
    "00540220": {"00080100", "00080102", "00080104"}, "00540300": {"00080100", "00080102", "00080104"},
    "00540410": {"00080100", "00080102", "00080104"}, "00540414": {"00080100", "00080102", "00080104"},
}  # fmt: skip
KINDS = ("CT", "SPECT", "WB", "PET")
SECRET = "Zzsecret"


def rows() -> list[tuple[str, str, list[str]]]:
    """Tag, view and images of each element."""
    found = []
    for line in TABLE.split("\n")[1:-1]:
        words = line.split()
        at = next(i for i, word in enumerate(words) if word in ("A", "C"))
        found += [(tag.replace(",", ""), words[at], words[at + 1 :]) for tag in words[:at]]
    return found


def wanted(kind: str, *, is_case: bool) -> set[str]:
    return {tag for tag, view, kinds in rows() if kind in kinds and not (is_case and view == "A")}


def code(value: str, meaning: str = SECRET) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def fill(ds: Dataset) -> None:
    """Every element of the table that images of any class may have, and names where text may stand."""
    numbers = {
        "SliceThickness": 3, "KVP": 120, "CountsAccumulated": 5000, "DataCollectionDiameter": 500,
        "ReconstructionDiameter": 480, "GantryDetectorTilt": 0, "ExposureTime": 500, "XRayTubeCurrent": 80,
        "Exposure": 40, "ActualFrameDuration": 15000, "PlanarConfiguration": 0, "PixelPaddingValue": 0,
        "PixelPaddingRangeLimit": 3, "PatientWeight": "71.4", "PatientSize": "1.684",
        "LossyImageCompressionRatio": 7,
    }  # fmt: skip
    texts = {
        "AcquisitionDateTime": "20190304091500.25+0100", "SeriesDate": "20190304", "AcquisitionDate": "20190305",
        "ContentDate": "20190306", "SeriesTime": "091000", "AcquisitionTime": "091500", "ContentTime": "092000",
        "PatientPosition": "HFS", "FilterType": "MEDIUM", "ConvolutionKernel": "B31s", "SoftwareVersions": "4.1",
        "LossyImageCompression": "01", "LossyImageCompressionMethod": "ISO_10918_1", "StudyID": SECRET,
        "AccessionNumber": SECRET, "PatientBirthDate": "19510203", "PositionReferenceIndicator": SECRET,
        "ReferringPhysicianName": SECRET, "InstitutionName": SECRET, "StudyDescription": SECRET,
        "ImageComments": SECRET, "ProtocolName": SECRET, "BodyPartExamined": "ZZSECRET",
    }  # fmt: skip
    for keyword, value in {**numbers, **texts}.items():
        if dictionary_VR(keyword) == "US or SS":
            ds.add_new(keyword, "US", value)
        else:
            setattr(ds, keyword, value)
    ds.CorrectedImage = ["ATTN", "SCAT", "ZZSECRET"]


def fill_nuclear(ds: Dataset) -> None:
    fill(ds)
    n = int(ds.NumberOfFrames)
    window, limits = Dataset(), Dataset()
    window.EnergyWindowName = SECRET
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = 130, 151
    window.EnergyWindowRangeSequence = [limits]
    ds.EnergyWindowInformationSequence, ds.NumberOfEnergyWindows = [window], 1
    ds.EnergyWindowVector = [1] * n
    rotation = Dataset()
    rotation.NumberOfFramesInRotation, rotation.ScanArc = 60, 360
    ds.RotationInformationSequence, ds.NumberOfRotations = [rotation], 1
    for item in ds.DetectorInformationSequence:
        item.CollimatorGridName, item.ViewCodeSequence = SECRET, [code("399321004")]
    if ds.ImageType[2] == "RECON TOMO":
        ds.RotationVector = list(range(1, n + 1))
    fill_emission(ds)


def fill_emission(ds: Dataset) -> None:
    drug = Dataset()
    drug.Radiopharmaceutical = SECRET
    drug.RadiopharmaceuticalStartTime, drug.RadiopharmaceuticalStartDateTime = "080000", "20190304080000"  # fmt: skip
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife, drug.RadionuclidePositronFraction = 700, 21600, 0  # fmt: skip
    drug.RadionuclideCodeSequence = [code("72454006")]
    ds.RadiopharmaceuticalInformationSequence = [drug]
    ds.PatientOrientationCodeSequence = [code("102538003")]
    ds.PatientGantryRelationshipCodeSequence = [code("102540008")]


def fill_pet(ds: Dataset) -> None:
    fill(ds)
    fill_emission(ds)
    ds.CountsSource, ds.DecayCorrection = "EMISSION", "START"
    ds.FrameReferenceTime, ds.DecayFactor, ds.ImageIndex = 60000, "1.02", 1


def written(folder: Path, kind: str) -> Path:
    """One file of the kind that holds every element of the table."""
    folder.mkdir()
    counts = np.arange(3 * 6 * 5, dtype=np.uint16).reshape(3, 6, 5)
    if kind == "SPECT":
        one = SpectSeries(
            person(), "2.25.31", "2.25.32", "2.25.9", counts, (-10, -20, -30), (4.4, 4.4), 4.4, time(9), 740,
            is_negative=True,
        )  # fmt: skip
        path = write_spect(folder, one, encoding="raw")
    elif kind == "WB":
        scan = WholeBody(person(), "2.25.41", "2.25.42", counts[:2], (2.2, 2.2), time(9), 740)
        path = write_whole_body(folder, scan, encoding="raw")
    else:
        path = (slices if kind == "CT" else pet)(folder, n=1)[0]
    change(path, {"CT": fill, "PET": fill_pet}.get(kind, fill_nuclear))
    return path


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> dict[tuple[str, bool], Elements]:
    """Header by kind and view of images that hold every element."""
    found = {}
    for kind in KINDS:
        path = written(tmp_path_factory.mktemp("full") / kind, kind)
        answer = read(path, path.parent)
        for is_case in (False, True):
            found[kind, is_case] = view(answer, is_case=is_case)
    return found


def view(answer: dict, *, is_case: bool) -> Elements:
    facts, context = answer["facts"], Context(KEY, "", None, None, keeps_subject=False)
    exam = Exam(
        uid="2.25.1", subject="S1234", sex=facts["PatientSex"], age=facts["PatientAge"],
        shifted_date=date(2015, 3, 4), time=facts["times"]["StudyTime"],
    )  # fmt: skip
    place = answer.get("plane")
    geometry = answer.get("geometry") or {
        "positions_mm": [place[0]], "row_direction": place[1][:3], "column_direction": place[1][3:],
        "spacing_mm": place[2], "slice_spacing_mm": 2.5,
    }  # fmt: skip
    series = Series(
        exam=exam, uid="2.25.2", role=answer["role"], label=answer["label"], pixel=answer["pixel"], n_frames=1,
        frame_of_reference_uid="2.25.3", geometry=geometry, unit=answer["unit"], values=answer["values"],
    )  # fmt: skip
    instance = Instance(
        series=series, uid="2.25.4", sop_class_uid=answer["sop_class_uid"], rank=1,
        n_frames=len(answer["frames"]), header=header_of(context, answer),
    )  # fmt: skip
    case = Names(lambda uid: f"2.25.7{uid[5:]}", "K7Q", 3, is_case=True)
    return header(instance, series, case if is_case else archive_names(exam), 0)


def values(found: Elements, tag: str) -> list | None:
    return found[tag].get("Value", []) if tag in found else None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_case", [False, True], ids=["archive", "case"])
def test_a_view_has_the_elements_of_the_table_no_more_and_no_less(shown, kind, is_case):
    found, asked = set(shown[kind, is_case]), wanted(kind, is_case=is_case)
    assert {keyword_for_tag(int(t, 16)) for t in found ^ asked} == set()


def items(elements: Elements) -> list[tuple[str, set[str]]]:
    """Every item of every sequence with the tags inside."""
    found = []
    for tag, element in elements.items():
        for item in element.get("Value", []) if element["vr"] == "SQ" else []:
            found += [(tag, set(item)), *items(item)]
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_case", [False, True], ids=["archive", "case"])
def test_an_item_of_a_sequence_has_what_the_table_names_and_nothing_else(shown, kind, is_case):
    for tag, inside in items(shown[kind, is_case]):
        place = {"00200032", "00200037"} if tag == "00540022" and kind == "WB" else set()
        assert inside == INSIDE[tag] - place, tag


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_case", [False, True], ids=["archive", "case"])
def test_no_text_of_the_sender_is_in_a_view_and_no_day_of_his(shown, kind, is_case):
    text = encoded(shown[kind, is_case]).lower()
    for said in (b"secret", b"19510203", b"20190304", b"20190305", b"20190306"):
        assert said not in text
    if is_case:
        for said in (
            b"medium",
            b"b31s",
            b"synthetic",
            b"simulator",
            b"091500",
            b"72454006",
            b"yes\\",
        ):
            assert said not in text


def earlier(day: date, weeks: int) -> str:
    return date.fromordinal(day.toordinal() - 7 * weeks).strftime("%Y%m%d")


@pytest.mark.parametrize(
    ("kind", "tag", "archive", "case"),
    [
        ("CT", "00080021", [earlier(date(2019, 3, 4), WEEKS)], [earlier(date(2019, 3, 4), WEEKS + 3)]),
        ("WB", "00080022", [earlier(date(2019, 3, 5), WEEKS)], [earlier(date(2019, 3, 5), WEEKS + 3)]),
        ("PET", "00080023", [earlier(date(2019, 3, 6), WEEKS)], [earlier(date(2019, 3, 6), WEEKS + 3)]),
        ("CT", "0008002A", [earlier(date(2019, 3, 4), WEEKS) + "091500.25"], None),
        ("CT", "00080032", ["091500"], None),
        ("CT", "00101020", [1.68], None),
        ("CT", "00101030", [71.0], None),
        ("CT", "00181160", ["MEDIUM"], None),
        ("CT", "00181210", ["B31s"], None),
        ("CT", "00201040", [], []),
        ("SPECT", "00280051", ["ATTN", "SCAT"], ["ATTN", "SCAT"]),
        ("SPECT", "00180070", [5000], [5000]),
        ("SPECT", "00540010", [1, 1, 1], [1, 1, 1]),
        # frames were stored head to foot; what describes each frame is turned round with them
        ("SPECT", "00540050", [3, 2, 1], [3, 2, 1]),
        ("WB", "00540020", [1, 2], [1, 2]),
        ("WB", "00280009", ["00540010", "00540020"], ["00540010", "00540020"]),
        ("PET", "00540081", [1], [1]),
        ("PET", "00541000", ["WHOLE BODY", "IMAGE"], ["WHOLE BODY", "IMAGE"]),
        ("PET", "00541001", ["BQML"], ["BQML"]),
        ("PET", "00541321", [1.02], [1.02]),
    ],
)  # fmt: skip
def test_what_a_view_says(shown, kind, tag, archive, case):
    assert values(shown[kind, False], tag) == archive
    assert values(shown[kind, True], tag) == case


def test_a_code_passes_with_our_own_words_for_it(shown):
    (drug,) = values(shown["SPECT", False], "00540016")
    (nuclide,) = drug["00540300"]["Value"]
    assert nuclide["00080104"]["Value"] == ["^99m^Technetium"]
    assert drug["00181078"]["Value"] == [earlier(date(2019, 3, 4), WEEKS) + "080000"]
    (detector,) = values(shown["SPECT", True], "00540022")
    assert detector["00540220"]["Value"][0]["00080104"]["Value"] == ["Anterior projection"]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("CorrectedImage", "ZZSECRET"), ("Units", "SECRET"), ("DecayCorrection", "MR SMITH"),
        ("PatientOrientationCodeSequence", [code("4711")]), ("FrameReferenceTime", None),
        ("PatientGantryRelationshipCodeSequence", [code("102538003")]), ("SeriesType", ["OF", "SMITH"]),
        ("EnergyWindowVector", [0, 1]),
    ],
)  # fmt: skip
def test_a_value_outside_its_vocabulary_is_dropped(keyword, value):
    ds = Dataset()
    setattr(ds, keyword, value)
    assert emission(ds) == {}


@pytest.mark.parametrize("value", [-1, 70_000, 2**31])
def test_a_number_that_its_element_cannot_hold_is_dropped(value):
    ds = Dataset()
    ds.add_new("NumberOfEnergyWindows", "SL" if value < 2**31 else "UL", value)
    assert emission(ds) == {}
    with pytest.raises(struct.error):
        encoded({"00540011": {"vr": "US", "Value": [value]}})


def test_an_unreadable_value_inside_a_sequence_leaves_the_rest():
    limits, window = Dataset(), Dataset()
    limits.EnergyWindowLowerLimit = 130
    limits[0x00540015] = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag(0x00540015), "DS", 4, b"1A  ", 0, is_implicit_VR=False, is_little_endian=True
    )  # fmt: skip
    window.EnergyWindowRangeSequence = [limits]
    ds = Dataset()
    ds.EnergyWindowInformationSequence = [window]
    assert emission(ds) == {
        "EnergyWindowInformationSequence": [
            {"EnergyWindowRangeSequence": [{"EnergyWindowLowerLimit": 130}]}
        ]
    }
