"""Lists: only allow-listed names sort and filter, pages hold every row once, and no query string breaks one."""

import pytest
from django.db.models import Q
from django.http import HttpRequest
from django.test import RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.study.cohort_pages import LESIONS, PATIENTS, patients_of
from portal.study.listing import (
    PAGE_ROWS,
    Columns,
    Filter,
    chosen_filters,
    headers,
    key_of,
    listing,
    order_of,
    search_text,
    searched,
)
from portal.study.models import Patient, Screening, Study
from portal.study.oversight import ACTS, JOBS
from portal.study.pages import MEMBERS
from portal.study.screening import decide
from portal.study.screening_pages import LOG
from portal.truth.pages import LESIONS as STANDARDS
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import coordinator, make_cohort
from tests.study.test_pages import sign_in

LISTS = {
    "patients/": PATIENTS, "lesions/": LESIONS, "screening/": LOG, "members/": MEMBERS, "jobs/": JOBS,
    "audit/": ACTS, "truth/": STANDARDS,
}  # fmt: skip
PLAIN = Columns(
    headings={"Name": ("name",), "Born in": ("year", "name"), "Note": ()},
    search=("name", "town__name"),
    filters={"sex": Filter("Sex", {"F": Q(sex="F"), "not_known": Q(sex="")})},
)


def asked(**query: str) -> HttpRequest:
    return RequestFactory().get("/", query)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", ["name", "pk"]),
        ("name", ["name", "pk"]),
        ("-name", ["-name", "pk"]),
        ("born_in", ["year", "name", "pk"]),
        ("-born_in", ["-year", "-name", "pk"]),
        ("note", ["name", "pk"]),  # a heading without an order
        ("-note", ["name", "pk"]),
        ("--name", ["name", "pk"]),
        ("year", ["name", "pk"]),  # a column, but no heading
        ("-pk", ["name", "pk"]),
        ("Name", ["name", "pk"]),
        ("name,born_in", ["name", "pk"]),
        ("name__id", ["name", "pk"]),
        ("?", ["name", "pk"]),
    ],
)
def test_a_sort_is_a_heading_or_nothing(sort: str, order: list[str]) -> None:
    assert order_of(PLAIN, sort) == order


@given(st.text())
def test_no_sort_whatever_reaches_a_name_outside_the_list(sort: str) -> None:
    names = {name.removeprefix("-") for name in order_of(PLAIN, sort)}
    assert names <= {"name", "year", "pk"}


@pytest.mark.parametrize("columns", LISTS.values(), ids=LISTS)
def test_every_list_ends_its_order_with_the_row_itself(columns: Columns) -> None:
    """Without a last word two pages could show one row twice."""
    for label, fields in columns.headings.items():
        assert order_of(columns, key_of(label))[-1] == "pk"
        if fields:
            assert order_of(columns, f"-{key_of(label)}")[0] == f"-{fields[0]}"
    assert set(columns.numbers) <= set(columns.headings)
    assert columns.default.removeprefix("-") in {"", *map(key_of, columns.headings)}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        # per heading: what a click asks for, whether it sorts now, whether downwards
        ("", [("name", False, False), ("born_in", False, False), ("", False, False)]),
        ("name", [("-name", True, False), ("born_in", False, False), ("", False, False)]),
        ("-name", [("name", True, True), ("born_in", False, False), ("", False, False)]),
        ("-born_in", [("name", False, False), ("born_in", True, True), ("", False, False)]),
        ("note", [("name", False, False), ("born_in", False, False), ("", False, False)]),
    ],
)
def test_a_click_sorts_then_turns_then_turns_back(sort: str, expected: list[tuple[str, bool, bool]]) -> None:  # fmt: skip
    assert [(h.sort, h.is_sorted, h.is_descending) for h in headers(PLAIN, sort)] == expected


@pytest.mark.parametrize(("value", "kept"), [("F", "F"), ("not_known", "not_known"), ("M", ""), ("f", ""), ("F ", ""), ("", ""), ("__class__", "")])  # fmt: skip
def test_a_filter_takes_its_own_options_only(value: str, kept: str) -> None:
    (choice,) = chosen_filters(asked(sex=value), PLAIN)
    assert choice.value == kept
    assert choice.options == [("F", "F"), ("not_known", "not known")]


@pytest.mark.parametrize(("text", "kept"), [("", ""), ("  P1 ", "P1"), ("P\x001", "P1"), ("\x00", ""), ("x" * 90, "x" * 80), ("%_", "%_")])  # fmt: skip
def test_a_search_is_trimmed_and_short(text: str, kept: str) -> None:
    assert search_text(asked(q=text)) == kept


def test_a_search_looks_into_the_named_columns_and_none_without_a_word() -> None:
    assert searched(PLAIN, "a") == Q(name__icontains="a") | Q(town__name__icontains="a")
    assert searched(PLAIN, "") == Q()


def subjects(study: Study, **query: str) -> list[str]:
    return [p.subject for p in listing(asked(**query), patients_of(study), PATIENTS).page]


