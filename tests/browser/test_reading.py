"""An expert reads three cases with the keyboard alone, leaving in the middle of the second."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.desk_page import open_next_case, wait_for_desk, wait_saved


def submit_case(page):
    """The keys that open the summary are held down too long, which must not submit what nobody has looked at."""
    page.keyboard.down("Control")
    page.keyboard.down("Enter")
    button = page.get_by_role("dialog").get_by_role("button", name="Submit")
    expect(button).to_be_focused()
    page.keyboard.up("Control")
    page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))")
    assert button.text_content() == "Submit Enter"
    page.keyboard.press("Enter")


@pytest.mark.trap("T4")
@pytest.mark.trap("V2")
def test_an_expert_reads_three_cases_with_the_keyboard_alone(portal, new_context, sign_in):
    context = new_context()
    page = context.new_page()
    sign_in(page, "expert1")
    open_next_case(page, by_key=True)
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
    open_next_case(page, by_key=True)
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


@pytest.mark.trap("V18")
def test_keys_and_settings_follow_the_reader_to_another_machine(new_context, sign_in):
    """WCAG 2.1.4: a single key is re-assigned, taken keys are refused, and all of them are switched off."""
    page = new_context().new_page()
    sign_in(page, "delineator1")
    open_next_case(page, by_key=True)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Link on/off").click()
    page.keyboard.press("n")
    expect(dialog.get_by_role("button", name="Link on/off: N")).to_be_visible()
    dialog.get_by_role("button", name="Crosshair on/off").click()
    page.keyboard.press("n")
    expect(dialog.get_by_role("alert")).to_contain_text("already means “Link on/off”")
    dialog.get_by_role("combobox", name="Text", exact=True).select_option("large")
    expect(page.locator(".desk.large")).to_be_visible()
    expect(page.locator(".announcement")).to_have_text("Settings saved.")

    other = new_context().new_page()
    sign_in(other, "delineator1")
    open_next_case(other, by_key=True)
    expect(other.locator(".desk.large")).to_be_visible()
    other.keyboard.press("n")
    expect(other.locator(".announcement")).to_have_text("The panes are not linked.")
    other.keyboard.press("?")
    other.get_by_label("Single keys work").uncheck()
    expect(other.locator(".announcement")).to_have_text("Settings saved.")
    other.keyboard.press("Escape")
    other.keyboard.press("n")
    expect(other.get_by_role("button", name="Link: Link the panes")).to_have_attribute(
        "aria-pressed", "false"
    )
    other.keyboard.press("Control+s")
    other.locator("[data-save]").wait_for()


@pytest.mark.trap("T12")
@pytest.mark.trap("T13")
def test_the_images_of_an_open_case_fail_one_by_one_and_come_back(page, sign_in, watch):
    """T12, T13: a frame that fails covers the old picture and names itself; another try shows the right slice."""
    watch.expected.append("503")
    sign_in(page, "delineator1")
    open_next_case(page, by_key=True)
    slice_now = page.locator('[data-pane="ct"]').get_attribute("data-slice")
    page.route("**/dicomweb/**", lambda route: route.fulfill(status=503))
    page.reload()
    error = page.locator('[data-pane="ct"][data-state="error"]')
    error.wait_for(timeout=20_000)
    again = {"name": "Try again", "include_hidden": True}
    error.get_by_role("button", name="Try again").click(trial=True)
    page.unroute("**/dicomweb/**")
    # a neighbour's success may bring this pane back before the pointer is there
    page.locator('[data-pane="ct"]').get_by_role("button", **again).dispatch_event("click")
    page.wait_for_selector('[data-pane="ct"][data-state="ready"]')
    assert page.locator('[data-pane="ct"]').get_attribute("data-slice") == slice_now


SENTINELS = """async () => {
  const rows = [document.documentElement.outerHTML, JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}), document.cookie];
  for (const name of await caches.keys()) rows.push(name);
  for (const entry of performance.getEntries()) rows.push(entry.name);
  for (const {name} of await indexedDB.databases()) rows.push(name);
  return rows.join("\\n");
}"""


@pytest.mark.trap("V16")
def test_a_session_of_reading_meets_no_identity_and_no_answer_of_anybody(portal, page, sign_in):
    """Sentinel sweep (10.3): bodies, headers, page, console and storage of a whole read."""
    words = ["REF-1", "REF-2", "pathology", "validation", "coordinator", "truth"]
    rows = portal.ask("SELECT uid FROM archive_series UNION SELECT uid FROM archive_instance")
    words += [row[0] for row in rows]
    seen: list[str] = []
    page.on("console", lambda message: seen.append(message.text))

    def keep(route):
        answer = route.fetch(max_redirects=0)
        seen.append(f"{route.request.url} {answer.headers}")
        if "image" not in answer.headers.get("content-type", "multipart image"):
            seen.append(answer.body().decode("utf-8", errors="replace"))
        route.fulfill(response=answer)

    page.route(lambda url: "/static/" not in url, keep)
    sign_in(page, "delineator1")
    open_next_case(page, by_key=True)
    seen.append(page.evaluate(SENTINELS))
    page.unroute_all(behavior="wait")
    text = "\n".join(seen)
    assert len(text) > 20_000
    assert [word for word in words if word in text] == []
