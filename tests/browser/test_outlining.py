"""A delineator draws on SPECT with the mouse, copies to CT and submits; the stored polygons agree."""

import json
import math

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.desk_page import on_screen, open_next_case, plane_mm, wait_for_desk, wait_saved

RADIUS_MM = 18.0


def open_case(page):
    open_next_case(page)
    return json.loads(page.evaluate("fetch('document').then((r) => r.text())"))


def polygon(centre, plane, count, radius_mm=RADIUS_MM):
    turns = [2 * math.pi * k / count for k in range(count)]
    return [
        (centre[0] + radius_mm * math.cos(t), centre[1] + radius_mm * math.sin(t), plane)
        for t in turns
    ]


def area_mm2(vertices):
    """Shoelace formula in the x-y plane."""
    pairs = zip(vertices, vertices[1:] + vertices[:1], strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def centroid(vertices):
    """Of the area in the x-y plane, not of the vertices."""
    x, y = np.asarray(vertices)[:, 0], np.asarray(vertices)[:, 1]
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    cross = x * y_next - x_next * y
    return [
        float((cross * (a + b)).sum() / (3 * cross.sum())) for a, b in ((x, x_next), (y, y_next))
    ]


def click_polygon(page, pane, vertices):
    for vertex in vertices:
        page.mouse.click(*on_screen(page, pane, vertex))
    page.keyboard.press("Enter")


def drag_polygon(page, pane, vertices):
    page.mouse.move(*on_screen(page, pane, vertices[0]))
    page.mouse.down()
    for vertex in vertices[1:]:
        page.mouse.move(*on_screen(page, pane, vertex))
    page.mouse.up()


def stored(portal, code):
    rows = portal.ask(
        "SELECT o.modality, o.area_mm2, o.vertices_mm, o.copy, o.slice_index FROM readers_roi o"
        " JOIN readers_read r ON r.id = o.read_id JOIN readers_assignment a ON a.id = r.assignment_id"
        " WHERE a.code = ?",
        code,
    )
    return {row[0]: row[1:] for row in rows}


def submit(page):
    page.get_by_role("button", name="Check and submit").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Submit").click()


def start_on_spect(page, tool):
    page.locator('[data-pane="spect"]').focus()
    page.get_by_role("button", name="Start outlining").click()
    page.get_by_role("button", name=tool, exact=True).click()


def nearest(document, role, z):
    series = next(s for s in document["series"] if s["role"] == role)
    return min((i["position"][2] for i in series["images"]), key=lambda p: abs(p - z))


@pytest.fixture
def desk(page, sign_in):
    sign_in(page, "delineator1")
    return page, open_case(page)


@pytest.mark.trap("T9")
@pytest.mark.trap("V4")
@pytest.mark.trap("V7")
def test_points_drawn_on_spect_and_copied_to_ct_are_stored_as_drawn(portal, desk):
    page, document = desk
    lesion = document["case"]["lesion"]["world"]
    start_on_spect(page, "Points")
    plane = plane_mm(page, "spect")[2]
    drawn = polygon(lesion, plane, 24)
    click_polygon(page, "spect", drawn)
    page.keyboard.press("g")
    page.wait_for_selector("text=Shifting the CT outline")
    assert plane_mm(page, "ct")[2] == pytest.approx(nearest(document, "CT", plane))
    wait_saved(page)
    submit(page)
    expect(page).to_have_title("Case 2 of 3 – Reading room")
    rois = stored(portal, document["case"]["code"])
    assert rois["SPECT"][0] == pytest.approx(1006.29, rel=0.02)
    assert rois["CT"][0] == pytest.approx(rois["SPECT"][0], rel=1e-6)
    on_ct, on_spect = json.loads(rois["CT"][1]), json.loads(rois["SPECT"][1])
    assert {v[2] for v in on_spect} == {nearest(document, "SPECT", lesion[2])}
    assert {v[2] for v in on_ct} == {nearest(document, "CT", plane)}
    assert [v[:2] for v in on_ct] == [v[:2] for v in json.loads(rois["SPECT"][1])]
    copied = json.loads(rois["CT"][2])
    assert copied["plane_distance_mm"] == pytest.approx(on_ct[0][2] - plane, abs=1e-3)


@pytest.mark.trap("T8")
@pytest.mark.trap("V3")
def test_a_freehand_outline_agrees_with_the_circle_that_was_drawn(portal, desk):
    page, document = desk
    lesion = document["case"]["lesion"]["world"]
    start_on_spect(page, "Freehand")
    drawn = polygon(lesion, plane_mm(page, "spect")[2], 120)
    drag_polygon(page, "spect", drawn)
    page.keyboard.press("g")
    page.wait_for_selector("text=Shifting the CT outline")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    wait_saved(page)
    submit(page)
    expect(page).to_have_title("Case 3 of 3 – Reading room")
    rois = stored(portal, document["case"]["code"])
    assert rois["SPECT"][0] == pytest.approx(area_mm2(drawn), rel=0.015)
    assert centroid(json.loads(rois["SPECT"][1])) == pytest.approx(lesion[:2], abs=0.2)
    assert json.loads(rois["CT"][2])["shift_mm"] == [1.0, 0.0]


@pytest.mark.trap("V6")
def test_an_undone_outline_stays_undone_after_a_reload(portal, desk):
    page, document = desk
    lesion = document["case"]["lesion"]["world"]
    start_on_spect(page, "Points")
    click_polygon(page, "spect", polygon(lesion, plane_mm(page, "spect")[2], 8))
    page.wait_for_selector('[data-slot="SPECT"][data-outlined="true"]')
    page.keyboard.press("Control+z")
    page.wait_for_selector('[data-slot="SPECT"][data-outlined="false"]')
    page.keyboard.press("Control+s")
    wait_saved(page)
    page.reload()
    wait_for_desk(page)
    page.wait_for_selector('[data-slot="SPECT"][data-outlined="false"]')
    assert stored(portal, document["case"]["code"]) == {}


def test_undo_goes_on_through_the_saved_versions_on_another_machine(
    portal, desk, new_context, sign_in
):
    page, document = desk
    lesion = document["case"]["lesion"]["world"]
    start_on_spect(page, "Points")
    plane = plane_mm(page, "spect")[2]
    for count in (6, 9):
        click_polygon(page, "spect", polygon(lesion, plane, count))
        page.keyboard.press("Control+s")
        page.locator('[data-save="saved"]', has_text="Saved").wait_for()

    other = new_context().new_page()
    sign_in(other, "delineator1")
    open_case(other)
    undo = other.get_by_role("button", name="Undo", exact=True)
    expect(undo).to_be_enabled()
    undo.click()
    other.keyboard.press("Control+s")
    other.locator('[data-save="saved"]', has_text="Saved").wait_for()
    drafts = portal.ask(
        "SELECT r.document FROM readers_read r JOIN readers_assignment a ON a.id = r.assignment_id"
        " WHERE a.code = ? AND r.is_current",
        document["case"]["code"],
    )
    assert len(json.loads(drafts[0][0])["outlines"]["SPECT"]["vertices"]) == 6
