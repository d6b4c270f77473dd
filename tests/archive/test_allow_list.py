"""Section 4.3 of the specification element by element: what is taken from a header, and what each view shows."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag

from portal.archive.classify import CT, NM, PT
from portal.archive.deidentify import facts, kinds, listed, number, text_of
from portal.archive.dicomweb.header import Names, archive_names, header
from portal.archive.models import Exam, Instance, Series

# values against their VR are among the cases
pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")
GEOMETRY = {
    "origin_mm": [-5.0, -6.0, -7.0], "row_direction": [1.0, 0.0, 0.0], "column_direction": [0.0, 1.0, 0.0],
    "spacing_mm": [0.9, 0.8], "slice_spacing_mm": 2.5,
    "positions_mm": [[-5.0, -6.0, -7.0], [-5.0, -6.0, -4.5]],
}  # fmt: skip
PIXEL = {
    "samples": 1, "photometric": "MONOCHROME2", "rows": 6, "columns": 5, "bits_allocated": 16, "bits_stored": 12,
    "high_bit": 11, "signed": True,
}  # fmt: skip
FACTS = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "SliceThickness": 2.5, "KVP": 120, "PatientPosition": "HFS",
    "ExposureTime": 500, "Exposure": 12, "Manufacturer": "ACME", "ManufacturerModelName": "Scan 1",
    "SoftwareVersions": "4.0\\VB42B", "SyntheticData": "YES", "LossyImageCompression": "01",
    "PixelPaddingValue": -2000, "PatientWeight": 71.0, "PatientSize": 1.68, "PatientSex": "F",
}  # fmt: skip
# 4.3 as two lists: what may stand in each view at all
CASE = {
    "00080005", "00080008", "00080016", "00080018", "00080020", "00080021", "00080022", "00080023", "00080030",
    "00080050", "00080060", "00080090", "0008103E", "00083002", "00100010", "00100020", "00100030", "00100040",
    "00120062", "00120063", "00120064", "00180050", "00180060", "00180070", "00180088", "00180090", "00181100",
    "00181120", "00181150", "00181151", "00181152", "00181242", "00185100", "0020000D", "0020000E", "00200010",
    "00200011", "00200013", "00200032", "00200037", "00200052", "00201040", "00280002", "00280004", "00280006",
    "00280008", "00280009", "00280010", "00280011", "00280030", "00280051", "00280100", "00280101", "00280102",
    "00280103", "00280120", "00280121", "00280303", "00281050", "00281051", "00281052", "00281053", "00281054",
    "00282110", "00282112", "00282114", "00540010", "00540011", "00540012", "00540020", "00540021", "00540022",
    "00540050", "00540051", "00540052", "00540053", "00540080", "00540081", "00540410", "00540414", "00541000",
    "00541001", "00541002", "00541102", "00541300", "00541321", "00541330",
}  # fmt: skip
ARCHIVE = CASE | {
    "0008001C", "0008002A", "00080031", "00080032", "00080033", "00080070", "00081090", "00101010", "00101020",
    "00101030", "00181020", "00181160", "00181210", "00540016",
}  # fmt: skip
KINDS = {"CT": (CT, "CT", "CT"), "SPECT": (NM, "SPECT", "SPECT"), "PET": (PT, "SPECT", "PET"), "WB": (NM, "WB", "WB")}  # fmt: skip
# 7.4: what a client must find, where the class has it
EVERYWHERE = {
    "00280002", "00280004", "00280010", "00280011", "00280030", "00280100", "00280101", "00280102", "00280103",
    "00281050", "00281051", "00080008", "00080016", "00080018", "00080060", "0020000D", "0020000E", "00083002",
}  # fmt: skip
SLICES = {"00200032", "00200037", "00200052", "00281052", "00281053", "00180050", "00180088"}
VOLUME = {"00540022", "00280008", "00280009", "00540080", "00540081", "00180088", "00200052"}


def shown(kind: str, *, is_case: bool = False, facts: dict | None = None, **more) -> dict:
    """The header of the second image of a series, in the archive view or in one case's."""
    sop_class, role, label = KINDS[kind]
    exam = Exam(
        uid="2.25.1", subject="S1234", sex="F", age="060Y", shifted_date=date(2015, 3, 4), time="101530"
    )  # fmt: skip
    series = Series(
        exam=exam, uid="2.25.2", role=role, label=label, pixel=PIXEL, frame_of_reference_uid="2.25.3",
        geometry=more.pop("geometry", GEOMETRY), unit="HU" if kind == "CT" else "CNTS",
        transfer_syntax_uid="1.2.840.10008.1.2.5", values={"maximum": 900.0},
    )  # fmt: skip
    stored = more.pop("stored_frames", [])
    instance = Instance(
        series=series, uid="2.25.4", sop_class_uid=sop_class, rank=2, n_frames=1 if kind in ("CT", "PET") else 2,
        slope=more.pop("slope", 1.0), intercept=more.pop("intercept", -1024.0 if kind == "CT" else 0.0),
        stored_syntax_uid=more.pop("stored_syntax_uid", ""), header={"facts": FACTS if facts is None else facts, **more},
        stored_frames=stored,
    )  # fmt: skip
    names = Names(lambda uid: f"2.25.7{uid[5:]}", "K7Q", 3, is_case=True) if is_case else archive_names(exam)  # fmt: skip
    return header(instance, series, names, 1)


