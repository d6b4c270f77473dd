"""What each key of a search asks of the database: the rows that fit are written out here, case by case."""

from datetime import date

import pytest
from django.http import QueryDict

from portal.archive.classify import CT, NM
from portal.archive.dicomweb import source_search
from portal.archive.dicomweb.qido import Page, Row, parse
from portal.archive.dicomweb.search import (
    counted,
    counts_of,
    dates,
    instance_condition,
    numbers,
    of_kinds,
    rank_condition,
    search,
    series_condition,
    state_of,
    text,
)
from portal.archive.dicomweb.shelf import (
    SOMEBODY,
    Shelf,
    counted_up,
    day,
    exams_of_patient,
    is_of_one_patient,
    places_of,
)
from portal.archive.models import Exam, Instance, Series
from tests.archive.dicomweb.test_search import LABELS, PT, ROOT, SC, make_one
from tests.cohort import make_user

CODES = (
    "alex001",
    "ALEX002",
    "alexa.01",
    "01calex",
    "100%",
    "1000",
    "a_b",
    "axb",
    "o'neil",
    "back\\slash",
    "",
)


def query(level: str, question: str):
    return parse(level, QueryDict(question))


@pytest.mark.parametrize("find", [search, source_search.search])
@pytest.mark.parametrize("level", ["studies", "series", "instances"])
@pytest.mark.parametrize("question", ["PatientID=%00", "PatientName=a%00*&fuzzymatching=true", "StudyDescription=x&StudyID=%00", "AccessionNumber=*%00?"])  # fmt: skip
def test_a_nul_matches_nothing_and_no_database_is_asked(find, level, question):
    assert find(Shelf(("bone",), 1, ROOT), query(level, question), ()) == Page([], 0)


@pytest.fixture
def codes(db) -> None:
    Exam.objects.bulk_create(
        Exam(uid=f"2.25.{k}", mapped_uid=f"2.25.{k}", study_key="bone", subject=code, patient_key=str(k), created_at="2026-01-01T00:00Z")
        for k, code in enumerate(CODES)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("alex001", {"alex001"}),
        ("AlEx001", {"alex001"}),
        ("alex", set()),
        ("alex*", {"alex001", "ALEX002", "alexa.01"}),
        ("*01", {"alex001", "alexa.01"}),
        ("*EX*", {"alex001", "ALEX002", "alexa.01", "01calex"}),
        ("alex00?", {"alex001", "ALEX002"}),
        ("a?b", {"a_b", "axb"}),
        ("a*1", {"alex001", "alexa.01"}),
        ("a_b", {"a_b"}),  # SQL's own signs are letters here
        ("a_*", {"a_b"}),
        ("100%", {"100%"}),
        ("100%*", {"100%"}),
        ("100*", {"100%", "1000"}),
        ("alexa.*", {"alexa.01"}),
        ("alexa.?1", {"alexa.01"}),
        ("alex[0a]*", set()),
        ("o'neil", {"o'neil"}),
        ("back\\slash", {"back\\slash"}),
        ("*\\*", {"back\\slash"}),
        ("*", set(CODES)),
        ("***", set(CODES)),
        ("?", set()),
        ("????", {"100%", "1000"}),
    ],
)
def test_a_pattern_finds_exactly_the_codes_that_fit(codes, asked, found):
    rows = Exam.objects.filter(text("subject", asked))
    assert set(rows.values_list("subject", flat=True)) == found


DAYS = (date(2001, 1, 1), date(2001, 1, 2), date(2001, 1, 31), date(2002, 1, 1), None)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("20010102", {2}),
        ("20010102-20010131", {2, 31}),
        ("20010102-", {2, 31, 365}),
        ("-20010102", {1, 2}),
        ("20010131-20010102", set()),
        ("20010103", set()),
    ],
)
def test_a_range_of_dates_has_both_its_ends_and_no_exam_without_a_date(db, asked, found):
    names = {DAYS[0]: 1, DAYS[1]: 2, DAYS[2]: 31, DAYS[3]: 365}
    for one in DAYS:
        make_one("bone", "a", one, ())
    rows = Exam.objects.filter(dates("shifted_date", asked))
    assert {names.get(one.shifted_date) for one in rows} == found


