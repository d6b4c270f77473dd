"""What a server's processes hold, and by how much their memory rises while they answer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.side_by_side.load import Ask, fetch, load
from bench.side_by_side.servers import Server

FRAMES, FRAMES_MB, PART_10_MB = 100_000, 50, 16
# a second of warm-up answers some thousand: caches are full then, and what grows after that would go on growing
AT_ONCE = 8
WHOLE = 6


@dataclass(frozen=True)
class Rise:
    """Megabytes by which the largest rise of any process exceeds what it held before, and the bar."""

    what: str
    mb: float
    bar: float

    @property
    def is_good(self) -> bool:
        return self.mb < self.bar


def status(pid: int, name: str) -> int:
    """KiB that the kernel tells of a process, 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def rise(server: Server, work: Callable[[], None]) -> float:
    """MB of the highest peak over what the same process held before the work."""
    pids = server.pids()
    before = {pid: status(pid, "VmRSS") for pid in pids}
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is counted anew from here
    work()
    return max(status(pid, "VmHWM") - before[pid] for pid in pids) / 2**10


def rises(ours: Server, frames: list[Ask], whole: list[Ask]) -> list[Rise]:
    """The two bars of section 12: many frames, and a whole series as Part 10."""

    def ask_frames() -> None:
        left = float(FRAMES)
        while left > 0:
            left -= load(ours.port, frames, connections=AT_ONCE, seconds=3).rate * 3

    def ask_whole() -> None:
        for one in whole[:WHOLE]:
            fetch(ours.port, one)

    load(ours.port, frames, connections=AT_ONCE, seconds=1)
    fetch(ours.port, whole[0])
    return [
        Rise(f"{FRAMES:,} frames", rise(ours, ask_frames), FRAMES_MB),
        Rise("a series of 52 MB as Part 10", rise(ours, ask_whole), PART_10_MB),
    ]
