"""A coordinator finds exams at a PACS, chooses one series, follows it, and pulls again what did not come to all."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect

from tests.archive.builders import person, slices
from tests.browser.conftest import picture
from tests.browser.portal_server import Portal, running
from tests.browser.test_accessibility import violations

HOME = "/studies/reference/pacs/"
EXAM = "2.25.99001"


@pytest.fixture(scope="module")
def far(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Portal, str]]:
    """A second portal stands for the PACS: an exam with two series of four and of two slices; its token."""
    folder = tmp_path_factory.mktemp("far")
    with running(reference, folder / "data") as pacs:
        token = pacs.manage("token", "coordinator", "--label", "pacs").split()[-1]
        who = person("FARAWAY7", EXAM)
        paths = [
            *slices(folder / "a", n=4, who=who, series=f"{EXAM}.1"),
            *slices(folder / "b", n=2, who=who, series=f"{EXAM}.2"),
        ]
        for path in paths:
            answer = requests.post(
                f"{pacs.url}/dicomweb/studies?study=reference", data=path.read_bytes(), timeout=60,
                headers={"Content-Type": "application/dicom", "Authorization": f"Token {token}"},
            )  # fmt: skip
            assert answer.status_code in (200, 202), answer.text
        yield pacs, token


@pytest.fixture(scope="module")
def entered(portal: Portal, far: tuple[Portal, str]) -> Portal:
    """The portal under test knows the PACS, as an administrator would have entered it, and one that is down."""
    pacs, token = far
    portal.manage("shell", "-c", ENTER.format(near=f"{pacs.url}/dicomweb", token=token))
    return portal


ENTER = """
from django.utils import timezone
from portal.accounts.models import User
from portal.archive import pacs
boss = User.objects.get(username="coordinator")
pacs.connect(name="radiology", url="{near}", user="Token", password="{token}", actor=boss, now=timezone.now())
pacs.connect(name="broken", url="http://127.0.0.1:9/x", user="u", password="p", actor=boss, now=timezone.now())
"""


@pytest.fixture
def pacs_page(entered, page, sign_in):
    sign_in(page, "coordinator")
    page.goto(HOME)
    return page


def search(page, connection: str = "radiology") -> None:
    page.get_by_label("PACS", exact=True).select_option(connection)
    page.get_by_label("Modality").fill("CT")
    page.get_by_role("button", name="Search").click()


# what htmx has brought in listens only from here on
SETTLED = (
    "document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling, .htmx-added') === null"
)


def put(portal: Portal, sql: str) -> None:
    with closing(sqlite3.connect(portal.data / "osteon.sqlite3", timeout=10)) as connection:
        connection.execute(sql)
        connection.commit()


def keep(page, name: str) -> None:
    picture(page, f"pacs-{name}", full_page=True)


def test_before_the_first_search_the_page_says_what_is_here(pacs_page):
    expect(pacs_page.get_by_text("No series has been pulled yet.")).to_be_visible()
    keep(pacs_page, "empty")
    assert violations(pacs_page) == []


def test_one_series_is_chosen_by_keyboard_and_followed_to_its_end_without_a_reload(
    pacs_page, portal
):
    page = pacs_page
    search(page)
    # the one exam of six images: exams stand by their shifted date, which differs with the key of the installation
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name="6", exact=True))
    details = row.locator("details")
    details.wait_for()
    page.wait_for_function(SETTLED)
    assert page.url.endswith("/pacs/")  # found without leaving the page
    page.evaluate("window.kept = 'not reloaded'")
    details.locator("summary").focus()
    page.keyboard.press("Enter")
    choices = page.get_by_role("checkbox", name="2 images")
    choices.wait_for()
    keep(page, "series")
    assert violations(page) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    choices.focus()
    page.keyboard.press("Space")
    expect(choices).to_be_checked()
    page.get_by_role("button", name="Pull what is chosen").click()
    expect(page.get_by_text("1 series is on its way.")).to_be_visible()
    page.evaluate("window.kept = 'not reloaded'")
    keep(page, "waiting")
    portal.manage("shell", "-c", WORK)
    expect(page.get_by_text("2 of 2")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Nothing is on its way.")).to_be_visible()
    assert page.evaluate("window.kept") == "not reloaded"
    keep(page, "done")
    assert violations(page) == []
    assert portal.ask("SELECT count(*) FROM truth_pull") == [(1,)]


HOLD = """UPDATE archive_series SET state = 'held', reason_code = 'geometry_to_confirm', sentence =
    'Slices are missing between z = 1.0 and 9.0 mm. Look at it fused on the CT and confirm it.'
    WHERE id = (SELECT min(id) FROM archive_series)"""
# the last slice as far away as the sentence says
AWAY = """UPDATE archive_instance SET header = json_set(header, '$.plane[0][2]', json_extract(header, '$.plane[0][2]') + 8)
    WHERE id = (SELECT id FROM archive_instance WHERE series_id = (SELECT min(id) FROM archive_series)
    ORDER BY rank DESC LIMIT 1)"""
LESS = "UPDATE truth_pull SET state = 'incomplete', came = 1, sentence = '1 of 2 images came; pull again.'"
WORK = """
from portal.jobs import work
from portal.jobs.models import Job
for job in Job.objects.filter(kind="archive.pull", state="queued"):
    work.run(job.pk)
