"""The desk shows the lesion where it is: nearest slices, pixel centres, the hot spot of both modalities."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import FLAGS, chromium_path
from tests.browser.desk_page import (
    FUSED,
    NATIVE,
    attribute,
    on_screen,
    open_next_case,
    plane_mm,
    wait_for_desk,
)

NEAR_PX = 30
REFERENCE = (18.0, 70.0, 30.0)


@pytest.fixture
def desk(portal, page, sign_in):
    """The expert's case of the lesion at (18, 70, 30); the cases before it are read first."""
    sign_in(page, "expert1")
    open_next_case(page, (*NATIVE, *FUSED))
    while tuple(document(page)["case"]["lesion"]["world"]) != REFERENCE:
        before = page.title()
        page.keyboard.press("m")
        page.keyboard.press("3")
        page.keyboard.press("Control+Enter")
        page.get_by_role("dialog").get_by_role("button", name="Submit").click()
        page.wait_for_function("(title) => document.title !== title", arg=before)
        wait_for_desk(page, (*NATIVE, *FUSED))
    return page


def document(page):
    return json.loads(page.evaluate("fetch('document').then((r) => r.text())"))


def picture(page, pane):
    """Red channel of a pane as shown, without the drawing over it."""
    page.add_style_tag(content=".pane-overlay, .letter { visibility: hidden }")
    shown = Image.open(io.BytesIO(page.locator(f'[data-pane="{pane}"] .pane-stage').screenshot()))
    return np.asarray(shown.convert("RGB"), dtype=float)


@pytest.mark.trap("T2")
def test_the_desk_opens_at_the_lesion_though_the_spect_is_stored_head_to_foot(desk):
    assert attribute(desk, "ct", "slice") == "31"
    assert attribute(desk, "spect", "slice") == "42"
    assert plane_mm(desk, "ct")[2] == pytest.approx(30.0)
    assert plane_mm(desk, "spect")[2] == pytest.approx(31.1339, abs=1e-3)


@pytest.mark.trap("T1")
def test_every_spect_slice_has_its_own_place_one_spacing_apart(desk):
    series = next(s for s in document(desk)["series"] if s["role"] == "SPECT")
    heights = np.array([image["position"][2] for image in series["images"]])
    assert heights[0] == pytest.approx(199.0141 - 79 * 4.4179, abs=1e-3)
    assert np.diff(heights) == pytest.approx(4.4179, abs=1e-3)


@pytest.mark.trap("T17")
def test_the_darkest_point_of_the_spect_lies_at_the_lesion(desk):
    box = desk.locator('[data-pane="spect"] .pane-stage').bounding_box()
    x, y = on_screen(desk, "spect", (18.0, 70.0, 31.1339))
    desk.keyboard.press("w")
    desk.keyboard.press("7")
    x, y = x - box["x"], y - box["y"]
    left, top = round(x) - NEAR_PX, round(y) - NEAR_PX
    grey = picture(desk, "spect")[top : top + 2 * NEAR_PX, left : left + 2 * NEAR_PX, 0]
    uptake = 255.0 - grey
    rows, columns = np.nonzero(uptake >= uptake.max() - 25)
    assert left + columns.mean() + 0.5 == pytest.approx(x, abs=1.5)
    assert top + rows.mean() + 0.5 == pytest.approx(y, abs=1.5)


@pytest.mark.trap("T7")
@pytest.mark.trap("T20")
def test_a_browser_without_webgl_is_told_so_and_reads_with_still_pictures(chromium, portal, desk):
    """`--disable-gpu` would leave a software rasteriser; the page is asked what it really got."""
    address, cookies = desk.url, desk.context.cookies()
    flat = chromium.browser_type.launch(
        executable_path=chromium_path(), args=[*FLAGS, "--disable-3d-apis"]
    )
    try:
        context = flat.new_context(base_url=portal.url)
        context.add_cookies(cookies)
        page = context.new_page()
        page.goto(address)
        assert page.evaluate("document.createElement('canvas').getContext('webgl2')") is None
        expect(page.get_by_role("alert")).to_contain_text("This browser offers no WebGL 2")
        page.get_by_role("link", name="Read it with still pictures").click()
        expect(page.get_by_role("img").first).to_be_visible()
        expect(page.locator('input[name="call"]').first).to_be_visible()
    finally:
        flat.close()


@pytest.mark.trap("V1")
def test_a_lesion_is_read_by_mouse_alone(portal, desk):
    box = desk.locator('[data-pane="ct"] .pane-stage').bounding_box()
    desk.mouse.move(box["x"] + 200, box["y"] + 200)
    desk.mouse.wheel(0, -120)
    desk.wait_for_selector('[data-pane="ct"][data-slice="32"][data-state="ready"]')
    for question, value in (("call", "metastasis"), ("confidence", "4")):
        desk.locator(f'[data-question="{question}"] input[value="{value}"]').check()
    code, title = document(desk)["case"]["code"], desk.title()
    desk.get_by_role("button", name="Check and submit").click()
    desk.get_by_role("dialog").get_by_role("button", name="Submit").click()
    expect(desk).not_to_have_title(title)
    rows = portal.ask(
        "SELECT r.state, r.call, r.score FROM readers_read r JOIN readers_assignment a"
        " ON a.id = r.assignment_id WHERE a.code = ?", code,
    )  # fmt: skip
    assert rows == [("submitted", "metastasis", 9)]
