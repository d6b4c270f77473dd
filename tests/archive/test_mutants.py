"""Damaged files through the real door, STOW: each has one clean outcome, and what was refused left no trace (H7)."""

import hashlib
import resource
import time
from pathlib import Path

import pytest
from django.conf import settings
from pydicom import Dataset

from portal.archive.models import Import, ImportFile, Instance
from portal.archive.verify import damaged
from tests.archive.builders import slices
from tests.archive.dicomweb.test_coordinator import client
from tests.archive.dicomweb.test_stow import KIND, body
from tests.archive.test_hostile import mutants
from tests.archive.test_import import ct, spect
from tests.cohort import make_study

pytestmark = pytest.mark.django_db
PART, SECONDS, MOST_MB = 25, 5.0, 256
CLEAN = {0xC000, 0xA900, 0xA700, 0xC122, 0x0122, 0x0111, 0x0110, 0x0112}


def stored_bytes() -> str:
    """Digest of every pack and of every instance row of the archive."""
    found = hashlib.sha256()
    for path in sorted(settings.ARCHIVE_DIR.rglob("*.pack")):
        found.update(path.name.encode() + path.read_bytes())
    for row in Instance.objects.order_by("pk").values_list(
        "uid", "content_digest", "native_frames"
    ):
        found.update(repr(row).encode())
    return found.hexdigest()


def originals(folder: Path) -> list[Path]:
    """A compressed CT, a plain CT and a SPECT volume."""
    for name, write in {"ct": ct, "raw": slices, "nm": spect}.items():
        (folder / name).mkdir()
        write(folder / name)
    return sorted(folder.glob("*/*.dcm"))


def send_all(folder: Path, n: int) -> dict[str, int]:
    """Originals first, then the damaged copies, so many a request; counts of what the answers say."""
    make_study(is_synthetic=True)
    found, one = originals(folder), client()
    to = "/dicomweb/studies?study=bone"
    kind = KIND.format("b")
    files = [p.read_bytes() for p in found]
    assert one.post(to, body(*files), content_type=kind).status_code == 200
    kept = set(Instance.objects.values_list("uid", "content_digest"))
    mutants(folder / "mutants", found, n)
    paths, said = sorted((folder / "mutants").glob("*.dcm")), {"stored": 0, "refused": 0}
    for first in range(0, n, PART):
        some = [p.read_bytes() for p in paths[first : first + PART]]
        before, begun = stored_bytes(), time.monotonic()
        answer = one.post(to, body(*some), content_type=kind)
        assert answer.status_code in (200, 202, 409), answer.content
        assert time.monotonic() - begun < SECONDS * len(some)
        stored, refused = outcomes(Dataset.from_json(answer.json()))
        assert stored + refused == len(some)
        new = Import.objects.first().files.filter(outcome__in=("ready", "held"))
        if not new.exists():
            assert stored_bytes() == before
        said["stored"] += stored
        said["refused"] += refused
    assert kept <= set(Instance.objects.values_list("uid", "content_digest"))
    return said


def outcomes(answer: Dataset) -> tuple[int, int]:
    failures = [*answer.get("FailedSOPSequence", []), *answer.get("OtherFailuresSequence", [])]
    assert {f.FailureReason for f in failures} <= CLEAN
    return len(answer.get("ReferencedSOPSequence", [])), len(failures)


def grown_mb(before: int) -> float:
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


@pytest.mark.promise("H7")
def test_damaged_copies_sent_by_stow_are_each_answered_and_leave_no_trace(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = send_all(tmp_path, 100)
    assert min(said.values()) > 5
    assert sum(said.values()) == 100
    assert not ImportFile.objects.filter(reason_code="stopped").exists()
    assert grown_mb(before) < MOST_MB
    assert damaged().uids == ()


@pytest.mark.slow
@pytest.mark.promise("H7")
def test_three_thousand_damaged_copies(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = send_all(tmp_path, 3000)
    assert sum(said.values()) == 3000
    assert grown_mb(before) < MOST_MB
    assert damaged().uids == ()


@pytest.mark.promise("H7")
@pytest.mark.promise("H4")
def test_one_hostile_part_among_six_good_ones_costs_itself_only(tmp_path):
    make_study(is_synthetic=True)
    good = [p.read_bytes() for p in slices(tmp_path / "good", n=6)]
    for k, hostile in enumerate(
        (b"", b"MZ" + bytes(400), good[0][:400], bytes(128) + b"DICM" + b"\xff" * 900)
    ):
        more = [p.read_bytes() for p in slices(tmp_path / f"in{k}", n=6, series=f"2.25.8{k}")]
        sent = body(*more[:3], hostile, *more[3:])
        answer = client().post("/dicomweb/studies?study=bone", sent, content_type=KIND.format("b"))
        assert answer.status_code == 202
        assert outcomes(Dataset.from_json(answer.json())) == (6, 1)
