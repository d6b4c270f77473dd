"""Limits of what is read at the door; a file beyond them costs one sentence."""

import re

FILE_BYTES = 512 * 2**20
INFLATED_BYTES = 64 * 2**20
MAX_DEPTH = 16
MAX_ELEMENTS = 50_000
MAX_ELEMENT_BYTES = 16 * 2**20
MAX_SIDE = 4096
MAX_FRAMES = 4096
MAX_PIXEL_BYTES = 2 * 2**30
SAMPLES = frozenset({1, 3})
# of 1 and 64 an image is held
BITS = frozenset({1, 8, 16, 32, 64})
MAX_UID = 64
ZIP_ENTRIES = 10_000
ZIP_TOTAL = 4 * 2**30
ZIP_RATIO = 200
FREE_BYTES = 2**30

CHILD_MEMORY = 4 * 2**30
CHILD_CPU_SECONDS = 60
CHILD_FILES = 2_000
CHILD_OPEN_FILES = 128


UID = re.compile(r"[0-9]+(\.[0-9]+)*\Z")


def is_valid_uid(text: str) -> bool:
    return 0 < len(text) <= MAX_UID and UID.match(text) is not None


def wall_seconds(size: int) -> float:
    """5 s + 1 s per 8 MiB, at most 90 s."""
    return min(90.0, 5.0 + size / (8 * 2**20))


def zip_seconds(size: int) -> float:
    """5 s + 1 s per 8 MiB of the most that a zip of this size may hold: 517 s from 21 MiB on.

    What it does hold only the child may read. bzip2, the slowest of the kinds, gives three times that pace on one core,
    and a disk that takes less than 8 MiB/s serves no archive.
    """
    return 5.0 + min(ZIP_TOTAL, ZIP_RATIO * size) / (8 * 2**20)


def in_words(size: int) -> str:
    return f"{size // 2**30} GiB" if size >= 2**30 else f"{size // 2**20} MiB"
