"""A coordinator carries a study of a real PET/CT pair from nothing to a locked read and a feature vector."""

import json
import math
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.authenticator import set_up
from tests.browser.conftest import PASSWORD
from tests.browser.desk_page import FUSED, on_screen, plane_mm, wait_for_desk, wait_saved
from tests.browser.portal_server import ROOT

SHARED = Path(os.environ.get("OSTEON_SHARED", ROOT.parent / "shared"))
PAIR = SHARED / "data" / "petct_STS_044"
HOME = "/studies/sarcoma/"


@pytest.fixture
def petct():
    if not PAIR.exists():
        pytest.skip(f"NO REAL PET/CT: {PAIR.name} is not beside the checkout (OSTEON_SHARED)")
    return PAIR


@pytest.fixture
def coordinator(page, sign_in):
    sign_in(page, "coordinator")
    return page


def create_study(page):
    page.goto("/")
    page.get_by_role("link", name="New study").click()
    page.get_by_label("Code").fill("sarcoma")
    page.get_by_label("Name").fill("A real pair")
    page.get_by_role("button").last.click()
    page.wait_for_url(f"**{HOME}")
    expect(page.get_by_role("heading", name="That was not done")).to_be_visible()


def draft(page):
    """Criteria, protocol, members, a reading design."""
    page.goto(HOME + "screening/")
    page.get_by_role("button", name="Take those of the published study").click()
    page.goto(HOME + "protocol/")
    page.get_by_label("Protocol").fill("Read and outline.")
    page.get_by_label("Analysis plan").fill("CT, SPECT and combined models.")
    page.get_by_role("button", name="Save").click()
    for name, role in (("expert1", "expert"), ("delineator1", "delineator")):
        page.goto(HOME + "members/")
        page.get_by_label("User name of the account").fill(name)
        page.locator("#id_role").select_option(role)
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_role("rowheader", name=name)).to_be_visible()
    page.goto(HOME + "readers/")
    page.get_by_text("New design").click()
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Repeats").fill("0")
    page.get_by_role("button", name="Create the design").click()
    expect(page.get_by_role("heading", name="Version 1")).to_be_visible()


def advance(page, to, *, app=None):
    page.goto(HOME)
    page.get_by_label("Reason").fill("Everything is ready.")
    if app is not None:
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_label("Second factor").fill(app.code())
    page.get_by_role("button", name=f"Go to {to}").click()
    page.wait_for_url(f"**{HOME}")
    shown = to.replace("_", " ").lower()
    expect(page.locator('[aria-current="step"]')).to_have_text(shown)


def bring_in(portal, page, folder):
    """The CT by the browser, the PET by the command line; the subject they were filed under."""
    page.goto(HOME + "import/")
    page.get_by_label("A whole folder").set_input_files(folder / "CT")
    expect(page.get_by_role("status")).to_have_text("All files are answered for.", timeout=60_000)
    portal.manage("import_dicom", str(folder / "PET"), "--study", "sarcoma", "--json")
    rows = portal.ask(
        "SELECT e.subject, s.role, s.geometry, s.pixel FROM archive_series s JOIN archive_exam e ON e.id = s.exam_id"
        " WHERE e.study_key = 'sarcoma' AND s.state = 'ready' AND s.is_volume"
    )
    assert {role for _, role, *_ in rows} == {"CT", "SPECT"}
    assert len({subject for subject, *_ in rows}) == 1
    ct = next(row for row in rows if row[1] == "CT")
    return ct[0], middle_of(json.loads(ct[2]), json.loads(ct[3]))


def middle_of(geometry, pixel):
    """The middle of the volume, in patient mm."""
    x, y, z = geometry["positions_mm"][len(geometry["positions_mm"]) // 2]
    down, right = geometry["spacing_mm"]
    return x + pixel["columns"] / 2 * right, y + pixel["rows"] / 2 * down, z


def register(page, subject, place):
    page.goto(HOME + "new-patient/")
    page.get_by_label("Subject").fill(subject)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name=f"Patient {subject}")).to_be_visible()
    page.get_by_role("link", name="Decide").click()
    page.get_by_label("Included").check()
    page.get_by_role("button", name="Log the decision").click()
    page.goto(HOME + "patients/")
    page.get_by_role("link", name=subject).click()
    page.get_by_role("link", name="Register the first").click()
    page.get_by_label("Level").select_option("L3")
    for name, value in zip(("x, mm", "y, mm", "z, mm"), place, strict=True):
        page.get_by_label(name).fill(f"{value:.3f}")
    page.get_by_label("Longest diameter, mm").fill("30")
    page.get_by_role("button", name="Register").click()
    for name in ("CT", "SPECT"):
        page.locator(f"#id_{name.lower()}").select_option(index=1)
    page.get_by_role("button", name="Choose these series").click()
    page.get_by_role("button", name="Include in the next free slot").click()
    expect(page.locator("main")).to_contain_text("Included.")


