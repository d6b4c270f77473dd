"""A store at any DICOMweb server: pushed as archive view, read through local packs filled series by series."""

import fcntl
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from django.conf import settings

from portal.archive import packs
from portal.archive.dicomweb import wado
from portal.archive.dicomweb.baked import PIXEL_DATA
from portal.archive.dicomweb.header import Elements
from portal.archive.limits import is_valid_uid
from portal.archive.packs import CHUNK, Damaged, DiskFull, Extent, Spooled
from portal.archive.peer import Peer, Server, Silent, first
from portal.archive.pool import clean, pool
from portal.archive.refusals import CONFLICT, TOO_LARGE, Refusal
from portal.archive.spooling import SpoolFolder
from portal.archive.store import (
    DOES_NOT_ANSWER,
    OTHER_IMAGE,
    PACK_OF,
    Down,
    Form,
    Holding,
    Incoming,
    LocalFolder,
    Missing,
    write_at,
)
from portal.errors import Conflict, NotFound

BATCH = 64
REFERENCED, FAILED, OTHERS = "00081199", "00081198", "0008119A"
SOP, RETRIEVE, REASON = "00081155", "00081190", "00081197"


@dataclass(frozen=True)
class Pulled:
    """An image that came back: its UID there, and its frames in the spool with their digests."""

    uid: str
    native: tuple[Spooled, ...]
    stored: tuple[Spooled, ...]
    native_digests: tuple[str, ...]
    stored_digests: tuple[str, ...]


@contextmanager
def reached() -> Iterator[None]:
    """The store's own errors for those of the way there."""
    try:
        yield
    except Silent as error:
        raise Down from error


def own_address(one: Holding) -> str:
    study, series, instance = one.image.key
    return f"studies/{study}/series/{series}/instances/{instance}"


def address(one: Holding) -> str:
    return one.address or own_address(one)


def series_address(one: Holding) -> str:
    return address(one).rsplit("/instances/", 1)[0]


def uid_there(one: Holding) -> str:
    return address(one).rsplit("/", 1)[1]


def is_in_syntax(one: Holding, pulled: Pulled) -> bool:
    """Do the frames that came back have our digests, in the native form and as they are stored?"""
    is_native = pulled.native_digests == one.native_digests
    return is_native and pulled.stored_digests == one.stored_digests


