"""At 200 % zoom and on a narrow screen no page has to be pushed sideways; only wide tables scroll, within themselves."""

import pytest

from tests.browser.conftest import WINDOW

PAGES = {
    "coordinator": (
        "/",
        "/account/",
        "/studies/reference/",
        "/studies/reference/protocol/",
        "/studies/reference/import/",
        "/studies/reference/held/",
        "/studies/reference/pacs/",
        "/studies/reference/patients/",
        "/studies/reference/screening/",
        "/studies/reference/truth/",
        "/studies/reference/split/",
        "/studies/reference/readers/",
        "/studies/reference/acquisition/",
        "/studies/reference/features/",
        "/studies/reference/runs/",
        "/studies/reference/exports/",
        "/studies/reference/jobs/",
        "/studies/reference/audit/",
        "/studies/reference/members/",
        "/studies/reference/settings/",
    ),
    "expert1": ("/reading/", "/reading/help/", "/help/"),
}
WIDTHS = (WINDOW["width"] // 2, 320)
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const inside = (e) => e.closest(".scroll, pre, svg") !== null;
  return [...document.querySelectorAll("body *")]
    .filter((e) => !inside(e) && e.getBoundingClientRect().right > width + 1)
    .map((e) => `${e.tagName} ${e.id} ${e.className}: ${Math.round(e.getBoundingClientRect().right)} of ${width}`);
}"""


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_its_window(page, sign_in, name):
    sign_in(page, name)
    wide = {}
    for address in PAGES[name]:
        page.goto(address)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 700})
            if found := page.evaluate(TOO_WIDE):
                wide[address, width] = found[:4]
    assert wide == {}


def test_the_measure_finds_a_page_that_is_too_wide(page, sign_in):
    sign_in(page, "coordinator")
    page.goto("/")
    page.evaluate("document.querySelector('main').style.minWidth = '3000px'")
    assert page.evaluate(TOO_WIDE) != []
