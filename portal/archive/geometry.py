"""Where slices lie in the patient: signed NM stacking, sorted CT and PT stacks, and what is wrong with them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from portal.archive.plain import Readable

FloatArray = npt.NDArray[np.float64]
UNIT_TOLERANCE = 1e-3
STEP_TOLERANCE_MM = 0.1
SAME_PLACE_MM = 1e-3
ORIENTATION_TOLERANCE, RELATIVE_TOLERANCE = 1e-4, 1e-5
TILT_COSINE = float(np.cos(np.deg2rad(1.0)))
LOOK = " Look at it fused on the CT and confirm it."
NO_DISTANCE = "The distance between slices is missing."
ODD_NUMBERS = "The slices are numbered in an unusual order."


@dataclass(frozen=True)
class Frame:
    """Position, orientation and spacing of one single-frame image, as its header says."""

    position: tuple[float, float, float]
    orientation: tuple[float, ...]
    spacing: tuple[float, float]


@dataclass(frozen=True)
class Stack:
    """Canonical geometry: `order` puts source images or frames in ascending order along the normal.

    `problem` names why it is no volume (`geometry`) or must be confirmed (`geometry_to_confirm`), '' if neither.
    """

    order: tuple[int, ...]
    positions: tuple[tuple[float, float, float], ...]
    slice_spacing: float
    problem: str = ""
    sentence: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    tomo: "Tomo | None" = None


@dataclass(frozen=True)
class Tomo:
    """What a multi-frame header says of its slices: its plane, their signed distance, their odd numbers, thickness.

    `signed_mm` is 0 where no distance is told; `numbered` is empty where the frames are the slices in their order.
    """

    frame: Frame
    signed_mm: float
    numbered: tuple[int, ...] = ()
    thickness_mm: float | None = None

    @property
    def doubt(self) -> str:
        """Why nobody but a person can say where the slices lie, '' where the header does."""
        if self.signed_mm == 0:
            return NO_DISTANCE
        return ODD_NUMBERS if self.numbered else ""

    def stacked(self, places: Sequence[int], signed_mm: float) -> Stack:
        """Frame k at `places[k]` signed steps from the header's position: p = IPP + place * s * n."""
        steps = np.asarray(places)[:, None] * signed_mm * normal_of(self.frame)
        positions = np.asarray(self.frame.position) + steps
        order = np.argsort(np.asarray(places) * signed_mm, kind="stable")
        ascending = positions[order]
        values = described(self.frame, ascending, abs(signed_mm), self.thickness_mm)
        found = tuple(map(tuple, ascending.tolist()))
        return Stack(tuple(int(k) for k in order), found, abs(signed_mm), values=values)

    def to_json(self) -> dict[str, Any]:
        plane_ = [list(self.frame.position), list(self.frame.orientation), list(self.frame.spacing)]
        return {
            "plane": plane_,
            "signed_mm": self.signed_mm,
            "numbered": list(self.numbered),
            "thickness_mm": self.thickness_mm,
        }

    @staticmethod
    def from_json(kept: dict[str, Any]) -> "Tomo":
        position, orientation, spacing = kept["plane"]
        frame = Frame(tuple(position), tuple(orientation), tuple(spacing))
        return Tomo(frame, kept["signed_mm"], tuple(kept["numbered"]), kept["thickness_mm"])


def numbers(values: Any, count: int) -> tuple[float, ...] | None:
    try:
        found = tuple(float(v) for v in values)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(np.isfinite(found)) else None


def plane(ds: Readable) -> Frame | None:
    """Position, orientation and spacing of a data set or detector item; None where any is missing."""
    position = numbers(ds.get("ImagePositionPatient"), 3)
    orientation = numbers(ds.get("ImageOrientationPatient"), 6)
    spacing = numbers(ds.get("PixelSpacing"), 2)
    if position is None or orientation is None or spacing is None:
        return None
    return Frame((position[0], position[1], position[2]), orientation, (spacing[0], spacing[1]))


def is_sound(frame: Frame) -> bool:
    """Directions of unit length at right angles, spacings positive."""
    r, c = frame.orientation[:3], frame.orientation[3:]
    is_unit = all(abs(math.hypot(*one) - 1) < UNIT_TOLERANCE for one in (r, c))
    slant = sum(a * b for a, b in zip(r, c, strict=True))
    return is_unit and abs(slant) < UNIT_TOLERANCE and min(frame.spacing) > 0


def is_alike(one: Sequence[float], other: Sequence[float]) -> bool:
    """The same directions of rows and columns, up to rounding in a header."""
    most = [ORIENTATION_TOLERANCE + RELATIVE_TOLERANCE * abs(b) for b in other]
    return len(one) == len(other) and all(
        abs(a - b) <= limit for a, b, limit in zip(one, other, most, strict=True)
    )


