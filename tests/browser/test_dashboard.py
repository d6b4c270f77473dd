"""The dashboard in Chromium: drawn, reachable without a mouse, within reach of everybody who may see it."""

from pathlib import Path

import pytest

from tests.browser.conftest import picture
from tests.browser.portal_server import Portal, run
from tests.browser.test_accessibility import violations

SEED = Path(__file__).with_name("dashboard_seed.py")
HOME = "/studies/compared/dashboard/"


@pytest.fixture(scope="module")
def compared(portal: Portal) -> Portal:
    run(portal.data, str(SEED))
    return portal


@pytest.fixture
def dashboard(compared, page, sign_in):
    """The page as the coordinator sees it."""
    sign_in(page, "coordinator")
    page.goto(HOME)
    return page


def scroll_through(page) -> None:
    """Down the whole page in steps that a reader would take."""
    height = page.evaluate("document.body.scrollHeight")
    for y in range(0, height, 600):
        page.evaluate(f"window.scrollTo(0, {y})")
        page.wait_for_timeout(60)


@pytest.mark.parametrize("name", ["coordinator", "analyst"])
def test_those_who_may_see_it_find_figures_drawn_from_their_numbers(compared, page, sign_in, name):
    sign_in(page, name)
    page.goto(HOME)
    figures = page.locator("figure.plot")
    assert figures.count() > 20
    scroll_through(page)
    page.locator("figure.plot:not([data-drawn])").first.wait_for(state="detached")
    assert page.locator("figure.plot .plot-canvas svg").count() >= figures.count()
    page.evaluate("window.scrollTo(0, 0)")
    picture(page, f"dashboard-{name}", full_page=True)


def test_where_the_numbers_do_not_come_the_servers_picture_stands_in(compared, page, sign_in):
    sign_in(page, "analyst")
    page.route("**/figures/validation/roc.json", lambda route: route.fulfill(status=200, body="{}"))
    page.goto(HOME)
    image = page.locator("figure.plot").first.locator("img")
    image.wait_for()
    assert image.get_attribute("src").endswith("/figures/validation/roc.svg")
    assert image.get_attribute("alt").startswith("ROC curves")


def test_a_reader_is_told_that_there_is_no_such_page(compared, page, sign_in):
    sign_in(page, "expert1")
    assert page.request.get(HOME).status == 404
    assert page.request.get("/studies/compared/figures/validation/roc.json").status == 404


def test_the_dashboard_has_no_accessibility_violation(dashboard):
    scroll_through(dashboard)
    dashboard.wait_for_timeout(500)
    assert violations(dashboard) == []


def test_the_exports_page_has_no_accessibility_violation(dashboard):
    dashboard.goto("/studies/compared/exports/")
    assert violations(dashboard) == []


def test_only_figures_near_the_window_are_asked_for(compared, page, sign_in):
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/figures/" in request.url else None)  # fmt: skip
    sign_in(page, "analyst")
    page.goto(HOME)
    page.locator("figure.plot[data-drawn]").first.wait_for()
    page.wait_for_timeout(300)
    n_figures = page.locator("figure.plot").count()
    assert 0 < len({url for url in asked if url.endswith(".json")}) < n_figures / 2


def test_the_first_view_waits_for_no_figure(dashboard):
    """How fast that is belongs to `bench`; that no figure stands before the text does not change with the machine."""
    dashboard.locator("figure.plot[data-drawn]").first.wait_for()
    early = dashboard.evaluate("""() => {
      const read = performance.getEntriesByType("navigation")[0].domInteractive;
      return performance.getEntriesByType("resource").filter((r) => r.name.includes("/figures/"))
        .map((r) => r.startTime - read);
    }""")
    assert early
    assert min(early) >= 0


def test_the_numbers_of_a_figure_open_with_the_keyboard(dashboard):
    figure = dashboard.locator("figure.plot").first
    figure.locator("summary").focus()
    dashboard.keyboard.press("Enter")
    table = figure.locator("details table")
    table.wait_for()
    assert table.locator("tbody tr").count() > 5
    assert "Ann (calls)" in table.inner_text()


def test_a_link_at_the_top_leads_to_its_section(dashboard):
    dashboard.get_by_role("link", name="Readers validation", exact=True).click()
    heading = dashboard.locator("#validation-readers")
    dashboard.wait_for_timeout(500)
    dashboard.wait_for_load_state("networkidle")
    dashboard.wait_for_function(
        "e => Math.abs(e.getBoundingClientRect().top) < 50", arg=heading.element_handle()
    )


def test_the_failed_lesion_leads_to_its_page(dashboard):
    dashboard.locator("#table-validation-failures").get_by_role("link").click()
    dashboard.get_by_role("heading", name="Lesion P5/1").wait_for()


def test_the_synthetic_banner_and_the_published_column_are_there(dashboard):
    assert dashboard.get_by_text("Synthetic data: computer-made images").first.is_visible()
    top = dashboard.locator("#table-validation-auc")
    assert "Published" in top.locator("thead").inner_text()
    assert "0.844" in top.inner_text()
    assert dashboard.get_by_role("heading", name="Notes on method").count() == 1


def test_the_page_needs_no_sideways_scrolling_at_1280_pixels(dashboard):
    dashboard.set_viewport_size({"width": 1280, "height": 800})
    assert dashboard.evaluate("document.documentElement.scrollWidth") <= 1280


def test_at_twice_the_size_everything_still_fits(dashboard):
    dashboard.set_viewport_size({"width": 640, "height": 400})
    assert dashboard.evaluate("document.documentElement.scrollWidth") <= 640


def test_a_csv_is_downloaded_with_the_synthetic_sentence_first(dashboard):
    with dashboard.expect_download() as found:
        dashboard.locator("figure.plot").first.get_by_role("link", name="as CSV").click()
    text = Path(found.value.path()).read_text(encoding="utf-8")
    assert found.value.suggested_filename == "compared-validation-roc.csv"
    assert text.startswith("# Synthetic data:")
