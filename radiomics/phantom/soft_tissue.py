"""Soft tissue in five axial key pictures blended along z, ribs and the table."""

from dataclasses import dataclass

import numpy as np

from radiomics.phantom.anatomy import Anatomy
from radiomics.phantom.shapes import (
    N_Z,
    Volume,
    X,
    Y,
    Z,
    blend,
    ellipse,
    fade,
    occ,
    single,
    smooth_noise,
)

KEYS = np.linspace(-70, 70, 5)
XX, YY = np.broadcast_to(X[None, :], (256, 256)), np.broadcast_to(Y[:, None], (256, 256))
KIDNEY_LAST, LUMBAR_FIRST = 9, 7
RIB_LAST = 7


@dataclass(frozen=True)
class Torso:
    """Size of the body ellipse in mm: half-axes, y of its middle; share of fat in the back muscles."""

    a: float
    b: float
    y: float
    fat: float
    wall: float
    muscle: float


@dataclass(frozen=True)
class Organ:
    """An ellipse with a value: place and half-axes in mm, HU."""

    x: float
    y: float
    a: float
    b: float
    hu: float


def torso_of(anatomy: Anatomy, rng: np.random.Generator) -> Torso:
    """A body of the patient's sex and age."""
    male = anatomy.sex == "M"
    a, b = ((172, 112) if male else (160, 104)) * rng.normal(1, (0.06, 0.07))
    fat = float(np.clip(rng.normal((anatomy.age - 35) / 70, 0.12), 0.05, 0.7))
    back = rng.normal(84, 6)
    return Torso(
        float(a), float(b), float(back - b), fat, 15.0 if male else 21.0, float(rng.normal(52, 5))
    )


def organs(anatomy: Anatomy, rng: np.random.Generator) -> list[Organ]:
    """Organs in painting order: thorax or abdomen, then the back muscles."""
    chest = [
        Organ(66, -30, 56, 74, -855), Organ(-68, -30, 58, 74, -855), Organ(2, -52, 27, 66, -70),
        Organ(5, -78, 52, 34, 42), Organ(-18, -44, 11, 9, 38), Organ(16, -42, 6, 5, -700), Organ(-14, -40, 6, 5, -700),
        Organ(3, -27, 8, 6, 40), Organ(23, -9, 11, 11, 44), Organ(0, 2, 30, 22, 30),
    ]  # fmt: skip
    psoas = float(rng.uniform(16, 20))
    belly = [
        Organ(39, 2, psoas, 21, 52), Organ(-39, 2, psoas, 21, 52), Organ(72, 26, 26, 13, 50), Organ(-72, 26, 26, 13, 50),
        Organ(11, -34, 10.5, 10.5, 42), Organ(-15, -31, 11, 8, 38),
    ]  # fmt: skip
    if anatomy.centre <= KIDNEY_LAST:
        belly += [Organ(s * 68, -8, 27, 22, 34) for s in (1, -1)]
        belly += [Organ(s * 60, -10, 10, 7, -95) for s in (1, -1)]
    for k in range(6):
        x, y = (
            -85 + 34 * k + rng.normal(0, 4),
            -72 - 16 * np.sin(np.pi * (k + 0.5) / 6) + rng.normal(0, 6),
        )
        size = float(rng.uniform(0.7, 1.25))
        inner = float(rng.choice((-120.0, 20.0, -600.0, -600.0)))
        belly += [
            Organ(x, y, 20 * size, 15 * size, 34),
            Organ(x, y - 1, 13 * size, 8.5 * size, inner),
        ]
    back = [Organ(s * 31, 43, 27, 19, 50) for s in (1, -1)] + [
        Organ(s * 12, 42, 10, 15, 46) for s in (1, -1)
    ]
    return (chest if anatomy.thoracic else belly) + back


def wavy(key: int, rng: np.random.Generator, n: int) -> Volume:
    """Drift (n, 2) of organ centres at a key picture; the generator must be the same for all keys."""
    size, phase = rng.uniform(1, 5, (n, 2)), rng.uniform(0, 2 * np.pi, (n, 2))
    return single(size * np.sin(phase + 3 * KEYS[key] / 60))


def key_picture(
    torso: Torso, parts: list[Organ], drift: Volume, streaks: Volume, thoracic: bool
) -> tuple[Volume, Volume]:
    """One axial picture (256, 256): HU and the activity of soft tissue."""
    hu = np.full((256, 256), -1000, dtype=np.float32)
    d = ellipse(XX, YY, 0, torso.y, torso.a, torso.b)
    inside = occ(d, 1.0)
    blend(hu, inside, np.where(d > -2.2, -8.0, -104.0))
    blend(hu, occ(d + torso.wall, 1.5), torso.muscle)
    blend(hu, occ(d + torso.wall + 11, 1.5), torso.muscle - 4 if thoracic else -100.0)
    activity = 0.13 * inside
    for part, (dx, dy) in zip(parts, drift, strict=True):
        shape = occ(ellipse(XX, YY, part.x + dx, part.y + dy, part.a, part.b), 1.6)
        shape = shape * occ(d + torso.wall + 6, 2.0)
        blend(hu, shape, part.hu)
        if part.hu < -800:
            blend(activity, shape, 0.06)
        elif thoracic:
            blend(activity, shape, 0.13)
    muscle = occ(np.abs(ellipse(XX, YY, 0, 43, 57, 20)) - 60, 1) * occ(
        ellipse(XX, YY, 0, 43, 57, 20), 2
    )
    streaky = np.clip(streaks - (1.1 - 1.6 * torso.fat), 0, 1) * muscle
    blend(hu, 0.8 * streaky.astype(np.float32), -90.0)
    return hu, activity


