"""Vertebrae and discs as signed distances in their box, painted into HU, activity and bone shares."""

from dataclasses import dataclass

import numpy as np

from radiomics.phantom.anatomy import Anatomy, Vertebra
from radiomics.phantom.shapes import Box, Volume, blend, ellipse, fade, occ, single, smooth_noise

TEXTURE_HU = 44.0
DISC_HU = 92.0


@dataclass(frozen=True)
class Canvas:
    """The volumes (56, 256, 256) being painted: HU, activity, share of body and of posterior bone."""

    hu: Volume
    activity: Volume
    body: Volume
    posterior: Volume


@dataclass(frozen=True)
class Body:
    """Distances of a vertebral body: to its wall, below its upper and above its lower plate (positive outside)."""

    radius: Volume
    wall: Volume
    top: Volume
    bottom: Volume


def outline_radius(box: Box, vert: Vertebra) -> Volume:
    """1 on the outline of the body in the axial plane, waist and thoracic heart shape included."""
    half_w, half_d = vert.width / 2, vert.depth / 2
    waist = 1 - 0.075 * (1 - np.clip(2 * box.w / vert.height, -1, 1) ** 2)
    r = (np.abs(box.u / half_w) ** 2.3 + np.abs(box.v / half_d) ** 2.3) ** (1 / 2.3)
    if vert.thoracic:
        heart = 0.97 * np.hypot(box.u / half_w, (box.v - 2) / (half_d + 1))
        heart = heart + 0.18 * np.clip(-box.v / vert.depth, 0, 1) * np.abs(box.u) / half_w
        r = np.maximum(r, heart)
    return np.asarray(r / waist, dtype=np.float32)


def canal(box: Box, vert: Vertebra) -> Volume:
    """Distance to the spinal canal (axial)."""
    a = 10.5 if vert.thoracic else 12.0
    return ellipse(box.u, box.v, 0, 0.5 * vert.depth + 8, a, 8.2)


def body_of(box: Box, vert: Vertebra, wedge: float) -> Body:
    """Distances of the body; `wedge` lowers the front of the upper plate by that share of the height."""
    r = outline_radius(box, vert)
    wall = np.maximum((r - 1) * (vert.width + vert.depth) / 4, -canal(box, vert))
    hollow = 1.6 * (1 - np.minimum(r, 1) ** 2)
    half = vert.height / 2 - hollow
    lowered = wedge * vert.height * np.clip(0.5 - box.v / vert.depth, 0, 1)
    return Body(
        r, wall.astype(np.float32), (box.w - half + lowered).astype(np.float32),
        (-box.w - half).astype(np.float32),
    )  # fmt: skip


def share_of(body: Body) -> Volume:
    """Occupancy of the body: sharp in plane, over the slice thickness at the plates."""
    return occ(body.wall, 1.0) * occ(body.top, 2.5) * occ(body.bottom, 2.5)


def rod(across: Volume, up: Volume, half_width: float, half_height: float) -> Volume:
    """Distance to a rounded bar seen along its axis."""
    r = np.hypot(across / np.float32(half_width), up / np.float32(half_height))
    return single((r - 1) * np.float32(min(half_width, half_height)))


def pedicle(box: Box, vert: Vertebra, a: Volume) -> Volume:
    """Pedicles from the body to the laminae."""
    d = rod(
        a - 0.36 * vert.width,
        box.w - 0.17 * vert.height,
        3.3 if vert.thoracic else 4.6,
        0.27 * vert.height,
    )
    along = np.maximum(0.30 * vert.depth - box.v, box.v - vert.back - 2)
    return single(np.maximum(d, along))


def lamina(box: Box, vert: Vertebra, a: Volume) -> Volume:
    """The V of the laminae."""
    start = 0.36 * vert.width + 1
    line = vert.back + 11 * (1 - a / start)
    d = np.abs(box.v - line) * 0.72 - 2.6
    up = np.maximum(-0.48 * vert.height - box.w, box.w - 0.22 * vert.height)
    return single(np.maximum(np.maximum(d, a - start - 1.5), up))


def spinous(box: Box, vert: Vertebra, a: Volume) -> Volume:
    """The spinous process, thicker at its rounded end, sinking backwards."""
    start, length = vert.back + 9, 24.0 if vert.thoracic else 27.0
    t = box.v - start
    width = 2.9 + 1.6 * np.clip((t - length + 8) / 8, 0, 1)
    drop = -0.14 * vert.height - (0.62 if vert.thoracic else 0.12) * t
    high = (0.26 if vert.thoracic else 0.33) * vert.height
    end = np.maximum(-3 - t, t - length) / 5
    round_off = np.sqrt(np.clip(1 - np.clip(end + 1, 0, 1) ** 2 * 0.6, 0.1, 1))
    up = (np.abs(box.w - drop) - high * round_off) * 0.8
    return single(np.maximum(np.maximum(a - width, up), end * 5))


def transverse(box: Box, vert: Vertebra, a: Volume) -> Volume:
    """Transverse processes, outwards and swinging back."""
    length, back = (17.0, 11.0) if vert.thoracic else (21.0, 3.0)
    t = np.clip((a - 0.36 * vert.width) / length, 0, 1)
    radius = 3.6 + 0.8 * t
    du = a - 0.36 * vert.width - t * length
    dv = box.v - vert.back + 2 - back * t
    return single(np.sqrt(du**2 + dv**2 + (box.w - 0.12 * vert.height) ** 2) - radius)


