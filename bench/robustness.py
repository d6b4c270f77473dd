"""CPU seconds of the 44 perturbations of a ROI, extrapolated to 192 lesions in two modalities (16,896 extractions).

Run with one BLAS thread: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python bench/robustness.py [--rois N]
"""

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).parents[1]))

from radiomics.image import Slice
from radiomics.robustness import N_VARIANTS, measure, stability, summaries

BAR_SECONDS = 180.0
N_ROIS = 192 * 2


def lesion(number: int) -> tuple[Slice, np.ndarray]:
    """A CT slice of 512 x 512 or a SPECT slice of 128 x 128, and an outline of 10 to 30 mm."""
    rng = np.random.default_rng(number)
    size, spacing = (512, 0.9766) if number % 2 else (128, 4.418)
    pixels = 300 + 400 * gaussian_filter(rng.normal(size=(size, size)), 1)
    at = rng.uniform(-3, 3, 2)
    angle = 2 * math.pi * np.arange(40) / 40
    radius = (5 + 10 * (number % 20) / 19) * (1 + 0.1 * np.cos(3 * angle))
    polygon = np.stack(
        [at[0] + radius * np.cos(angle), at[1] + radius * np.sin(angle), 0 * angle], axis=1
    )
    corner = -spacing * (size - 1) / 2
    return Slice(
        pixels, (corner, corner, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (spacing, spacing)
    ), polygon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rois", type=int, default=40)
    many = parser.parse_args().rois
    rois = [lesion(i) for i in range(many)]
    start = time.process_time()
    tables = [
        measure(
            *roi, grid_mm=1.0, values="window8", low=-500, high=1300, rng=np.random.default_rng(i)
        )
        for i, roi in enumerate(rois)
    ]
    seconds = time.process_time() - start
    print(
        f"{many * N_VARIANTS} extractions with preparation: {seconds:.1f} s, {1e3 * seconds / many / N_VARIANTS:.2f} ms each"
    )
    print(
        f"extrapolated to {N_ROIS * N_VARIANTS}: {seconds / many * N_ROIS:.0f} s (bar {BAR_SECONDS:.0f} s)"
    )
    start = time.process_time()
    short = [summaries(table) for table in tables]
    for kind in short[0]:
        stability(kind, [s[kind] for s in short])
    print(f"ICC of 279 features and five kinds: {time.process_time() - start:.2f} s")


if __name__ == "__main__":
    main()
