"""Pages of all exams: the order and the counts of every part together, with an index that has the order."""

import json
from datetime import date, timedelta

import pytest
from django.db import connection
from django.db.models import Q
from django.http import QueryDict

from portal.archive.dicomweb.qido import parse
from portal.archive.dicomweb.search import search
from portal.archive.dicomweb.shelf import Shelf, exams_in_order, numbers_of, parts_of
from portal.archive.models import Exam, Series
from portal.sql.asked import written
from tests.archive.dicomweb.test_search import LABELS, ROOT, both, make_one
from tests.cohort import make_user

pytestmark = pytest.mark.django_db
STUDIES = ("bone", "lung", "none")
PAGES = (
    "",
    "limit=1",
    "limit=4&offset=3",
    "limit=0",
    "limit=3&offset=26",
    "offset=29",
    "limit=7&PatientID=&StudyDate=",
)


@pytest.fixture
def me():
    """Thirty exams of two studies, of mine, of another's shelf and of a study that is not mine, dates shared and missing."""
    mine, other = make_user("coordinator"), make_user("outsider")
    places = (
        ("bone", None),
        ("lung", None),
        ("", mine),
        ("", other),
        ("secret", None),
        ("bone", mine),
    )
    for k in range(30):
        day = date(2001, 1, 1) + timedelta(days=(k * 7) % 5) if k % 4 else None
        key, importer = places[k % len(places)]
        make_one(key, f"P{k}", day, [LABELS[k % 5], LABELS[(k + 1) % 5]], importer=importer)
    bare = Exam.objects.filter(study_key="bone").first()
    assert bare is not None
    bare.pk, bare.uid = None, "2.25.424242"
    bare.save(force_insert=True)  # an exam whose images are gone
    return mine


@pytest.mark.parametrize("studies", [STUDIES[:n] for n in range(4)])
def test_a_page_of_several_studies_and_the_shelf_is_that_of_all_headers(me, studies):
    shelf = Shelf(studies, me.pk, ROOT)
    found = {page: both(shelf, "studies", page) for page in PAGES}
    assert {page for page, (sql, headers) in found.items() if sql != headers} == set()
    rows, left = found[""][0]
    mine = Series.objects.filter(exam__in=Exam.objects.filter(shelf.exams))
    assert (len(rows), left) == (mine.values("exam").distinct().count(), 0)
    assert found["limit=0"][0] == ([], len(rows))


@pytest.mark.parametrize("studies", [STUDIES[:n] for n in range(4)])
def test_pages_follow_each_other_without_a_gap_or_an_overlap(me, studies):
    shelf = Shelf(studies, me.pk, ROOT)

    def uids(question: str) -> list[str]:
        rows = search(shelf, parse("studies", QueryDict(question)), ()).rows
        return [row["0020000D"]["Value"][0] for row in rows]

    whole = uids("")
    assert sum((uids(f"limit=4&offset={k}") for k in range(0, 32, 4)), []) == whole
    assert len(set(whole)) == len(whole)


def test_two_callers_of_as_many_studies_ask_for_their_own(me):
    other = make_user("outsider")
    questions = [
        Shelf((name,), user.pk, ROOT) for name in ("bone", "secret") for user in (me, other)
    ]
    found = [
        {str(r) for r in search(s, parse("studies", QueryDict("")), ()).rows} for s in questions
    ]
    assert not found[0] & found[3]
    assert found[0] & found[1]  # the study that both name


def plan_of(asked, shelf: Shelf) -> str:
    prefix = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    given = shelf.given()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"{prefix} {asked.sql}", [given.get(v, v) for v in asked.values])
        return "\n".join(str(row) for row in cursor.fetchall())


def test_each_part_comes_from_the_index_in_its_order(me):
    shelf = Shelf(("bone", "lung"), me.pk, ROOT)
    for part in parts_of(2):
        plan = plan_of(written(exams_in_order(part, Q())[:5]), shelf)
        assert "exam_newest_of_study" in plan, plan
        assert "TEMP B-TREE" not in plan, plan
    assert "SCAN archive_exam" not in plan_of(numbers_of(2), shelf)


def test_the_index_has_what_is_undated_last():
    """SQLite's order of NULL is that; Postgres must have been told."""
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT sql FROM sqlite_master WHERE name = 'exam_newest_of_study'")
            assert '"shifted_date" DESC, "uid"' in cursor.fetchone()[0]
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'exam_newest_of_study'")
        assert "shifted_date DESC NULLS LAST, uid" in cursor.fetchone()[0]


def test_a_kept_row_has_the_text_of_what_it_says(me):
    page = search(Shelf(("bone",), me.pk, ROOT), parse("studies", QueryDict("limit=3")), ())
    again = search(Shelf(("bone",), me.pk, ROOT), parse("studies", QueryDict("limit=3")), ())
    assert page.rows == again.rows
    assert page.text == again.text == json.dumps(page.rows, separators=(",", ":"))
