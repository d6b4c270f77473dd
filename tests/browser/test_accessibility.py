"""axe-core finds no A or AA violation on the pages people work on."""

import pytest

from tests.browser.conftest import PASSWORD
from tests.browser.desk_page import FUSED, NATIVE, open_next_case
from tests.browser.portal_server import ROOT

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = "(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}})"


def violations(page):
    """One line per violated rule, with the first element that violates it."""
    if not AXE.exists():
        pytest.skip("NO AXE: run `npm ci` in frontend/")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(RUN, TAGS)
    assert len(found["passes"]) > 5
    return [
        f"{v['id']}: {v['help']} ({len(v['nodes'])}) {v['nodes'][0]['html'][:200]}"
        for v in found["violations"]
    ]


def test_the_sign_in_page_has_no_violation(page):
    page.goto("/accounts/login/")
    assert violations(page) == []


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/studies/reference/",
        "/studies/reference/protocol/",
        "/studies/reference/patients/",
        "/studies/reference/screening/",
        "/studies/reference/truth/",
        "/studies/reference/split/",
        "/studies/reference/readers/",
        "/studies/reference/members/",
        "/studies/reference/features/",
        "/studies/reference/audit/",
    ],
)
def test_the_coordinators_pages_have_no_violation(page, sign_in, address):
    sign_in(page, "coordinator")
    page.goto(address)
    assert violations(page) == []


@pytest.mark.parametrize(
    "address",
    [
        "/account/",
        "/accounts/password/change/",
        "/accounts/reauthenticate/",
        "/accounts/2fa/",
        "/accounts/2fa/totp/activate/",
    ],
)
def test_a_persons_own_pages_have_no_violation(page, sign_in, address):
    sign_in(page, "expert1")
    page.goto(address)
    if "/reauthenticate/" in page.url and address != "/accounts/reauthenticate/":
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
        page.wait_for_url(f"**{address}")
    assert violations(page) == []


def test_the_reading_room_has_no_violation(page, sign_in):
    sign_in(page, "expert1")
    page.goto("/reading/")
    assert violations(page) == []
    page.goto("/reading/help/")
    assert violations(page) == []


@pytest.mark.trap("V17")
def test_the_desk_and_its_dialogs_have_no_violation(page, sign_in):
    sign_in(page, "expert1")
    open_next_case(page, (*NATIVE, *FUSED))
    assert violations(page) == []
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.goto(page.url + "?view=pictures")
    assert violations(page) == []