"""


def test_a_pacs_that_is_down_is_one_sentence_in_the_page(pacs_page, watch):
    page = pacs_page
    search(page, "broken")
    expect(page.get_by_role("alert")).to_contain_text("does not answer", timeout=30_000)
    keep(page, "down")
    assert violations(page) == []
    watch.faults[:] = [f for f in watch.faults if "503" not in f]


def test_what_did_not_come_to_all_can_be_pulled_again(pacs_page, portal):
    page = pacs_page
    put(portal, LESS)
    page.reload()
    keep(page, "incomplete")
    page.get_by_role("button", name="Pull again").click()
    expect(page.get_by_text("The series is on its way again.")).to_be_visible()
    expect(page.get_by_text("1 series on the way; this list follows by itself.")).to_be_visible()


def test_a_held_series_is_looked_at_and_released_by_keyboard(entered, page, sign_in):
    put(entered, HOLD)
    put(entered, AWAY)
    ((pk,),) = entered.ask("SELECT min(id) FROM archive_series")
    sign_in(page, "coordinator")
    page.goto("/studies/reference/held/")
    page.get_by_role("link", name="Look and decide").focus()
    page.keyboard.press("Enter")
    pictures = page.get_by_role("img", name="through the point")
    expect(pictures).to_have_count(3)
    for k in range(3):
        pictures.nth(k).scroll_into_view_if_needed()
        expect(pictures.nth(k)).to_have_js_property("complete", value=True)
        assert pictures.nth(k).evaluate("one => one.naturalWidth") > 30
    keep(page, "look")
    assert violations(page) == []
    page.get_by_role("link", name="10 mm to the head").press("Enter")
    page.get_by_label("Overlay").select_option("SPECT alone")
    page.get_by_role("button", name="Show this point").press("Enter")
    expect(page).to_have_url(re.compile("opacity=1"))
    page.get_by_label("Reason, kept in the audit trail").fill("Seen with the SPECT, all is well.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The series is released.")).to_be_visible()
    assert entered.ask(f"SELECT state FROM archive_series WHERE id = {pk}") == [("ready",)]


def test_at_twice_the_size_nothing_runs_over_the_edge(entered, page, sign_in):
    """200 % zoom of a 1,400 px window leaves 700 CSS pixels; one series is held, with a decision to take."""
    put(entered, HOLD)
    sign_in(page, "coordinator")
    ((pk,),) = entered.ask("SELECT min(id) FROM archive_series")
    for name in ("pacs", "import", "held", f"held/{pk}"):
        page.set_viewport_size({"width": 1400, "height": 900})
        page.goto(f"/studies/reference/{name}/")
        keep(page, f"wide-{name.replace('/', '-')}")
        page.set_viewport_size({"width": 700, "height": 450})
        keep(page, f"zoomed-{name.replace('/', '-')}")
        wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert (name, wide) == (name, 0)
        assert violations(page) == []
