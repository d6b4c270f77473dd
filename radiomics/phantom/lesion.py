"""Lesions: where each shape lies, how its texture and uptake follow from the latents, and its painting."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from radiomics.phantom.anatomy import Anatomy, Vertebra
from radiomics.phantom.levels import number
from radiomics.phantom.records import LesionPlan
from radiomics.phantom.shapes import (
    PIXEL,
    SLICE,
    Box,
    Volume,
    blend,
    ellipse,
    ellipsoid,
    fade,
    occ,
    single,
    smooth_noise,
)
from radiomics.phantom.vertebra import Body, Canvas, body_of, facet_place

GROWTH_HU = (430.0, 40.0)
MARGIN: Mapping[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        "focal": (1.6, 0.5, 0.5, 3.2), "focal_pedicle": (1.6, 0.5, 0.5, 3.2), "diffuse": (1.5, 0.0, 1.5, 1.5),
        "end_plate": (1.2, 0.4, 0.3, 2.6), "wedge": (1.3, 0.4, 0.4, 2.6), "facet": (1.0, 0.35, 0.3, 2.2),
        "disc": (1.7, 0.4, 0.6, 3.0),
    }
)  # fmt: skip
REPLACED: Mapping[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        "lytic": (0.86, 75, 30, 1.0), "erosive": (0.74, 85, 30, 1.1), "blastic": (0.85, 440, 120, 1.5),
        "mixed": (0.88, 290, 55, 1.9), "sclerotic": (0.90, 235, 95, 1.15),
    }
)  # fmt: skip
POSTERIOR_SHARE = MappingProxyType(
    {"lytic": 0.86, "erosive": 0.52, "blastic": 0.70, "mixed": 0.75, "sclerotic": 0.9}
)


@dataclass(frozen=True)
class Draw:
    """Random choices of one lesion; `scale` enlarges it, `side` -1 or 1."""

    size: float
    side: int
    upper: bool
    place: tuple[float, float, float]
    scale: float


@dataclass(frozen=True)
class Field:
    """A lesion in its box: share of lesion 0..1 within bone, share of new bone outside, and the distance."""

    box: Box
    mask: Volume
    growth: Volume
    distance: Volume


Geometry = Callable[[Box, Vertebra, Body, Draw], Volume]


def check(lesion: LesionPlan) -> None:
    """Raise ValueError if the recipe cannot be drawn."""
    if lesion.shape not in MARGIN:
        raise ValueError(f"unknown lesion shape {lesion.shape!r}")
    if lesion.ct_type not in REPLACED:
        raise ValueError(f"unknown CT type {lesion.ct_type!r}")
    if not np.isfinite([lesion.t_ct, lesion.t_sp]).all():
        raise ValueError(f"latents must be finite, got {lesion.t_ct}, {lesion.t_sp}")


def choices(rng: np.random.Generator) -> Draw:
    """Size factor, side and place of a lesion."""
    u = rng.random(3)
    return Draw(
        float(np.clip(rng.normal(1, 0.13), 0.6, 1.5)), int(rng.choice((-1, 1))), bool(rng.random() < 0.5),
        (float(u[0]), float(u[1]), float(u[2])), 1.0,
    )  # fmt: skip


def sized(base: float, low: float, high: float, draw: Draw) -> float:
    """A size in mm: base times the lesion's factor within its range, then enlarged if the ROI was too small."""
    return float(np.clip(base * draw.size, low, high)) * draw.scale


def focal(box: Box, vert: Vertebra, body: Body, draw: Draw) -> Volume:
    """A nodule in the body."""
    r = sized(11.5, 7, 16, draw)
    a, b, c = draw.place
    at = (
        draw.side * vert.width * (0.12 + 0.16 * a),
        vert.depth * (-0.30 + 0.42 * b),
        vert.height * (-0.18 + 0.36 * c),
    )
    return ellipsoid(box, at, (1.05 * r, r, 0.85 * r))


