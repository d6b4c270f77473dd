"""What NM and PT images say beside their pixels: each rule takes what is listed and refuses the rest."""

import pytest
from pydicom import Dataset
from pydicom.config import disable_value_validation

from portal.archive import codes
from portal.archive.emission import (
    MOST_ITEMS,
    RULES,
    STARTED,
    TRACERS,
    coded,
    emission,
    items_of,
    moved_facts,
    moved_tracer,
    mover,
    read,
    time_of_day,
    vector,
    words,
)


def dataset(**values) -> Dataset:
    """A header as a careless sender writes it, which pydicom does not check."""
    ds = Dataset()
    with disable_value_validation():
        for keyword, value in values.items():
            setattr(ds, keyword, value)
    return ds


def code(value: object, scheme: object, meaning: str = "Ward 7, Mr Smith") -> Dataset:
    return dataset(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


TABLES = (codes.ORIENTATIONS, codes.RELATIONSHIPS, codes.VIEWS, codes.NUCLIDES)
CONCEPTS = [(table, concept) for table in TABLES for concept in table]


@pytest.mark.parametrize(("table", "concept"), CONCEPTS, ids=lambda v: getattr(v, "meaning", ""))
def test_a_listed_code_passes_under_every_scheme_it_had_with_our_own_words(table, concept):
    for value, scheme in (
        (concept.sct, "SCT"), (concept.srt, "SRT"), (concept.srt, "SNM3"), (concept.srt, "99SDM"),
    ):  # fmt: skip
        assert codes.passed(code(value, scheme), table) == {
            "CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": concept.meaning,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "scheme"),
    [
        ("F-10450", "SCT"),  # the number of one scheme under the name of another
        ("102538003", "SRT"),
        ("102538003", "99LOCAL"),
        ("102538003", "sct"),
        ("102538003", ""),
        ("", "SCT"),
        ("1025380031", "SCT"),
        ("10253800", "SCT"),
        ("399321004", "SCT"),  # a view, not an orientation
    ],
)
def test_a_code_that_is_not_listed_for_its_element_is_refused(value, scheme):
    assert codes.passed(code(value, scheme), codes.ORIENTATIONS) is None


def test_an_item_without_any_code_is_refused():
    for table in TABLES:
        assert codes.passed(Dataset(), table) is None


def test_blanks_around_a_code_are_no_part_of_it():
    found = codes.passed(code(" 102538003 ", "SCT "), codes.ORIENTATIONS)
    assert found is not None
    assert (found["CodeValue"], found["CodingSchemeDesignator"]) == ("102538003", "SCT")


def test_no_code_stands_for_two_meanings():
    for table in TABLES:
        for name in ("sct", "srt", "meaning"):
            assert len({getattr(c, name) for c in table}) == len(table)


def test_of_several_codes_only_the_listed_ones_are_taken_in_their_order():
    rule = coded(codes.VIEWS)
    sent = [code("399001007", "SCT"), code("1", "SCT"), code("G-5215", "SRT")]
    found = rule(dataset(ViewCodeSequence=sent), "ViewCodeSequence")
    assert [one["CodeMeaning"] for one in found] == ["Posterior projection", "Anterior projection"]
    assert rule(dataset(ViewCodeSequence=sent[1:2]), "ViewCodeSequence") is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([1, 1, 2, 2], [1, 1, 2, 2]),
        (1, [1]),
        (65535, [65535]),
        ([1, 0], None),  # windows and detectors count from 1
        ([1, 65536], None),
        ([1, -1], None),
        (None, None),
    ],
)
def test_a_vector_is_taken_whole_or_not_at_all(given, kept):
    # a dictionary, for pydicom itself would not let the wrong numbers be written
    assert vector({"DetectorVector": given}, "DetectorVector") == kept


@pytest.mark.parametrize("given", ["1", b"\1\0", "1\\2", [1, 1.5], [1, "x"], [float("nan")]])
def test_a_vector_of_anything_but_whole_numbers_is_refused(given):
    assert vector({"DetectorVector": given}, "DetectorVector") is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["DECY", "ATTN"], ["DECY", "ATTN"]),
        (["decy", " SCAT "], ["DECY", "SCAT"]),
        (["DECY", "SMITH^JOHN", "ATTN"], ["DECY", "ATTN"]),
        ("ATTN", ["ATTN"]),
        ("ATT", None),
        ("ATTNX", None),
        ("", None),
        (None, None),
    ],
)
def test_of_coded_words_only_the_vocabulary_passes(given, kept):
    rule = words("DECY", "ATTN", "SCAT")
    assert rule(dataset(CorrectedImage=given), "CorrectedImage") == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0915", True), ("091530", True), ("091530.123456", True), ("09", True), ("235960", True),
        ("240000", False), ("0960", False), ("9", False), ("091530.", False), ("091530.1234567", False),
        ("19491231", False), ("09:15", False), ("noon", False),
    ],
)  # fmt: skip
def test_a_time_of_day_is_a_time_of_the_standard_or_nothing(given, kept):
    found = time_of_day({STARTED: given}, STARTED)
    assert found == (given if kept else None)


def test_a_tracer_of_which_nothing_is_listed_leaves_an_empty_item():
    assert emission(dataset(RadiopharmaceuticalInformationSequence=[dataset(PatientName="A")])) == {
        TRACERS: [{}]
    }


NUMBERS = (
    ("CountsAccumulated", 120000, 2**31), ("DataCollectionDiameter", 533.4, float("nan")),
    ("ActualFrameDuration", 20000, -(2**31) - 1), ("NumberOfEnergyWindows", 2, 65536),
    ("NumberOfRotations", 1, -1), ("FrameReferenceTime", 1500.5, float("inf")),
    ("DecayFactor", 1.01, 1e31), ("ImageIndex", 7, 65536),
)  # fmt: skip


