"""The rules of a search (7.3): what is asked, what fits it, in which order, and what is a bad request."""

import fnmatch

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from portal.archive.dicomweb.header import Image, put
from portal.archive.dicomweb.qido import (
    DIGITS,
    KEYS,
    LEVELS,
    MOST,
    folded,
    is_like,
    keyword_of,
    parse,
    search,
    wild,
)
from portal.archive.frames import BadRequest, Location

ROOT = "http://x/dicomweb"
WHOLE = f"is a whole number of at most {DIGITS} digits."
DAY = "StudyDate is YYYYMMDD or a range of two such dates with a hyphen."


def asked(text: str = "", level: str = "studies"):
    return parse(level, QueryDict(text))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("limit=", f"limit {WHOLE}"), ("limit=-1", f"limit {WHOLE}"), ("limit=1.5", f"limit {WHOLE}"),
        ("limit=abc", f"limit {WHOLE}"), ("limit=%2B5", f"limit {WHOLE}"), ("limit=1e3", f"limit {WHOLE}"),
        ("limit=0x10", f"limit {WHOLE}"), ("limit=%205", f"limit {WHOLE}"), ("limit=1_000", f"limit {WHOLE}"),
        ("limit=1234567890", f"limit {WHOLE}"), ("limit=%C2%B2", f"limit {WHOLE}"), ("limit=%D9%A3", f"limit {WHOLE}"),
        ("offset=-1", f"offset {WHOLE}"), ("offset=x", f"offset {WHOLE}"), ("offset=1234567890", f"offset {WHOLE}"),
        ("fuzzymatching=yes", "fuzzymatching is true or false."), ("fuzzymatching=1", "fuzzymatching is true or false."),
        ("fuzzymatching=", "fuzzymatching is true or false."),
        ("StudyDate=2019", DAY), ("StudyDate=20191301", DAY), ("StudyDate=20190230", DAY), ("StudyDate=-", DAY),
        ("StudyDate=20190101-20190230", DAY), ("StudyDate=2019010120190102", DAY), ("StudyDate=20190101--20190102", DAY),
        ("StudyDate=2019-01-01", DAY), ("StudyDate=20190101*", DAY), ("StudyDate=%2020190101", DAY), ("StudyDate=*", DAY),
        ("StudyDate=%EF%BC%92%EF%BC%90%EF%BC%91%EF%BC%99%EF%BC%90%EF%BC%91%EF%BC%90%EF%BC%91", DAY),  # full width
        ("00080020=yesterday", DAY),
        ("StudyInstanceUID=abc", "StudyInstanceUID holds valid UIDs."),
        ("StudyInstanceUID=1.2,../x", "StudyInstanceUID holds valid UIDs."),
        ("StudyInstanceUID=1.2*", "StudyInstanceUID holds valid UIDs."),
        ("0020000D=1..2", "StudyInstanceUID holds valid UIDs."),
        ("StudyInstanceUID=" + "1" * 65, "StudyInstanceUID holds valid UIDs."),
        ("0010=x", "A tag has eight hexadecimal digits."), ("001000200=x", "A tag has eight hexadecimal digits."),
        ("0010002G=x", "A tag has eight hexadecimal digits."), ("0010,0020=x", "A tag has eight hexadecimal digits."),
    ],
)  # fmt: skip
def test_a_malformed_question_is_a_bad_request_with_its_sentence(text, sentence):
    with pytest.raises(BadRequest) as refusal:
        asked(text)
    assert (str(refusal.value), refusal.value.status) == (sentence, 400)


@pytest.mark.parametrize("day", ["20190101", "20190101-20191231", "20190101-", "-20191231", "20191231-20190101", "20200229", ""])  # fmt: skip
def test_a_day_and_a_range_with_or_without_ends_are_dates(day):
    assert asked(f"StudyDate={day}").keys == {"StudyDate": day}


@pytest.mark.parametrize(
    ("text", "limit", "offset"),
    [
        ("", MOST, 0), ("limit=101&offset=0", 101, 0), ("limit=0", 0, 0), ("limit=1000", 1000, 0),
        ("limit=1001", 1000, 0), ("limit=999999999", 1000, 0), ("offset=999999999", 1000, 999_999_999),
        ("limit=007", 7, 0),
    ],
)  # fmt: skip
def test_a_page_holds_at_most_a_thousand_rows(text, limit, offset):
    found = asked(text)
    assert (found.limit, found.offset) == (limit, offset)


