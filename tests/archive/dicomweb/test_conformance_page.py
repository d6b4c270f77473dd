"""The conformance statement says of the code what the code does: keys, tags, reasons, syntaxes, limits."""

import re
from pathlib import Path

import pytest

from portal.archive.decode import PLUGINS
from portal.archive.deidentify import OPTIONS
from portal.archive.dicomweb.multipart import MOST_PARTS
from portal.archive.dicomweb.qido import KEYS, MOST, RETURNED
from portal.archive.dicomweb.stow import DISCARDED, HELD, WARNED
from portal.archive.refusals import SENTENCES

PAGE = (Path(__file__).parents[3] / "docs" / "dicomweb.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"### {title}\n")[1].split("\n#")[0]


def test_the_keys_of_a_search_are_those_of_the_code():
    named = set(re.findall(r"\b[A-Z][A-Za-z]*(?:UID|ID|Name|Date|Time|Number|InStudy|Description|Modality)\b|\bModality\b",
                           section("Keys of a search")))  # fmt: skip
    assert named == set(KEYS["instances"])


@pytest.mark.parametrize("level", RETURNED)
def test_the_tags_that_are_always_returned_are_those_of_the_code(level):
    (row,) = re.findall(rf"^\| {level} \| (.*) \|$", section("Keys of a search"), re.MULTILINE)
    assert row.split() == list(RETURNED[level])


def test_every_reason_of_a_refusal_is_explained_and_no_other():
    said = set(re.findall(r"\b[0-9A-F]{4}\b", section("Why an image is not stored")))
    known = {reason for reason, _ in SENTENCES.values()} | {HELD, WARNED, DISCARDED}
    assert said == {f"{reason:04X}" for reason in known}


def test_every_decoded_syntax_is_named():
    text = section("Transfer syntaxes")
    for uid in PLUGINS:
        assert uid in text or f".{uid.rpartition('.')[2]}" in text, uid


def test_the_limits_are_those_of_the_code():
    assert f"`limit` (at most {MOST:,})" in PAGE
    assert f"{MOST_PARTS:,} parts" in PAGE
    assert set(OPTIONS) >= {"113100", "113105", "113107"}
