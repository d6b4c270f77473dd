"""Role and held reason of an instance, by class and structure alone (4.4 and 5.1)."""

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from portal.archive.classify import (
    CT,
    HELD,
    NM,
    PT,
    SECONDARY,
    classify,
    is_known_class,
    nuclide_texts,
    odd_pixels,
)
from portal.archive.filing import RELEASABLE

MR, US, PDF, SR, RTSTRUCT, ENHANCED_CT = (
    f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in ("4", "6.1", "104.1", "88.33", "481.3", "2.1")
)
AXIAL, RECON = ["ORIGINAL", "PRIMARY", "AXIAL"], ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]


def image(sop_class: str = CT, **elements: object) -> Dataset:
    """A sound 16-bit image of a class, with elements changed, or taken out where None."""
    ds = Dataset()
    ds.SOPClassUID, ds.ImageType = sop_class, RECON if sop_class == NM else AXIAL
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    for keyword, value in elements.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def with_drug(meaning: str = "", text: str = "") -> Dataset:
    drug, code = Dataset(), Dataset()
    code.CodeMeaning = meaning
    drug.RadionuclideCodeSequence = Sequence([code])
    drug.Radiopharmaceutical = text
    return image(PT, RadiopharmaceuticalInformationSequence=Sequence([drug]))


def of_type(*values: str) -> Dataset:
    return image(NM, ImageType=list(values))


