"""Smallest and largest value of an image, taken while its frames go by, and the windows of its header."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from portal.archive.deidentify import number
from portal.archive.plain import Readable


class Extremes:
    """Largest and smallest value; of counts also what is positive, for its 99.9th percentile."""

    def __init__(self, ds: Readable, role: str) -> None:
        self.is_count = role in ("SPECT", "WB")
        bits = int(ds.get("BitsAllocated", 16) or 16)
        kind = "i" if int(ds.get("PixelRepresentation", 0) or 0) else "u"
        self.dtype = np.dtype(f"<{kind}{bits // 8}") if bits in (8, 16, 32) else None
        self.slope = float(number(ds.get("RescaleSlope")) or 1.0)
        self.intercept = float(number(ds.get("RescaleIntercept")) or 0.0)
        self.low, self.high = math.inf, -math.inf
        self.positive: list[np.ndarray[Any, Any]] = []

    def add(self, frame: bytes) -> None:
        if self.dtype is None:
            return
        values = np.frombuffer(frame, dtype=self.dtype)
        self.low, self.high = (
            min(self.low, float(values.min())),
            max(self.high, float(values.max())),
        )
        if self.is_count:
            self.positive.append(values[values > 0])

    def summary(self) -> dict[str, float | None]:
        if self.dtype is None or not math.isfinite(self.low):
            return {}
        ends = sorted(self.slope * v + self.intercept for v in (self.low, self.high))
        found: dict[str, float | None] = {
            "minimum": ends[0],
            "maximum": ends[1],
            "p999_positive": None,
        }
        if self.is_count:
            positive = np.concatenate(self.positive) if self.positive else np.empty(0)
            if positive.size:
                found["p999_positive"] = (
                    float(np.percentile(positive, 99.9)) * self.slope + self.intercept
                )
        return found


def several(value: Any) -> list[Any]:
    """The values of an element that may have one."""
    is_one = isinstance(value, str) or not isinstance(value, Iterable)
    return [value] if is_one else list(value)


def windows(ds: Readable) -> list[list[float]]:
    """Finite centre and width pairs of the header."""
    centres, widths = ds.get("WindowCenter"), ds.get("WindowWidth")
    if centres is None or widths is None:
        return []
    pairs = zip(several(centres), several(widths), strict=False)
    found = [[number(c), number(w)] for c, w in pairs]
    return [[float(c), float(w)] for c, w in found if c is not None and w is not None and w >= 1]