@pytest.fixture
def images(db) -> Exam:
    """One exam with a series of every kind: CT, SPECT, PET, whole body and other."""
    return make_one("bone", "alex001", date(2001, 1, 1), LABELS)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("1", {"CT"}), ("2", {"SPECT", "PET"}), ("3", {"WB"}), ("9", {"OTHER"}), ("?", {"CT", "SPECT", "PET", "WB", "OTHER"}),
        ("*", {"CT", "SPECT", "PET", "WB", "OTHER"}), ("01", set()), ("4", set()), ("1*", {"CT"}), ("??", set()),
    ],
)  # fmt: skip
def test_a_series_number_finds_the_labels_that_have_it(images, asked, found):
    known = {"CT": 1, "SPECT": 2, "PET": 2, "WB": 3}
    for condition in (
        numbers("label", asked, known, 9),
        series_condition(query("series", f"SeriesNumber={asked}"), ""),
    ):
        assert set(Series.objects.filter(condition).values_list("label", flat=True)) == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("CT", {CT}), ("nm", {NM}), ("PT", {PT}), ("OT", {SC}), ("?T", {CT, PT, SC}), ("*", {CT, NM, PT, SC}),
        ("N*", {NM}), ("MR", set()), ("C", set()), ("CT*", {CT}),
    ],
)  # fmt: skip
def test_a_modality_is_of_the_class_and_the_role_of_its_series(images, asked, found):
    rows = Instance.objects.filter(of_kinds(asked))
    assert set(rows.values_list("sop_class_uid", flat=True)) == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("1", {1}), ("2", {2}), ("01", set()), ("1.0", set()), ("-1", set()), ("*", {1, 2, 10}), ("1*", {1, 10}),
        ("?", {1, 2}), ("1?", {10}), ("9999999999999999999", set()), ("²", set()), ("x", set()),
    ],
)  # fmt: skip
def test_an_instance_number_is_matched_as_text_without_leading_noughts(db, asked, found):
    series = make_one("bone", "a", None, LABELS[:1]).series.get()
    series.instances.all().delete()
    Instance.objects.bulk_create(
        Instance(series=series, uid=f"2.25.5.{n}", sop_class_uid=CT, rank=n, n_frames=1, file_digest=str(n), content_digest="c")
        for n in (1, 2, 10)
    )  # fmt: skip
    for condition in (rank_condition(asked), instance_condition({"InstanceNumber": asked})):
        assert set(Instance.objects.filter(condition).values_list("rank", flat=True)) == found


@pytest.mark.parametrize(
    ("question", "is_one"),
    [
        ("PatientID=alex001", True), ("00100020=alex001", True), ("PatientID=alex001&limit=2&includefield=all", True),
        ("PatientID=alex*", False), ("PatientID=?", False), ("PatientID=", False), ("", False), ("PatientName=alex001", False),
        ("PatientID=alex001&StudyDate=20010101", False), ("PatientID=m%C3%BCller", False), ("PatientID=a%5Cb", False),
    ],
)  # fmt: skip
def test_only_a_whole_patient_id_and_nothing_else_is_one_patient(question, is_one):
    assert is_of_one_patient(query("studies", question)) is is_one


def test_groups_of_images_are_counted_per_exam():
    groups = [(1, 10, "CT", CT, 100), (1, 11, "SPECT", NM, 1), (1, 11, "SPECT", PT, 4), (2, 12, "OTHER", SC, 2)]  # fmt: skip
    assert counted_up(groups) == {1: Row(("CT", "NM", "PT"), 2, 105), 2: Row(("OT",), 1, 2)}
    assert counted_up([]) == {}


def test_counts_are_those_of_the_rows_themselves(images):
    other = make_one("bone", "b", None, LABELS[:2])
    n = {e.pk: Instance.objects.filter(series__exam=e).count() for e in (images, other)}
    expected = {images.pk: Row(("CT", "NM", "OT", "PT"), 5, n[images.pk]), other.pk: Row(("CT", "NM"), 2, n[other.pk])}  # fmt: skip
    assert counts_of([images.pk, other.pk], of_kinds("*")) == expected
    assert counts_of([images.pk, other.pk], series_condition(query("series", ""), "")) == expected
    below = counts_of([images.pk, other.pk], of_kinds("CT"))
    assert {pk: row.kinds for pk, row in below.items()} == {images.pk: ("CT",), other.pk: ("CT",)}
    assert counts_of([], of_kinds("*")) == {}


