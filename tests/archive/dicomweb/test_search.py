"""Searches in SQL give what looking through every header gives: two ways to one answer."""

import itertools
from datetime import date, timedelta

import numpy as np
import pytest
from django.http import QueryDict

from portal.archive.classify import CT, NM
from portal.archive.dicomweb.baked import images_of, version
from portal.archive.dicomweb.qido import KEYS, parse
from portal.archive.dicomweb.qido import search as looked_through
from portal.archive.dicomweb.search import search, state_of
from portal.archive.dicomweb.shelf import Shelf
from portal.archive.models import Exam, Instance, Series
from tests.archive.dicomweb.test_coordinator import client
from tests.cohort import NOW, make_study, make_user

pytestmark = pytest.mark.django_db
ROOT = "http://x/dicomweb"
PT = "1.2.840.10008.5.1.4.1.1.128"
SC = "1.2.840.10008.5.1.4.1.1.7"
numbers = itertools.count(1)
SUBJECTS = ("alex001", "Boris^Ann", "o'neil", "100%", "a_b", "x.y", "müller", "felix002", "(x)", "")
LABELS = (
    ("CT", "CT", CT),
    ("SPECT", "SPECT", NM),
    ("SPECT", "PET", PT),
    ("WB", "WB", NM),
    ("OTHER", "OTHER", SC),
)


def make_one(study_key: str, subject: str, day: date | None, kinds, *, importer=None) -> Exam:
    n = next(numbers)
    exam = Exam.objects.create(
        uid=f"2.25.{n}", mapped_uid=f"2.25.{n}", study_key=study_key, subject=subject, patient_key=str(n),
        shifted_date=day, time=f"{n % 24:02d}3000", sex="F", age="060Y", created_at=NOW, importer=importer,
    )  # fmt: skip
    for role, label, sop_class in kinds:
        m = next(numbers)
        series = Series.objects.create(
            exam=exam, uid=f"2.25.{m}", mapped_uid=f"2.25.{m}", role=role, label=label, folder=f"{m:032x}",
            transfer_syntax_uid="1.2.840.10008.1.2.1", created_at=NOW, digest=str(m),
        )  # fmt: skip
        Instance.objects.bulk_create(
            Instance(
                series=series, uid=f"2.25.{m}.{rank}", sop_class_uid=sop_class, rank=rank, n_frames=1,
                file_digest=f"{m}.{rank}", content_digest="c",
            )
            for rank in range(1, 2 + n % 3)
        )  # fmt: skip
    return exam


@pytest.fixture
def shelf():
    """40 exams of a study, of another study and of two shelves; some share a date, some have none."""
    rng = np.random.default_rng(11)
    mine, other = make_user("coordinator"), make_user("outsider")
    places = (("bone", None), ("other", None), ("", mine), ("", other))
    for k in range(40):
        day = date(2001, 1, 1) + timedelta(days=int(rng.integers(0, 9))) if k % 7 else None
        kinds = [LABELS[i] for i in sorted(rng.choice(5, size=1 + k % 3, replace=False))]
        key, importer = places[k % 4 if k % 3 == 0 else 0]
        make_one(key, SUBJECTS[k % len(SUBJECTS)], day, kinds, importer=importer)
    Exam.objects.create(
        uid="2.25.9999", mapped_uid="2.25.9999", study_key="bone", patient_key="e", created_at=NOW
    )  # an exam whose images are gone
    return Shelf(("bone",), mine.pk, ROOT)


def both(shelf: Shelf, level: str, question: str, uids: tuple[str, ...] = ()):
    """The page in SQL and the page of all headers, with what is left behind each."""
    query = parse(level, QueryDict(question))
    seen = Series.objects.filter(exam__in=Exam.objects.filter(shelf.exams)).select_related("exam")
    images = [i for i in images_of(list(seen), shelf.names) if i.key[: len(uids)] == uids]
    first, second = search(shelf, query, uids), looked_through(images, query, root=ROOT)
    return (first.rows, first.left), (second.rows, second.left)


