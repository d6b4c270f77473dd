"""Chromium, a seeded portal for each module, and pages whose faults fail the test."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.browser.desk_page import Watch, watched
from tests.browser.portal_server import ROOT, Portal, build_reference, running
from tests.once import built_once

MANIFEST = ROOT / "portal" / "static" / "build" / ".vite" / "manifest.json"
ARTEFACTS = ROOT / "test-artefacts"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WINDOW: ViewportSize = {"width": 1400, "height": 900}
PASSWORD = "correct horse battery"
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


def chromium_path() -> str | None:
    named = os.environ.get("OSTEON_CHROMIUM")
    return named or next((found for name in BROWSERS if (found := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip(f"NO BROWSER: set OSTEON_CHROMIUM or install one of {', '.join(BROWSERS)}")
    if not MANIFEST.exists():
        pytest.skip("NO BUILD: run `make setup`; portal/static/build has no Vite manifest")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reference(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Asks for the browser first, so that nothing is built where it is missing."""
    return built_once(tmp_path_factory, "reference", build_reference)


@pytest.fixture(scope="module")
def portal(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with running(reference, tmp_path_factory.mktemp("portal") / "data") as server:
        yield server


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Console errors, page errors and policy reports of all pages of the test; any of them fails it."""
    seen = Watch()
    yield seen
    assert seen.faults == []


@pytest.fixture
def new_context(
    chromium: Browser, portal: Portal, watch: Watch, request: pytest.FixtureRequest
) -> Iterator[Callable[[], BrowserContext]]:
    contexts: list[BrowserContext] = []

    def make() -> BrowserContext:
        context = chromium.new_context(
            base_url=portal.url,
            viewport=WINDOW,
            locale="en-US",
            timezone_id="UTC",
            reduced_motion="reduce",
            device_scale_factor=1,
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(watched(context, watch))
        return context

    yield make
    keep_pictures(contexts, request.node.name)
    for context in contexts:
        context.close()


def keep_pictures(contexts: list[BrowserContext], name: str) -> None:
    """What every page showed at the end, for eyes; the folder is not under version control."""
    pages = [page for context in contexts for page in context.pages]
    name = re.sub(r"\W+", "-", name).strip("-")
    for number, page in enumerate(pages):
        picture(page, f"{name}-{number}")


def picture(page: Page, name: str, *, full_page: bool = False) -> None:
    """A picture for eyes. A loaded browser now and then cannot take one and can a moment later: no fault of the page."""
    ARTEFACTS.mkdir(exist_ok=True)
    for left in reversed(range(3)):
        try:
            page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=full_page)
            return
        except Error as error:
            if not left or "Unable to capture screenshot" not in error.message:
                raise
        page.wait_for_timeout(500)


@pytest.fixture
def page(new_context: Callable[[], BrowserContext]) -> Page:
    return new_context().new_page()


@pytest.fixture(scope="module")
def sessions() -> dict[str, list[Any]]:
    """Cookies of those who have signed in on this module's portal."""
    return {}


@pytest.fixture
def sign_in(sessions: dict[str, list[Any]]) -> Callable[[Page, str], None]:
    """Sign in by the form the first time, by the same session later."""

    def enter(page: Page, name: str) -> None:
        if name in sessions:
            page.context.add_cookies(sessions[name])
            return
        page.goto("/accounts/login/")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Sign out").wait_for()
        sessions[name] = list(page.context.cookies())

    return enter