# 7.3: the keys of each level, by keyword and by tag
OF_STUDY = {
    "StudyInstanceUID": "0020000D", "PatientID": "00100020", "PatientName": "00100010", "StudyDate": "00080020",
    "StudyTime": "00080030", "AccessionNumber": "00080050", "StudyID": "00200010", "ModalitiesInStudy": "00080061",
    "ReferringPhysicianName": "00080090", "StudyDescription": "00081030",
}  # fmt: skip
OF_SERIES = {"SeriesInstanceUID": "0020000E", "Modality": "00080060", "SeriesNumber": "00200011", "SeriesDescription": "0008103E"}  # fmt: skip
OF_INSTANCE = {"SOPInstanceUID": "00080018", "SOPClassUID": "00080016", "InstanceNumber": "00200013"}  # fmt: skip
EVERY = {**OF_STUDY, **OF_SERIES, **OF_INSTANCE}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("keyword", EVERY)
def test_a_key_is_known_by_keyword_and_by_tag_at_its_level_and_below(level, keyword):
    first = LEVELS.index("studies" if keyword in OF_STUDY else "series" if keyword in OF_SERIES else "instances")  # fmt: skip
    value = "20190101" if keyword == "StudyDate" else "1"
    for name in (keyword, EVERY[keyword], EVERY[keyword].lower()):
        found = asked(f"{name}={value}", level)
        if LEVELS.index(level) >= first:
            assert (found.keys, found.ignored) == ({keyword: value}, ())
        else:
            assert (found.keys, found.ignored) == ({}, (name,))


def test_the_keys_are_those_of_the_specification():
    assert set(KEYS["instances"]) == set(EVERY)


@pytest.mark.parametrize("name", ["PatientBirthDate", "00100030", "Manufacturer", "NoSuchKeyword", "patientid", "00091010", "00091040", "FFFFFFFF", "_", "x;y"])  # fmt: skip
def test_a_well_formed_key_that_is_not_supported_is_passed_over_and_named(name):
    found = parse("studies", QueryDict(f"{name.replace(';', '%3B')}=x&PatientID=a"))
    assert (dict(found.keys), found.ignored) == ({"PatientID": "a"}, (name,))


@pytest.mark.parametrize(
    ("text", "fields", "wants_all"),
    [
        ("includefield=00081030%2C00080060", {"00081030", "00080060"}, False),  # OHIF's own
        ("includefield=0008103E%2C00080021", {"0008103E", "00080021"}, False),
        ("includefield=PatientAge", {"00101010"}, False),
        ("includefield=PatientAge&includefield=00120063", {"00101010", "00120063"}, False),
        ("includefield=all", set(), True),
        ("includefield=PatientAge,all", {"00101010"}, True),
        ("includefield=NoSuchName,,PatientAge,0099", {"00101010"}, False),
        ("includefield=", set(), False),
        (
            "includefield=60003000,60020010,50003000,00203100",
            {"60003000", "60020010", "50003000", "00203100"},
            False,
        ),
        ("includefield=0020000d,OverlayData,60003001,00091010", {"0020000D"}, False),
    ],
)
def test_further_fields_are_named_by_keyword_tag_list_or_all(text, fields, wants_all):
    found = asked(text)
    assert (found.fields, found.wants_all, found.ignored) == (fields, wants_all, ())


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("PatientID", "PatientID"), ("00100020", "PatientID"), ("0020000d", "StudyInstanceUID"), ("patientID", ""),
        ("0010002", ""), ("00091040", ""), ("", ""), ("0x100020", ""),
    ],
)  # fmt: skip
def test_a_name_is_a_keyword_or_eight_hexadecimal_digits(name, keyword):
    assert keyword_of(name) == keyword


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("SYN1", "SYN1", True), ("syn1", "SYN1", True), ("SYN", "SYN1", False), ("SYN*", "SYN1", True), ("SYN*", "SYN", True),
        ("*1", "SYN1", True), ("*", "", True), ("*", "x", True), ("**", "x", True), ("?", "", False), ("?", "x", True),
        ("?", "xy", False), ("S?N1", "SYN1", True), ("S?N1", "SN1", False), ("S*1", "SYN001", True), ("S*1", "SYN0012", False),
        ("100%", "100%", True), ("100%", "100x", False), ("a_b", "a_b", True), ("a_b", "axb", False), ("x.y", "x.y", True),
        ("x.y", "xzy", False), ("[ab]", "a", False), ("[ab]", "[ab]", True), ("(x)", "(x)", True), ("a+", "aa", False),
        ("a|b", "a", False), ("^a$", "a", False), ("\\d", "1", False), ("\\d", "\\d", True), ("MÜLLER", "müller", True),
        ("STRASSE", "straße", True), ("a*b", "a\nb", True), ("' OR 1=1 --", "x", False), ("", "", True), ("", "x", False),
    ],
)  # fmt: skip
def test_stars_and_question_marks_are_wild_and_all_else_is_literal(pattern, text, fits):
    assert wild(pattern, text) is fits


