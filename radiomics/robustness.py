"""How much a feature changes when nothing of the lesion does: 44 perturbations of a ROI, and the ICC over them.

Source: Zwanenburg et al., Sci Rep 2019 (image perturbation); features.md 10.2.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve

from radiomics.features import NAMES, extract
from radiomics.features.preparation import prepare
from radiomics.image import FloatArray, Slice, vector
from radiomics.region import boundary, plane_axes
from radiomics.stats.agreement import f_limits

SHIFTS = (0.0, 0.25, 0.5, 0.75)
TURNS_DEGREES = (-10.0, -5.0, 5.0, 10.0)
AREA_CHANGES = (-0.15, -0.10, 0.10, 0.15)
DRAWS = 10
KINDS: Mapping[str, int] = MappingProxyType(
    {"shift": len(SHIFTS) ** 2, "rotation": len(TURNS_DEGREES), "area": len(AREA_CHANGES),
     "contour": DRAWS, "noise": DRAWS}
)  # fmt: skip
N_VARIANTS = sum(KINDS.values())
HARMONICS = 5
STEP_MM = 0.5
SHARPEST = 0.25
MARGIN_MM = 20.0
LAPLACIANS = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
MEDIAN_OF_NORMAL = 0.6744897501960817
FEWEST = 10


@dataclass(frozen=True)
class Variant:
    """One perturbation: its kind, its number within the kind, the image, the outline and how the grid is turned."""

    kind: str
    number: int
    image: Slice
    polygon_mm: FloatArray
    turn_degrees: float = 0.0


def variants(
    image: Slice, polygon_mm: npt.ArrayLike, *, grid_mm: float, rng: np.random.Generator
) -> Iterator[Variant]:
    """The 44 perturbations of an outline (n, 3) in patient mm on an image, kind after kind.

    The grid shifted by 0, 1/4, 1/2, 3/4 of its step both ways (16, the first is the ROI as it is), turned by -10, -5,
    5, 10 degrees about the centroid, the area changed by -15, -10, 10, 15 per cent, the outline moved by smooth random
    displacements of half a native pixel (10 draws), Gaussian noise of the image's own size added (10 draws).
    """
    polygon = np.asarray(polygon_mm, dtype=np.float64)
    for number, (down, right) in enumerate((a, b) for a in SHIFTS for b in SHIFTS):
        yield shifted(image, polygon, down=down * grid_mm, right=right * grid_mm, number=number)
    for number, degrees in enumerate(TURNS_DEGREES):
        yield Variant("rotation", number, image, polygon, degrees)
    for number, change in enumerate(AREA_CHANGES):
        yield Variant("area", number, image, with_area(polygon, 1 + change))
    half = 0.5 * math.sqrt(image.spacing_mm[0] * image.spacing_mm[1])
    for number in range(DRAWS):
        yield Variant("contour", number, image, displaced(polygon, sd_mm=half, rng=rng))
    clean, sd = np.asarray(image.pixels, dtype=np.float64), noise_sd(image, polygon)
    for number in range(DRAWS):
        pixels = clean + sd * rng.standard_normal(image.shape)
        yield Variant("noise", number, replace(image, pixels=pixels), polygon)


def shifted(
    image: Slice, polygon_mm: FloatArray, *, down: float, right: float, number: int
) -> Variant:
    """The grid moved by (down, right) mm: image and outline are moved the other way, over a grid that stays."""
    by = down * np.asarray(image.column_direction) + right * np.asarray(image.row_direction)
    moved = replace(image, position_mm=vector(np.asarray(image.position_mm) - by))
    return Variant("shift", number, moved, polygon_mm - by)


def with_area(polygon_mm: FloatArray, factor: float) -> FloatArray:
    """The outline (n, 3) offset along its normals until its area is `factor` times its own.

    A vertex moves along its edges' normals, farther where it is sharp (at most three times). By bisection up to an
    offset of area over perimeter, half the radius of a disc, which changes every plump outline's area enough.
    """
    first, second = plane_axes(polygon_mm)
    middle = polygon_mm.mean(axis=0)
    flat = np.stack([(polygon_mm - middle) @ first, (polygon_mm - middle) @ second], axis=1)
    outwards = vertex_normals(flat)
    wanted = factor * signed_area(flat)
    reach = signed_area(flat) / float(
        np.linalg.norm(np.roll(flat, -1, axis=0) - flat, axis=1).sum()
    )
    low, high = (-reach, 0.0) if factor < 1 else (0.0, reach)
    for _ in range(60):
        offset = (low + high) / 2
        if signed_area(flat + offset * outwards) < wanted:
            low = offset
        else:
            high = offset
    flat = flat + high * outwards
    return np.asarray(middle + flat[:, :1] * first + flat[:, 1:] * second)


def signed_area(flat: FloatArray) -> float:
    """Area of a polygon (n, 2), positive if it runs from the first axis to the second."""
    x, y = flat.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def vertex_normals(flat: FloatArray) -> FloatArray:
    """Where each vertex (n, 2) of a polygon with positive area moves when every edge moves outwards by 1."""
    edge = np.roll(flat, -1, axis=0) - flat
    normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1) / np.linalg.norm(edge, axis=1)[:, None]
    both = normal + np.roll(normal, 1, axis=0)
    bend = (both * both).sum(axis=1) / 2
    return np.asarray(both / np.maximum(bend, SHARPEST)[:, None])


def displaced(polygon_mm: FloatArray, *, sd_mm: float, rng: np.random.Generator) -> FloatArray:
    """The outline, sampled every half millimetre, moved in its plane by a smooth random displacement.

    Each component is a periodic sum of five harmonics along the boundary with standard deviation `sd_mm` everywhere;
    without a constant term, so that the outline as a whole stays where it is.
    """
    points = boundary(polygon_mm, STEP_MM)
    steps = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    along = 2 * math.pi * np.concatenate([[0.0], np.cumsum(steps)[:-1]]) / steps.sum()
    phase = np.outer(along, np.arange(1, HARMONICS + 1))
    waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    moves = waves @ rng.normal(0.0, sd_mm / math.sqrt(HARMONICS), (2 * HARMONICS, 2))
    first, second = plane_axes(polygon_mm)
    return np.asarray(points + moves[:, :1] * first + moves[:, 1:] * second)


def noise_sd(image: Slice, polygon_mm: FloatArray) -> float:
    """Standard deviation of the image's noise within 20 mm about the outline, in its units.

    The difference of two Laplacians takes away what is smooth (Immerkaer 1996); the median of its absolute values
    keeps edges from counting. Its SD for independent noise is 6 times the noise's. 0 for fewer than 3 x 3 pixels.
    """
    rc = image.to_pixel(polygon_mm)
    margin = MARGIN_MM / np.asarray(image.spacing_mm)
    low = np.maximum(np.floor(rc.min(axis=0) - margin), 0).astype(int)
    high = np.ceil(rc.max(axis=0) + margin).astype(int) + 1
    near = np.asarray(image.pixels[low[0] : high[0], low[1] : high[1]], dtype=np.float64)
    if min(near.shape) < 3:
        return 0.0
    rough = convolve(near, LAPLACIANS)[1:-1, 1:-1]
    return float(np.median(np.abs(rough))) / (6 * MEDIAN_OF_NORMAL)


def measure(
    image: Slice,
    polygon_mm: npt.ArrayLike,
    *,
    grid_mm: float,
    values: str,
    low: float,
    high: float,
    rng: np.random.Generator,
) -> FloatArray:
    """The 279 features (44, 279) of every perturbation, NaN where undefined or the outline covers no node.

    Arguments as of `radiomics.features.preparation.prepare`; raises ValueError where the ROI itself gives no features.
    """
    rows: list[list[float]] = []
    for variant in variants(image, polygon_mm, grid_mm=grid_mm, rng=rng):
        try:
            ready = prepare(
                variant.image, variant.polygon_mm, grid_mm=grid_mm, values=values, low=low, high=high,
                turn_degrees=variant.turn_degrees,
            )  # fmt: skip
            rows.append(list(extract(ready.image, ready.mask).values()))
        except ValueError:
            if not rows:
                raise
            rows.append([math.nan] * len(NAMES))
    return np.asarray(rows, dtype=np.float64)


@dataclass(frozen=True)
class Summary:
    """What a lesion gives to the ICC of one kind: per feature (n,) undefined count, mean, and sum of squares about it."""

    undefined: npt.NDArray[np.int64]
    mean: FloatArray
    squares: FloatArray


def summaries(table: FloatArray) -> dict[str, Summary]:
    """Per kind, a table (44, features) of one lesion in short; mean and squares are NaN where a variant is undefined."""
    found: dict[str, Summary] = {}
    first = 0
    for kind, many in KINDS.items():
        part = table[first : first + many]
        mean = part.mean(axis=0)
        # equal values are told by their ends: their mean may differ from them in the last bit
        mean = np.where(part.min(axis=0) == part.max(axis=0), part[0], mean)
        undefined = np.isnan(part).sum(axis=0).astype(np.int64)
        found[kind] = Summary(undefined, mean, ((part - mean) ** 2).sum(axis=0))
        first += many
    return found


@dataclass(frozen=True)
class Stability:
    """ICC(1,1) of one feature over one kind of perturbation, with 95 % limits over `n` complete lesions.

    `undefined_share` of all lesions and variants; without an ICC the reason.
    """

    feature: str
    kind: str
    n: int
    undefined_share: float
    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def stability(kind: str, lesions: Sequence[Summary]) -> list[Stability]:
    """ICC(1,1) per feature in catalogue order, over the lesions whose every variant is defined.

    Fewer than 10 of these, or equal values everywhere: none, with the reason. One-way random effects of single
    measurements with F limits: Shrout & Fleiss 1979. Raises ValueError for no lesions or an unknown kind.
    """
    if kind not in KINDS or not lesions:
        raise ValueError(f"kind must be one of {', '.join(KINDS)} and lesions not empty, got {kind!r}")  # fmt: skip
    undefined = np.stack([s.undefined for s in lesions])
    means, squares = np.stack([s.mean for s in lesions]), np.stack([s.squares for s in lesions])
    share = undefined.sum(axis=0) / (len(lesions) * KINDS[kind])
    found = []
    for column, name in enumerate(NAMES):
        whole = undefined[:, column] == 0
        head = (name, kind, int(whole.sum()), float(share[column]))
        found.append(one_way(head, means[whole, column], squares[whole, column]))
    return found


def one_way(head: tuple[str, str, int, float], means: FloatArray, squares: FloatArray) -> Stability:
    """ICC(1,1) from each lesion's mean and sum of squares (n,)."""
    _, kind, n, _ = head
    k = KINDS[kind]
    if n < FEWEST:
        return Stability(*head, reason=f"fewer than {FEWEST} complete lesions")
    within = float(squares.sum()) / (n * (k - 1))
    between = k * float(((means - means.mean()) ** 2).sum()) / (n - 1)
    if np.ptp(means) == 0 and within == 0:
        return Stability(*head, reason="constant")
    if within == 0:
        return Stability(*head, value=1.0, low=1.0, high=1.0)
    value = (between - within) / (between + (k - 1) * within)
    low, high = f_limits(between / within, n - 1.0, n * (k - 1.0), 0.95)
    return Stability(*head, value, (low - 1) / (low + k - 1), (high - 1) / (high + k - 1))
