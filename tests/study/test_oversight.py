"""Jobs, acts and members as lists: paged, filtered, sorted by allow-listed names, never empty without a word."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from portal.audit.trail import record
from portal.jobs.models import Job
from portal.study import oversight
from portal.study.listing import Columns, headers, order_of
from portal.study.models import Membership
from tests.cohort import NOW, make_member, make_study, make_user
from tests.study.test_pages import sign_in, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.study.urls")]
ROOT = "/studies/bone/"


def make_job(kind: str = "extract", state: str = "done", *, study: str = "bone", **more: object) -> Job:  # fmt: skip
    n = Job.objects.count()
    values = {
        "key": f"{n:064d}", "code_version": "1", "not_before": NOW, "wake_at": NOW,
        "created_at": NOW + timedelta(minutes=n), "done": 1, "total": 4, **more,
    }  # fmt: skip
    return Job.objects.create(kind=kind, state=state, study=study, **values)


def first_cells(page: str) -> list[str]:
    """The first cell of each row of the table's body."""
    body = page.split("<tbody>")[1].split("</tbody>")[0]
    cells = [re.search(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in body.split("<tr>")[1:]]  # fmt: skip
    return [re.sub(r"<[^>]+>", "", cell.group(1)).strip() for cell in cells if cell]


@pytest.fixture
def boss() -> Client:
    make_study()
    return sign_in("coordinator")


def test_without_jobs_the_page_says_what_will_appear(boss: Client) -> None:
    assert "Imports, feature extraction and model runs appear here" in text_of(boss, ROOT + "jobs/")


def test_jobs_come_newest_first(boss: Client) -> None:
    jobs = [make_job() for _ in range(3)]
    assert first_cells(text_of(boss, ROOT + "jobs/")) == [str(j.pk) for j in reversed(jobs)]


@pytest.mark.parametrize("state", Job.State.values)
def test_jobs_are_filtered_by_state(boss: Client, state: str) -> None:
    rows = {s: make_job(state=s) for s in Job.State.values}
    assert first_cells(text_of(boss, f"{ROOT}jobs/?state={state}")) == [str(rows[state].pk)]


def test_a_filter_that_finds_nothing_leads_back(boss: Client) -> None:
    make_job(state="done")
    page = text_of(boss, ROOT + "jobs/?state=failed")
    assert "No job matches." in page
    assert 'href="?"' in page


def test_jobs_are_sorted_by_work_both_ways(boss: Client) -> None:
    train, extract = make_job("train"), make_job("extract")
    up, down = (first_cells(text_of(boss, f"{ROOT}jobs/?sort={s}")) for s in ("work", "-work"))
    assert up == [str(extract.pk), str(train.pk)]
    assert down == up[::-1]


@pytest.mark.parametrize("sort", ["token", "-arguments", "created_by__password", "';drop", "pk"])
def test_a_sort_outside_the_list_changes_nothing(boss: Client, sort: str) -> None:
    jobs = [make_job() for _ in range(2)]
    response = boss.get(ROOT + "jobs/", {"sort": sort})
    assert response.status_code == 200
    assert first_cells(response.content.decode()) == [str(j.pk) for j in jobs]


def test_the_reason_of_a_failed_job_is_shown_and_searched(boss: Client) -> None:
    make_job("train", "failed", error_text="The disk is full.")
    make_job("extract")
    assert len(first_cells(text_of(boss, ROOT + "jobs/?q=disk"))) == 1
    assert "The disk is full." in text_of(boss, ROOT + "jobs/?q=disk")


def test_jobs_of_another_study_are_not_listed(boss: Client) -> None:
    make_job(study="knee")
    assert "No job yet." in text_of(boss, ROOT + "jobs/")


def test_the_page_asks_again_only_while_something_works(boss: Client) -> None:
    make_job(state="done")
    assert "hx-trigger" not in text_of(boss, ROOT + "jobs/")
    make_job(state="running")
    assert 'hx-trigger="every 3s"' in text_of(boss, ROOT + "jobs/")


def test_fifty_jobs_fill_a_page(boss: Client) -> None:
    for _ in range(53):
        make_job()
    assert len(first_cells(text_of(boss, ROOT + "jobs/"))) == 50
    assert len(first_cells(text_of(boss, ROOT + "jobs/?page=2"))) == 3


def test_acts_come_newest_first_and_can_be_turned(boss: Client) -> None:
    acts = [record(f"test.act{i}", study="bone") for i in range(3)]
    down = first_cells(text_of(boss, ROOT + "audit/"))
    assert down == [str(a.seq) for a in reversed(acts)]
    assert first_cells(text_of(boss, ROOT + "audit/?sort=no.")) == down[::-1]


def test_acts_are_searched_by_verb_and_object(boss: Client) -> None:
    record("run.lock", study="bone", obj="run:abc")
    record("read.submit", study="bone", obj="read:7")
    assert "run:abc" in text_of(boss, ROOT + "audit/?q=run.lock")
    page = text_of(boss, ROOT + "audit/?q=read%3A7")
    assert "read.submit" in page
    assert "run.lock" not in page


def test_an_address_that_names_a_verb_still_narrows(boss: Client) -> None:
    record("run.lock", study="bone")
    record("read.submit", study="bone")
    assert "run.lock" not in text_of(boss, ROOT + "audit/?verb=read.")


def test_a_search_that_finds_no_act_leads_back(boss: Client) -> None:
    record("run.lock", study="bone")
    page = text_of(boss, ROOT + "audit/?q=nothing")
    assert "No act matches" in page
    assert 'href="?"' in page


def test_people_are_shown_by_name_and_the_machine_as_itself(boss: Client) -> None:
    user = make_user("analyst")
    record("a.b", study="bone", actor=f"u:{user.pk}")
    record("c.d", study="bone", actor="system")
    page = text_of(boss, ROOT + "audit/")
    assert f"u:{user.pk}" not in page
    assert ">analyst<" in page
    assert ">system<" in page


@pytest.mark.parametrize("actor", ["system", "u:", "u:x", "u:-1", "u:99999999"])
def test_an_actor_without_an_account_keeps_its_word(actor: str) -> None:
    assert oversight.names_of({actor}) == {}


@pytest.mark.promise("B5")
@pytest.mark.parametrize("state", ["SCREENING", "READING", "READS_LOCKED"])
def test_a_monitor_finds_no_act_on_truth_before_the_unblinding_however_they_search(state: str) -> None:  # fmt: skip
    make_study(state=state)
    record("truth.enter", study="bone", obj="lesion:secret")
    client = sign_in("monitor")
    for query in ("", "?q=truth", "?q=secret", "?verb=truth.", "?sort=act", "?sort=-object"):
        assert "truth.enter" not in text_of(client, ROOT + "audit/" + query)


def test_members_are_filtered_by_role_and_sorted(boss: Client) -> None:
    page = text_of(boss, ROOT + "members/?role=expert")
    assert len(first_cells(page)) == Membership.objects.filter(role="expert").count() == 2
    names = [c.split()[-1] for c in first_cells(text_of(boss, ROOT + "members/?sort=person"))]
    assert names == sorted(names)
    assert [c.split()[-1] for c in first_cells(text_of(boss, ROOT + "members/?sort=-person"))] == names[::-1]  # fmt: skip


def test_a_member_is_found_by_name(boss: Client) -> None:
    assert len(first_cells(text_of(boss, ROOT + "members/?q=delineator1"))) == 1
    assert "No member matches." in text_of(boss, ROOT + "members/?q=nobody-of-that-name")


def test_two_hundred_members_are_paged(boss: Client) -> None:
    study = Membership.objects.get(user__username="coordinator").study
    for i in range(60):
        make_member(study, f"reader{i:03d}", "expert")
    assert len(first_cells(text_of(boss, ROOT + "members/"))) == 50
    assert len(first_cells(text_of(boss, ROOT + "members/?page=2"))) == 17


def test_a_list_with_a_default_is_turned_by_a_click_on_the_same_heading() -> None:
    columns = Columns(headings={"No.": ("seq",), "Who": ("actor", "seq")}, default="-no.")
    (number, who) = headers(columns, "-no.")
    assert (number.is_sorted, number.is_descending, number.sort) == (True, True, "no.")
    assert (who.is_sorted, who.sort) == (False, "who")


@pytest.mark.parametrize(("sort", "order"), [
    ("no.", ["seq", "pk"]), ("-no.", ["-seq", "pk"]), ("-who", ["-actor", "-seq", "pk"]),
    ("", ["seq", "pk"]), ("--no.", ["seq", "pk"]), ("hash", ["seq", "pk"]),
])  # fmt: skip
def test_a_sort_means_an_order_or_the_first_heading(sort: str, order: list[str]) -> None:
    columns = Columns(headings={"No.": ("seq",), "Who": ("actor", "seq"), "Hash": ()})
    assert order_of(columns, sort) == order


@pytest.mark.parametrize("label", ["Job", "Attempts"])
def test_headings_of_numbers_stand_over_their_numbers(boss: Client, label: str) -> None:
    make_job()
    page = text_of(boss, ROOT + "jobs/")
    heading = re.search(rf'<th scope="col" class="([^"]*)"[^>]*><a [^>]*>{label}</a>', page)
    assert heading is not None
    assert "number" in heading.group(1).split()