def normal_of(frame: Frame) -> FloatArray:
    return np.cross(np.asarray(frame.orientation[:3]), np.asarray(frame.orientation[3:]))


def described(
    frame: Frame, positions: FloatArray, slice_spacing: float, thickness: Any
) -> dict[str, Any]:
    """What a series row stores."""
    thick = numbers([thickness], 1)
    return {
        "origin_mm": positions[0].tolist(),
        "row_direction": list(frame.orientation[:3]),
        "column_direction": list(frame.orientation[3:]),
        "spacing_mm": list(frame.spacing),
        "slice_spacing_mm": slice_spacing,
        "thickness_mm": thick[0] if thick else None,
        "positions_mm": positions.tolist(),
    }


def no_volume(n: int, problem: str, sentence: str, tomo: Tomo | None = None) -> Stack:
    return Stack(tuple(range(n)), (), 0.0, problem, sentence, tomo=tomo)


def stack_of_nm(ds: Readable, n_frames: int) -> Stack:
    """RECON TOMO: p_k = IPP + (k - 1) s n with signed s; negative s reverses the frames."""
    items = ds.get("DetectorInformationSequence") or []
    item = items[0] if len(items) else None
    merged = Dataset()
    for name in ("ImagePositionPatient", "ImageOrientationPatient"):
        value = item.get(name) if item is not None else None
        if value:
            setattr(merged, name, value)
    merged.PixelSpacing = ds.get("PixelSpacing")
    frame = plane(merged)
    if frame is None or not is_sound(frame):
        return no_volume(
            n_frames, "geometry", "The file does not say where its slices lie in the patient."
        )
    tomo = Tomo(frame, *spacing_and_order(ds, n_frames), thickness_of(ds))
    if tomo.doubt:
        return no_volume(n_frames, "geometry_to_confirm", tomo.doubt + LOOK, tomo)
    return tomo.stacked(range(n_frames), tomo.signed_mm)


def spacing_and_order(ds: Readable, n_frames: int) -> tuple[float, tuple[int, ...]]:
    """The signed distance between slices, 0 where it is not told, and their numbers where these are unusual."""
    signed = numbers([ds.get("SpacingBetweenSlices")], 1)
    vector = ds.get("SliceVector")
    listed = () if vector is None else tuple(int(v) for v in np.atleast_1d(vector))
    is_usual = listed in ((), tuple(range(1, n_frames + 1)))
    return signed[0] if signed else 0.0, () if is_usual else listed


def thickness_of(ds: Readable) -> float | None:
    found = numbers([ds.get("SliceThickness")], 1)
    return found[0] if found else None


def stack_of_slices(frames: Sequence[Frame], thickness: Any) -> Stack:
    """CT and PT: sorted along the normal; irregular, tilted or repeated positions must be confirmed."""
    first = frames[0]
    unlike = {(f.orientation, f.spacing): f for f in frames}.values()
    if not all(is_sound(f) for f in unlike):
        return no_volume(
            len(frames), "geometry", "The file does not say where its slices lie in the patient."
        )
    if not all(is_alike(f.orientation, first.orientation) for f in unlike):
        why = "The slices have several orientations." + LOOK
        return no_volume(len(frames), "geometry_to_confirm", why)
    n = normal_of(first)
    places = np.asarray([f.position for f in frames])
    along = places @ n
    order = np.argsort(along, kind="stable")
    positions, along = places[order], along[order]
    steps = np.diff(along)
    spacing = float(np.median(steps)) if steps.size else 1.0
    problem, sentence = irregularity(positions, steps, spacing, n)
    is_volume = not steps.size or bool(steps.min() >= SAME_PLACE_MM)
    values = described(first, positions, spacing, thickness) if is_volume else {}
    return Stack(
        tuple(int(i) for i in order),
        tuple(map(tuple, positions.tolist())),
        spacing,
        problem,
        sentence,
        values,
    )


def irregularity(
    positions: FloatArray, steps: FloatArray, spacing: float, n: FloatArray
) -> tuple[str, str]:
    """`geometry_to_confirm` with the reason, or nothing."""
    if not steps.size:
        return "", ""
    if (steps < SAME_PLACE_MM).any():
        why = "Slices lie on top of each other, which makes no volume; ask for one of each place."
        return "geometry_to_confirm", why
    odd = np.flatnonzero(np.abs(steps - spacing) > STEP_TOLERANCE_MM)
    if odd.size:
        low, high = positions[odd[0], 2], positions[odd[0] + 1, 2]
        return (
            "geometry_to_confirm",
            f"Slices are missing between z = {low:.1f} and {high:.1f} mm." + LOOK,
        )
    travel = positions[-1] - positions[0]
    if abs(travel @ n) / float(np.linalg.norm(travel)) < TILT_COSINE:
        return "geometry_to_confirm", "The stack is tilted against its slices." + LOOK
    return "", ""
