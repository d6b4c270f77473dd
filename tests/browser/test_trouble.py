"""Nothing a reader did is lost: server gone, session over, two tabs, a request sent twice."""

import json

import pytest
from playwright.sync_api import expect

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
    assert stored_answers(portal, desk)["call"] == "benign"
    dialog.get_by_role("button", name="Keep the server's version").click()
    expect(choice(other, "call", "benign")).to_be_checked()


@pytest.mark.trap("V12")
def test_a_request_sent_twice_is_stored_once(portal, desk):
    first, second = desk.evaluate(SEND_TWICE)
    assert first[0] == second[0] == 200
    assert first[1] == second[1]


@pytest.mark.trap("V13")
def test_work_waits_for_the_reader_to_sign_in_again(portal, desk, watch, sessions):
    watch.expected.append("401")
    kept = desk.context.cookies()
    desk.context.clear_cookies(name="sessionid")
    desk.keyboard.press("m")
    expect(desk.get_by_role("link", name="Sign in in a new tab")).to_be_visible()
    desk.context.add_cookies(kept)
    desk.get_by_role("button", name="Then save again").click()
    desk.locator('[data-save="saved"]', has_text="Saved").wait_for()
    assert stored_answers(portal, desk)["call"] == "metastasis"
