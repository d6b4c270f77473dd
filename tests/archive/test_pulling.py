"""Pulling image by image: from a server that gives no whole series, and what an earlier pull did not bring."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from portal.accounts.models import User
from portal.archive import pacs, peer, uids
from portal.archive.dicomweb.multipart import Part
from portal.archive.models import Instance, Pull
from portal.archive.pacs import FoundSeries
from portal.archive.peer import AS_NATIVE, AS_STORED
from portal.jobs import work
from portal.jobs.models import Job
from tests.archive.builders import slices
from tests.archive.scripted import Scripted
from tests.cohort import NOW, make_study, make_user

pytestmark = pytest.mark.django_db
NAME, EXAM, SERIES = "main", "2.25.700", "2.25.71"
PATH = f"/studies/{EXAM}/series/{SERIES}"
N = 5


@pytest.fixture
def paths(remote: Scripted, settings, tmp_path) -> list[Path]:
    """Images at a server that refuses to send their series."""
    settings.PACS = [f"{NAME}={remote.url}"]
    found = slices(tmp_path / "there", n=N)
    names = [uid_of(path) for path in found]
    remote.files = {
        f"{PATH}/instances/{uid}": path.read_bytes() for uid, path in zip(names, found, strict=True)
    }
    listed = [*names, "../x"]
    remote.body = json.dumps([{"00080018": {"vr": "UI", "Value": [u]}} for u in listed]).encode()
    remote.by_accept = {AS_STORED: 406, AS_NATIVE: 406}
    return found


@pytest.fixture
def coordinator() -> User:
    make_study(is_synthetic=True)
    return make_user("coordinator")


@pytest.fixture
def row(paths, coordinator) -> Pull:
    one = FoundSeries(EXAM, SERIES, "CT", "", N)
    return pacs.choose(NAME, [one], study="bone", actor=coordinator, now=NOW)[0]


def pulled(row: Pull) -> Pull:
    work.run(Job.objects.get(kind=pacs.KIND).pk)
    row.refresh_from_db()
    return row


def digests(paths: list[Path]) -> list[str]:
    key = uids.archive_key()
    whole = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return sorted(uids.file_digest(key, one) for one in whole)


def stored() -> list[str]:
    return sorted(Instance.objects.values_list("file_digest", flat=True))


def asked_for_images(remote: Scripted) -> list[tuple[str, str]]:
    return [one for one in remote.asked if one[0] in remote.files]


def test_image_by_image_every_image_comes_with_its_own_bytes(remote, row, paths):
    assert pulled(row).came == N
    assert stored() == digests(paths)
    assert [accept for _, accept in asked_for_images(remote)] == [AS_STORED] * N
    assert not any("../x" in path for path, _ in remote.asked)


@pytest.mark.parametrize("status", [400, 406, 415, 500, 501])
def test_the_rest_of_a_pull_is_asked_for_as_stored_and_else_uncompressed(
    remote, row, paths, tmp_path, status
):
    target = pacs.Target("bone", True)
    some = list(pacs.peer_of(NAME).images(PATH[1:], [uid_of(p) for p in paths[:2]], tmp_path))
    pacs.take(pacs.source_of(row, target), some, row, target)
    assert stored() == digests(paths[:2])
    remote.asked.clear()
    remote.refused = {AS_STORED: status}
    assert pulled(row).came == N
    assert stored() == digests(paths)
    rest = [f"{PATH}/instances/{uid_of(p)}" for p in paths[2:]]
    both = [(path, accept) for path in sorted(rest) for accept in (AS_STORED, AS_NATIVE)]
    assert asked_for_images(remote) == both


def uid_of(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def test_a_series_that_comes_image_by_image_has_the_limit_of_a_whole_one(remote, row, paths, monkeypatch):  # fmt: skip
    sizes = [path.stat().st_size for path in paths]
    monkeypatch.setattr(peer, "MOST_BYTES", sum(sizes[:2]) + 1)
    found = pulled(row)
    assert (found.state, found.sentence) == ("failed", peer.TOO_LARGE)
    assert len(stored()) <= 2


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, [64, 64, 2]), (1.0, [2] * 65), (5.0, [1] * 130), (0.0625, [32, 32, 32, 32, 2])],
)
def test_what_a_slow_pacs_sends_is_stored_and_counted_every_two_seconds(
    seconds, expected, monkeypatch
):
    now = [0.0]

    def sent() -> Iterator[Part]:
        for k in range(130):
            now[0] += seconds
            yield Part("application/dicom", Path(str(k)), 1, b"")

    monkeypatch.setattr(pacs.time, "monotonic", lambda: now[0])
    todo, found = sent(), []
    while some := pacs.arrived(todo):
        found.append(len(some))
    assert found == expected


def test_the_images_of_several_batches_are_numbered_through(remote, row, paths, monkeypatch):
    monkeypatch.setattr(pacs, "BATCH", 2)
    assert pulled(row).came == N
    names = row.source.files.order_by("row").values_list("name", flat=True)
    assert list(names) == [f"image {k}" for k in range(1, N + 1)]