@pytest.mark.parametrize(
    ("limit", "offset", "n", "left"),
    [(3, 0, 3, 4), (3, 3, 3, 1), (3, 6, 1, 0), (7, 0, 7, 0), (9, 0, 7, 0), (3, 7, 0, 0), (3, 50, 0, 0), (0, 0, 0, 7), (0, 5, 0, 2)],
)  # fmt: skip
def test_a_page_says_how_many_lie_behind_it(db, limit, offset, n, left):
    for k in range(7):
        make_one("bone", "same", date(2001, 1, 1 + k), LABELS[:1])
    asked = f"limit={limit}&offset={offset}"
    page, behind = counted(Exam.objects.order_by("pk"), query("studies", asked))
    assert (len(page), behind) == (n, left)
    shelf = Shelf(("bone",), make_user("coordinator").pk, ROOT)
    for question in (asked, f"PatientID=same&{asked}"):
        found = search(shelf, query("studies", question), ())
        assert (len(found.rows), found.left) == (n, left), question


def test_the_exams_of_a_patient_are_the_newest_first_and_only_those_one_may_see(db):
    me, other = make_user("coordinator"), make_user("outsider")
    old = make_one("bone", "Alex", date(2001, 1, 1), LABELS[:2])
    undated = make_one("bone", "alex", None, LABELS[:1])
    new = make_one("", "ALEX", date(2003, 1, 1), LABELS[1:2], importer=me)
    make_one("", "alex", date(2002, 1, 1), LABELS[:1], importer=other)
    make_one("other", "alex", date(2002, 1, 1), LABELS[:1])
    make_one("bone", "alexa", date(2002, 1, 1), LABELS[:1])
    make_one("bone", "alex", date(2002, 1, 1), ())  # an exam without images
    found, counts = exams_of_patient(Shelf(("bone",), me.pk, ROOT), "aLeX")
    assert [row[0] for row in found] == [new.pk, old.pk, undated.pk]
    assert [row[-2] for row in found] == [date(2003, 1, 1), date(2001, 1, 1), None]
    assert {pk: (row.kinds, row.n_series) for pk, row in counts.items()} == {
        new.pk: (("NM",), 1), old.pk: (("CT", "NM"), 2), undated.pk: (("CT",), 1),
    }  # fmt: skip
    assert exams_of_patient(Shelf((), me.pk, ROOT), "alex")[0] == found[:1]


def test_a_patient_named_like_a_place_of_a_written_question_is_just_a_patient(db):
    me = make_user("coordinator")
    make_one("other", "secret", date(2001, 1, 1), LABELS[:1])
    for code in ("<patient 0>", "<study 0>", str(SOMEBODY)):
        assert exams_of_patient(Shelf(("bone",), me.pk, ROOT), code) == ([], {})


def test_the_places_of_several_studies_are_told_apart(db):
    me = make_user("coordinator").pk
    exams = {key: make_one(key, "a", None, LABELS[:1]) for key in ("k1", "k2", "k3")}
    assert len(set(places_of(3))) == 3
    for keys in (("k1",), ("k2", "k1"), ("k3", "k2", "k1")):
        found, _ = exams_of_patient(Shelf(keys, me, ROOT), "a")
        assert {row[0] for row in found} == {exams[key].pk for key in keys}
        seen = {key for key, exam in exams.items() if state_of(Shelf(keys, me, ROOT), (exam.uid,))}
        assert seen == set(keys)


def test_the_state_of_one_series_does_not_speak_of_its_sisters(images):
    shelf = Shelf(("bone",), SOMEBODY, ROOT)
    first, second = images.series.order_by("pk")[:2]
    one, both = state_of(shelf, (images.uid, first.uid)), state_of(shelf, (images.uid,))
    Series.objects.filter(pk=second.pk).update(label="NEW")
    assert state_of(shelf, (images.uid, first.uid)) == one != ""
    assert state_of(shelf, (images.uid,)) != both
    assert state_of(shelf, ("2.25.404", first.uid)) == ""


def test_a_date_is_a_date_however_the_database_gives_it():
    assert day("2001-02-03") == day(date(2001, 2, 3)) == date(2001, 2, 3)
    assert day(None) is None
