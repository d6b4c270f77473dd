"""One contract for every store: the local folder, the portal over loopback HTTP, and Orthanc where installed."""

import io
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest

from portal.archive import limits, packs
from portal.archive.remote import DicomwebServer, file_of
from portal.archive.store import (
    Damaged,
    Down,
    Holding,
    Incoming,
    LocalFolder,
    Missing,
    Store,
    from_pack,
)
from portal.errors import Conflict
from tests.archive.holdings import incoming, pixels_of
from tests.archive.servers import Running, free_port, orthanc_binary

pytestmark = pytest.mark.django_db
KINDS = ("local", "portal", "orthanc")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "orthanc" and orthanc_binary() is None:
        pytest.skip("NO ORTHANC: apt-get install orthanc orthanc-dicomweb")
    return str(request.param)


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.ARCHIVE_DIR = tmp_path / "archive"


@pytest.fixture
def store(kind: str, servers: Callable[[str], Running]) -> Store:
    return LocalFolder() if kind == "local" else DicomwebServer(servers(kind).server)


def put(store: Store, batch: list[Incoming]) -> list[Holding]:
    """Put a batch and know its images by the addresses that were told; nothing of it stays in a cache."""
    told = store.put(batch)
    return [replace(one.holding, address=told.get(one.holding.uid, "")) for one in batch]


@pytest.mark.parametrize("is_compressed", [False, True])
def test_frames_come_back_byte_for_byte(store, tmp_path, is_compressed):
    batch = incoming(tmp_path / "in", is_compressed=is_compressed)
    there = put(store, batch)
    for sent, one in zip(batch, there, strict=True):
        assert store.frames(there, one, [1], "native") == [pixels_of(sent)]
        if is_compressed:
            assert store.frames(there, one, [1], "stored") == [pixels_of(sent, "stored")]


def test_a_whole_image_is_a_part_10_file_of_the_archive_view(store, tmp_path):
    batch = incoming(tmp_path / "in")
    there = put(store, batch)
    for k, (sent, one) in enumerate(zip(batch, there, strict=True)):
        ds = pydicom.dcmread(io.BytesIO(b"".join(store.whole(there, one))))
        assert (ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID) == one.image.key
        assert ds.PixelData == pixels_of(sent)
        assert (ds.PatientIdentityRemoved, ds.ImagePositionPatient[2]) == ("YES", 2.5 * k)


def test_headers_come_in_the_order_asked_for(store, tmp_path):
    there = put(store, incoming(tmp_path / "in"))
    asked = [there[k] for k in (2, 0, 3, 1)]
    found = store.metadata(asked)
    assert [e["00080018"]["Value"][0] for e in found] == [one.uid for one in asked]
    assert [e["00200032"]["Value"][2] for e in found] == [5.0, 0.0, 7.5, 2.5]
    assert all(e["00280010"]["Value"] == [6] and "7FE00010" not in e for e in found)


def test_frames_come_in_the_order_asked_for_and_repeated(store, tmp_path):
    batch = incoming(tmp_path / "in", n=1)
    there = put(store, batch)
    one = there[0]
    assert store.frames(there, one, [1, 1], "native") == [pixels_of(batch[0])] * 2
    with pytest.raises(Missing):
        store.frames(there, one, [1, 2], "native")
    with pytest.raises(Missing):
        store.frames(there, one, [0], "native")


def test_the_same_batch_again_changes_nothing(store, tmp_path):
    batch = incoming(tmp_path / "in")
    there = put(store, batch)
    again = [replace(sent, holding=one) for sent, one in zip(batch, there, strict=True)]
    assert {k: v for k, v in store.put(again).items() if v} in (
        {},
        {o.uid: o.address for o in there},
    )
    assert store.present(there) == {one.uid for one in there}
    assert store.verify(there) == ()


def test_another_image_of_the_same_uid_is_a_conflict_and_the_first_is_kept(store, tmp_path):
    batch = incoming(tmp_path / "in", n=2, seed=1)
    there = put(store, batch)
    others = incoming(tmp_path / "other", n=2, seed=2)
    false = [
        replace(other, holding=replace(other.holding, image=one.image, address=one.address))
        for other, one in zip(others, there, strict=True)
    ]
    with pytest.raises(Conflict, match="already stored"):
        store.put(false)
    assert [store.frames(there, one, [1], "native")[0] for one in there] == [
        pixels_of(s) for s in batch
    ]
    assert store.verify(there) == ()


def test_what_was_never_put_is_missing(store, tmp_path):
    never = [one.holding for one in incoming(tmp_path / "in")]
    assert store.present(never) == set()
    assert store.verify(never) == tuple(one.uid for one in never)
    with pytest.raises(Missing):
        store.frames(never, never[0], [1], "native")
    with pytest.raises(Missing):
        b"".join(store.whole(never, never[0]))


def test_what_is_removed_here_is_gone_here_and_removing_twice_is_no_error(store, kind, tmp_path):
    there = put(store, incoming(tmp_path / "in"))
    store.frames(there, there[0], [1], "native")
    store.remove(there)
    store.remove(there)
    assert not packs.folder_of(there[0].folder).exists()
    if kind == "local":
        assert store.present(there) == set()


def flip(folder: Path, data: bytes) -> int:
    """Change one byte of every file below `folder` that holds `data`."""
    count = 0
    for path in folder.rglob("*"):
        if path.is_file() and (at := path.read_bytes().find(data)) >= 0:
            with path.open("r+b") as out:
                out.seek(at + 7)
                out.write(bytes([data[7] ^ 1]))
            count += 1
    return count