class DicomwebServer:
    """A DICOMweb server as a store; frames are served from the local folder, never proxied live."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.local = LocalFolder()

    def peer(self) -> Peer:
        # a reader waits for this: one try, and the sentence says when to come again
        return Peer(self.server, sentence=DOES_NOT_ANSWER, tries=1)

    def put(self, batch: Iterable[Incoming]) -> dict[str, str]:
        """Send what is not there yet; what is there already must be the same image."""
        packs.check_free_space()
        found: dict[str, str] = {}
        todo = iter(batch)
        with reached():
            peer = self.peer()
            while some := list(islice(todo, BATCH)):
                for _, group in groupby(some, key=lambda one: series_address(one.holding)):
                    found.update(self.put_series(peer, list(group)))
        return found

    def put_series(self, peer: Peer, batch: Sequence[Incoming]) -> dict[str, str]:
        there = self.listed(peer, batch[0].holding)
        known = [one.holding for one in batch if uid_there(one.holding) in there]
        if known and self.unlike(peer, known):
            raise Conflict(OTHER_IMAGE)
        fresh = [one for one in batch if uid_there(one.holding) not in there]
        return self.sent(peer, fresh) if fresh else {}

    def sent(self, peer: Peer, batch: Sequence[Incoming]) -> dict[str, str]:
        mark = secrets.token_hex(16)
        head = f"--{mark}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        end = f"--{mark}--\r\n".encode()
        rows = [one.holding for one in batch]
        sizes = [wado.length_of(one.image, one.file_syntax) for one in rows]
        length = sum(len(head) + size + 2 for size in sizes) + len(end)

        def pieces() -> Iterator[bytes]:
            for one in batch:
                yield head
                yield from file_of(one)
                yield b"\r\n"
            yield end

        return addresses(peer.post(pieces(), length, mark), rows)

    def listed(self, peer: Peer, one: Holding) -> set[str]:
        """UIDs that the remote has under the address of this image's series."""
        _, study, _, series = series_address(one).split("/")
        try:
            rows = peer.every("instances", study, series)
        except NotFound:
            return set()
        return {first(row, "00080018") for row in rows}

    def present(self, series: Sequence[Holding]) -> set[str]:
        with reached():
            peer, found = self.peer(), set()
            for _, group in groupby(series, key=series_address):
                some = list(group)
                there = self.listed(peer, some[0])
                found |= {one.uid for one in some if uid_there(one) in there}
        return found

    def pulled(self, peer: Peer, path: str, spool: Path) -> Iterator[Pulled]:
        """The images of a series at the remote, read by the ingest children as every file is."""
        children = pool(settings.WORKERS)
        for number, part in enumerate(peer.series(path, spool)):
            with children.reading(part.path) as (heard, folder):
                answer = clean(heard)
                if answer["ok"]:
                    yield pulled_from(answer, folder, spool / f"frames-{number}")
            part.path.unlink(missing_ok=True)

    def matches(
        self, peer: Peer, series: Sequence[Holding], spool: Path
    ) -> Iterator[tuple[Holding, Pulled]]:
        """Each of our images with what came back for it, whatever else the remote has in that series."""
        for path in dict.fromkeys(series_address(one) for one in series):
            wanted = {uid_there(one): one for one in series if series_address(one) == path}
            try:
                for pulled in self.pulled(peer, path, spool):
                    one = wanted.pop(pulled.uid, None)
                    if one is not None:
                        yield one, pulled
                    for frame in (*pulled.native, *pulled.stored):
                        frame.path.unlink(missing_ok=True)
            except NotFound:
                continue

    def unlike(self, peer: Peer, series: Sequence[Holding]) -> set[str]:
        """UIDs of which the remote has something else than we hold, or nothing."""
        wrong = {one.uid for one in series}
        with spool_folder() as spool:
            for one, pulled in self.matches(peer, series, spool):
                if is_in_syntax(one, pulled):
                    wrong.discard(one.uid)
        return wrong

    def verify(self, series: Sequence[Holding]) -> tuple[str, ...]:
        with reached():
            wrong = self.unlike(self.peer(), series)
        return tuple(one.uid for one in series if one.uid in wrong)

    def fetch(self, series: Sequence[Holding]) -> None:
        """Fill the local pack of a series by pulling all of it once; in place only when every digest agrees."""
        folder, wanted = series[0].folder, {one.uid for one in series}
        if self.local.present(series) == wanted:
            return
        clear_leftovers()
        with one_at_a_time(folder), spool_folder() as spool, filling_folder(folder) as filling:
            if self.local.present(series) == wanted:  # another reader was faster
                return
            packs.check_free_space()
            with reached():
                came = set()
                for one, pulled in self.matches(self.peer(), series, spool):
                    if not is_in_syntax(one, pulled):
                        raise Damaged
                    lay_out(filling, one, pulled)
                    came.add(one.uid)
            if came != wanted:
                raise Missing
            put_in_place(filling, folder)

    def frames(
        self, series: Sequence[Holding], one: Holding, numbers: Sequence[int], form: Form
    ) -> list[bytes]:
        self.fetch(series)
        return self.local.frames(series, one, numbers, form)

    def whole(self, series: Sequence[Holding], one: Holding) -> Iterator[bytes]:
        self.fetch(series)
        return self.local.whole(series, one)

    def metadata(self, series: Sequence[Holding]) -> list[Elements]:
        """The headers as the remote has them, under our UIDs."""
        found: dict[str, Elements] = {}
        with reached():
            peer = self.peer()
            for path in dict.fromkeys(series_address(one) for one in series):
                found.update(peer.metadata(path))
        try:
            return [renamed(found[uid_there(one)], one) for one in series]
        except KeyError as error:
            raise Missing from error

    def remove(self, series: Sequence[Holding]) -> None:
        """Give up our copy and ask the remote to delete its own; many offer no deletion and keep it."""
        self.local.remove(series)
        self.ask_to_delete(series)

    def ask_to_delete(self, series: Sequence[Holding]) -> None:
        with reached():
            peer = self.peer()
            for path in dict.fromkeys(series_address(one) for one in series):
                peer.delete(path)

    def free_bytes(self) -> int:
        return self.local.free_bytes()


@contextmanager
def spool_folder() -> Iterator[Path]:
    with SpoolFolder("unpack-") as name:
        yield Path(name)


def fetching() -> Path:
    """Beside the series, on their file system; a backup leaves it out."""
    place: Path = settings.ARCHIVE_DIR / "fetching"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


