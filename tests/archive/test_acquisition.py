"""What an import reads of the acquisition: typed, in range, without a sender's own words."""

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from portal.archive.acquisition import acquisition, nuclide, software, views_of
from portal.archive.classify import NM, PT


def drug(**elements: object) -> Dataset:
    item = Dataset()
    meaning = elements.pop("meaning", None)
    for name, value in elements.items():
        setattr(item, name, value)
    if meaning is not None:
        code = Dataset()
        code.CodeMeaning = meaning
        item.RadionuclideCodeSequence = Sequence([code])
    return item


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Tc-99m", "Tc-99m"),
        ("^99m^Technetium", "Tc-99m"),
        ("99mTc-MDP", "Tc-99m"),
        ("TC99M", "Tc-99m"),
        ("177 Lutetium", "Lu-177"),
        ("^18^Fluorine", "F-18"),
        ("F-18 FDG", "F-18"),
        ("Gallium-68", "Ga-68"),
        ("I-131", "I-131"),
        ("ATTENUATION MAPS", ""),
        ("", ""),
        ("MDP", ""),
    ],
)
def test_a_nuclide_is_read_in_any_spelling(text: str, name: str) -> None:
    assert nuclide(drug(meaning=text)) == name
    assert nuclide(drug(Radiopharmaceutical=text)) == name


def test_the_code_goes_before_the_text() -> None:
    assert nuclide(drug(meaning="^99m^Technetium", Radiopharmaceutical="F-18")) == "Tc-99m"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("4.0300", "4.0300"),
        (["Xeleris 4.0", "VB42B"], "VB42B"),  # free words may be a site's own
        ("7.7.1_20110519", "7.7.1_20110519"),
        ("Dr. Smith's build", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_only_version_numbers_of_the_software_are_kept(said: object, kept: str) -> None:
    ds = Dataset()
    if said is not None:
        ds.SoftwareVersions = said
    assert software(ds) == kept


@pytest.mark.parametrize(
    ("sop_class", "dose", "activity"),
    [
        (NM, "740", 740),
        (PT, "370000000", 370),
        (NM, "0", None),  # Xeleris writes nought for unknown
        (PT, "370", None),  # 370 Bq is nobody's injection
        (NM, "740000000", None),  # bequerels in an NM object: out of range, so unknown
        (NM, None, None),
    ],
)
def test_the_injected_activity_is_in_megabecquerels(
    sop_class: str, dose: str | None, activity: float | None
) -> None:
    ds = Dataset()
    ds.SOPClassUID = sop_class
    item = drug() if dose is None else drug(RadionuclideTotalDose=dose)
    ds.RadiopharmaceuticalInformationSequence = Sequence([item])
    assert acquisition(ds)["activity_mbq"] == activity


@pytest.mark.parametrize(
    ("keyword", "value", "key", "known"),
    [
        ("KVP", "120", "kvp", 120),
        ("KVP", "0", "kvp", None),
        ("KVP", "5000", "kvp", None),
        ("XRayTubeCurrent", "80", "tube_current_ma", 80),
        ("SliceThickness", "2.5", "slice_thickness_mm", 2.5),
        ("SliceThickness", "-2.5", "slice_thickness_mm", None),
    ],
)
def test_a_value_out_of_range_is_unknown(
    keyword: str, value: str, key: str, known: float | None
) -> None:
    ds = Dataset()
    setattr(ds, keyword, value)
    assert acquisition(ds)[key] == known


@pytest.mark.parametrize(("said", "kept"), [("PARA", "PARA"), ("FANB", "FANB"), ("OURS", ""), ("", "")])  # fmt: skip
def test_a_collimator_passes_only_as_a_code_of_the_standard(said: str, kept: str) -> None:
    ds, detector = Dataset(), Dataset()
    detector.CollimatorType = said
    ds.DetectorInformationSequence = Sequence([detector])
    assert acquisition(ds)["collimator"] == kept


def detector(value: str = "", scheme: str = "", meaning: str = "") -> Dataset:
    item, code = Dataset(), Dataset()
    if value or meaning:
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
        item.ViewCodeSequence = Sequence([code])
    return item


@pytest.mark.parametrize(
    ("said", "views"),
    [
        ([(), ()], ["ANT", "POST"]),  # nothing is said: detector 1 is before the body
        ([("399001007", "SCT", ""), ("399321004", "SCT", "")], ["POST", "ANT"]),
        ([("G-5216", "SRT", "dorsal"), ("G-5215", "SNM3", "ventral")], ["POST", "ANT"]),
        ([("399001007", "SCT", "Anterior"), ()], ["POST", "POST"]),  # the code goes before the text
        ([("1", "99LOCAL", "Posterior view"), ("2", "99LOCAL", "ANTERIOR")], ["POST", "ANT"]),
        ([("399118008", "SCT", "x"), ("3", "99LOCAL", "RT LAT")], ["OTHER", "OTHER"]),
        ([("399074003", "SCT", "Left anterior oblique"), ()], ["OTHER", "POST"]),
    ],
)
def test_the_view_of_a_detector_is_told_by_its_code(said, views) -> None:
    ds = Dataset()
    ds.DetectorInformationSequence = Sequence([detector(*one) for one in said])
    assert views_of(ds, 2) == views


def test_frames_follow_the_vector_of_detectors() -> None:
    ds = Dataset()
    ds.DetectorInformationSequence = Sequence(
        [detector("399001007", "SCT"), detector("399321004", "SCT")]
    )
    ds.DetectorVector = [2, 1, 2]
    assert views_of(ds, 3) == ["ANT", "POST", "ANT"]
