"""What an import reads of the acquisition: typed, in range, without a sender's own words."""

import warnings
from datetime import timedelta

import pydicom
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from portal.archive.acquisition import (
    acquisition,
    assumed_views,
    besides,
    nuclide,
    software,
    views_of,
)
from portal.archive.classify import CT, NM, PT
from portal.archive.models import Instance, Series
from portal.archive.plain import Header
from tests.archive.builders import change, pet, take
from tests.archive.test_import import SHARED, needs_shared


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


@pytest.mark.parametrize(
    ("said", "assumed"),
    [
        ([(), ()], [True, True]),
        ([("399001007", "SCT", ""), ()], [False, True]),
        ([("1", "99LOCAL", "Posterior view"), ("2", "99LOCAL", "")], [False, True]),
        ([("399118008", "SCT", "x"), ("3", "99LOCAL", "RT LAT")], [False, False]),
    ],
)
def test_a_view_that_nothing_names_is_marked_as_assumed(said, assumed) -> None:
    ds = Dataset()
    ds.DetectorInformationSequence = Sequence([detector(*one) for one in said])
    assert assumed_views(ds, 2) == assumed
    ds.DetectorVector = [2, 1]
    assert assumed_views(ds, 2) == assumed[::-1]


def test_without_any_detector_every_view_is_assumed() -> None:
    assert (views_of(Dataset(), 2), assumed_views(Dataset(), 2)) == (["ANT", "POST"], [True, True])


def test_frames_follow_the_vector_of_detectors() -> None:
    ds = Dataset()
    ds.DetectorInformationSequence = Sequence(
        [detector("399001007", "SCT"), detector("399321004", "SCT")]
    )
    ds.DetectorVector = [2, 1, 2]
    assert views_of(ds, 3) == ["ANT", "POST", "ANT"]


CODED, BARE = [("399321004", "SCT", ""), ("399001007", "SCT", "")], [(), ()]


@pytest.mark.parametrize(
    ("said", "vector", "view", "is_assumed"),
    [
        # a single frame: pydicom gives its number alone, and a list of one where a test makes it
        (CODED, 1, "ANT", False), (CODED, 2, "POST", False), (CODED, [2], "POST", False), (CODED, None, "ANT", False),
        (BARE, 1, "ANT", True), (BARE, 2, "POST", True), (BARE, [2], "POST", True), (BARE, None, "ANT", True),
        ([], 1, "ANT", True), ([], 2, "POST", True), ([], [2], "POST", True), ([], None, "ANT", True),
        # a detector that is not listed is known by its number alone
        (CODED, 3, "ANT", True), (CODED, 0, "ANT", True), (CODED[:1], 2, "POST", True), (CODED[::-1], 2, "ANT", False),
        (CODED, [], "ANT", False),
    ],
)  # fmt: skip
def test_the_one_frame_of_an_object_is_that_of_its_detector(said, vector, view, is_assumed) -> None:
    ds = Dataset()
    ds.DetectorInformationSequence = Sequence([detector(*one) for one in said])
    if vector is not None:
        ds.DetectorVector = vector
    assert (views_of(ds, 1), assumed_views(ds, 1)) == ([view], [is_assumed])


@pytest.mark.parametrize("vector", [2, [2], []])
def test_a_vector_that_leaves_frames_out_tells_nothing_of_any(vector) -> None:
    ds = Dataset()
    ds.DetectorInformationSequence = Sequence([detector(*one) for one in CODED])
    ds.DetectorVector = vector
    assert (views_of(ds, 2), assumed_views(ds, 2)) == (["ANT", "POST"], [False, False])


def genie(*, block: int = 0x10, creator: str = "GEMS_GENIE_1", sop_class: str = NM, **said: object) -> Header:  # fmt: skip
    """A header of GE's with these elements in the block that the creator has reserved."""
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.add_new((0x0011, block), "LO", creator)
    places = {"isotope": (0x0D, "LO"), "scale": (0x3B, "FD"), "offset": (0x3C, "FD")}
    for name, value in said.items():
        element, vr = places[name]
        ds.add_new((0x0011, block << 8 | element), vr, value)
    return Header(ds)


