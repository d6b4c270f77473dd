"""The same questions in both servers' words, and the check that both answer them alike before any timing."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from bench.side_by_side.data import NM_FRAMES, SEED, SLICES, person
from bench.side_by_side.load import Ask, fetch
from portal.archive.uids import archive_key, archive_uid

ORTHANC, PORTAL = "/dicom-web", "/dicomweb"
STORED = "multipart/related; type=application/octet-stream; transfer-syntax=*"
JSON = "application/dicom+json"


@dataclass(frozen=True)
class Pair:
    """One question to the portal and to Orthanc, and the source it is about."""

    ours: Ask
    theirs: Ask
    source: tuple[Path, int] = (Path(), 0)


@dataclass(frozen=True)
class World:
    """What was stored, who may ask, and the seeded order of asking."""

    files: Path
    found: dict[str, object]
    n_exams: int
    n_tiny: int

    @property
    def token(self) -> str:
        return str(self.found["coordinator"])

    def rng(self, salt: int) -> random.Random:
        return random.Random(SEED + salt)


def mapped(uid: str) -> str:
    return archive_uid(archive_key(b"bench"), uid)


def frame_pairs(world: World, kind: str, n: int) -> list[Pair]:
    """Random frames through the readers' own bases; the same frames of Orthanc."""
    rng, pairs = world.rng(1), []
    desks: Sequence[dict[str, object]] = world.found["desks"]  # type: ignore[assignment]
    for _ in range(n):
        desk = rng.choice(desks)
        number = int(str(desk["exam"])[-5:])
        study = f"2.25.5{number:06d}"
        if kind == "CT":
            k = rng.randrange(SLICES)
            series, instance, frame = f"{study}.3", f"{study}.3.{k + 1}", 1
            path = world.files / f"{number:06d}" / f"ct-{k + 1:04d}.dcm"
        else:
            series, instance, frame = f"{study}.2", f"{study}.2.1", rng.randrange(NM_FRAMES) + 1
            path = next((world.files / f"{number:06d}").glob("[!c]*.dcm"))
        name = f"{series}|{instance}" if kind == "NM" else series
        words: dict[str, str] = desk["words"]  # type: ignore[assignment]
        s, e, i = (words[mapped(uid)] for uid in (study, name, instance))
        ours = f"{desk['base']}/studies/{s}/series/{e}/instances/{i}/frames/{frame}"
        theirs = f"{ORTHANC}/studies/{study}/series/{series}/instances/{instance}/frames/{frame}"
        pairs.append(
            Pair(Ask(ours, STORED, str(desk["token"])), Ask(theirs, STORED), (path, frame))
        )
    return pairs


def series_pairs(world: World, n: int, *, tail: str, accept: str) -> list[Pair]:
    """Random CT series of 100 instances."""
    rng, pairs = world.rng(2), []
    for _ in range(n):
        study = f"2.25.5{rng.randrange(world.n_exams):06d}"
        path = f"/studies/{study}/series/{study}.3{tail}"
        pairs.append(Pair(Ask(PORTAL + path, accept, world.token), Ask(ORTHANC + path, accept)))
    return pairs


def rendered_pairs(world: World, n: int) -> list[Pair]:
    """Random CT slices as JPEG, each server in its own words."""
    rng, pairs, accept = world.rng(4), [], "image/jpeg"
    for _ in range(n):
        study = f"2.25.5{rng.randrange(world.n_exams):06d}"
        image = f"{study}.3.{rng.randrange(SLICES) + 1}"
        path = f"/studies/{study}/series/{study}.3/instances/{image}/rendered"
        pairs.append(Pair(Ask(PORTAL + path, accept, world.token), Ask(ORTHANC + path, accept)))
    return pairs


def opening(world: World) -> Ask:
    """The metadata of the CT of a case that nobody has opened: its view is baked for this answer."""
    desk: dict[str, object] = world.found["desks"][-1]  # type: ignore[index]
    words: dict[str, str] = desk["words"]  # type: ignore[assignment]
    study = f"2.25.5{int(str(desk['exam'])[-5:]):06d}"
    s, e = words[mapped(study)], words[mapped(f"{study}.3")]
    return Ask(f"{desk['base']}/studies/{s}/series/{e}/metadata", JSON, str(desk["token"]))


def search_pairs(world: World, kind: str, n: int) -> list[Pair]:
    rng, pairs = world.rng(3), []
    for _ in range(n):
        code = person(rng.randrange(world.n_exams + world.n_tiny)).patient_id
        query = {
            "ohif": "?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060",
            "id": f"?PatientID={code}",
            "name": "?PatientName=*x*&limit=101",
        }[kind]
        pairs.append(
            Pair(Ask(f"{PORTAL}/studies{query}", JSON, world.token), Ask(f"{ORTHANC}/studies{query}", JSON))
        )  # fmt: skip
    return pairs


def part(body: bytes) -> bytes:
    """The one part of a multipart answer."""
    start = body.index(b"\r\n\r\n") + 4
    return body[start : body.rindex(b"\r\n--")]


def compare(ports: tuple[int, int], world: World, n: int) -> int:
    """Frames byte-equal with the source, counts and UIDs equal; a difference ends the run."""
    checked = 0
    for kind, frames in (("CT", n // 2), ("NM", n // 2)):
        for pair in frame_pairs(world, kind, frames):
            path, frame = pair.source
            truth = frame_of(path, frame)
            for port, ask in zip(ports, (pair.ours, pair.theirs), strict=True):
                if part(fetch(port, ask)) != truth:
                    raise SystemExit(f"another frame than the source's: {ask.path}")
            checked += 1
    for pair in series_pairs(world, n // 10, tail="/metadata", accept=JSON):
        same(uids_of(ports, pair, "00080018"), pair)
        checked += 1
    for kind in ("ohif", "id", "name"):
        for pair in search_pairs(world, kind, n // 30 + 1):
            same(uids_of(ports, pair, "0020000D", pages=kind != "name"), pair)
            checked += 1
    return checked


def frame_of(path: Path, frame: int) -> bytes:
    ds = pydicom.dcmread(path)
    size = ds.Rows * ds.Columns * 2
    data = np.frombuffer(ds.PixelData, dtype=np.uint8)
    return data[(frame - 1) * size : frame * size].tobytes()


def uids_of(
    ports: tuple[int, int], pair: Pair, tag: str, *, pages: bool = True
) -> tuple[list[str], list[str]]:
    """Sorted UIDs of both answers: coordinators are shown the sender's own."""
    asks = (pair.ours, pair.theirs)
    if not pages or "limit" in pair.ours.path:  # the order of pages is each server's own
        asks = (whole(pair.ours), whole(pair.theirs))
    ours, theirs = (json.loads(fetch(port, ask)) for port, ask in zip(ports, asks, strict=True))
    return (
        sorted(row[tag]["Value"][0] for row in ours),
        sorted(row[tag]["Value"][0] for row in theirs),
    )


def whole(ask: Ask) -> Ask:
    """The same search without its page, for a set that fits one page on both sides."""
    head, _, query = ask.path.partition("?")
    kept = [p for p in query.split("&") if not p.startswith(("limit", "offset"))]
    return Ask(f"{head}?{'&'.join([*kept, 'limit=1000'])}", ask.accept, ask.token)


def same(both: tuple[list[str], list[str]], pair: Pair) -> None:
    ours, theirs = both
    if len(ours) == len(theirs) == 1000:  # both cut at a page: which thousand is each server's own
        return
    if ours != theirs or not ours:
        raise SystemExit(f"{len(ours)} against {len(theirs)} found, or others: {pair.ours.path}")
