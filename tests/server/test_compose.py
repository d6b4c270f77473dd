"""The example of the server profile: which version of Orthanc, who reaches it, and with which password."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
ORTHANC = SERVICES["services"]["orthanc"]
CONFIGURATION = json.loads((ROOT / "deploy" / "orthanc.json").read_text())


def test_orthanc_is_of_a_version_without_the_known_holes():
    version = re.search(r":(\d+)\.(\d+)\.(\d+)$", ORTHANC["image"]).groups()
    assert tuple(map(int, version)) >= (1, 12, 11)


def test_only_the_portal_reaches_orthanc():
    assert SERVICES["networks"]["images"]["internal"] is True
    inside = {
        n for n, s in SERVICES["services"].items() if "images" in s.get("networks", ["default"])
    }
    assert inside == {"orthanc", "portal"}
    assert "ports" not in ORTHANC
    assert ORTHANC["networks"] == ["images"]
    assert CONFIGURATION["DicomServerEnabled"] is False


def test_orthanc_asks_for_a_password_of_its_own_that_stands_in_no_file():
    assert CONFIGURATION["AuthenticationEnabled"] is True
    assert CONFIGURATION["RegisteredUsers"] == {"osteon": "${OSTEON_ORTHANC_PASSWORD}"}
    assert "OSTEON_ORTHANC_PASSWORD" in ORTHANC["environment"]


def test_every_password_of_the_example_comes_from_outside():
    text = (ROOT / "docker-compose.yml").read_text()
    for name, value in re.findall(r"(\w*PASSWORD): (.*)", text):
        assert value.startswith("${"), name