WHOLE = {"isotope": "Tc99m", "scale": 4.179501533508301, "offset": 0.0}
READ = {"nuclide": "Tc-99m", "pixel_scale": 4.179501533508301, "pixel_offset": 0}


@pytest.mark.parametrize("block", [0x10, 0x11, 0x57, 0xFF])
def test_ges_own_numbers_are_found_by_the_creator_of_their_block(block: int) -> None:
    assert besides(genie(block=block, **WHOLE)) == READ


@pytest.mark.parametrize(
    "header",
    [
        genie(creator="GEMS_GENIE_2", **WHOLE),
        genie(creator="", **WHOLE),
        genie(sop_class=CT, **WHOLE),
        genie(),
        Header(Dataset()),
    ],
)
def test_the_same_numbers_under_another_name_are_not_read(header: Header) -> None:
    assert besides(header) == {}


def test_another_senders_block_beside_it_changes_nothing() -> None:
    ds = genie(block=0x20, **WHOLE).ds
    ds.add_new((0x0011, 0x0010), "LO", "SIEMENS CM VA0")
    ds.add_new((0x0011, 0x103B), "FD", 99.0)
    assert besides(Header(ds)) == READ


@pytest.mark.parametrize("scale", [0.0, -1.0, 1e12, float("nan"), float("inf"), [1.0, 2.0]])
def test_a_scale_that_cannot_be_one_is_unknown(scale: object) -> None:
    assert besides(genie(scale=scale)) == {}


@pytest.mark.parametrize(
    ("said", "known"),
    [("Tc99m", "Tc-99m"), ("I-131", "I-131"), ("LU177", "Lu-177"), ("Tc99m Smith", "Tc-99m"),
     ("Smith", None), ("F-47", None), ("In 23", None), ("", None)],
)  # fmt: skip
def test_of_ges_isotope_only_a_nuclide_that_is_in_use_is_kept(said: str, known: str | None) -> None:
    assert besides(genie(isotope=said)).get("nuclide") == known


def test_ges_isotope_is_used_where_the_standard_sequence_names_none() -> None:
    ds = genie(isotope="Tc99m").ds
    ds.RadiopharmaceuticalInformationSequence = Sequence(
        [drug(Radiopharmaceutical="ATTENUATION MAPS")]
    )
    assert acquisition(ds)["nuclide"] == ""
    assert besides(Header(ds)) == {"nuclide": "Tc-99m"}
    ds.RadiopharmaceuticalInformationSequence = Sequence([drug(meaning="^177^Lutetium")])
    assert besides(Header(ds)) == {}


@needs_shared
@pytest.mark.django_db
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_an_import_keeps_the_scale_and_leaves_the_counts_alone(tmp_path, syntax) -> None:
    path = tmp_path / "ge.dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(SHARED / "synthetic" / "nm_xeleris_like_neg_spacing.dcm")
        ds.file_meta.TransferSyntaxUID = syntax
        ds.save_as(path)
    take(path)
    said, image = Series.objects.get().acquisition, Instance.objects.get()
    assert {name: said[name] for name in READ} == READ
    assert (image.slope, image.intercept) == (1, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"RadiopharmaceuticalStartDateTime": "20190303231500.00"}, "{evening}231500.00"),
        ({"RadiopharmaceuticalStartTime": "093000"}, "093000"),
        ({}, None),
    ],
)
def test_the_date_of_the_injection_moves_like_that_of_the_exam(tmp_path, said, kept) -> None:
    (path,) = pet(tmp_path, n=1)

    def inject(ds: Dataset) -> None:
        for keyword, value in said.items():
            setattr(ds.RadiopharmaceuticalInformationSequence[0], keyword, value)

    change(path, inject)
    take(path)
    series = Series.objects.select_related("exam").get()
    day = series.exam.shifted_date
    assert day is not None
    assert day.isoformat() != "2019-03-04"
    evening = f"{day - timedelta(days=1):%Y%m%d}"  # before the exam, as the archive dates it
    assert series.acquisition.get("injected_at") == (kept and kept.format(evening=evening))
