"""The portal's DICOMweb beside Orthanc's: same data, same client, same questions, in turns.

python bench/dicomweb.py [--small] [--json] [--folder DIR]
Ends with 1 below a bar, 77 without Orthanc.
"""

import argparse
import http.client
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("OSTEON_DATA_DIR", tempfile.mkdtemp(prefix="osteon-bench-keys-"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from bench.side_by_side import servers
from bench.side_by_side.asks import (
    JSON,
    Pair,
    World,
    compare,
    frame_pairs,
    opening,
    rendered_pairs,
    search_pairs,
    series_pairs,
)
from bench.side_by_side.data import FULL, SLICES, SMALL, Sizes, bodies, build
from bench.side_by_side.load import Ask, Rate, client_name, fetch, load
from bench.side_by_side.memory import rises

ROUNDS = 3
# requests of ten images, about a second of them
WARMING = 24
# as long as dicomweb-client's, a UUID: a longer mark is looked for faster
BOUNDARY = "7f1c9c0e-2f0b-4f43-9d1e-5b1f3c2a9d60"
PART_10 = "series as Part 10, 52 MB"
NOTHING = "Orthanc is not installed: apt-get install orthanc orthanc-dicomweb wrk"


@dataclass(frozen=True)
class Row:
    """One line of the comparison: medians of the rounds, their range, and the bar on the ratio."""

    what: str
    bar: float
    ours: list[Rate]
    theirs: list[Rate]

    @property
    def ratio(self) -> float:
        return median(self.ours) / median(self.theirs)

    @property
    def errors(self) -> int:
        return sum(r.errors for r in [*self.ours, *self.theirs])

    @property
    def is_good(self) -> bool:
        return self.ratio >= self.bar and not self.errors


def median(rates: Sequence[Rate]) -> float:
    return statistics.median(r.rate for r in rates)


def timed(
    what: str, bar: float, pairs: Sequence[Pair], ports: tuple[int, int], c: int, sizes: Sizes
) -> Row:
    """Warm-up of a second each, then three rounds in turns."""
    is_multipart = what == PART_10
    sides = list(zip(ports, ([p.ours for p in pairs], [p.theirs for p in pairs]), strict=True))
    for port, asks in sides:
        load(port, asks, connections=c, seconds=1, is_multipart=is_multipart)
    rounds: tuple[list[Rate], list[Rate]] = ([], [])
    for _ in range(ROUNDS):
        for found, (port, asks) in zip(rounds, sides, strict=True):
            rate = load(port, asks, connections=c, seconds=sizes.seconds, is_multipart=is_multipart)
            found.append(rate)
    return Row(what, bar, *rounds)


def say(row: Row) -> None:
    spread = [
        f"{min(r.rate for r in s):.0f}-{max(r.rate for r in s):.0f}" for s in (row.ours, row.theirs)
    ]
    late = [f"{statistics.median(r.p50 for r in s):.2f}/{statistics.median(r.p95 for r in s):.2f}"
            for s in (row.ours, row.theirs)]  # fmt: skip
    bar = f">= {row.bar:g} {'ok' if row.is_good else 'MISSED'}" if row.bar else "no bar"
    print(f"{row.what:42} {median(row.ours):8.0f} ({spread[0]})  {median(row.theirs):8.1f} ({spread[1]})"
          f"  {row.ratio:7.1f} {bar}  p50/p95 ms {late[0]} | {late[1]}  errors {row.errors}", flush=True)  # fmt: skip


def post(
    port: int, path: str, files: Sequence[bytes], token: str, connection: http.client.HTTPConnection
) -> None:
    mark = b"--" + BOUNDARY.encode()
    head = mark + b"\r\nContent-Type: application/dicom\r\n\r\n"
    body = b"".join(head + f + b"\r\n" for f in files) + mark + b"--\r\n"
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    headers = {
        "Content-Type": kind,
        "Accept": JSON,
        **({"Authorization": f"Token {token}"} if token else {}),
    }
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise SystemExit(f"STOW {answer.status}: {said[:400]!r}")


def stored_rate(
    port: int, path: str, token: str, requests: Sequence[list[bytes]], connections: int
) -> Rate:
    """Instances per second with so many connections, each with its share of the requests."""
    times: list[float] = []

    def work(mine: Sequence[list[bytes]]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        for files in mine:
            begun = time.monotonic()
            post(port, path, files, token, connection)
            times.append(1e3 * (time.monotonic() - begun))
        connection.close()

    threads = [
        threading.Thread(target=work, args=(requests[k::connections],)) for k in range(connections)
    ]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.monotonic() - begun
    cuts = statistics.quantiles(times, n=20) if len(times) > 1 else [times[0]] * 19
    missing = len(requests) - len(times)
    return Rate(sum(map(len, requests)) / spent, cuts[9], cuts[18], missing)


def stow_row(
    world: World, ports: tuple[int, int], sizes: Sizes, c: int, bar: float, first: int
) -> Row:
    """A warm-up of about a second, each request on a connection of its own so that every process meets one; three rounds."""
    original = (world.files / "000000" / "ct-0001.dcm").read_bytes()
    places = (("/dicomweb/studies", world.token), ("/dicom-web/studies", ""))
    rounds: tuple[list[Rate], list[Rate]] = ([], [])
    warming = list(bodies(original, first, WARMING))
    for port, (path, token) in zip(ports, places, strict=True):
        for k in range(0, WARMING, c):
            stored_rate(port, path, token, warming[k : k + c], c)
    for k in range(1, ROUNDS + 1):
        requests = list(bodies(original, first + k, sizes.stow_requests))
        for found, port, (path, token) in zip(rounds, ports, places, strict=True):
            found.append(stored_rate(port, path, token, requests, c))
    return Row(f"STOW 525 kB CT, 10 a request, c={c}", bar, *rounds)


def rows(world: World, ports: tuple[int, int], sizes: Sizes) -> list[Row]:
    found = []

    def add(what: str, bar: float, pairs: Sequence[Pair], c: int) -> None:
        found.append(timed(what, bar, pairs, ports, c, sizes))
        say(found[-1])

    frames = {kind: frame_pairs(world, kind, 2000) for kind in ("CT", "NM")}
    add("CT frame 512 x 512, c=1", 4, frames["CT"], 1)
    add("CT frame 512 x 512, c=8", 4, frames["CT"], 8)
    add("NM frame 128 x 128, c=8", 10, frames["NM"], 8)
    series = series_pairs(world, 200, tail="/metadata", accept=JSON)
    add("series metadata, CT 100 instances, c=1", 50, series, 1)
    add("QIDO /studies?limit=101", 10, search_pairs(world, "ohif", 1), 1)
    add("QIDO PatientID", 10, search_pairs(world, "id", 500), 1)
    add("QIDO PatientName *x*", 3, search_pairs(world, "name", 1), 1)
    kind = 'multipart/related; type="application/dicom"'
    add(PART_10, 0, series_pairs(world, 50, tail="", accept=kind), 1)
    add("rendered CT slice as JPEG, c=1", 0, rendered_pairs(world, 500), 1)
    for c, bar in ((1, 1.0), (4, 0.0)):
        found.append(stow_row(world, ports, sizes, c, bar, 100 * c))
        say(found[-1])
    return found


def fed(port: int, files: Sequence[Path]) -> None:
    """Orthanc's own door, one file after the other."""
    one = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for path in files:
        one.request("POST", "/instances", path.read_bytes(), {"Content-Type": "application/dicom"})
        answer = one.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"Orthanc did not take {path}: {answer.status}")


def versions(port: int) -> dict[str, str]:
    system = json.loads(fetch(port, Ask("/system")))
    plugin = json.loads(fetch(port, Ask("/plugins/dicom-web")))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=servers.ROOT, text=True,
                            capture_output=True, check=False)  # fmt: skip
    return {
        "orthanc": system["Version"], "plugin": plugin["Version"], "portal": commit.stdout.strip(),
        "python": platform.python_version(), "client": client_name(), "cores": str(os.cpu_count()),
        "load": " ".join(f"{v:.1f}" for v in os.getloadavg()),
    }  # fmt: skip


def first_opening(world: World, port: int) -> float:
    """Milliseconds of the first metadata of a case's CT of 100 images."""
    ask = opening(world)
    begun = time.monotonic()
    if len(json.loads(fetch(port, ask))) != SLICES:
        raise SystemExit(f"not all of the series: {ask.path}")
    return 1e3 * (time.monotonic() - begun)


def bare_share(world: World, data: Path, port: int, sizes: Sizes) -> float:
    """Frame rate with sign-in, grant, audit and blinding, as a share of the bare view's."""
    asks = [p.ours for p in frame_pairs(world, "CT", 2000)]
    other = servers.bare(data, data)
    try:
        for one in (port, other.port):
            load(one, asks, connections=8, seconds=1)
        rates = [
            [
                load(one, asks, connections=8, seconds=sizes.seconds).rate
                for one in (port, other.port)
            ]
            for _ in range(ROUNDS)
        ]
    finally:
        other.end()
    return statistics.median(r[0] for r in rates) / statistics.median(r[1] for r in rates)


def compared(folder: Path, sizes: Sizes) -> dict[str, object]:
    data = folder / "data"
    data.mkdir()
    files = build(folder / "files", sizes)
    begun = time.monotonic()
    servers.run(data, ["manage.py", "migrate", "--verbosity", "0"])
    seeded = servers.run(
        data, ["bench/side_by_side/seed.py", str(folder / "files"), str(sizes.exams)]
    )
    found = json.loads(seeded.splitlines()[-1])
    print(f"portal: {len(files)} files in {time.monotonic() - begun:.0f} s", flush=True)
    theirs = servers.orthanc(folder)
    try:
        begun = time.monotonic()
        fed(theirs.port, files)
        print(f"orthanc: {len(files)} files in {time.monotonic() - begun:.0f} s", flush=True)
        ours = servers.portal(data)
        try:
            return measured(
                World(folder / "files", found, sizes.exams, sizes.tiny_exams),
                data,
                ours,
                theirs,
                sizes,
            )
        finally:
            ours.end()
    finally:
        theirs.end()


def measured(
    world: World, data: Path, ours: servers.Server, theirs: servers.Server, sizes: Sizes
) -> dict[str, object]:
    ports = (ours.port, theirs.port)
    opened = first_opening(world, ours.port)
    checked = compare(ports, world, 200 if sizes is FULL else 40)
    print(
        f"{checked} frames, metadata and searches are equal on both sides and to the source",
        flush=True,
    )
    found = rows(world, ports, sizes)
    share = bare_share(world, data, ours.port, sizes)
    kind = 'multipart/related; type="application/dicom"'
    risen = rises(
        ours,
        [pair.ours for pair in frame_pairs(world, "CT", 2000)],
        [pair.ours for pair in series_pairs(world, 20, tail="", accept=kind)],
    )
    memory = {s.name: round(s.memory_mb()) for s in (ours, theirs)}
    print(
        f"first case opening {opened:.0f} ms; memory MB {memory}; share of the bare view's rate {share:.2f}"
    )
    for one in risen:
        print(
            f"memory rises by {one.mb:.1f} MB for {one.what} (< {one.bar:g}: {'ok' if one.is_good else 'MISSED'})"
        )
    rest = {
        "opening_ms": opened, "memory_mb": memory, "share_of_bare": share, "checked": checked,
        "rises_mb": {one.what: one.mb for one in risen},
    }  # fmt: skip
    good = all(r.is_good for r in [*found, *risen]) and share >= 0.5
    table = [{**asdict(r), "ratio": r.ratio, "good": r.is_good} for r in found]
    return {"good": good, "versions": versions(theirs.port), "rows": table, **rest}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the data, rounds of 1 s")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    options = parser.parse_args()
    if servers.orthanc_program() is None:
        print(NOTHING, file=sys.stderr)
        return 77
    with tempfile.TemporaryDirectory(prefix="osteon-bench-") as name:
        found = compared(Path(name), SMALL if options.small else FULL)
    print(f"against Orthanc {found['versions']}")
    if options.json:
        print(json.dumps(found))
    return 0 if found["good"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