def values(found: dict, tag: str) -> list | None:
    return found[tag].get("Value", []) if tag in found else None


@pytest.mark.parametrize("kind", KINDS)
def test_no_view_shows_an_element_outside_its_list(kind):
    assert set(shown(kind)) - ARCHIVE == set()
    assert set(shown(kind, is_case=True)) - CASE == set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_finds_the_elements_that_it_reads(kind):
    needed = EVERYWHERE | {"CT": SLICES, "PET": SLICES, "SPECT": VOLUME, "WB": {"00280008", "00540020"}}[kind]  # fmt: skip
    for found in (shown(kind), shown(kind, is_case=True)):
        assert {tag for tag in needed if not values(found, tag)} == set()


@pytest.mark.parametrize(
    ("tag", "archive", "case"),
    [
        ("00080005", ["ISO_IR 192"], ["ISO_IR 192"]),
        ("00080016", [CT], [CT]),
        ("00080018", ["2.25.4"], ["2.25.74"]),
        ("0020000D", ["2.25.1"], ["2.25.71"]),
        ("0020000E", ["2.25.2"], ["2.25.72"]),
        ("00200052", ["2.25.3"], ["2.25.73"]),
        ("00080008", ["ORIGINAL", "PRIMARY", "AXIAL"], ["ORIGINAL", "PRIMARY", "AXIAL"]),
        ("0008001C", ["YES"], None),
        ("00080060", ["CT"], ["CT"]),
        ("0008103E", ["CT"], ["CT"]),
        ("00200011", [1], [1]),
        ("00080020", ["20150304"], ["20150211"]),  # three weeks earlier
        ("00080030", ["101530"], []),
        ("00080070", ["ACME"], None),
        ("00081090", ["Scan 1"], None),
        ("00181020", ["4.0", "VB42B"], None),
        ("00100010", [{"Alphabetic": "S1234"}], [{"Alphabetic": "K7Q"}]),
        ("00100020", ["S1234"], ["K7Q"]),
        ("00100030", [], []),
        ("00080050", [], []),
        ("00080090", [], []),
        ("00200010", [], []),
        ("00100040", ["F"], []),
        ("00101010", ["060Y"], None),
        ("00101020", [1.68], None),
        ("00101030", [71.0], None),
        ("00120062", ["YES"], ["YES"]),
        ("00280303", ["MODIFIED"], ["MODIFIED"]),
        ("00180050", [2.5], [2.5]),
        ("00180060", [120], [120]),
        ("00180088", [2.5], [2.5]),
        ("00181150", [500], [500]),
        ("00181152", [12], [12]),
        ("00185100", ["HFS"], ["HFS"]),
        ("00200013", [2], [2]),
        ("00200032", [-5.0, -6.0, -4.5], [-5.0, -6.0, -4.5]),
        ("00200037", [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
        ("00280002", [1], [1]),
        ("00280004", ["MONOCHROME2"], ["MONOCHROME2"]),
        ("00280008", None, None),
        ("00280010", [6], [6]),
        ("00280011", [5], [5]),
        ("00280030", [0.9, 0.8], [0.9, 0.8]),
        ("00280100", [16], [16]),
        ("00280101", [12], [12]),
        ("00280102", [11], [11]),
        ("00280103", [1], [1]),
        ("00280120", [-2000], [-2000]),
        ("00281050", [400.0], [400.0]),
        ("00281051", [1800.0], [1800.0]),
        ("00281052", [-1024.0], [-1024.0]),
        ("00281053", [1.0], [1.0]),
        ("00281054", ["HU"], ["HU"]),
        ("00282110", ["01"], ["01"]),  # lossy stays said when it is sent native
        ("00083002", ["1.2.840.10008.1.2.1"], ["1.2.840.10008.1.2.1"]),
    ],
)  # fmt: skip
def test_a_ct_slice_in_the_archive_view_and_in_a_case(tag, archive, case):
    assert values(shown("CT"), tag) == archive, keyword_for_tag(int(tag, 16))
    assert values(shown("CT", is_case=True), tag) == case, keyword_for_tag(int(tag, 16))


def test_a_weight_size_or_dose_of_nought_is_unknown_and_not_shown():
    """As Xeleris writes what it does not know; also of images whose noughts were kept."""
    tracer = {"RadionuclideTotalDose": 0, "RadiopharmaceuticalStartTime": "0915"}
    kept = {"RadiopharmaceuticalInformationSequence": [tracer]}
    found = shown(
        "SPECT", facts={**FACTS, "PatientWeight": 0.0, "PatientSize": 0.0, "emission": kept}
    )
    assert (values(found, "00101030"), values(found, "00101020")) == (None, None)
    (item,) = values(found, "00540016")
    assert item == {"00181072": {"vr": "TM", "Value": ["0915"]}}


def test_a_dose_that_is_known_is_shown():
    kept = {"RadiopharmaceuticalInformationSequence": [{"RadionuclideTotalDose": 740}]}
    (item,) = values(shown("SPECT", facts={**FACTS, "emission": kept}), "00540016")
    assert item == {"00181074": {"vr": "DS", "Value": [740]}}


@pytest.mark.parametrize(
    ("is_case", "codes"),
    [
        (False, ["113100", "113105", "113107", "113108", "113109"]),
        (True, ["113100", "113105", "113107"]),
    ],
)
def test_the_method_names_its_options_and_never_clean_pixel_data(is_case, codes):
    items = values(shown("CT", is_case=is_case), "00120064")
    assert [i["00080100"]["Value"] for i in items] == [[c] for c in codes]
    assert {i["00080102"]["Value"][0] for i in items} == {"DCM"}
    assert "113101" not in codes


@pytest.mark.parametrize(
    ("kind", "modality", "label", "series_number"),
    [("CT", "CT", "CT", 1), ("SPECT", "NM", "SPECT", 2), ("PET", "PT", "PET", 2), ("WB", "NM", "WB", 3)],
)  # fmt: skip
def test_modality_label_and_number_follow_class_and_role(kind, modality, label, series_number):
    found = shown(kind)
    assert [values(found, t) for t in ("00080060", "0008103E", "00200011")] == [[modality], [label], [series_number]]  # fmt: skip


def test_a_spect_volume_is_one_detector_with_slices_in_ascending_order():
    found = shown("SPECT", is_case=True)
    (detector,) = values(found, "00540022")
    assert detector["00200032"]["Value"] == [-5.0, -6.0, -7.0]
    assert detector["00200037"]["Value"] == [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert set(detector) <= {"00200032", "00200037", "00181181", "00540220"}
    wanted = {"00540080": [1, 2], "00540081": [2], "00280008": [2], "00280009": ["00540080"], "00180088": [2.5]}  # fmt: skip
    assert {tag: values(found, tag) for tag in wanted} == wanted
    assert values(found, "00200032") is None
    assert values(found, "00281053") is None  # none is invented


def test_a_whole_body_scan_has_pixels_and_no_place_in_the_patient():
    found = shown("WB")
    assert values(found, "00280030") == [0.9, 0.8]
    absent = ("00200032", "00200037", "00200052", "00180088")
    assert [values(found, tag) for tag in absent] == [None] * 4
    assert values(found, "00540022") == []
    assert values(found, "00540020") == [1, 2]


def test_without_geometry_no_place_is_claimed():
    found = shown("CT", geometry={})
    assert [values(found, t) for t in ("00200032", "00200037", "00180088", "00280030")] == [None] * 4  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "windows", "window"),
    [
        ("CT", [[40.0, 350.0], [300.0, 1500.0]], (40.0, 350.0)),  # the first pair of the header
        ("CT", [], (400.0, 1800.0)),
        ("SPECT", [[68460.0, 2.0]], (450.0, 900.0)),  # Xeleris' own is out of a 16-bit image
        ("PET", [[5.0, 10.0]], (450.0, 900.0)),
        ("WB", [], (450.0, 900.0)),
    ],
)
def test_the_window_is_the_headers_for_ct_and_computed_for_the_others(kind, windows, window):
    found = shown(kind, windows=windows)
    assert (values(found, "00281050"), values(found, "00281051")) == ([window[0]], [window[1]])


@pytest.mark.parametrize(
    ("stored", "offered"),
    [([], ["1.2.840.10008.1.2.1"]), ([[0, 9]], ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1"])],
)
def test_the_stored_syntax_is_offered_beside_the_native_one(stored, offered):
    assert values(shown("CT", stored_frames=stored), "00083002") == offered


def test_each_image_offers_the_syntax_that_it_was_stored_in_itself():
    """Of a series that came in several, as `Instance.stored_syntax_uid` says."""
    found = shown("CT", stored_frames=[[0, 9]], stored_syntax_uid="1.2.840.10008.1.2.4.80")
    assert values(found, "00083002") == ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.1"]


RESCALE = ("00281052", "00281053", "00281054")


@pytest.mark.parametrize("kind", ["SPECT", "WB"])
@pytest.mark.parametrize("is_case", [False, True])
@pytest.mark.parametrize(
    ("said", "rescale"),
    [
        ({"is_rescaled": True, "slope": 0.25, "intercept": 2.0}, [[2.0], [0.25], ["US"]]),
        ({"is_rescaled": True}, [[0.0], [1.0], ["US"]]),
        ({"is_rescaled": False}, [None] * 3),
        ({}, [None] * 3),  # stored before it was noted: 1 and 0 may be the file's or nobody's
        ({"slope": 0.25}, [[0.0], [0.25], ["US"]]),
    ],
)
def test_counts_have_a_rescale_where_their_file_has_one(kind, is_case, said, rescale):
    found = shown(kind, is_case=is_case, **said)
    assert [values(found, tag) for tag in RESCALE] == rescale


def test_two_cases_of_one_exam_share_no_uid_code_or_date():
    uid_tags = ("00080018", "0020000D", "0020000E", "00200052")
    mine, archive = shown("CT", is_case=True), shown("CT")
    for tag in (*uid_tags, "00100010", "00100020", "00080020"):
        assert values(mine, tag) != values(archive, tag), tag


def dataset(**elements: object) -> Dataset:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    ("keyword", "said", "taken"),
    [
        ("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"], ["ORIGINAL", "PRIMARY", "AXIAL"]),
        ("ImageType", ["derived", "Secondary", "RECON TOMO", "EMISSION"], ["DERIVED", "SECONDARY", "RECON TOMO", "EMISSION"]),
        ("ImageType", ["ORIGINAL", "PRIMARY", "MUELLER^HANS"], ["ORIGINAL", "PRIMARY"]),
        ("ImageType", "LOCALIZER", ["LOCALIZER"]),
        ("ImageType", ["RECON GATED TOMO", "WHOLE BODY", "STATIC", "DYNAMIC", "TOMO", "TRANSMISSION", "VOLUME"],
         ["RECON GATED TOMO", "WHOLE BODY", "STATIC", "DYNAMIC", "TOMO", "TRANSMISSION", "VOLUME"]),
        ("PatientPosition", "HFS", "HFS"),
        ("PatientPosition", "ffdr", "FFDR"),
        ("PatientPosition", "STANDING", None),
        ("PhotometricInterpretation", "MONOCHROME1", "MONOCHROME1"),
        ("PhotometricInterpretation", "MR SMITH", None),
        ("PatientSex", "F", "F"),
        ("PatientSex", "m", "M"),
        ("PatientSex", "O", "O"),
        ("PatientSex", "X", ""),
        ("PatientSex", "", ""),
        ("PatientAge", "067Y", "065Y"),
        ("PatientAge", "094Y", "090Y"),
        ("PatientWeight", "71.49", 71.0),
        ("PatientWeight", "71.51", 72.0),
        ("PatientSize", "1.6849", 1.68),
        ("SyntheticData", "YES", "YES"),
        ("SyntheticData", "NO", "NO"),
        ("SyntheticData", "MAYBE", ""),
        ("KVP", "120", 120),
        ("SliceThickness", "2.5", 2.5),
        ("LossyImageCompression", "01", "01"),
        ("LossyImageCompression", "00", "00"),
        ("LossyImageCompression", "OF SMITH", None),
        ("LossyImageCompressionMethod", "ISO_10918_1", "ISO_10918_1"),
        ("LossyImageCompressionMethod", "OURS", None),
        ("LossyImageCompressionRatio", "12.5", 12.5),
        ("Manufacturer", "ACME", "ACME"),
        ("SoftwareVersions", ["4.0", "VB42B"], "4.0\\VB42B"),
        ("Manufacturer", "x" * 64, "x" * 64),
    ],
)  # fmt: skip
def test_what_is_taken_from_a_header(keyword, said, taken):
    assert facts(dataset(**{keyword: said})).get(keyword) == taken


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("101530", True), ("10", True), ("1015", True), ("235960", True), ("101530.5", True), ("101530.123456", True),
        ("000000", True), ("240000", False), ("106030", False), ("101561", False), ("101530.1234567", False),
        ("1015.5", False), ("19510203", False), ("195102031234567", False), ("1", False), ("10:15:30", False),
        ("", False), ("noon", False), ("²³", False),
    ],
)  # fmt: skip
def test_a_time_passes_only_as_a_time_of_day(said, kept):
    """A birth date or a number of a patient in a TM would else stand in the archive view."""
    ds = Dataset()
    ds.add_new("StudyTime", "TM", "101530")
    ds["StudyTime"]._value = said
    assert facts(ds)["times"] == ({"StudyTime": said} if kept else {})


