"""The vector skeleton of the whole-body scan: drawn once, anterior and posterior, blurred and kept."""

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter

from radiomics.phantom.shapes import Volume

ROWS, COLUMNS = 1024, 256
CENTRE, HEAD_ROW = 127.5, 70.0
SPINE_ROW, GAP = 160.0, 0.6
BLUR = 2.29
CERVICAL, THORACIC, LUMBAR = 7, 12, 5
FIRST_LEVEL = 11
R, C = np.arange(ROWS, dtype=np.float32)[:, None], np.arange(COLUMNS, dtype=np.float32)[None, :]
Pair = tuple[float, float]
Views = tuple[Volume, Volume]


def heights() -> list[float]:
    """Rows of C1..L5."""
    thoracic = [8.6 + 0.28 * i for i in range(THORACIC)]
    return [6.2] * CERVICAL + thoracic + [13.5] * LUMBAR


def row_of(i: int) -> float:
    """Middle row of the vertebra i = 0 (C1) .. 23 (L5)."""
    rows = heights()
    return SPINE_ROW + sum(rows[:i]) + GAP * i + rows[i] / 2


def vertebra_row(level: int) -> float:
    """Middle row of a level counted from T5 = 0."""
    return row_of(FIRST_LEVEL + level)


def to_right(x: float) -> float:
    """The column `x` to the right of the middle."""
    return CENTRE - x


def to_left(x: float) -> float:
    """The column `x` to the left of the middle (right in the picture)."""
    return CENTRE + x


BESIDE = {-1: to_right, 1: to_left}


