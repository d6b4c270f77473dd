"""Nothing a reader did is lost: server gone, session over, two tabs, a request sent twice."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD
from tests.browser.desk_page import open_next_case, wait_for_desk

OUTAGE = ("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET", "ERR_SOCKET")
SEND_TWICE = """async () => {
  const open = await (await fetch('document')).json();
  const body = JSON.stringify({answers: {call: 'benign', confidence: 4}, outlines: {CT: null, SPECT: null},
    looks: {}, focus: null});
  const headers = {'If-Match': `"${open.case.draft.version}"`, 'Idempotency-Key': crypto.randomUUID(),
    'X-CSRFToken': open.case.csrf_token, 'Content-Type': 'application/json'};
  const send = async () => {
    const answer = await fetch(open.case.urls.draft, {method: 'PUT', headers, body});
    return [answer.status, (await answer.json()).version];
  };
  return [await send(), await send()];
}"""

KEPT_LATER = """() => new Promise((answer) => {
  const opening = indexedDB.open("osteon-drafts");
  opening.onsuccess = () => {
    const asked = opening.result.transaction("drafts").objectStore("drafts").getAll();
    asked.onsuccess = () => {
      opening.result.close();
      answer(asked.result.some(({ later }) => later?.answers.confidence === 5));
    };
  };
})"""


@pytest.fixture
def desk(page, sign_in):
    sign_in(page, "expert1")
    open_next_case(page)
    return page


def choice(page, question, value):
    return page.locator(f'[data-question="{question}"] input[value="{value}"]')


def stored_answers(portal, page):
    code = page.url.rstrip("/").rsplit("/", 1)[-1]
    rows = portal.ask(
        "SELECT r.document FROM readers_read r JOIN readers_assignment a ON a.id = r.assignment_id"
        " WHERE a.code = ? AND r.is_current",
        code,
    )
    return json.loads(rows[0][0])["answers"]


@pytest.mark.trap("V10")
def test_answers_given_while_the_server_is_down_are_saved_when_it_is_back(portal, desk, watch):
    watch.expected.extend(OUTAGE)
    portal.stop()
    desk.keyboard.press("m")
    desk.keyboard.press("5")
    desk.wait_for_selector('[data-save="retrying"]')
    portal.start()
    desk.locator('[data-save="saved"]', has_text="Saved").wait_for(timeout=40_000)
    answers = stored_answers(portal, desk)
    assert (answers["call"], answers["confidence"]) == ("metastasis", 5)


@pytest.mark.trap("V11")
def test_a_second_tab_is_told_of_the_conflict_and_overwrites_nothing(portal, desk, watch):
    watch.expected.append("409")
    other = desk.context.new_page()
    other.goto(desk.url)
    wait_for_desk(other)
    desk.keyboard.press("b")
    desk.keyboard.press("2")
    desk.keyboard.press("Control+s")
    expect(choice(desk, "confidence", "2")).to_be_checked()
    desk.locator('[data-save="saved"]', has_text="Saved").wait_for()
    other.keyboard.press("m")
    dialog = other.get_by_role("dialog")
    expect(dialog).to_contain_text("saved elsewhere")
    for _ in range(4):
        other.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    assert stored_answers(portal, desk)["call"] == "benign"
    dialog.get_by_role("button", name="Keep the server's version").click()
    expect(choice(other, "call", "benign")).to_be_checked()


@pytest.mark.trap("V12")
def test_a_request_sent_twice_is_stored_once(portal, desk):
    first, second = desk.evaluate(SEND_TWICE)
    assert first[0] == second[0] == 200
    assert first[1] == second[1]


def sign_out_behind(desk):
    """The session ends while a case is open; one answer meets that, another one follows it."""
    desk.context.clear_cookies(name="sessionid")
    desk.keyboard.press("m")
    expect(desk.get_by_role("link", name="Sign in in a new tab")).to_be_visible()
    desk.keyboard.press("5")
    expect(choice(desk, "confidence", "5")).to_be_checked()


def enter_by_form(page):
    page.get_by_label("User name").fill("expert1")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


@pytest.mark.trap("V13")
def test_work_waits_for_the_reader_to_sign_in_again(portal, desk, watch):
    """In another tab, which gives the browser another CSRF token than the open case came with."""
    watch.expected.append("401")
    sign_out_behind(desk)
    with desk.context.expect_page() as opened:
        desk.get_by_role("link", name="Sign in in a new tab").click()
    enter_by_form(opened.value)
    desk.bring_to_front()
    # the desk may have seen for itself that it is looked at again
    saved = desk.locator('[data-save="saved"]', has_text="Saved")
    desk.get_by_role("button", name="Then save again").or_(saved).first.click()
    saved.wait_for()
    answers = stored_answers(portal, desk)
    assert (answers["call"], answers["confidence"]) == ("metastasis", 5)


@pytest.mark.trap("V13")
def test_all_that_was_answered_signed_out_outlives_the_tab(portal, desk, watch):
    watch.expected.append("401")
    sign_out_behind(desk)
    desk.wait_for_function(KEPT_LATER)
    context, address = desk.context, desk.url
    desk.close()
    page = context.new_page()
    page.goto("/accounts/login/")
    enter_by_form(page)
    page.goto(address)
    wait_for_desk(page)
    expect(choice(page, "call", "metastasis")).to_be_checked()
    expect(choice(page, "confidence", "5")).to_be_checked()
    page.locator('[data-save="saved"]', has_text="Saved").wait_for()
    answers = stored_answers(portal, page)
    assert (answers["call"], answers["confidence"]) == ("metastasis", 5)