QUESTIONS = (
    "", "limit=3", "limit=3&offset=2", "limit=0", "offset=1000", "includefield=all", "includefield=00120063,PatientAge",
    "PatientID=alex001", "PatientID=ALEX001", "PatientID=alex001&limit=1&offset=1", "PatientID=nobody", "PatientID=100%25", "PatientID=alex*", "PatientID=*1", "PatientID=*le*", "PatientID=a*1",
    "PatientID=?lex001", "PatientID=*", "PatientID=?", "PatientID=**x**", "PatientName=100%25", "PatientName=100_",
    "PatientName=a_b", "PatientName=a?b", "PatientName=x.y", "PatientName=x?y", "PatientName=(x)", "PatientName=o'neil",
    "PatientName=%5C", "PatientName=m%C3%BCller", "PatientName=M%C3%9CLLER", "PatientName=*%C3%9C*", "PatientName=[ab]*",
    "PatientName=muller&fuzzymatching=true", "PatientName=ann+bor&fuzzymatching=true", "PatientName=nn&fuzzymatching=true",
    "PatientName=' OR 1=1 --", "StudyDate=20010103", "StudyDate=20010103-", "StudyDate=-20010103",
    "StudyDate=20010102-20010105", "StudyDate=20010105-20010102", "StudyTime=*3000", "StudyTime=0?3000", "AccessionNumber=*",
    "AccessionNumber=1", "StudyID=?", "StudyDescription=*", "StudyDescription=bone", "ReferringPhysicianName=",
    "ModalitiesInStudy=CT", "ModalitiesInStudy=c*", "ModalitiesInStudy=?T", "ModalitiesInStudy=OT", "ModalitiesInStudy=XX",
    "StudyInstanceUID=2.25.1", "StudyInstanceUID=2.25.1,2.25.9", "StudyInstanceUID=2.25.1%5C2.25.4", "PatientID=alex*&ModalitiesInStudy=NM",
)  # fmt: skip
SERIES = (
    "Modality=CT", "Modality=*T", "Modality=nm", "Modality=SM", "SeriesNumber=1", "SeriesNumber=?", "SeriesNumber=9",
    "SeriesNumber=2", "SeriesNumber=02", "SeriesDescription=spect", "SeriesDescription=*E*", "SeriesInstanceUID=2.25.2,2.25.6",
)  # fmt: skip
INSTANCES = (
    "InstanceNumber=1", "InstanceNumber=01", "InstanceNumber=*", "InstanceNumber=1*", "InstanceNumber=x",
    f"SOPClassUID={CT}", f"SOPClassUID={CT},{NM}", "SOPInstanceUID=2.25.2.1", "SOPInstanceUID=2.25.2",
)  # fmt: skip


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
def test_sql_and_headers_find_the_same_rows_in_the_same_order(shelf, level):
    asked = QUESTIONS + (SERIES if level != "studies" else ())
    asked += INSTANCES if level == "instances" else ()
    found = {q: both(shelf, level, q) for q in asked}
    assert {q for q, (sql, headers) in found.items() if sql != headers} == set()
    sizes = {len(sql[0]) for sql, _ in found.values()}
    assert len(sizes) > 5  # the questions do tell rows apart


@pytest.mark.parametrize("level", ["series", "instances"])
def test_below_a_study_or_series_only_what_lies_there_is_searched(shelf, level):
    for series in Series.objects.select_related("exam").order_by("uid")[:12]:
        uids = (series.exam.uid, series.uid)[: 1 if level == "series" else 2]
        for question in ("limit=1", "ModalitiesInStudy=NM"):
            sql, headers = both(shelf, level, question, uids)
            assert sql == headers, (uids, question)