@given(st.text("aB*?.", max_size=8), st.text("aB.", max_size=8))
def test_wild_cards_fit_as_in_the_shell(pattern, text):
    """Without brackets the shell's patterns are the same: an independent matcher."""
    assert wild(pattern, text) is fnmatch.fnmatchcase(text.lower(), pattern.lower())


@given(st.text(max_size=20))
def test_every_text_fits_itself_and_the_star(text):
    assert wild("*", text)
    if not set(text) & set("*?"):
        assert wild(text, text)


@pytest.mark.parametrize(
    ("words", "name", "is_alike"),
    [
        ("mueller", "Mueller^Hans", True), ("MUE", "Mueller^Hans", True), ("han", "Mueller^Hans", True), ("hans mue", "Mueller^Hans", True),
        ("muller", "Müller^Hans", True), ("Müller", "Muller^Hans", True), ("Ångström", "angstrom^a", True), ("eller", "Mueller^Hans", False),
        ("hans peter", "Mueller^Hans", False), ("pet", "Mueller^Hans Peter", True), ("", "x", True), ("  ", "x", True), ("mue*", "Mueller", True),
        ("mueller^hans", "Mueller^Hans", True), ("hans^mueller", "Mueller^Hans", True), ("x", "", False), ("yamada", "Yamada^Tarou=山田^太郎", True),
        ("山", "Yamada^Tarou=山田^太郎", True), ("田", "Yamada^Tarou=山田^太郎", False),
    ],
)  # fmt: skip
def test_fuzzy_names_are_beginnings_of_components_in_any_order(words, name, is_alike):
    assert is_like(words, name) is is_alike


@given(st.text(max_size=15))
def test_folding_twice_changes_nothing_more(text):
    assert folded(folded(text)) == folded(text)


NOWHERE = Location("f", "1.2.840.10008.1.2.1", (), ())


def image(study: int, series: int, number: int, *, day: str = "20200101", modality: str = "CT", patient: str = "P") -> Image:  # fmt: skip
    key = (f"1.{study}", f"1.{study}.{series}", f"1.{study}.{series}.{number}")
    elements: dict = {}
    for keyword, uid in zip(
        ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), key, strict=True
    ):
        put(elements, keyword, uid)
    put(elements, "StudyDate", day)
    put(elements, "Modality", modality)
    put(elements, "PatientName", patient)
    put(elements, "SeriesNumber", series)
    put(elements, "InstanceNumber", number)
    return Image(key, elements, NOWHERE)


def rows(images, level: str, text: str = "") -> list[str]:
    tag = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}[level]
    return [r[tag]["Value"][0] for r in search(images, asked(text, level), root=ROOT).rows]


def test_the_newest_exam_comes_first_and_equal_days_follow_their_uids():
    images = [
        image(1, 1, 1, day="20190101"),
        image(3, 1, 1),
        image(2, 1, 1),
        image(4, 1, 1, day=""),
    ]
    assert rows(images, "studies") == ["1.2", "1.3", "1.1", "1.4"]


def test_series_and_images_are_ordered_by_number_and_not_by_text():
    images = [image(1, s, n) for s in (10, 9, 1) for n in (11, 2, 1)]
    assert rows(images, "series") == ["1.1.1", "1.1.9", "1.1.10"]
    assert rows(images, "instances")[:3] == ["1.1.1.1", "1.1.1.2", "1.1.1.11"]


