"""Smallest and largest value of an image, taken while its frames go by, and the windows of its header."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from portal.archive.deidentify import number, one_number
from portal.archive.plain import Readable


class Extremes:
    """Largest and smallest value; of counts also what is positive, for its 99.9th percentile.

    `is_beyond` where bits above the stored ones are in use by anything but the padding.
    """

    def __init__(self, ds: Readable, role: str) -> None:
        self.is_count = role in ("SPECT", "WB")
        bits = int(ds.get("BitsAllocated", 16) or 16)
        kind = "i" if int(ds.get("PixelRepresentation", 0) or 0) else "u"
        self.dtype = np.dtype(f"<{kind}{bits // 8}") if bits in (8, 16, 32) else None
        self.slope = float(number(ds.get("RescaleSlope")) or 1.0)
        self.intercept = float(number(ds.get("RescaleIntercept")) or 0.0)
        self.low, self.high = math.inf, -math.inf
        self.least, self.most = ends_of(int(ds.get("BitsStored", bits) or bits), kind)
        self.padding = one_number(ds, "PixelPaddingValue")
        self.is_beyond = False
        self.positive: list[np.ndarray[Any, Any]] = []

    def add(self, frame: bytes) -> None:
        if self.dtype is None:
            return
        values = np.frombuffer(frame, dtype=self.dtype)
        low, high = float(values.min()), float(values.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        if low < self.least or high > self.most:
            self.is_beyond = self.is_beyond or self.has_more_than_padding(values)
        if self.is_count:
            self.positive.append(values[values > 0])

    def has_more_than_padding(self, values: np.ndarray[Any, Any]) -> bool:
        """Scanners write padding in all the bits that are allocated; it shows nothing of the patient."""
        beyond = values[(values < self.least) | (values > self.most)]
        if self.padding is None:
            return True
        # SS or US, whichever way it was written: the same bits
        bits = 8 * values.dtype.itemsize
        return bool(np.any(beyond.view(f"<u{bits // 8}") != int(self.padding) % 2**bits))

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


def ends_of(stored: int, kind: str) -> tuple[float, float]:
    """The least and the largest value that so many bits hold."""
    width = 2.0 ** min(stored, 64)
    return (-width / 2, width / 2 - 1) if kind == "i" else (0.0, width - 1)


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
