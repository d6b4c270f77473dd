"""An authenticator app on somebody's telephone: set up through the account's page, then good for codes (RFC 6238)."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.browser.conftest import PASSWORD

PERIOD_S = 30
MARGIN_S = 5


@dataclass
class Authenticator:
    secret: str

    def code(self) -> str:
        """Six digits that stay good for some seconds yet."""
        left = PERIOD_S - time.time() % PERIOD_S
        if left < MARGIN_S:
            time.sleep(left + 0.5)
        counter = int(time.time()) // PERIOD_S
        key = base64.b32decode(self.secret, casefold=True)
        mac = hmac.digest(key, counter.to_bytes(8, "big"), hashlib.sha1)
        start = mac[-1] & 15
        number = int.from_bytes(mac[start : start + 4], "big") & 0x7FFFFFFF
        return f"{number % 10**6:06d}"


def set_up(page: Page) -> Authenticator:
    """Walk from the account's page to an app that is switched on."""
    page.goto("/account/")
    page.get_by_role("link", name="Set up an authenticator app").click()
    if "reauthenticate" in page.url:
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button").last.click()
    app = Authenticator(page.get_by_label("Authenticator secret").input_value())
    page.get_by_label("Authenticator code").fill(app.code())
    page.get_by_role("button", name="Activate").click()
    page.wait_for_url(lambda url: "/totp/" not in url)
    return app
