"""OHIF's own published build shows a series of this archive: its literal requests, answered and drawn.

`deploy/ohif.sh` fetches it (make validate does); OSTEON_OHIF_DIST names another `dist` folder of @ohif/app.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.conftest import ARTEFACTS
from tests.browser.ohif_front import front
from tests.browser.portal_server import ROOT, Portal

DIST = os.environ.get("OSTEON_OHIF_DIST") or str(ROOT / ".ohif" / "package" / "dist")
pytestmark = pytest.mark.skipif(
    not Path(DIST, "index.html").exists(),
    reason="OHIF NOT FOUND: sh deploy/ohif.sh, or set OSTEON_OHIF_DIST to the dist folder of @ohif/app",
)
SECONDS = 120


def drawn(picture: bytes) -> float:
    """How much of the picture is neither black nor one colour: its share of distinct grey columns."""
    grey = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), dtype=float)
    return float(grey.std())


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Let the page work until this holds."""
    for _ in range(4 * SECONDS):
        if condition():
            return
        page.wait_for_timeout(250)
    raise AssertionError("OHIF has not asked for it")


@pytest.mark.slow
def test_ohif_lists_the_study_and_draws_its_slices(chromium: Browser, portal: Portal) -> None:
    token = portal.manage("token", "coordinator").split()[-1]
    # the sender's own UIDs; OHIF opens the series with the smallest number, which is the whole body there
    uid, series = portal.ask(
        "SELECT i.source_uid, t.source_uid FROM truth_identity i JOIN truth_source_series t USING (exam_id) "
        "WHERE t.modality = 'CT' LIMIT 1"
    )[0]
    with front(Path(DIST), portal.port, token) as (url, seen):
        page = chromium.new_context(viewport={"width": 1400, "height": 900}).new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.goto(url)
        until(page, lambda: any(path.startswith("/dicomweb/studies?") for path, _, _ in seen))
        page.goto(f"{url}/viewer?StudyInstanceUIDs={uid}&SeriesInstanceUIDs={series}")
        page.locator("canvas").first.wait_for()
        until(page, lambda: sum("/frames/" in path for path, _, _ in seen) >= 5)
        page.wait_for_timeout(6000)
        ARTEFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTEFACTS / "ohif.png")
        picture = page.locator("canvas").first.screenshot()
    assert {status for _, _, status in seen} <= {200, 204, 304}, [s for s in seen if s[2] >= 400]
    assert any("/metadata" in path for path, _, _ in seen)
    assert any("/frames/" in path for path, _, _ in seen)
    assert drawn(picture) > 5