def focal_pedicle(box: Box, vert: Vertebra, body: Body, draw: Draw) -> Volume:
    """A nodule at the back of the body, joined to one in the pedicle."""
    r = sized(11.5, 7, 16, draw)
    a, b, c = draw.place
    at = (
        draw.side * vert.width * (0.12 + 0.16 * a),
        vert.depth * (0.05 + 0.23 * b),
        vert.height * (-0.18 + 0.36 * c),
    )
    q = 0.62 * r
    joined = ellipsoid(
        box,
        (draw.side * 0.36 * vert.width, 0.5 * vert.depth + 3, 0.15 * vert.height),
        (q, 1.5 * q, q),
    )
    return np.minimum(ellipsoid(box, at, (1.05 * r, r, 0.85 * r)), joined)


def diffuse(box: Box, vert: Vertebra, body: Body, draw: Draw) -> Volume:
    """The whole body."""
    return single(np.maximum(body.wall - 1, np.maximum(body.top, body.bottom) - 1))


def end_plate(box: Box, vert: Vertebra, body: Body, draw: Draw) -> Volume:
    """A band at one plate."""
    thick = sized(6, 4, 9, draw)
    aside = (0.0, 0.25, -0.25)[min(int(draw.place[0] * 3), 2)] * vert.width
    within = ellipse(
        box.u,
        box.v,
        aside,
        vert.depth * -0.30 * draw.place[1],
        0.46 * vert.width * draw.scale,
        0.50 * vert.depth,
    )
    plate = body.top if draw.upper else body.bottom
    return single(np.maximum(-plate - thick, within))


def wedge(box: Box, vert: Vertebra, body: Body, draw: Draw) -> Volume:
    """A band under the lowered upper plate."""
    return single(np.maximum(-body.top - sized(8.5, 6, 12, draw), body.wall - 1))


def facet(box: Box, vert: Vertebra, body: Body, draw: Draw) -> Volume:
    """One facet joint, more often the lower one."""
    r = sized(8.2, 6, 11, draw)
    u, v = facet_place(vert)
    w = (-1 if draw.place[0] < 0.7 else 1) * (vert.height + vert.disc) / 2
    return ellipsoid(box, (draw.side * u, v, w), (1.05 * r, r, 1.5 * r))


def disc(box: Box, vert: Vertebra, body: Body, draw: Draw) -> Volume:
    """Both plates beside the disc above."""
    thick = sized(8.5, 6, 12, draw)
    within = ellipse(box.u, box.v, 0, 0, 0.50 * vert.width, 0.52 * vert.depth)
    middle = (vert.height + vert.disc) / 2
    return single(np.maximum(np.abs(box.w - middle) - vert.disc / 2 - thick, within))


SHAPES: Mapping[str, Geometry] = MappingProxyType(
    {
        "focal": focal, "focal_pedicle": focal_pedicle, "diffuse": diffuse, "end_plate": end_plate, "wedge": wedge,
        "facet": facet, "disc": disc,
    }
)  # fmt: skip


def rim(box: Box, vert: Vertebra, body: Body, draw: Draw) -> Volume:
    """Osteophytes of at most 4 mm that hug the margin of the diseased plate."""
    plate = body.top if draw.upper else body.bottom
    near = np.exp(-((plate / 4.0) ** 2)) * occ(plate - 2, 2.5)
    angle = np.arctan2(box.u, -box.v)
    front = np.clip(0.35 + 0.65 * np.cos(angle - draw.side * 0.9), 0, 1)
    return single(
        occ(body.wall - 4.0 * near * front, 1.0) * occ(plate - 1.0, 2.5) * (near * front > 0.15)
    )


def field_of(
    canvas: Canvas, anatomy: Anatomy, lesion: LesionPlan, draw: Draw, rng: np.random.Generator
) -> Field:
    """Mask and growth of a lesion in a box around its vertebra."""
    vert = anatomy.at(number(lesion.level))
    reach = vert.height / 2 + vert.disc + 18
    box = anatomy.box(vert, reach, reach, 45.0)
    body = body_of(box, vert, vert.wedge)
    base, slope, low, high = MARGIN[lesion.shape]
    amplitude = float(np.clip(base + slope * lesion.t_ct, low, high))
    d = np.broadcast_to(SHAPES[lesion.shape](box, vert, body, draw), box.shape)
    d = (d + amplitude * smooth_noise(rng, box.shape, (1.8, 4.2, 4.2))).astype(np.float32)
    bone = np.maximum(canvas.body[box.where], canvas.posterior[box.where])
    growth = np.zeros(box.shape, dtype=np.float32)
    if lesion.shape == "end_plate":
        growth = (rim(box, vert, body, draw) * (1 - bone)).astype(np.float32)
    elif lesion.shape == "facet":
        growth = (occ(d + 1.0, 2.0) * (1 - bone) * (body.wall > 3)).astype(np.float32)
    return Field(box, occ(d, 2.2) * bone, growth, d)