def paint_soft_tissue(
    hu: Volume,
    activity: Volume,
    anatomy: Anatomy,
    rng: np.random.Generator,
    vessels: np.random.Generator,
) -> Torso:
    """Fill HU and activity (56, 256, 256) with everything but bone; returns the size of the body."""
    torso = torso_of(anatomy, rng)
    parts = organs(anatomy, rng)
    drift_seed = int(rng.integers(2**31))
    streaks = smooth_noise(rng, (256, 256), (1.3, 2.4))
    pictures = []
    for key in range(len(KEYS)):
        drift = wavy(key, np.random.default_rng(drift_seed), len(parts))
        pictures.append(key_picture(torso, parts, drift, streaks, anatomy.thoracic))
    for k in range(N_Z):
        place = float(np.clip((Z[k] + 70) / 35, 0, 3.999))
        i, t = int(place), np.float32(place - int(place))
        hu[k] = pictures[i][0] * (1 - t) + pictures[i + 1][0] * t
        activity[k] = pictures[i][1] * (1 - t) + pictures[i + 1][1] * t
    if anatomy.thoracic:
        paint_vessels(hu, vessels)
    elif anatomy.centre <= KIDNEY_LAST:
        paint_kidneys(activity, rng)
    return torso


def paint_vessels(hu: Volume, rng: np.random.Generator) -> None:
    """Vessels in the lungs: the peaks of smooth noise."""
    noise = smooth_noise(rng, (N_Z // 2, 128, 128), (1.0, 1.0, 1.0))
    peaks = np.clip(noise - 1.75, 0, None) * 650
    fine = np.repeat(np.repeat(np.repeat(peaks, 2, 0), 2, 1), 2, 2)
    hu += np.where(hu < -800, np.where(hu > -900, fine, 0), 0)


def paint_kidneys(activity: Volume, rng: np.random.Generator) -> None:
    """Uptake of both kidneys."""
    level = rng.uniform(0.5, 1.3)
    z = Z[:, None, None]
    for s in (1, -1):
        r = np.sqrt(((XX - s * 68) / 24) ** 2 + ((YY + 6) / 19) ** 2 + (z / 50) ** 2)
        np.maximum(activity, level * occ((r - 1) * 19, 3.0), out=activity)


def paint_ribs(hu: Volume, activity: Volume, anatomy: Anatomy) -> None:
    """Ribs on the chest ellipse with round ends, from beside the vertebra outwards and down."""
    heads = [v.z + 0.3 * v.height for v in anatomy.vertebrae if v.number <= RIB_LAST]
    if anatomy.centre > RIB_LAST + 1 or not heads:
        return
    a, b, yc = 138.0, 74.0, -34.0
    r = np.hypot(XX / a, (YY - yc) / b)
    wall = (np.abs((r - 1) * b)).astype(np.float32)
    theta = np.arctan2(np.abs(XX) / a, (YY - yc) / b)
    reach = 2.6 if anatomy.thoracic else 1.5
    rows, columns = np.nonzero((wall < 5) & (theta > 0.12) & (theta < reach))
    angle = theta[rows, columns]
    sunk = 78 * (1 - np.cos(0.9 * angle))
    start = np.clip((0.17 - angle) * 120, 0, None)
    dz = np.min([np.abs(Z[:, None] - (z - sunk)[None, :]) for z in heads], axis=0)
    d = np.sqrt((wall[rows, columns] / 3.6) ** 2 + (dz / 5.2) ** 2 + (start / 3.6) ** 2) - 1
    d = (d * 3.6).astype(np.float32)
    share = occ(d, 1.2)
    value = 180 + 420 * fade(-d, 0.8, 0.9)
    hu[:, rows, columns] += share * (value - hu[:, rows, columns])
    activity[:, rows, columns] += share * (0.62 - activity[:, rows, columns])


def paint_table(hu: Volume, torso: Torso) -> None:
    """The thin arc of the table under the back."""
    y = torso.y + torso.b + 6 - (XX / 190) ** 2 * 16
    arc = occ((np.abs(YY - y) - 0.9).astype(np.float32), 1.0)
    hu += arc[None] * np.clip(90 - hu, 0, None) * (hu < -900)
