"""One patient's spine: which vertebrae lie where, and how large they are."""

from dataclasses import dataclass

import numpy as np

from radiomics.phantom.draws import Stream, generator
from radiomics.phantom.levels import DEPTH, DISC, HEIGHT, LEVELS, WIDTH, number
from radiomics.phantom.records import PatientPlan
from radiomics.phantom.shapes import Box, Volume, X, Y, Z, span

REACH_MM = 115.0
FIRST_LUMBAR = 7


@dataclass(frozen=True)
class Vertebra:
    """Place and size of one vertebra in mm; `number` counts from T5 = 0 and goes on beyond T5..L5."""

    number: int
    z: float
    width: float
    depth: float
    height: float
    disc: float
    tilt: float
    wedge: float

    @property
    def thoracic(self) -> bool:
        """Whether it has thoracic posterior elements."""
        return self.number < FIRST_LUMBAR

    @property
    def back(self) -> float:
        """V of the back of the canal, where the laminae begin."""
        return 0.5 * self.depth + 10


@dataclass(frozen=True)
class Curve:
    """Shift of the spine along z: polynomials of zeta = z/60."""

    x1: float
    x2: float
    y2: float

    def x(self, z: Volume) -> Volume:
        """Shift to the left in mm."""
        zeta = z / 60
        return (self.x1 * zeta + self.x2 * (zeta**2 - 0.3)).astype(np.float32)

    def y(self, z: Volume) -> Volume:
        """Shift backwards in mm."""
        return (-self.y2 * (z / 60) ** 2).astype(np.float32)


@dataclass(frozen=True)
class Anatomy:
    """The spine, and what the drawing needs to know of the person."""

    vertebrae: tuple[Vertebra, ...]
    curve: Curve
    trabecular: float
    thoracic: bool
    centre: int
    sex: str
    age: int

    def at(self, level: int) -> Vertebra:
        """The vertebra of a number; ValueError if it lies outside the scan."""
        for vertebra in self.vertebrae:
            if vertebra.number == level:
                return vertebra
        raise ValueError(f"level number {level} lies outside the scan")

    def box(self, vertebra: Vertebra, below: float, above: float, side: float = 60.0) -> Box:
        """The block around a vertebra from `below` to `above` its centre (mm, positive)."""
        shift_x, shift_y = (
            float(f(np.array([vertebra.z], dtype=np.float32))[0])
            for f in (self.curve.x, self.curve.y)
        )
        where = (
            span(Z, vertebra.z - below, vertebra.z + above),
            span(Y, shift_y - 0.5 * vertebra.depth - 12, shift_y + vertebra.depth / 2 + 52),
            span(X, shift_x - side, shift_x + side),
        )
        z, y, x = Z[where[0]][:, None, None], Y[where[1]][None, :, None], X[where[2]][None, None, :]
        v = (y - self.curve.y(z)).astype(np.float32)
        u = (x - self.curve.x(z)).astype(np.float32)
        return Box(where, u, v, (z - vertebra.z - vertebra.tilt * v).astype(np.float32))


def sizes(level: int, factor: float) -> tuple[float, float, float, float]:
    """Width, depth, height and disc of a level; beyond T5 they shrink, below L5 they stay."""
    i = min(max(level, 0), len(LEVELS) - 1)
    scale = factor * (0.97 ** (i - level) if level < i else 1.0)
    return WIDTH[i] * scale, DEPTH[i] * scale, HEIGHT[i] * scale, DISC[i] * scale


def anatomy_of(seed: int, patient: PatientPlan, wedges: dict[str, float]) -> Anatomy:
    """The spine of a patient; `wedges` gives the lowered share of the height by level."""
    rng = generator(seed, Stream.ANATOMY, patient.index)
    centre = number(patient.centre_level)
    thoracic = centre < FIRST_LUMBAR
    factor = (1.03 if patient.sex == "M" else 0.94) * rng.normal(1, 0.03)
    curve = Curve(rng.normal(0, 3), rng.normal(0, 2), rng.normal(-3 if thoracic else 3, 1.5))
    trabecular = float(np.clip(235 - 2.0 * (patient.age - 40) + rng.normal(0, 22), 70, 260))
    by_number = {number(level): f for level, f in wedges.items()}
    places = stacked(centre, factor)
    vertebrae = tuple(
        Vertebra(k, z, *sizes(k, factor), float(rng.normal(0, 0.03)), by_number.get(k, 0.0))
        for k, z in places
    )
    return Anatomy(vertebrae, curve, trabecular, thoracic, centre, patient.sex, patient.age)


def stacked(centre: int, factor: float) -> list[tuple[int, float]]:
    """Numbers and centres (z in mm) of the vertebrae within reach, from the centre outwards."""
    places = [(centre, 0.0)]
    for step in (1, -1):
        level, z = centre, 0.0
        while True:
            upper = sizes(level if step == 1 else level - 1, factor)
            lower = sizes(level + 1 if step == 1 else level, factor)
            z -= step * (upper[2] / 2 + upper[3] + lower[2] / 2)
            level += step
            if abs(z) >= REACH_MM or level > len(LEVELS):
                break
            places.append((level, z))
    return places
