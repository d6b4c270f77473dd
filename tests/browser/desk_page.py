"""What a test reads from an open page: its faults, the state of panes and of saving, positions in mm."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Locator, Page

NATIVE = ("ct", "spect", "wb-ant", "wb-post")
FUSED = ("fused-axial", "fused-sagittal", "fused-coronal")
SESSION_OR_CASE = re.compile(r"/reading/(sessions|cases)/")
CASE = re.compile(r"/reading/cases/")
REPORT = """addEventListener("securitypolicyviolation", (e) => console.error("CSP " + e.violatedDirective + " " + e.blockedURI));
addEventListener("unhandledrejection", (e) => setTimeout(() => e.defaultPrevented || console.error("REJECTED " + e.reason)));"""


@dataclass
class Watch:
    """Faults of the pages; a test that provokes one names it in `expected`."""

    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if not any(part in text for part in self.expected):
            self.faults.append(text)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.note(f"console: {message.text} {message.location.get('url', '')}")

    def on_error(self, error: Error) -> None:
        self.note(f"page error: {error}")

    def on_page(self, page: Page) -> None:
        page.on("console", self.on_console)
        page.on("pageerror", self.on_error)


def watched(context: BrowserContext, watch: Watch) -> BrowserContext:
    context.add_init_script(REPORT)
    context.on("page", watch.on_page)
    return context


def wait_for_desk(page: Page, panes: Sequence[str] = NATIVE) -> None:
    page.wait_for_selector('[data-desk="ready"]')
    for name in panes:
        page.wait_for_selector(f'[data-pane="{name}"][data-state="ready"]', state="attached")


def open_next_case(page: Page, panes: Sequence[str] = NATIVE, *, by_key: bool = False) -> None:
    """From the reader's list to the desk; a session is started on the way if it is new.

    Where "Continue" leads is seen from the address it has led to, never from the page it was pressed on.
    """
    page.goto("/reading/")
    press(page.get_by_role("link", name="Continue"), by_key)
    page.wait_for_url(SESSION_OR_CASE)
    if not CASE.search(page.url):
        press(page.get_by_role("button", name="Start the session"), by_key)
        page.wait_for_url(CASE)
    wait_for_desk(page, panes)


def press(element: Locator, by_key: bool) -> None:
    if by_key:
        element.press("Enter")
    else:
        element.click()


def wait_saved(page: Page) -> None:
    page.wait_for_selector('[data-save="saved"]')


def attribute(page: Page, pane: str, name: str) -> str:
    return page.locator(f'[data-pane="{pane}"]').get_attribute(f"data-{name}") or ""


def plane_mm(page: Page, pane: str) -> list[float]:
    return [float(v) for v in json.loads(attribute(page, pane, "plane"))]


def on_screen(page: Page, pane: str, point_mm: Sequence[float]) -> tuple[float, float]:
    """Where a point in patient mm lies in the window, by the affine that the pane publishes."""
    numbers = json.loads(attribute(page, pane, "affine"))
    rows = numbers if isinstance(numbers[0], list) else [numbers[:4], numbers[4:]]
    column, row = (sum(a * b for a, b in zip(line, (*point_mm, 1.0), strict=True)) for line in rows)
    box = page.locator(f'[data-pane="{pane}"] .pane-stage').bounding_box()
    assert box is not None
    return box["x"] + column, box["y"] + row