def facet_place(vert: Vertebra) -> tuple[float, float]:
    """|u| and v of the facet pillar."""
    return (
        0.36 * vert.width + (1.0 if vert.thoracic else 3.5),
        vert.back + (2.5 if vert.thoracic else 4.5),
    )


def pillars(box: Box, vert: Vertebra, a: Volume) -> Volume:
    """Upper and lower articular processes, a joint space apart from their neighbours'."""
    at, v = facet_place(vert)
    reach = vert.height / 2 + vert.disc / 2 + 1.5
    upper = np.hypot(
        a - at - 3.2 * np.clip(box.w / reach, 0, 1), box.v - v + 3.4 * np.clip(box.w / reach, 0, 1)
    )
    low = np.clip(-box.w / reach, 0, 1)
    lower = np.hypot(a - at + 3.0 * low, box.v - v - 3.2 * low)
    d = np.where(box.w > 0, upper, lower) - (4.4 - 0.9 * np.clip(np.abs(box.w) / reach, 0, 1))
    return single(np.maximum(d, np.abs(box.w) - reach))


def paint_canal(canvas: Canvas, box: Box, vert: Vertebra) -> None:
    """Dural sac in its rim of fat."""
    d = np.broadcast_to(canal(box, vert), box.shape)
    blend(canvas.hu[box.where], occ(d, 1.0), np.where(d > -2, -32.0, 28.0))


def paint_disc(canvas: Canvas, box: Box, vert: Vertebra, rng: np.random.Generator) -> None:
    """The disc below a vertebra; a wedged body has disc material in its place before it is painted."""
    middle = -(vert.height + vert.disc) / 2
    d = (outline_radius(box, vert) / 1.03 - 1) * (vert.width + vert.depth) / 4
    high = np.abs(box.w - middle) - vert.disc / 2 - 0.8
    share = occ(np.maximum(d, -canal(box, vert)), 1.0) * occ(high, 2.5)
    value = DISC_HU + 8 * rng.standard_normal()
    blend(canvas.hu[box.where], share, value)
    if vert.wedge:
        blend(canvas.hu[box.where], share_of(body_of(box, vert, 0.0)), value)


def paint_posterior(
    canvas: Canvas, box: Box, vert: Vertebra, trabecular: float, noise: Volume
) -> None:
    """Arch, processes and joints."""
    a = np.abs(box.u)
    arch = np.minimum(pedicle(box, vert, a), lamina(box, vert, a))
    arch = np.minimum(arch, np.minimum(spinous(box, vert, a), transverse(box, vert, a)))
    joint = pillars(box, vert, a)
    d = np.maximum(np.minimum(arch, joint), -canal(box, vert))
    share = occ(d, 1.2)
    solid = np.maximum(fade(-d, 1.5, 0.9), 0.72 * occ(joint, 1.5))
    value = trabecular + 70 + 30 * noise + (430 + 0.3 * trabecular) * solid
    blend(canvas.hu[box.where], share, value)
    blend(canvas.activity[box.where], share, 0.85 * 0.95)
    np.maximum(canvas.posterior[box.where], share, out=canvas.posterior[box.where])


def paint_body(canvas: Canvas, box: Box, vert: Vertebra, trabecular: float, noise: Volume) -> None:
    """Vertebral body: cancellous bone, cortex, end plates, the notch of the basivertebral vein."""
    body = body_of(box, vert, vert.wedge)
    share = share_of(body)
    shell = fade(-body.wall, 1.0, 0.9)
    plate = np.maximum(fade(-body.top, 2.2, 1.5), fade(-body.bottom, 2.2, 1.5))
    notch = np.exp(-((box.u / 4) ** 2) - (box.w / 2.5) ** 2) * fade(
        0.5 * vert.depth - box.v, 3.0, 5.0
    )
    value = trabecular + TEXTURE_HU * noise + (0.4 * trabecular + 330) * shell * (1 - 0.9 * notch)
    value = value + 190 * 0.35 * plate * (1.6 + 0 * shell) - 0.7 * trabecular * notch
    blend(canvas.hu[box.where], share, value)
    blend(canvas.activity[box.where], share, 0.95 * (1 + 0.1 * shell))
    np.maximum(canvas.body[box.where], share, out=canvas.body[box.where])


def paint_spine(canvas: Canvas, anatomy: Anatomy, rngs: list[np.random.Generator]) -> None:
    """All vertebrae and discs: canals and discs first, then arches, then bodies."""
    boxes = [
        anatomy.box(v, 0.62 * v.height + v.disc + 14 * v.thoracic + 5, 0.5 * v.height + v.disc + 5)
        for v in anatomy.vertebrae
    ]
    todo = [
        (v, box, rng)
        for v, box, rng in zip(anatomy.vertebrae, boxes, rngs, strict=True)
        if min(box.shape) > 0
    ]
    for vert, box, rng in todo:
        paint_canal(canvas, box, vert)
        paint_disc(canvas, box, vert, rng)
    bones = [
        (
            v,
            b,
            anatomy.trabecular * float(r.normal(1, 0.04)),
            smooth_noise(r, b.shape, (1.2, 0.8, 0.8)),
        )
        for v, b, r in todo
    ]
    for vert, box, trabecular, noise in bones:
        paint_posterior(canvas, box, vert, trabecular, noise)
    for vert, box, trabecular, noise in bones:
        paint_body(canvas, box, vert, trabecular, noise)