@contextmanager
def one_at_a_time(folder: str) -> Iterator[None]:
    """Sixteen readers of one series pull it once."""
    with (fetching() / folder[:2]).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def filling_folder(folder: str) -> Iterator[Path]:
    """Where the one who pulls a series fills its packs: on their own disk, so that they only change their names."""
    with tempfile.TemporaryDirectory(dir=fetching(), prefix=f"{folder[:2]}-") as name:
        yield Path(name)


def clear_leftovers() -> None:
    """What a crash left half filled is what nobody has the lock of."""
    for left in fetching().glob("??-*"):
        with (fetching() / left.name[:2]).open("a") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)


def pulled_from(answer: dict[str, Any], folder: Path, mine: Path) -> Pulled:
    """Take over the frames that a child has written, before it is lent to another file."""
    kept: dict[str, tuple[Spooled, ...]] = {}
    key_of: dict[Form, str] = {"native": "frames", "stored": "stored"}
    for form, key in key_of.items():
        target = mine.with_suffix(f".{form}")
        if answer[key]:
            (folder / form).rename(target)
        kept[form] = tuple(Spooled(target, offset, length) for offset, length, _ in answer[key])
    native, stored = (tuple(e[2] for e in answer[key]) for key in key_of.values())
    uid = answer["source"]["SOPInstanceUID"]
    return Pulled(uid, kept["native"], kept["stored"], native, stored)


def lay_out(folder: Path, one: Holding, pulled: Pulled) -> None:
    frames: dict[Form, tuple[Spooled, ...]] = {"native": pulled.native, "stored": pulled.stored}
    for form, rows in frames.items():
        if rows:
            pairs = list(zip(one.extents(form), rows, strict=True))
            write_at(folder / PACK_OF[form], pairs, one.syntax(form))


def put_in_place(filling: Path, folder: str) -> None:
    """The native pack last: while it is missing, the series is asked for again."""
    target = packs.made_folder(folder)
    for name in (packs.STORED, packs.NATIVE):
        if (filling / name).exists():
            (filling / name).rename(target / name)


def file_of(one: Incoming) -> Iterator[bytes]:
    """A Part 10 file with preamble, its frames read from where they are spooled."""
    pairs = {
        (PACK_OF[form], extent): frame
        for form in PACK_OF
        for extent, frame in zip(one.holding.extents(form), one.frames(form), strict=True)
    }

    def read(_: str, pack: str, extents: Sequence[Extent]) -> Iterator[bytes]:
        for extent in extents:
            yield from blocks(pairs[pack, extent])

    return wado.pieces_of(one.holding.image, one.holding.file_syntax, read)


def blocks(frame: Spooled) -> Iterator[bytes]:
    with frame.path.open("rb") as source:
        source.seek(frame.offset)
        left = frame.length
        while left > 0 and (chunk := source.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
    if left:
        raise Damaged


def items(row: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    return list((row.get(tag) or {}).get("Value") or [])


def addresses(answer: dict[str, Any], batch: Sequence[Holding]) -> dict[str, str]:
    """What the remote says of each image; raises where it did not take one."""
    for item in (*items(answer, FAILED), *items(answer, OTHERS)):
        reason = first(item, REASON)
        if reason == str(CONFLICT):
            raise Conflict(OTHER_IMAGE)
        if reason == str(TOO_LARGE):
            raise DiskFull(Refusal("disk").sentence)
    told = {first(item, SOP): first(item, RETRIEVE) for item in items(answer, REFERENCED)}
    if any(one.uid not in told for one in batch):
        raise Down
    found = {one.uid: path_of(told[one.uid]) for one in batch}
    return {
        one.uid: found[one.uid] for one in batch if found[one.uid] not in ("", own_address(one))
    }


def path_of(url: str) -> str:
    """The last six parts of a retrieve address; its host is never used."""
    parts = url.rstrip("/").split("/")[-6:]
    is_path = parts[::2] == ["studies", "series", "instances"]
    return "/".join(parts) if is_path and all(map(is_valid_uid, parts[1::2])) else ""


def renamed(elements: Elements, one: Holding) -> Elements:
    """A header of the remote with our UIDs and without its pixels."""
    kept = {k: v for k, v in elements.items() if k != PIXEL_DATA}
    for tag, uid in zip(("0020000D", "0020000E", "00080018"), one.image.key, strict=True):
        kept[tag] = {"vr": "UI", "Value": [uid]}
    return kept
