"""The proxy of the example installation lets through what the portal takes, and no more."""

import re
from pathlib import Path

import pytest
from django.urls import reverse

from portal.archive import limits
from portal.archive.dicomweb.multipart import MOST_BYTES

CONF = Path(__file__).parents[2] / "deploy" / "nginx.conf"
UNITS = {"m": 2**20, "g": 2**30}
LOCATION = re.compile(r"location (~ )?(\S+) \{\n(.*?)\n  \}", re.DOTALL)
STUDY = {"study": "bone"}


def most_bytes(block: str) -> int:
    (found,) = re.findall(r"client_max_body_size (\d+)([mg]);", block)
    return int(found[0]) * UNITS[found[1]]


def block_of(path: str) -> str:
    """The location that nginx takes: the first expression that fits, else the prefix."""
    found = [(bool(tilde), place, block) for tilde, place, block in LOCATION.findall(CONF.read_text())]  # fmt: skip
    fitting = [b for is_regex, place, b in found if is_regex and re.search(place, path)]
    (rest,) = (b for is_regex, place, b in found if not is_regex and place == "/")
    return (fitting or [rest])[0]


@pytest.mark.parametrize(
    "path",
    [
        "/dicomweb/studies", "/dicomweb/studies/2.25.1", reverse("study:upload", kwargs=STUDY),
        reverse("study:api_batch", kwargs={**STUDY, "code": "AAAA", "batch": 3}),
    ],
)  # fmt: skip
def test_where_images_come_in_the_largest_request_of_the_portal_passes(path):
    assert most_bytes(block_of(path)) == MOST_BYTES > limits.FILE_BYTES


@pytest.mark.parametrize("path", ["/", "/reading/cases/A/dicomweb/studies", "/reading/cases/A/draft", "/studies/bone/import/", "/x/dicomweb/"])  # fmt: skip
def test_everything_else_stays_small(path):
    assert "client_max_body_size" not in block_of(path)
    assert most_bytes(LOCATION.sub("", CONF.read_text())) == 128 * 2**20


def test_each_location_reaches_the_portal_with_the_headers_of_the_server():
    blocks = [block for _, _, block in LOCATION.findall(CONF.read_text())]
    assert all("proxy_pass http://portal:8000;" in block for block in blocks)
    assert not any(
        "proxy_set_header" in block for block in blocks
    )  # one of its own would hide the server's