@pytest.mark.django_db
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*map(key_of, PATIENTS.headings), "-sex", "-age", "-included", "nonsense"]))
def test_the_pages_of_a_list_hold_every_row_once(sort: str) -> None:
    study = make_study(f"s{Study.objects.count()}", cast=False)
    Patient.objects.bulk_create(Patient(study=study, subject=f"S{i:03d}", sex="FM"[i % 2], age_years=i % 7, created_at=NOW) for i in range(PAGE_ROWS * 2 + 3))  # fmt: skip
    pages = [subjects(study, sort=sort, page=str(n)) for n in (1, 2, 3)]
    assert [len(page) for page in pages] == [PAGE_ROWS, PAGE_ROWS, 3]
    assert len(set(sum(pages, []))) == PAGE_ROWS * 2 + 3


@pytest.mark.django_db
@pytest.mark.parametrize(("page", "number"), [("0", 2), ("-1", 2), ("99", 2), ("2", 2), ("", 1), ("two", 1), ("1.5", 1), ("9" * 30, 2)])  # fmt: skip
def test_a_page_that_is_not_there_is_the_first_or_the_last(page: str, number: int) -> None:
    study = make_study(cast=False)
    Patient.objects.bulk_create(Patient(study=study, subject=f"S{i}", created_at=NOW) for i in range(PAGE_ROWS + 1))  # fmt: skip
    assert listing(asked(page=page), patients_of(study), PATIENTS).page.number == number


@pytest.mark.django_db
def test_a_wild_card_of_the_database_is_a_letter_of_the_search() -> None:
    study = make_study(cast=False)
    for subject in ("50%", "5000", "5_0", "5'0"):
        make_patient(study, subject)
    assert subjects(study, q="0%") == ["50%"]
    assert subjects(study, q="5_") == ["5_0"]
    assert subjects(study, q="'") == ["5'0"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "found"),
    [("included", ["BOTH", "IN"]), ("excluded", ["OUT", "TURNED"]), ("undecided", ["LESION", "NEW"])],
)  # fmt: skip
def test_the_screening_filter_goes_by_the_current_decision_on_the_patient(state: str, found: list[str]) -> None:  # fmt: skip
    """A decision on a lesion, or one that was superseded, is none on the patient; nobody is shown twice."""
    study = make_study(state="SCREENING")

    def say(subject: str, *decisions: str, lesions: int = 0) -> None:
        patient = make_patient(study, subject)
        for decision in decisions:
            decide(patient, decision, None, actor=coordinator(), now=NOW, note="as seen")
        for number in range(1, lesions + 1):
            decide(make_lesion(patient, number=number, included=False), "included", None, actor=coordinator(), now=NOW)  # fmt: skip

    say("NEW")
    say("LESION", lesions=2)
    say("IN", "included")
    say("OUT", "excluded")
    say("TURNED", "included", "excluded")
    say("BOTH", "excluded", "included", lesions=2)
    assert subjects(study, screening=state) == found
    rows = listing(asked(screening=state), patients_of(study), PATIENTS).page
    wanted = {"BOTH": 2, "LESION": 2}
    assert {p.subject: p.n_lesions for p in rows} == {s: wanted.get(s, 0) for s in found}
    assert Screening.objects.filter(is_current=True, lesion=None).count() == 4


HOSTILE = [
    "sort=-", "sort=--subject", "sort=patient__study__code", "sort=;drop%20table", "sort=%00", "sort=" + "x" * 5000,
    "page=-1", "page=0", "page=1e3", "page=" + "9" * 5000, "page=%00", "q=%00", "q=%f0%28%8c", "q='%22%3E%3Cscript%3E",
    "q=" + "%25" * 200, "state=%00", "state=included&state=excluded", "screening=1", "sex=__all__", "verb=%00",
    "study=2", "patient__study=2", "id__gt=0", "limit=-1&offset=-1",
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("path", LISTS)
def test_no_query_string_breaks_a_list_or_writes_markup(path: str) -> None:
    make_cohort(make_study(state="SCREENING"), 2)
    client = sign_in("coordinator")
    for query in HOSTILE:
        answer = client.get(f"/studies/bone/{path}?{query}")
        assert answer.status_code == 200, query
        assert b"<script>" not in answer.content.replace(b'">', b""), query


RESOURCES = ("patients/", "lesions/", "screening/", "reference-standards/")
COUNTED = [("limit=1", 1), ("limit=2&offset=1", 1), ("limit=0", 2), ("limit=-1", 2), ("limit=x", 2), ("offset=-5", 2),
           ("offset=99999999999999999999999", 0), ("limit=99999999999999999999", 2), ("limit=1&offset=2", 0)]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("path", RESOURCES)
def test_a_resource_is_paged_by_limit_and_offset_and_breaks_on_neither(path: str) -> None:
    for patient in make_cohort(make_study(state="SCREENING"), 2):
        decide(patient, "included", None, actor=coordinator(), now=NOW)
    client = sign_in("coordinator")
    for query, n in COUNTED:
        body = client.get(f"/api/v1/studies/bone/{path}?{query}").json()
        assert (body["count"], len(body["results"])) == (2, n), query
    for query in HOSTILE:
        assert client.get(f"/api/v1/studies/bone/{path}?{query}").status_code == 200, query


@pytest.mark.django_db
def test_no_list_holds_a_row_of_another_study() -> None:
    make_study(state="SCREENING")
    make_cohort(make_study("knee", cast=False), 2)
    client = sign_in("coordinator")
    for path in RESOURCES:
        assert client.get(f"/api/v1/studies/bone/{path}?q=S00").json()["count"] == 0, path
