"""IBSI features of stored regions: the volume about the outlines, their mask, the portal's default settings."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from portal.analysis.extraction import NO_PIXELS
from portal.archive.models import Series
from portal.archive.pixels import slab
from portal.errors import StudyError
from portal.study.models import Study
from radiomics.ibsi.processing import (
    COUNTS_DEFAULT,
    CT_DEFAULT,
    MARGIN_MM,
    Settings,
    Whole,
    compute,
)
from radiomics.image import Volume
from radiomics.region import BoolArray
from radiomics.volume_region import Section, mask_of
from readers.models import Roi

SUV_UNIT = "GML"
NO_VOLUME = "The slices of this series do not form a volume."


@dataclass(frozen=True)
class Region:
    """The outlines of one read and modality: one on the largest cross-section, or one per slice."""

    rois: tuple[Roi, ...]

    @property
    def first(self) -> Roi:
        return self.rois[0]

    @property
    def unit(self) -> str:
        """HU, SUV where the images hold it, else counts; a share of an unknown dose is no SUV."""
        if self.first.modality == "CT":
            return "HU"
        return "SUV" if self.first.series.unit == SUV_UNIT else "counts"

    @property
    def settings(self) -> Settings:
        return CT_DEFAULT if self.first.modality == "CT" else COUNTS_DEFAULT


@dataclass(frozen=True)
class Measured:
    """Tag -> value (None where undefined) with its reason, or the sentence why there are none."""

    region: Region
    values: Mapping[str, float | None] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class Cut:
    """The part of a series about a region: its volume, the region's mask on it, and where it lies in the whole."""

    volume: Volume
    mask: BoolArray
    whole: Whole


def regions(study: Study) -> Iterator[Region]:
    """Regions of the locked, current reads, by lesion, delineator and modality."""
    rows = (
        Roi.objects.of_study(study)
        .locked()
        .select_related(
            "series", "read__assignment__lesion__patient", "read__assignment__session__reader"
        )
        .order_by(
            "read__assignment__lesion__patient__subject", "read__assignment__lesion__number",
            "read__assignment__session__reader__username", "read_id", "modality", "pk",
        )
    )  # fmt: skip
    for _, group in groupby(rows, key=lambda roi: (roi.read_id, roi.modality)):
        yield Region(tuple(group))


def cut_out(region: Region) -> Cut:
    """The slices of the region and a margin about them; only these are read."""
    series = region.first.series
    if not series.is_regular:
        raise ValueError(NO_VOLUME)
    first, last = reach(series, [roi.slice_index for roi in region.rois])
    volume = slab(series, first, last)
    sections = [
        Section(roi.slice_index - first, np.asarray(roi.vertices_mm, dtype=np.float64))
        for roi in region.rois
    ]
    shape = (len(series.geometry["positions_mm"]), *volume.pixels.shape[1:])
    return Cut(volume, mask_of(sections, volume), Whole(shape, (first, 0, 0)))


def reach(series: Series, indices: Sequence[int]) -> tuple[int, int]:
    """First and last slice to read: the interpolation and the local peaks ask for a margin."""
    margin = math.ceil(MARGIN_MM / float(series.geometry["slice_spacing_mm"])) + 2
    n = len(series.geometry["positions_mm"])
    return max(0, min(indices) - margin), min(n - 1, max(indices) + margin)


def measured(region: Region) -> Measured:
    """The IBSI features of a region under the portal's settings; a region that has none says why."""
    try:
        cut = cut_out(region)
        spacing = (cut.volume.slice_spacing_mm, *cut.volume.spacing_mm)
        pixels = np.asarray(cut.volume.pixels, dtype=np.float64)
        found = compute(pixels, cut.mask, spacing, region.settings, whole=cut.whole)
    except (ValueError, StudyError) as error:
        return Measured(region, failure=str(error))
    except FileNotFoundError:
        return Measured(region, failure=NO_PIXELS)
    values = {tag: None if math.isnan(v) else v for tag, v in found.values.items()}
    return Measured(region, values, found.reasons)


COLUMNS = (
    "lesion", "delineator", "occasion", "modality", "unit", "slices", "tag", "value", "reason",
)  # fmt: skip


def rows(study: Study) -> Iterator[list[object]]:
    """Long form for an export: one row per region and tag, or one with the reason why there is none."""
    for region in regions(study):
        case = region.first.read.assignment
        head = [
            str(case.lesion), case.session.reader.username, case.occasion, region.first.modality, region.unit,
            len(region.rois),
        ]  # fmt: skip
        found = measured(region)
        if found.failure:
            yield [*head, "", None, found.failure]
        for tag, value in found.values.items():
            yield [*head, tag, value, found.reasons.get(tag, "")]