def test_an_exam_counts_its_series_its_images_and_its_modalities():
    images = [image(1, 1, n) for n in (1, 2, 3)] + [image(1, 2, 1, modality="NM")]
    (row,) = search(images, asked("includefield=all"), root=ROOT).rows
    counts = {t: row[t]["Value"] for t in ("00080061", "00201206", "00201208", "00081190")}
    assert counts == {"00080061": ["CT", "NM"], "00201206": [2], "00201208": [4], "00081190": [f"{ROOT}/studies/1.1"]}  # fmt: skip
    first, second = search(images, asked("", "series"), root=ROOT).rows
    assert (first["00201209"]["Value"], second["00201209"]["Value"]) == ([3], [1])


@pytest.mark.parametrize("level", LEVELS)
def test_a_row_says_where_to_retrieve_it(level):
    path = {"studies": "studies/1.1", "series": "studies/1.1/series/1.1.1", "instances": "studies/1.1/series/1.1.1/instances/1.1.1.1"}  # fmt: skip
    (row,) = search([image(1, 1, 1)], asked("", level), root=ROOT).rows
    assert row["00081190"]["Value"] == [f"{ROOT}/{path[level]}"]


@given(
    n=st.integers(0, 12),
    limit=st.integers(0, 14),
    offset=st.integers(0, 14),
)
def test_pages_are_cuts_of_the_whole_and_count_what_is_left(n, limit, offset):
    images = [image(k, 1, 1) for k in range(n)]
    page = search(images, asked(f"limit={limit}&offset={offset}"), root=ROOT)
    every = rows(images, "studies")
    assert [r["0020000D"]["Value"][0] for r in page.rows] == every[offset : offset + limit]
    assert page.left == max(0, n - offset - limit)


@given(
    st.lists(st.dates().map(lambda d: d.strftime("%Y%m%d").zfill(8)), min_size=1, max_size=6),
    st.dates(), st.dates(),
)  # fmt: skip
def test_a_range_holds_the_days_between_its_ends_and_both_ends(days, low, high):
    ends = [d.strftime("%Y%m%d").zfill(8) for d in (low, high)]
    images = [image(k, 1, 1, day=day) for k, day in enumerate(days)]
    for text, fits in (
        (f"{ends[0]}-{ends[1]}", lambda d: ends[0] <= d <= ends[1]), (f"{ends[0]}-", lambda d: ends[0] <= d),
        (f"-{ends[1]}", lambda d: d <= ends[1]), (ends[0], lambda d: d == ends[0]),
    ):  # fmt: skip
        found = set(rows(images, "studies", f"StudyDate={text}"))
        assert found == {f"1.{k}" for k, day in enumerate(days) if fits(day)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("StudyInstanceUID=1.1", ["1.1"]), ("StudyInstanceUID=1.1,1.3", ["1.1", "1.3"]),
        ("StudyInstanceUID=1.1%5C1.3", ["1.1", "1.3"]), ("StudyInstanceUID=1.9", []), ("StudyInstanceUID=", ["1.1", "1.2", "1.3"]),
        ("ModalitiesInStudy=NM", ["1.2"]), ("ModalitiesInStudy=CT", ["1.1", "1.2", "1.3"]), ("ModalitiesInStudy=MR", []),
        ("PatientName=ann*", ["1.1"]), ("PatientName=*", ["1.1", "1.2", "1.3"]), ("PatientName=", ["1.1", "1.2", "1.3"]),
        ("PatientName=smith+ann&fuzzymatching=true", ["1.1"]), ("PatientName=smith+ann", []),
        ("PatientName=ann*&ModalitiesInStudy=NM", []), ("AccessionNumber=*", ["1.1", "1.2", "1.3"]), ("AccessionNumber=7", []),
    ],
)  # fmt: skip
def test_all_keys_must_fit(text, found):
    images = [image(1, 1, 1, patient="Ann^Smith"), image(2, 1, 1, patient="Bob"), image(2, 2, 1, patient="Bob", modality="NM"), image(3, 1, 1, patient="Cy")]  # fmt: skip
    assert rows(images, "studies", text) == found