def test_a_damaged_byte_is_found_and_named_and_never_served(store, kind, servers, tmp_path):
    batch = incoming(tmp_path / "in", seed=77)
    there = put(store, batch)
    folder = packs.folder_of(there[0].folder) if kind == "local" else servers(kind).folder
    assert flip(folder, pixels_of(batch[2])) == 1
    assert store.verify(there) == (there[2].uid,)
    with pytest.raises(Damaged, match="damaged"):
        store.frames(there, there[2], [1], "native")


def test_a_put_that_was_killed_half_way_is_completed_by_the_next(store, tmp_path):
    batch = incoming(tmp_path / "in", n=6)

    def until_killed() -> Iterator[Incoming]:
        yield from batch[:3]
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        store.put(until_killed())
        os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    there = put(store, batch)
    assert store.present(there) == {one.uid for one in there}
    assert store.verify(there) == ()
    assert [store.frames(there, one, [1], "native")[0] for one in there] == [
        pixels_of(s) for s in batch
    ]


def test_a_frame_that_a_crash_cut_off_is_written_again(tmp_path):
    store, batch = LocalFolder(), incoming(tmp_path / "in")
    there = put(store, batch)
    pack = packs.folder_of(there[0].folder) / packs.NATIVE
    with pack.open("r+b") as out:
        out.truncate(there[2].extents("native")[0].offset + 9)
    assert store.verify(there) == (there[2].uid, there[3].uid)
    store.put(batch)
    assert store.verify(there) == ()


def test_a_full_disk_refuses_the_batch_and_says_so(store, tmp_path, monkeypatch):
    batch = incoming(tmp_path / "in")
    monkeypatch.setattr(limits, "FREE_BYTES", 2**62)
    with pytest.raises(packs.DiskFull, match="disk is full"):
        store.put(batch)
    monkeypatch.undo()
    assert store.present([one.holding for one in batch]) == set()
    assert store.verify(put(store, batch)) == ()


def test_a_remote_whose_disk_is_full_is_told_from_one_that_is_down(servers, tmp_path):
    running, batch = servers("portal"), incoming(tmp_path / "in")
    store, mark = DicomwebServer(running.server), running.folder.parent / "full"
    mark.touch()
    try:
        with pytest.raises(packs.DiskFull):
            store.put(batch)
    finally:
        mark.unlink()
    assert store.verify(put(store, batch)) == ()


def test_sixteen_readers_at_once_get_the_same_frames(store, kind, tmp_path):
    batch = incoming(tmp_path / "in", n=8)
    there = put(store, batch)
    with ThreadPoolExecutor(16) as threads:
        jobs = [threads.submit(store.frames, there, one, [1], "native") for one in there * 8]
        found = [job.result()[0] for job in jobs]
    assert found == [pixels_of(sent) for sent in batch] * 8
    assert store.free_bytes() > 0


def test_a_store_that_is_down_says_so_and_what_is_cached_still_opens(servers, tmp_path):
    running, batch = servers("portal"), incoming(tmp_path / "in")
    there = put(DicomwebServer(running.server), batch)
    up = DicomwebServer(running.server)
    up.fetch(there)
    down = DicomwebServer(replace(running.server, url=f"http://127.0.0.1:{free_port()}/dicomweb"))
    assert down.frames(there, there[0], [1], "native") == [pixels_of(batch[0])]
    packs.drop(there[0].folder)
    sentence = r"^The image archive does not answer; try again in a minute\.$"
    for act in (
        lambda: down.frames(there, there[0], [1], "native"), lambda: down.whole(there, there[0]),
        lambda: down.put(batch), lambda: down.present(there), lambda: down.verify(there),
        lambda: down.metadata(there),
    ):  # fmt: skip
        with pytest.raises(Down, match=sentence):
            act()


def test_a_series_is_pulled_once_and_read_here_afterwards(store, kind, tmp_path):
    if kind == "local":
        pytest.skip("the local folder pulls nothing")
    batch = incoming(tmp_path / "in", is_compressed=True)
    there = put(store, batch)
    store.fetch(there)
    assert LocalFolder().verify(there) == ()
    before = {p: p.stat().st_ino for p in packs.folder_of(there[0].folder).iterdir()}
    store.fetch(there)
    assert {p: p.stat().st_ino for p in packs.folder_of(there[0].folder).iterdir()} == before
    part = packs.read_part(
        there[0].folder, packs.STORED, there[0].extents("stored")[0], there[0].file_syntax
    )
    assert part == packs.head(there[0].file_syntax) + pixels_of(batch[0], "stored") + packs.tail()


def test_a_series_goes_from_pack_to_pack(store, tmp_path):
    """What a move does: the source of the frames is the local pack itself."""
    batch = incoming(tmp_path / "in", is_compressed=True)
    LocalFolder().put(batch)
    there = put(store, [from_pack(one.holding) for one in batch])
    assert store.verify(there) == ()


def test_nothing_leaves_but_the_archive_view(tmp_path):
    """The bytes that are sent hold no element that the archive view has not."""
    (one,) = incoming(tmp_path / "in", n=1)
    ds = pydicom.dcmread(io.BytesIO(b"".join(file_of(one))))
    assert {f"{int(e.tag):08X}" for e in ds} - {"7FE00010"} == set(one.holding.image.elements)
