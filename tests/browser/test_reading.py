"""An expert reads three cases with the keyboard alone, leaving in the middle of the second."""

import re

from playwright.sync_api import expect

from tests.browser.desk_page import wait_for_desk, wait_saved


def open_next_case(page):
    page.goto("/reading/")
    page.get_by_role("link", name="Continue").press("Enter")
    start = page.get_by_role("button", name="Start the session")
    if start.count():
        start.press("Enter")
    page.wait_for_url(re.compile(r"/reading/cases/"))
    wait_for_desk(page)


def submit_case(page):
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Enter")


def test_an_expert_reads_three_cases_with_the_keyboard_alone(portal, new_context, sign_in):
    context = new_context()
    page = context.new_page()
    sign_in(page, "expert1")
    open_next_case(page)
    expect(page).to_have_title("Case 1 of 3 – Reading room")
    page.keyboard.press("m")
    page.keyboard.press("5")
    submit_case(page)
    expect(page).to_have_title("Case 2 of 3 – Reading room")
    wait_for_desk(page)
    page.keyboard.press("b")
    page.keyboard.press("2")
    wait_saved(page)
    page.close()

    page = context.new_page()
    open_next_case(page)
    expect(page).to_have_title("Case 2 of 3 – Reading room")
    expect(page.locator('[data-question="call"] input[value="benign"]')).to_be_checked()
    expect(page.locator('[data-question="confidence"] input[value="2"]')).to_be_checked()
    submit_case(page)
    expect(page).to_have_title("Case 3 of 3 – Reading room")
    wait_for_desk(page)
    page.keyboard.press("m")
    page.keyboard.press("3")
    submit_case(page)
    page.wait_for_url(re.compile(r"/reading/$"))
    rows = portal.ask(
        "SELECT call, confidence, score FROM readers_read WHERE state = 'submitted' ORDER BY id"
    )
    assert rows == [("metastasis", 5, 10), ("benign", 2, 4), ("metastasis", 3, 8)]


def test_a_pane_offers_another_try_only_after_an_error(page, sign_in):
    sign_in(page, "delineator1")
    held = []
    page.route("**/dicomweb/**", lambda route: held.append(route))
    page.goto("/reading/")
    page.get_by_role("link", name="Continue").click()
    page.get_by_role("button", name="Start the session").click()
    expect(page.locator('[data-pane="ct"][data-state="loading"]')).to_contain_text("Loading")
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    page.unroute("**/dicomweb/**")
    wait_for_desk(page)
