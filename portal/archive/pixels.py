"""Pixels for the floors above: a series as a volume or slice in modality values, ascending along its normal."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from portal.archive import packs
from portal.archive.models import Instance, Series
from portal.errors import NotFound
from radiomics.image import Slice, Volume, vector

Pixels = npt.NDArray[np.generic]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FrameRef:
    """One image of a series in canonical order; planar images have no position."""

    sop_instance_uid: str
    frame: int
    position_mm: tuple[float, float, float] | None


@dataclass(frozen=True)
class PlacedSlice:
    """A slice with its index in the series, from 0."""

    slice: Slice
    index: int


def dtype_of(series: Series) -> np.dtype[Any]:
    pixel = series.pixel
    return np.dtype(f"<{'i' if pixel['signed'] else 'u'}{pixel['bits_allocated'] // 8}")


def instances_of(series: Series) -> list[Instance]:
    return list(Instance.objects.filter(series=series).order_by("rank"))


def frames_of(series: Series) -> list[FrameRef]:
    """Every image of the series, ascending."""
    positions = series.geometry.get("positions_mm") or []
    found: list[FrameRef] = []
    for instance in instances_of(series):
        for number in range(1, instance.n_frames + 1):
            index = len(found)
            place = vector(positions[index]) if index < len(positions) else None
            found.append(FrameRef(instance.uid, number, place))
    return found


def stored_values(series: Series, instance: Instance, number: int) -> Pixels:
    """Stored integers (rows, columns) of canonical frame `number`, from 1."""
    offset, length = instance.native_frames[number - 1]
    data = packs.read(series.folder, packs.NATIVE, packs.Extent(offset, length))
    shape = (series.pixel["rows"], series.pixel["columns"])
    return np.frombuffer(data, dtype=dtype_of(series)).reshape(shape)


def modality_values(series: Series, instance: Instance, number: int) -> FloatArray:
    """HU, counts or activity (rows, columns): stored value times slope plus intercept, float64."""
    stored = stored_values(series, instance, number).astype(np.float64)
    return np.asarray(stored * instance.slope + instance.intercept)


def each_frame(series: Series) -> Iterator[FloatArray]:
    for instance in instances_of(series):
        for number in range(1, instance.n_frames + 1):
            yield modality_values(series, instance, number)


def geometry_of(series: Series) -> dict[str, Any]:
    geometry: dict[str, Any] = series.geometry
    return geometry


def directions(series: Series) -> dict[str, Any]:
    geometry = series.geometry
    return {
        "row_direction": vector(geometry["row_direction"]),
        "column_direction": vector(geometry["column_direction"]),
        "spacing_mm": (float(geometry["spacing_mm"][0]), float(geometry["spacing_mm"][1])),
    }


def volume(series: Series) -> Volume:
    """The whole series in modality values, ascending along its normal."""
    positions = np.asarray(series.geometry["positions_mm"], dtype=np.float64)
    return Volume(
        pixels=np.stack(list(each_frame(series))),
        origin_mm=vector(series.geometry["origin_mm"]),
        slice_spacing_mm=float(series.geometry["slice_spacing_mm"]),
        positions_mm=positions,
        **directions(series),
    )


def slab(series: Series, first: int, last: int) -> Volume:
    """Slices `first` to `last` of a series, counted from 0 and both included, as a volume of their own."""
    frames = [(i, n) for i in instances_of(series) for n in range(1, i.n_frames + 1)]
    positions = np.asarray(series.geometry["positions_mm"][first : last + 1], dtype=np.float64)
    chosen = frames[first : last + 1]
    return Volume(
        pixels=np.stack([modality_values(series, instance, number) for instance, number in chosen]),
        origin_mm=vector(positions[0]),
        slice_spacing_mm=float(series.geometry["slice_spacing_mm"]),
        positions_mm=positions,
        **directions(series),
    )


@lru_cache(maxsize=64)
def index_of(series_id: int, digest: str) -> dict[tuple[str, int], int]:
    """(SOP instance, frame) -> index of a series whose content has this digest."""
    series = Series.objects.get(pk=series_id)
    return {(f.sop_instance_uid, f.frame): i for i, f in enumerate(frames_of(series))}


def slice_of(series: Series, sop_instance_uid: str, frame: int) -> PlacedSlice:
    """One image in modality values, placed in the patient; raises NotFound if the series has no such image."""
    index = index_of(series.pk, series.digest).get((sop_instance_uid, frame))
    if index is None:
        raise NotFound("That image does not belong to the series.")
    instance = Instance.objects.get(series=series, uid=sop_instance_uid)
    position = vector(series.geometry["positions_mm"][index])
    values = modality_values(series, instance, frame)
    return PlacedSlice(Slice(pixels=values, position_mm=position, **directions(series)), index)


def planar_image(series: Series, number: int) -> FloatArray:
    """View `number` (from 1) of a whole-body series in modality values."""
    instance = instances_of(series)[0]
    return modality_values(series, instance, number)
