"""What the portal is made of: every package pinned once and locked by hash, and no unexplained finding of a scanner."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
# findings of medium weight, how many, and why each is none
EXPLAINED = {
    ("portal/sql/rows.py", "B608"): (2, "tables and columns of our own models"),
    ("portal/sql/asked.py", "B608"): (2, "statements that the ORM wrote are put together; their values stay parameters"),
    ("portal/archive/scanning.py", "B608"): (1, "column and table names of our own schema, quoted by the database layer"),
    ("readers/triggers.py", "B608"): (7, "trigger conditions put together from constants of that file"),
    ("portal/study/triggers.py", "B608"): (3, "trigger conditions put together from constants of that file"),
    ("portal/management/commands/up.py", "B310"): (1, "the launcher asks its own http address only"),
    ("portal/study/screening_pages.py", "B703"): (1, "the flow diagram is built by our own escaping SVG writer"),
    ("portal/templatetags/assets.py", "B703"): (1, "file names come from the build's own manifest"),
}  # fmt: skip

pytestmark = pytest.mark.promise("S10")


def name_of(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def pins(*files: str) -> dict[str, str]:
    found = [pair for file in files for pair in PIN.findall((ROOT / file).read_text())]
    assert len({name_of(n) for n, _ in found}) == len(found), "a package is pinned twice"
    return {name_of(name): version for name, version in found}


def locked() -> dict[str, tuple[str, int]]:
    """Name -> version and number of hashes of the images' lock."""
    blocks = re.split(r"\n(?=\S)", (ROOT / "deploy" / "requirements.lock").read_text().strip())
    entries = [(PIN.match(block), len(HASH.findall(block))) for block in blocks]
    assert all(match for match, _ in entries)
    return {name_of(m[1]): (m[2], n) for m, n in entries if m}


def test_the_lock_holds_every_pinned_package_in_its_version():
    wanted = pins("requirements.txt", "requirements-server.txt")
    versions = {name: version for name, (version, _) in locked().items()}
    assert {n: v for n, v in wanted.items() if versions.get(n) != v} == {}


def test_everything_in_the_lock_has_hashes_and_nothing_came_in_unpinned():
    lock, wanted = locked(), pins("requirements.txt", "requirements-server.txt")
    assert [name for name, (_, n) in lock.items() if n == 0] == []
    # what only another system or Python needs
    assert set(lock) - set(wanted) <= {"async-timeout", "colorama", "tzdata"}


def test_the_image_installs_by_hash():
    image = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "--require-hashes -r deploy/requirements.lock" in image
    installs = re.findall(r"pip install[^\n&]*", image)
    assert all("--require-hashes" in line for line in installs)


def test_each_requirement_is_one_exact_version():
    for file in ("requirements.txt", "requirements-server.txt", "requirements-dev.txt"):
        lines = [
            x for x in (ROOT / file).read_text().splitlines() if x and x[:2] not in {"-r", "# "}
        ]
        loose = [line for line in lines if not PIN.match(line)]
        assert loose == [], file


def test_the_scanner_finds_nothing_of_medium_weight_that_is_not_explained():
    scanner = Path(sys.executable).with_name("bandit")
    done = subprocess.run(
        [scanner, "-q", "-r", "portal", "readers", "radiomics", "-ll", "-f", "json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    results = json.loads(done.stdout)["results"]
    found = Counter((r["filename"].removeprefix("./"), r["test_id"]) for r in results)
    allowed = {key: n for key, (n, _) in EXPLAINED.items()}
    assert {key: n for key, n in found.items() if n > allowed.get(key, 0)} == {}
    assert [r for r in results if r["issue_severity"] == "HIGH"] == []