def enter_truth_and_split(page):
    page.goto(HOME + "truth/")
    page.locator("main tbody a").first.click()
    page.get_by_label("Diagnosis").select_option("metastasis")
    page.get_by_label("Method").select_option("pathology")
    page.get_by_role("button", name="Enter").click()
    page.goto(HOME + "split/")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Save this split").click()
    page.get_by_role("button", name="Lock for ever").click()
    expect(page.locator("main")).to_contain_text("locked")


def plan_sessions(page):
    for reader, task in (("expert1", "read"), ("delineator1", "outline")):
        page.goto(HOME + "readers/")
        page.get_by_role("checkbox", name=reader).check()
        page.get_by_label("Task").select_option(task)
        page.get_by_role("button", name="Plan sessions").click()
        expect(page.get_by_role("rowheader", name=reader).first).to_be_visible()


def open_case(page):
    """The session of this study; the reader has another of the reference study."""
    page.goto("/reading/")
    page.get_by_role("link", name="A real pair, session 1").click()
    page.get_by_role("button", name="Start the session").click()
    page.wait_for_url(re.compile(r"/reading/cases/"))
    wait_for_desk(page, ("ct", "spect", *FUSED))
    return json.loads(page.evaluate("fetch('document').then((r) => r.text())"))


def submit_and_sign(page):
    """Without an app the signature is refused with what to do; with one it closes the session."""
    page.keyboard.press("Control+Enter")
    page.get_by_role("dialog").get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile(r"/reading/$"))
    page.get_by_role("link", name="A real pair, session 1").click()
    here = page.url
    sign(page)
    expect(page.locator("main")).to_contain_text("needs a second factor")
    app = set_up(page)
    page.goto(here)
    sign(page, app.code())
    page.wait_for_url(re.compile(r"/reading/$"))


def sign(page, code=""):
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("Code of your authenticator app").fill(code)
    page.get_by_role("button", name="Sign and close the session").click()


def outline(page, document, radius_mm=25.0):
    x, y, _ = document["case"]["lesion"]["world"]
    page.locator('[data-pane="spect"]').focus()
    page.get_by_role("button", name="Start outlining").click()
    page.get_by_role("button", name="Points", exact=True).click()
    plane = plane_mm(page, "spect")[2]
    for k in range(12):
        turn = 2 * math.pi * k / 12
        vertex = (x + radius_mm * math.cos(turn), y + radius_mm * math.sin(turn), plane)
        page.mouse.click(*on_screen(page, "spect", vertex))
    page.keyboard.press("Enter")
    page.keyboard.press("g")
    page.wait_for_selector("text=Shifting the CT outline")
    wait_saved(page)


def test_a_study_goes_from_nothing_to_a_locked_read_and_a_feature_vector(
    portal, coordinator, new_context, sign_in, petct, watch
):
    watch.expected.append("403 (Forbidden)")
    create_study(coordinator)
    app = set_up(coordinator)
    draft(coordinator)
    advance(coordinator, "SCREENING")
    subject, place = bring_in(portal, coordinator, petct)
    register(coordinator, subject, place)
    enter_truth_and_split(coordinator)
    coordinator.goto(HOME + "readers/")
    coordinator.get_by_role("button", name="Lock this design").click()
    plan_sessions(coordinator)
    advance(coordinator, "READING", app=app)

    expert = new_context().new_page()
    sign_in(expert, "expert1")
    open_case(expert)
    expert.keyboard.press("m")
    expert.keyboard.press("4")
    submit_and_sign(expert)
    delineator = new_context().new_page()
    sign_in(delineator, "delineator1")
    outline(delineator, open_case(delineator))
    submit_and_sign(delineator)
    assert portal.ask("SELECT count(*) FROM readers_read WHERE state = 'locked'") == [(2,)]

    coordinator.goto(HOME + "features/")
    coordinator.get_by_role("button", name="Start extraction").click()
    portal.manage("extract", "sarcoma", "--here")
    coordinator.goto(HOME + "features/")
    expect(coordinator.locator("main")).to_contain_text("2 vectors, 0 failed")
    coordinator.goto(HOME + "jobs/")
    expect(coordinator.locator("main")).to_contain_text("done")