# Modality is not among the inputs: Xeleris writes OT into NM objects
@pytest.mark.parametrize(
    ("ds", "role", "label", "reason"),
    [
        (image(CT), "CT", "CT", ""),
        (image(CT, ImageType=None), "CT", "CT", ""),
        (image(CT, Modality="OT"), "CT", "CT", ""),
        (of_type("ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"), "SPECT", "SPECT", ""),
        (of_type("DERIVED", "SECONDARY", "RECON TOMO"), "SPECT", "SPECT", ""),
        (image(NM, Modality="OT"), "SPECT", "SPECT", ""),
        (of_type("ORIGINAL", "PRIMARY", "WHOLE BODY"), "WB", "WB", ""),
        (of_type("ORIGINAL", "PRIMARY", "STATIC"), "WB", "WB", ""),
        (of_type("ORIGINAL", "PRIMARY", "TOMO"), "OTHER", "OTHER", "not_a_volume"),
        (of_type("ORIGINAL", "PRIMARY", "GATED TOMO"), "OTHER", "OTHER", "not_a_volume"),
        (of_type("ORIGINAL", "PRIMARY", "RECON GATED TOMO"), "OTHER", "OTHER", "not_a_volume"),
        (of_type("ORIGINAL", "PRIMARY", "DYNAMIC"), "OTHER", "OTHER", "not_a_volume"),
        (of_type("ORIGINAL", "PRIMARY", "GATED"), "OTHER", "OTHER", "not_a_volume"),
        (of_type("ORIGINAL", "PRIMARY"), "OTHER", "OTHER", "not_a_volume"),
        (of_type("RECON TOMO", "PRIMARY", "OTHER"), "OTHER", "OTHER", "not_a_volume"),  # value 3 decides
        (image(NM, ImageType=None), "OTHER", "OTHER", "not_a_volume"),
        (image(PT), "SPECT", "PT", ""),  # the coordinator chooses
        (image(CT, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "CT", "CT", "localizer"),
        (image(PT, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "SPECT", "PT", "localizer"),
        (image(MR), "OTHER", "OTHER", "other_class"),
        (image(US), "OTHER", "OTHER", "other_class"),
        (image(PDF), "OTHER", "OTHER", "other_class"),
        (image(SR), "OTHER", "OTHER", "other_class"),
        (image(RTSTRUCT), "OTHER", "OTHER", "other_class"),
        (image(ENHANCED_CT), "OTHER", "OTHER", "other_class"),
    ],
)  # fmt: skip
def test_the_role_follows_the_class_and_the_third_value_of_the_image_type(ds, role, label, reason):
    found = classify(ds)
    assert (found.role, found.label, found.reason) == (role, label, reason)


@pytest.mark.parametrize("sop_class", sorted(SECONDARY))
def test_every_secondary_capture_is_held_whatever_it_says_of_burned_in_text(sop_class):
    """BurnedInAnnotation = NO is often wrong: a name may stand in the picture."""
    for said in (
        {},
        {"BurnedInAnnotation": "NO"},
        {"BurnedInAnnotation": "YES"},
        {"Modality": "NM"},
    ):
        assert classify(image(sop_class, **said)).reason == "secondary_capture"  # fmt: skip


def test_the_five_secondary_capture_classes_are_those_of_the_standard():
    root = "1.2.840.10008.5.1.4.1.1.7"
    assert {root, f"{root}.1", f"{root}.2", f"{root}.3", f"{root}.4"} == SECONDARY


@pytest.mark.parametrize("sop_class", [CT, NM, PT])
@pytest.mark.parametrize(
    ("reason", "elements"),
    [
        ("secondary_capture", {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}),
        ("secondary_capture", {"ConversionType": "WSD"}),
        ("secondary_capture", {"ConversionType": ""}),
        ("burned_in", {"BurnedInAnnotation": "YES"}),
        ("colour", {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}),
        ("colour", {"PhotometricInterpretation": "PALETTE COLOR"}),
        ("pixel_encoding", {"HighBit": 14}),
        ("pixel_encoding", {"BitsStored": 12}),
        ("pixel_encoding", {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}),
        ("pixel_encoding", {"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63}),
        ("pixel_encoding", {"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}),
        ("pixel_encoding", {"RescaleSlope": "0"}),
        ("pixel_encoding", {"FloatPixelData": b"\0\0\0\0"}),
        ("pixel_encoding", {"DoubleFloatPixelData": b"\0" * 8}),
    ],
)
def test_what_never_reaches_a_reader_is_held_in_every_image_class(sop_class, reason, elements):
    found = classify(image(sop_class, **elements))
    assert (found.role, found.reason) == ("OTHER", reason)


# the first that applies is said: what may show a name goes before what is merely unreadable
@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"ConversionType": "WSD", "BurnedInAnnotation": "YES", "SamplesPerPixel": 3}, "secondary_capture"),
        ({"BurnedInAnnotation": "YES", "SamplesPerPixel": 3, "HighBit": 3}, "burned_in"),
        ({"SamplesPerPixel": 3, "HighBit": 3}, "colour"),
        ({"HighBit": 3, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "pixel_encoding"),
    ],
)  # fmt: skip
def test_the_gravest_reason_is_the_one_that_is_said(elements, reason):
    assert classify(image(CT, **elements)).reason == reason


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ({}, ""), ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, ""),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, ""), ({"BitsStored": 12, "HighBit": 11}, ""),
        ({"HighBit": None}, ""), ({"RescaleSlope": "1"}, ""), ({"RescaleSlope": "-0.5"}, ""),
        ({"RescaleSlope": "1e31"}, "rescale slope"), ({"RescaleSlope": "0.0"}, "rescale slope"),
        ({"HighBit": 15, "BitsStored": 12}, "high bit"), ({"BitsAllocated": 1}, "1 bits"),
        ({"BitsAllocated": 64}, "64 bits"), ({"BitsAllocated": None}, "0 bits"),
        ({"FloatPixelData": b"\0\0\0\0"}, "floating point"),
    ],
)  # fmt: skip
def test_pixels_are_readable_in_8_16_or_32_bits_with_a_slope(elements, why):
    assert odd_pixels(image(CT, **elements)) == why