def texture(
    rng: np.random.Generator, shape: tuple[int, int, int], t_ct: float
) -> tuple[Volume, float]:
    """Unit texture of a lesion and its amplitude in HU."""
    amplitude = 48 * float(np.exp(0.60 * t_ct + rng.normal(0, 0.25)))
    length = 1.7 * float(np.exp(-0.10 * t_ct + rng.normal(0, 0.12)))
    deep = length * PIXEL / SLICE
    fine = smooth_noise(rng, shape, (deep, length, length))
    coarse = smooth_noise(rng, shape, (2.2 * deep, 2.2 * length, 2.2 * length))
    return 0.8 * fine + 0.6 * coarse, amplitude


def paint_ct(canvas: Canvas, field: Field, lesion: LesionPlan, rng: np.random.Generator) -> None:
    """Put a lesion into the HU."""
    x, amplitude = texture(rng, field.box.shape, lesion.t_ct)
    share, mean, sd, gain = REPLACED[lesion.ct_type]
    value = mean + sd * rng.standard_normal()
    hu = canvas.hu[field.box.where]
    in_body = field.mask * canvas.body[field.box.where]
    in_arch = field.mask - in_body
    if lesion.shape == "disc":
        blend(hu, 0.75 * in_body, 70 + amplitude * x)
        hu += 230 * in_body * np.exp(-((field.distance + 1) ** 2) / 4)
    elif lesion.ct_type == "sclerotic":
        hu += in_body * (value + gain * amplitude * x)
    else:
        blend(hu, share * in_body, value + gain * amplitude * x)
    back = value + (20 if lesion.ct_type == "lytic" else 60) + gain * amplitude * x
    blend(
        hu,
        single(POSTERIOR_SHARE[lesion.ct_type] * in_arch),
        back if lesion.ct_type != "sclerotic" else back + 200,
    )
    new_bone = GROWTH_HU[0] + GROWTH_HU[1] * rng.standard_normal()
    blend(hu, field.growth, new_bone + 0.5 * amplitude * x)


def tbr_of(lesion: LesionPlan, rng: np.random.Generator) -> float:
    """Activity of the lesion over normal vertebral body."""
    return float(np.clip(2.55 * np.exp(0.36 * lesion.t_sp + rng.normal(0, 0.25)), 1.35, 14))


def paint_activity(
    canvas: Canvas, field: Field, lesion: LesionPlan, tbr: float, rng: np.random.Generator
) -> None:
    """Add a lesion's uptake, uneven and, if lytic, with a cold centre and a hot rim."""
    h = float(np.clip(0.30 * np.exp(0.58 * lesion.t_sp + rng.normal(0, 0.2)), 0.03, 1.3))
    length = 4.6 * float(np.exp(-0.08 * lesion.t_sp))
    noise = smooth_noise(rng, field.box.shape, (length * PIXEL / SLICE, length, length))
    uneven = np.clip(1 + 1.5 * h * noise, 0.02, 4)
    if lesion.ct_type == "lytic":
        uneven = uneven * np.clip(0.55 + 0.9 * np.exp(-((field.distance / 4) ** 2)), 0, 1.4)
    canvas.activity[field.box.where] += (tbr - 1) * uneven * (field.mask + 0.6 * field.growth)


def paint_abscess(canvas: Canvas, anatomy: Anatomy, lesion: LesionPlan) -> None:
    """Paravertebral abscesses beside a tuberculous disc, painted before the bones."""
    vert = anatomy.at(number(lesion.level))
    box = anatomy.box(vert, 5, vert.height / 2 + vert.disc + 24, 60)
    for side in (1, -1):
        at = (side * (vert.width / 2 + 4), 0.1 * vert.depth, (vert.height + vert.disc) / 2)
        d = ellipsoid(box, at, (11, 16, 22))
        blend(canvas.hu[box.where], occ(d, 2.0), 30 + 8 * fade(-d, 2, 1))