@pytest.mark.parametrize(
    "keyword",
    [
        "PatientName", "PatientID", "PatientBirthDate", "OtherPatientIDs", "PatientAddress", "PatientComments",
        "AccessionNumber", "InstitutionName", "InstitutionAddress", "ReferringPhysicianName", "OperatorsName",
        "PerformingPhysicianName", "StudyDescription", "SeriesDescription", "ProtocolName", "BodyPartExamined",
        "ImageComments", "DeviceSerialNumber", "StationName", "StudyID", "RequestedProcedureDescription",
        "AdmissionID", "EthnicGroup", "Occupation", "MilitaryRank", "PatientTelephoneNumbers",
        "DerivationDescription", "ContrastBolusAgent", "IssuerOfPatientID", "DetectorID",
    ],
)  # fmt: skip
def test_a_text_that_is_not_listed_is_not_taken(keyword):
    ds = dataset(**{keyword: "19470311" if keyword == "PatientBirthDate" else "QZ47110815"})
    said = json.dumps(facts(ds))
    assert "QZ4711" not in said
    assert "19470311" not in said


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("1.5", 1.5), ("2", 2), (2.0, 2), ("-7", -7), ("1e3", 1000), (None, None), ("", None), ("abc", None),
        ("nan", None), ("inf", None), ("-inf", None), ("1e31", None), ("-1e31", None), (["1", "2"], None),
        ("0", 0), ("1e29", int(1e29)),
    ],
)  # fmt: skip
def test_a_number_is_finite_or_nothing(value, found):
    assert number(value) == found


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e29, max_value=1e29))
def test_a_number_is_printed_again_and_not_copied(value):
    assert float(number(f"  {value!r}  ")) == value


def test_texts_of_several_values_are_joined_as_dicom_writes_them():
    assert text_of(dataset(SoftwareVersions=[" a ", "b"]), "SoftwareVersions") == "a\\b"
    assert text_of(dataset(), "SoftwareVersions") == ""


@pytest.mark.parametrize(
    ("said", "found"),
    [(None, []), ("", []), ("original", ["ORIGINAL"]), (["a", "B"], ["A", "B"])],
)
def test_the_values_of_an_image_type_are_compared_in_capitals(said, found):
    assert kinds(dataset() if said is None else dataset(ImageType=said)) == found


@given(st.text("ABCFHSMODR ^", max_size=16))
def test_no_coded_string_passes_that_is_in_no_vocabulary(said):
    ds = Dataset()
    ds.add_new("PatientPosition", "CS", "HFS")
    ds["PatientPosition"]._value = said
    known = {"HFS", "HFP", "FFS", "FFP", "HFDR", "HFDL", "FFDR", "FFDL"}
    assert listed(ds, "PatientPosition") == (said.strip() if said.strip() in known else "")
