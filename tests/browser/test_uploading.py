"""A coordinator uploads a folder: progress, one bad file, a broken line, and going on where it stopped."""

import time
import zlib

import pytest
from playwright.sync_api import expect

from tests.archive.builders import person, slices

IMPORT = "/studies/reference/import/"
DONE = "All files are answered for."


@pytest.fixture
def coordinator(page, sign_in):
    sign_in(page, "coordinator")
    page.goto(IMPORT)
    page.locator("[data-upload][data-ready=true]").wait_for()
    return page


@pytest.fixture
def folder(tmp_path, request):
    """Six slices of an exam of the test's own, a damaged file and a text."""
    own = f"2.25.{zlib.crc32(request.node.name.encode())}"
    slices(tmp_path / "exam" / "ct", n=6, who=person("SYN0001", own), series=f"{own}.1")
    (tmp_path / "exam" / "ct" / "damaged.dcm").write_bytes(bytes(128) + b"DICM" + bytes(40))
    (tmp_path / "exam" / "notes.txt").write_text("not an image")
    return tmp_path / "exam"


def choose(page, folder):
    page.get_by_label("A whole folder").set_input_files(folder)


def test_a_folder_is_sent_and_every_file_answered_for(coordinator, folder):
    choose(coordinator, folder)
    expect(coordinator.get_by_role("status")).to_have_text(DONE)
    shown = coordinator.get_by_label("Import under way")
    expect(shown).to_contain_text("8 of 8 files")
    for count in ("6 ", "1 refused", "1 skipped"):
        expect(shown).to_contain_text(count)
    expect(shown).to_contain_text("The DICOM header is damaged")
    coordinator.get_by_role("link", name="Open the report").click()
    expect(coordinator.get_by_role("cell", name="exam/ct/damaged.dcm")).to_be_visible()


def test_a_broken_line_is_tried_again_and_then_told(coordinator, folder, watch):
    watch.expected.append("ERR_CONNECTION_RESET")
    coordinator.route("**/batches/**", lambda route: route.abort("connectionreset"))
    coordinator.clock.install()
    choose(coordinator, folder)
    give_up = time.monotonic() + 60
    while not coordinator.get_by_role("alert").count() and time.monotonic() < give_up:
        coordinator.clock.run_for(10_000)
        coordinator.wait_for_timeout(100)
    expect(coordinator.get_by_role("alert")).to_contain_text("choose the same files again to go on")
    coordinator.unroute("**/batches/**")
    choose(coordinator, folder)
    expect(coordinator.get_by_role("status")).to_have_text(DONE)


def test_the_same_folder_again_sends_nothing_that_is_here(coordinator, folder):
    sent = []
    coordinator.on("request", lambda r: sent.append(r.url) if "/batches/" in r.url else None)
    choose(coordinator, folder)
    expect(coordinator.get_by_role("status")).to_have_text(DONE)
    first = len(sent)
    coordinator.goto(IMPORT)
    for odd in (folder / "ct" / "damaged.dcm", folder / "notes.txt"):
        odd.unlink()
    choose(coordinator, folder)
    expect(coordinator.get_by_role("status")).to_have_text(DONE)
    expect(coordinator.get_by_label("Import under way")).to_contain_text("6 already here")
    assert (first, len(sent)) == (1, 1)


def test_closing_the_page_while_sending_asks_first(coordinator, folder):
    coordinator.route("**/batches/**", lambda route: None)
    choose(coordinator, folder)
    expect(coordinator.get_by_role("status")).to_contain_text("Sending")
    coordinator.once("dialog", lambda dialog: dialog.dismiss())
    with coordinator.expect_event("dialog") as asked:
        coordinator.evaluate("setTimeout(() => location.reload(), 0)")
    assert asked.value.type == "beforeunload"
    coordinator.unroute_all(behavior="ignoreErrors")
    coordinator.once("dialog", lambda dialog: dialog.accept())
