"""Display windows computed by the server: fixed ones for CT, from the pixels for SPECT."""

from functools import lru_cache
from typing import Any

import numpy as np

from portal.archive.models import Series
from portal.archive.pixels import volume
from radiomics.image import Volume

CT_WINDOWS = {
    "bone": (450.0, 1500.0),
    "soft": (40.0, 400.0),
    "lung": (-600.0, 1500.0),
    "dense": (700.0, 3000.0),
}
NEAR_MM = 30.0


def window(name: str, lower: float, upper: float) -> dict[str, Any]:
    return {"name": name, "lower": lower, "upper": upper}


def presets(
    role: str, series: Series, world: tuple[float, float, float] | None
) -> list[dict[str, Any]]:
    """CT: bone, soft, lung, dense. Counts: volume, lesion, half, full, each from 0."""
    if role == "CT":
        return [window(n, c - w / 2, c + w / 2) for n, (c, w) in CT_WINDOWS.items()]
    full = positive(series.values.get("maximum"))
    usual = positive(series.values.get("p999_positive") or full)
    if role != "SPECT":
        return [window("volume", 0.0, usual), window("full", 0.0, full)]
    lesion = lesion_maximum(series, world) or full
    uppers = {"volume": usual, "lesion": lesion, "half": lesion / 2, "full": full}
    return [window(name, 0.0, upper) for name, upper in uppers.items()]


def positive(value: float | None) -> float:
    """An upper bound that a window can have: 1 where the image is empty."""
    return float(value) if value is not None and value > 0 else 1.0


def lesion_maximum(series: Series, world: tuple[float, float, float] | None) -> float:
    """Largest value within 30 mm of the lesion, 0 where there is none; kept per series and place."""
    if world is None or not series.is_volume:
        return 0.0
    return cached_maximum(series.pk, series.digest, world)


@lru_cache(maxsize=512)
def cached_maximum(pk: int, _digest: str, world: tuple[float, float, float]) -> float:
    return near_maximum(volume(Series.objects.get(pk=pk)), world)


def near_maximum(image: Volume, world: tuple[float, float, float]) -> float:
    """Largest value of the voxels whose centres lie within 30 mm of a point, 0 if there are none."""
    best = 0.0
    heights = (image.positions_mm - np.asarray(world)) @ image.normal
    for k in np.flatnonzero(np.abs(heights) <= NEAR_MM):
        plane = image.slice(int(k))
        row, column = plane.to_pixel([world])[0]
        down = (np.arange(plane.shape[0]) - row) * plane.spacing_mm[0]
        right = (np.arange(plane.shape[1]) - column) * plane.spacing_mm[1]
        away2 = down[:, None] ** 2 + right[None, :] ** 2 + heights[k] ** 2
        near = plane.pixels[away2 <= NEAR_MM**2]
        best = max(best, float(near.max())) if near.size else best
    return best
