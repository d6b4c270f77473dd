"""Vertebral levels T5..L5: their names, mean sizes in mm, and the shares with which a scan centres on them."""

from dataclasses import dataclass

LEVELS = ("T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
WIDTH = (28, 29, 30, 31, 32, 34, 37, 40, 42, 44, 46, 48, 50)
DEPTH = (24, 26, 28, 29, 30, 31, 31, 31, 31, 32, 33, 34, 34)
HEIGHT = (18.5, 19, 19.5, 20, 21, 22, 23, 24, 25.5, 26.5, 27, 27, 27)
DISC = (4, 4, 4, 4.2, 4.5, 4.8, 5.2, 6, 7, 8, 9, 10, 9)
CENTRES = LEVELS[1:-1]
CENTRE_WEIGHTS = (0.6, 0.7, 0.9, 0.9, 1.0, 1.1, 1.6, 1.8, 1.6, 1.5, 1.5)


@dataclass(frozen=True)
class Size:
    """Mean size of one level in mm; `disc` is the height of the disc below it."""

    width: float
    depth: float
    height: float
    disc: float


def size_of(level: str) -> Size:
    """Mean size of a level T5..L5; ValueError for another name."""
    i = number(level)
    return Size(WIDTH[i], DEPTH[i], HEIGHT[i], DISC[i])


def number(level: str) -> int:
    """Place of a level in T5..L5, from 0; ValueError for another name."""
    if level not in LEVELS:
        raise ValueError(f"unknown vertebral level {level!r}")
    return LEVELS.index(level)


def is_thoracic(level: str) -> bool:
    """Whether the level is drawn with thoracic anatomy (T5..T11)."""
    return number(level) < LEVELS.index("T12")