@pytest.mark.parametrize("seed", range(2))
def test_random_combinations_of_keys_agree(shelf, seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        level = str(rng.choice(["studies", "series", "instances"]))
        some = (
            QUESTIONS[7:]
            + (SERIES if level != "studies" else ())
            + (INSTANCES if level == "instances" else ())
        )
        asked = [str(q) for q in rng.choice(some, size=2, replace=False)]
        names = [q.split("=")[0] for q in asked]
        if len(set(names)) < 2 or not set(names) <= set(KEYS[level]):
            continue
        question = "&".join([*asked, f"limit={rng.integers(1, 9)}", f"offset={rng.integers(0, 4)}"])
        sql, headers = both(shelf, level, question)
        assert sql == headers, (level, question)


def test_another_study_and_another_shelf_are_never_found(shelf):
    hidden = Exam.objects.exclude(shelf.exams)
    assert hidden.count() > 3
    for exam in hidden:
        series = exam.series.first()
        for level, question in (
            ("studies", f"StudyInstanceUID={exam.uid}"), ("series", f"SeriesInstanceUID={series.uid}"),
            ("instances", f"SOPInstanceUID={series.uid}.1"),
        ):  # fmt: skip
            found = search(shelf, parse(level, QueryDict(question)), ())
            assert (found.rows, found.left) == ([], 0)


def changed(value):
    """Another value of the same type."""
    kinds = {str: "Z", int: 77, dict: {"Z": 1}, list: ["Z"], date: date(1999, 9, 9)}
    return kinds[type(value)] if value is not None else date(1999, 9, 9)


def test_whatever_changes_the_documents_of_a_series_changes_the_word_for_its_state(shelf):
    series = Series.objects.filter(exam__in=Exam.objects.filter(shelf.exams)).first()
    uids = (series.exam.uid, series.uid)

    def both_words():
        one = Series.objects.select_related("exam").get(pk=series.pk)
        return version(one, shelf.names(one.exam)), state_of(shelf, uids)

    before, told = both_words(), 0
    skipped = {
        "id",
        "state",
        "uid",
        "exam",
        "importer",
        "created_at",
        "study_key",
        "is_synthetic",
        "has_conflict",
    }
    for row in (series, series.exam):
        for field in (f for f in row._meta.fields if f.name not in skipped and not f.null):
            if isinstance(old := getattr(row, field.name), bool):
                continue
            type(row).objects.filter(pk=row.pk).update(**{field.name: changed(old)})
            after = both_words()
            told += after[0] != before[0]
            assert after[1] != before[1] or after[0] == before[0], field.name
            type(row).objects.filter(pk=row.pk).update(**{field.name: old})
    assert told >= 10
    assert both_words() == before


def test_a_series_has_a_state_only_for_those_who_may_see_it(shelf):
    for exam in Exam.objects.exclude(shelf.exams):
        one = exam.series.first()
        assert state_of(shelf, (exam.uid, one.uid)) == state_of(shelf, (exam.uid,)) == ""
    seen = Series.objects.filter(exam__in=Exam.objects.filter(shelf.exams)).select_related("exam")
    words = {state_of(shelf, (one.exam.uid, one.uid)) for one in seen}
    assert len(words) == len(seen) > 20


def test_pages_cover_every_exam_once(shelf):
    seen = []
    for offset in range(0, 60, 7):
        page = search(shelf, parse("studies", QueryDict(f"limit=7&offset={offset}")), ())
        seen += [row["0020000D"]["Value"][0] for row in page.rows]
    assert (
        len(seen)
        == len(set(seen))
        == Exam.objects.filter(shelf.exams, series__isnull=False).distinct().count()
    )


def test_a_search_costs_the_same_few_questions_however_many_exams_there_are(
    django_assert_max_num_queries, settings
):
    settings.IDENTITIES = "none"
    make_study(is_synthetic=True)
    one = client()
    for level, most in (("studies", 6), ("series", 9), ("instances", 7)):
        for _ in range(2):
            for k in range(6):
                make_one("bone", f"p{k}", date(2001, 1, 1), LABELS[:2])
            with django_assert_max_num_queries(most):
                assert one.get(f"/dicomweb/{level}?limit=5").status_code == 200