class Sketch:
    """Two views under construction; every part takes the larger value where parts meet."""

    def __init__(self) -> None:
        self.views = [np.zeros((ROWS, COLUMNS), dtype=np.float32) for _ in range(2)]

    def put(self, d: Volume, values: Pair, box: tuple[slice, slice]) -> None:
        """A part by its distance (negative inside) with an anterior and a posterior value."""
        share = np.clip(0.5 - d, 0, 1)
        for view, value in zip(self.views, values, strict=True):
            np.maximum(view[box], share * value, out=view[box])

    def oval(self, at: Pair, axes: Pair, values: Pair, tilt: float = 0.0) -> None:
        """An ellipse at (column, row), rotated by `tilt` radians."""
        box = around(at, at, max(axes) + 2)
        x, y = C[:, box[1]] - at[0], R[box[0]] - at[1]
        u, v = x * np.cos(tilt) + y * np.sin(tilt), -x * np.sin(tilt) + y * np.cos(tilt)
        d = (np.hypot(u / axes[0], v / axes[1]) - 1) * min(axes)
        self.put(d.astype(np.float32), values, box)

    def bone(self, a: Pair, b: Pair, widths: Pair, values: Pair) -> None:
        """A tapering limb from a to b with half-widths at both ends."""
        box = around(a, b, max(widths) + 2)
        x, y = C[:, box[1]], R[box[0]]
        dx, dy = b[0] - a[0], b[1] - a[1]
        t = np.clip(((x - a[0]) * dx + (y - a[1]) * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
        d = np.hypot(x - a[0] - t * dx, y - a[1] - t * dy) - (
            widths[0] + (widths[1] - widths[0]) * t
        )
        self.put(d.astype(np.float32), values, box)

    def path(self, points: list[Pair], width: float, values: Pair) -> None:
        """A bent line of equal half-width."""
        for a, b in zip(points, points[1:], strict=False):
            self.bone(a, b, (width, width), values)


def around(a: Pair, b: Pair, margin: float) -> tuple[slice, slice]:
    """The block of rows and columns that holds both points and a margin."""
    low = [max(0, int(min(a[k], b[k]) - margin)) for k in (0, 1)]
    high = [int(max(a[k], b[k]) + margin) + 1 for k in (0, 1)]
    return slice(low[1], min(ROWS, high[1])), slice(low[0], min(COLUMNS, high[0]))


def draw_head(s: Sketch) -> None:
    """Skull with a denser rim, sutures and base."""
    s.oval((CENTRE, 105), (27, 35), (0.34, 0.34))
    for view in s.views:
        inner = np.hypot((C - CENTRE) / 23.5, (R - 105) / 31) < 1
        view[inner] *= 0.82
    s.bone((CENTRE, 72), (CENTRE, 100), (0.8, 0.8), (0.33, 0.36))
    s.oval((CENTRE, 131), (15, 7), (0.46, 0.42))
    s.oval((CENTRE, 147), (12, 5), (0.44, 0.2))


def draw_spine(s: Sketch) -> None:
    """Vertebrae C1..L5 with spinous processes behind, and the sacrum."""
    rows = heights()
    for i, high in enumerate(rows):
        row = row_of(i)
        if i < CERVICAL:
            half, values = 6.5, (0.36, 0.62)
        elif i < CERVICAL + THORACIC:
            half, values = 7.5 + 0.25 * (i - CERVICAL), (0.26, 0.80)
        else:
            half, values = 12.5, (0.42, 0.85)
        s.bone(
            (CENTRE - half + high / 2, row),
            (CENTRE + half - high / 2, row),
            (high / 2, high / 2),
            values,
        )
        if i >= CERVICAL + THORACIC:
            s.oval((CENTRE, row + 2), (2.6, 5), (values[0], values[1] + 0.25))
    top = row_of(len(rows) - 1) + 8
    s.bone((CENTRE, top), (CENTRE, top + 32), (13, 5), (0.28, 0.60))
    for side in (-1, 1):
        s.bone(
            (CENTRE + side * 17, top - 2), (CENTRE + side * 13, top + 20), (3.4, 2.6), (0.62, 1.15)
        )


def draw_chest(s: Sketch) -> None:
    """Ribs behind and in front, sternum, shoulder girdle."""
    for i in range(THORACIC):
        row, wide = row_of(CERVICAL + i), 26 + 22 * np.sin(np.pi * (i + 2.2) / 15.5)
        for side in (-1, 1):
            t = np.linspace(0.12, 1, 12)
            back = [(CENTRE + side * wide * np.sin(t_ * 1.5), row - 4 + 26 * t_**2) for t_ in t]
            s.path(back, 1.7, (0.20, 0.42))
            if i < 10:
                end = back[-1]
                q = np.linspace(0, 1, 8)
                front = [
                    (
                        end[0] + (CENTRE + side * 9 - end[0]) * q_,
                        end[1] + 16 * np.sin(np.pi * q_ * 0.55) - 8 * q_,
                    )
                    for q_ in q
                ]
                s.path(front, 1.6, (0.36, 0.10))
    s.bone((CENTRE, 214), (CENTRE, 288), (5, 3.6), (0.62, 0.0))
    for side in (-1, 1):
        s.path(
            [(CENTRE + side * 5, 210), (CENTRE + side * 28, 203), (CENTRE + side * 50, 207)],
            2.2,
            (0.55, 0.30),
        )
        s.oval((CENTRE + side * 53, 214), (7, 8), (0.55, 0.50))
        s.path(
            [
                (CENTRE + side * 46, 216),
                (CENTRE + side * 26, 224),
                (CENTRE + side * 36, 276),
                (CENTRE + side * 46, 218),
            ],
            1.8,
            (0.0, 0.60),
        )


def draw_arms(s: Sketch) -> None:
    """Arms beside the body."""
    for side in (-1, 1):
        at = BESIDE[side]
        s.bone((at(55), 218), (at(66), 330), (4.6, 3.6), (0.24, 0.24))
        s.oval((at(67), 337), (5.5, 6), (0.3, 0.3))
        s.bone((at(66), 342), (at(76), 424), (2.2, 2.0), (0.20, 0.20))
        s.bone((at(71), 342), (at(81), 424), (2.0, 1.8), (0.20, 0.20))
        s.oval((at(79), 430), (6, 5), (0.34, 0.34))
        for k in range(4):
            s.bone(
                (at(76 + 3 * k), 436),
                (at(75 + 4.5 * k), 472 - 4 * abs(k - 1.5)),
                (1.5, 1.2),
                (0.16, 0.16),
            )
        s.oval((at(80), 448), (8, 12), (0.14, 0.14))


def draw_pelvis(s: Sketch) -> None:
    """Iliac wings with curved crests, hips, pubic arch."""
    for side in (-1, 1):
        at = BESIDE[side]
        s.oval((at(32), 408), (15, 25), (0.42, 0.34), -side * 0.42)
        t = np.linspace(-0.2, 1.35, 14)
        s.path(
            [(at(18 + 30 * np.sin(q)), 414 - 30 * np.cos(q - 0.35) + 4 * q) for q in t],
            2.3,
            (0.62, 0.62),
        )
        s.bone((at(34), 425), (at(44), 447), (8, 8), (0.42, 0.36))
        s.oval((at(46), 452), (9.5, 9.5), (0.55, 0.55))
        s.path([(at(38), 458), (at(22), 461), (at(5), 468)], 3.2, (0.40, 0.34))
        s.path([(at(38), 462), (at(30), 480), (at(18), 486), (at(6), 472)], 3.2, (0.40, 0.42))


def draw_legs(s: Sketch) -> None:
    """Femora to feet."""
    for side in (-1, 1):
        at = BESIDE[side]
        s.path([(at(46), 452), (at(57), 464)], 4.6, (0.40, 0.40))
        s.oval((at(58), 468), (6, 8), (0.40, 0.42))
        s.bone((at(56), 470), (at(34), 598), (5.4, 5.0), (0.27, 0.27))
        s.oval((at(32), 607), (10, 9), (0.34, 0.34))
        s.oval((at(32), 606), (5, 6), (0.50, 0.34))
        s.oval((at(32), 622), (9.5, 6), (0.34, 0.32))
        s.bone((at(31), 628), (at(24), 796), (5.0, 3.8), (0.26, 0.26))
        s.bone((at(40), 630), (at(31), 796), (1.9, 1.7), (0.14, 0.14))
        s.oval((at(26), 804), (7.5, 7), (0.30, 0.30))
        s.oval((at(27), 822), (6.5, 14), (0.20, 0.20))
        s.oval((at(30), 845), (8.5, 15), (0.20, 0.20))


def draw_body(s: Sketch) -> None:
    """Soft tissue around everything."""
    tissue = (0.055, 0.055)
    s.oval((CENTRE, 108), (30, 40), tissue)
    s.bone((CENTRE, 150), (CENTRE, 200), (17, 20), tissue)
    s.bone((CENTRE, 245), (CENTRE, 430), (52, 50), tissue)
    for side in (-1, 1):
        s.bone((CENTRE + side * 56, 220), (CENTRE + side * 78, 470), (13, 9), tissue)
        s.bone((CENTRE + side * 36, 440), (CENTRE + side * 32, 610), (30, 17), tissue)
        s.bone((CENTRE + side * 32, 610), (CENTRE + side * 27, 850), (18, 9), tissue)


def blurred(s: Sketch) -> Views:
    """Both views after the blur of the camera."""
    first, second = (gaussian_filter(view, BLUR) for view in s.views)
    return first, second


@cache
def skeleton() -> tuple[Views, Views, Views]:
    """Bones with soft tissue, kidneys, and bladder: each anterior and posterior, float32 (1024, 256)."""
    bones, kidneys, bladder = Sketch(), Sketch(), Sketch()
    draw_body(bones)
    for part in (draw_head, draw_spine, draw_chest, draw_arms, draw_pelvis, draw_legs):
        part(bones)
    for side in (-1, 1):
        kidneys.oval((CENTRE + side * 27, 332 - side * 3), (10, 18), (0.10, 0.42), side * 0.2)
    bladder.oval((CENTRE, 458), (14, 10), (1.9, 0.8))
    return blurred(bones), blurred(kidneys), blurred(bladder)
