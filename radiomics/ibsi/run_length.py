"""Run lengths, 16 features in six aggregations."""

import numpy as np

from radiomics.ibsi.aggregation import Counts, Values, by_direction, tagged
from radiomics.ibsi.region import Region, Step
from radiomics.ibsi.sizes import named, table_of


def runs(region: Region, step: Step) -> Counts:
    """Counts (levels, lengths) of the runs of one level along `step`."""
    flat, places, stride = region.flat, region.places, region.stride(step)
    starts = places[flat[places - stride] != flat[places]]
    lengths = np.ones(starts.size, dtype=np.int64)
    going, ends = np.arange(starts.size), starts
    while going.size:
        ends = ends + stride
        goes_on = flat[ends] == flat[starts[going]]
        going, ends = going[goes_on], ends[goes_on]
        lengths[going] += 1
    return Counts(table_of(flat[starts], lengths, region.n_levels), region.n_voxels)


def run_length(region: Region) -> Values:
    """All 96 tags `rlm_…`. Source: Galloway 1975; IBSI manual 3.7."""
    return tagged("rlm", by_direction(region, runs, named("rlm")))