@pytest.mark.parametrize(("keyword", "good", "bad"), NUMBERS)
def test_a_number_is_taken_if_its_element_can_hold_it(keyword, good, bad):
    assert read({keyword: good}, keyword, RULES[keyword]) == good
    assert read({keyword: bad}, keyword, RULES[keyword]) is None
    assert read({keyword: "Smith"}, keyword, RULES[keyword]) is None


def test_only_listed_elements_of_an_item_are_taken():
    drug = dataset(
        Radiopharmaceutical="Smith's dose", RadionuclideTotalDose=740, RadiopharmaceuticalRoute="Smith, left arm",
        RadiopharmaceuticalStartTime="0915", RadionuclideCodeSequence=[code("72454006", "SCT")],
    )  # fmt: skip
    found = emission(dataset(RadiopharmaceuticalInformationSequence=[drug], OperatorsName="Smith"))
    nuclide = {
        "CodeValue": "72454006", "CodingSchemeDesignator": "SCT", "CodeMeaning": "^99m^Technetium",
    }  # fmt: skip
    assert found == {
        TRACERS: [
            {
                "RadiopharmaceuticalStartTime": "0915",
                "RadionuclideTotalDose": 740,
                "RadionuclideCodeSequence": [nuclide],
            }
        ]
    }
    assert "Smith" not in repr(found)


def test_an_item_without_any_listed_element_stays_for_vectors_count_it():
    empty, second = Dataset(), dataset(CollimatorType="PARA")
    found = emission(dataset(DetectorInformationSequence=[empty, second], DetectorVector=[2, 1]))
    assert found["DetectorInformationSequence"] == [{}, {"CollimatorType": ["PARA"]}]
    assert found["DetectorVector"] == [2, 1]


def test_energy_limits_are_found_two_sequences_deep():
    limits = dataset(EnergyWindowLowerLimit=126.45, EnergyWindowUpperLimit=154.55)
    window = dataset(EnergyWindowRangeSequence=[limits], EnergyWindowName="Tc Smith")
    found = emission(dataset(EnergyWindowInformationSequence=[window]))
    kept = {"EnergyWindowLowerLimit": 126.45, "EnergyWindowUpperLimit": 154.55}
    assert found == {"EnergyWindowInformationSequence": [{"EnergyWindowRangeSequence": [kept]}]}


def test_a_sequence_is_read_up_to_its_limit_and_no_further():
    sent = dataset(DetectorInformationSequence=[Dataset() for _ in range(MOST_ITEMS + 3)])
    assert len(items_of(sent, "DetectorInformationSequence")) == MOST_ITEMS


def test_what_is_no_sequence_has_no_items():
    assert items_of({"X": ["text", 3, None]}, "X") == []
    assert items_of({}, "X") == []


@pytest.mark.parametrize("error", [ValueError, KeyError, AttributeError, OverflowError])
def test_a_value_that_cannot_be_read_is_left_out_alone(error):
    class Broken(Dataset):
        def get(self, key, default=None):
            if key == "Units":
                raise error("damaged")
            return super().get(key, default)

    ds = Broken()
    ds.Units, ds.CountsSource = "BQML", "EMISSION"
    assert emission(ds) == {"CountsSource": ["EMISSION"]}


def test_a_ct_says_nothing_of_emission():
    assert emission(dataset(Modality="CT", KVP=120, RescaleSlope=1)) == {}


@pytest.mark.parametrize(
    ("keyword", "given", "moved"),
    [
        ("StudyDate", "20190304", "20190225"),
        ("AcquisitionDateTime", "20190304091530.5", "20190225091530.5"),
        ("AcquisitionDateTime", "20190304", "20190225"),
        ("StudyDate", "20190231", ""),
        ("AcquisitionDateTime", "2019", ""),
        ("StudyDate", "00010101", ""),  # before the first day of the calendar
    ],
)
def test_a_date_moves_by_whole_weeks_and_its_time_of_day_stays(keyword, given, moved):
    assert mover(keyword)(given, 1) == moved


def test_numbers_per_frame_follow_the_order_of_the_frames():
    known = {"DetectorVector": [1, 2, 3], "RotationVector": [1, 1], "Units": ["CNTS"]}
    facts = {"dates": {}, "emission": known, "Rows": 4}
    found = moved_facts(facts, 1, [2, 0, 1])
    assert found["Rows"] == 4
    assert found["emission"] == {
        "DetectorVector": [3, 1, 2], "RotationVector": [1, 1], "Units": ["CNTS"],
    }  # fmt: skip
    assert known["DetectorVector"] == [1, 2, 3]  # what was received is not touched
    assert moved_facts(facts, 1, None)["emission"] == known


def test_a_date_that_cannot_be_moved_is_not_kept_as_it_was():
    facts = {"dates": {"StudyDate": "20190304", "SeriesDate": "4 March", "ContentDate": ""}}
    assert moved_facts(facts, 2, None)["dates"] == {"StudyDate": "20190218"}


def test_the_injection_moves_with_the_exam_or_is_forgotten():
    sent = {STARTED: "20190304081500", "RadionuclideTotalDose": 740}
    assert moved_tracer(sent, 1) == {STARTED: "20190225081500", "RadionuclideTotalDose": 740}
    assert moved_tracer({**sent, STARTED: "20191399"}, 1) == {"RadionuclideTotalDose": 740}
    found = moved_facts({"dates": {}, "emission": {TRACERS: [sent, {}]}}, 1, None)
    assert found["emission"][TRACERS] == [moved_tracer(sent, 1), {}]
