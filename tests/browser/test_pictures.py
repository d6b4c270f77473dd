"""The README's pictures come from a synthetic patient and the reference study; taken anew when OSTEON_PICTURES names a folder."""

import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.desk_page import FUSED, NATIVE, wait_for_desk
from tests.browser.portal_server import ROOT, SEED, run

COMMITTED = ROOT / "docs" / "pictures"
LARGEST_BYTES = 300_000
NAMES = ("desk.png", "study-home.png")


@pytest.fixture
def pictures(tmp_path):
    return Path(os.environ.get("OSTEON_PICTURES", tmp_path))


def keep(page, folder, name):
    """256 colours are enough for grey images and a colour map, and a third of the size."""
    with Image.open(io.BytesIO(page.screenshot())) as shown:
        few = shown.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(folder / name, optimize=True)
    assert 10_000 < (folder / name).stat().st_size <= LARGEST_BYTES


def test_an_open_case_is_pictured_with_all_its_panes(portal, page, sign_in, pictures):
    run(portal.data, str(SEED), "synthetic")
    sign_in(page, "expert1")
    page.goto("/reading/")
    page.get_by_role("link", name="Bone SPECT/CT, session 1").click()
    page.get_by_role("button", name="Start the session").click()
    page.wait_for_url(re.compile(r"/reading/cases/"))
    wait_for_desk(page, (*NATIVE, *FUSED))
    page.keyboard.press("m")
    page.keyboard.press("4")
    page.locator('[data-save="saved"]', has_text="Saved").wait_for()
    keep(page, pictures, "desk.png")


def test_the_study_home_is_pictured(page, sign_in, pictures):
    sign_in(page, "coordinator")
    page.goto("/studies/reference/")
    keep(page, pictures, "study-home.png")


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_pictures_are_small(name):
    assert 10_000 < (COMMITTED / name).stat().st_size <= LARGEST_BYTES