# PS3.16 CID 4003 and 4020 (code meanings), symbols, and what vendors write
SINGLE = [
    "^99m^Technetium", "Technetium-99m", "Tc-99m", "99mTc", "TC99M", "Tc 99m MDP", "99m-Tc-HDP", "technetium",
    "^177^Lutetium", "177 Lutetium", "Lu-177", "177Lu-PSMA", "^111^Indium", "In-111", "Indium 111",
    "^123^Iodine", "I-123", "123I", "Iodine-123", "Iodine 131", "^131^Iodine", "I131", "^201^Thallium", "Tl-201",
    "^67^Gallium", "Ga-67", "Gallium-67", "^153^Samarium", "Sm-153",
]  # fmt: skip
POSITRONS = [
    "^18^Fluorine", "Fluorine-18", "F-18", "18F", "F18 FDG", "18F-NaF", "^68^Gallium", "Gallium-68", "Ga-68",
    "68Ga-DOTATATE", "^11^Carbon", "Carbon-11", "C-11", "11C-Choline", "^13^Nitrogen", "Nitrogen-13", "N-13",
    "^82^Rubidium", "Rb-82", "^89^Zirconium", "Zr-89", "^64^Copper", "Copper-64", "Cu-64", "^124^Iodine", "I-124",
    "Iodine-124",
]  # fmt: skip
UNDECIDED = [
    "",
    "ATTENUATION MAPS",
    "MDP",
    "Gallium",
    "Iodine",
    "Carbon",
    "Copper",
    "Xx-1",
    "15-Oxygen",
]


@pytest.mark.parametrize(
    ("text", "label"),
    [(t, "SPECT") for t in SINGLE] + [(t, "PET") for t in POSITRONS] + [(t, "PT") for t in UNDECIDED],
)  # fmt: skip
def test_the_radionuclide_in_any_spelling_tells_spect_from_pet(text, label):
    assert classify(with_drug(meaning=text)).label == label
    assert classify(with_drug(text=text)).label == label


def test_an_attenuation_map_beside_the_nuclide_is_passed_over():
    assert classify(with_drug("^99m^Technetium", "ATTENUATION MAPS")).label == "SPECT"


@pytest.mark.parametrize(
    "ds",
    [
        image(PT),
        image(PT, RadiopharmaceuticalInformationSequence=Sequence([])),
        image(PT, RadiopharmaceuticalInformationSequence=Sequence([Dataset()])),
    ],
)
def test_without_a_drug_a_pt_volume_is_undecided(ds):
    assert (classify(ds).role, classify(ds).label, classify(ds).reason) == ("SPECT", "PT", "")
    assert [t for t in nuclide_texts(ds) if t] == []


@pytest.mark.parametrize(
    ("uid", "is_known"),
    [
        (CT, True), (NM, True), (PT, True), (MR, True), (US, True), (PDF, True), (SR, True), (RTSTRUCT, True),
        *[(uid, True) for uid in sorted(SECONDARY)],
        ("1.2.840.10008.1.1", False),  # verification stores nothing
        ("1.2.840.10008.5.1.4.1.2.2.1", False),  # a query
        ("1.2.840.10008.1.2.1", False),  # a transfer syntax
        ("1.3.12.2.1107.5.9.1", False),  # Siemens' private class
        ("1.2.840.113619.4.27", False),  # GE's private class
        ("1.2.840.10008.5.1.4.1.1.99999", False), ("", False),
    ],
)  # fmt: skip
def test_only_storage_classes_of_the_standard_are_known(uid, is_known):
    assert is_known_class(uid) is is_known


@pytest.mark.parametrize("reason", HELD)
def test_every_reason_has_a_sentence_and_two_can_be_released(reason):
    filled = HELD[reason].format(name="x", kind="x", why="x")
    assert filled.endswith(".")
    assert "{" not in filled
    assert (reason in RELEASABLE) == (reason in ("geometry_to_confirm", "patient_conflict"))


def test_a_sentence_names_what_was_found():
    assert classify(image(MR)).sentence == "MR Image Storage is kept for coordinators and never part of a case."  # fmt: skip
    assert classify(of_type("ORIGINAL", "PRIMARY", "GATED TOMO")).sentence == (
        "This NM image (gated tomo) is neither a reconstructed volume nor a whole-body scan."
    )
    assert classify(image(CT, HighBit=3)).sentence == (
        "The way the pixels are stored (high bit) is not supported."
    )
