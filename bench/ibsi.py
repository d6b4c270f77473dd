"""CPU seconds of the IBSI layer on a ball of 4,169 voxels; beside pyradiomics and mirp where their environments are given.

Run with one BLAS thread: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python bench/ibsi.py [--pyradiomics PY] [--mirp PY]
where PY is the interpreter of a separate virtual environment (pyradiomics' import name is ours: never in this one).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).parents[1]))

from radiomics.ibsi.aggregation import within_volume
from radiomics.ibsi.co_occurrence import describe, pairs
from radiomics.ibsi.intensity import statistics as intensity_statistics
from radiomics.ibsi.morphology import autocorrelation
from radiomics.ibsi.processing import Binning, Settings, compute, discretised
from radiomics.ibsi.region import region_of
from radiomics.ibsi.run_length import runs
from radiomics.ibsi.sizes import named

BAR_SECONDS = 0.5
MEMORY_BAR_MB = 200
DISTANCES = (1, 2, 3, 4, 5)
ROUNDS = 5

PYRADIOMICS = """
import json, logging, sys, time
import numpy as np, SimpleITK as sitk
from radiomics import featureextractor
logging.disable(logging.CRITICAL)
data = np.load(sys.argv[1])
image, mask = sitk.GetImageFromArray(data["image"]), sitk.GetImageFromArray(data["mask"].astype("uint8"))
tool = featureextractor.RadiomicsFeatureExtractor(binCount=64, distances=[1, 2, 3, 4, 5], minimumROISize=1)
tool.disableAllFeatures()
for name in ("firstorder", "glcm", "glrlm"):
    tool.enableFeatureClassByName(name)
times = []
for _ in range(5):
    start = time.process_time(); tool.execute(image, mask); times.append(time.process_time() - start)
print(json.dumps(sorted(times)[2]))
"""
MIRP = """
import json, sys, time
import numpy as np
from mirp import extract_features
data = np.load(sys.argv[1])
given = dict(image=data["image"], mask=data["mask"].astype(int), by_slice=False, write_features=False,
             export_features=True, base_discretisation_method="fixed_bin_number", base_discretisation_n_bins=64,
             base_feature_families=["statistics", "glcm", "glrlm"], glcm_distance=[1.0, 2.0, 3.0, 4.0, 5.0],
             glcm_spatial_method="3d_average", glrlm_spatial_method="3d_average")
times = []
for _ in range(5):
    start = time.process_time(); extract_features(**given); times.append(time.process_time() - start)
print(json.dumps(sorted(times)[2]))
"""


def ball() -> tuple[np.ndarray, np.ndarray]:
    """Smoothed noise, and the voxels within ten of the middle: 4,169."""
    axis = np.arange(-15, 16)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    noise = np.random.default_rng(0).normal(size=(31, 31, 31))
    return 100 + 40 * gaussian_filter(noise, 1), z**2 + y**2 + x**2 <= 100


def cpu_seconds(task: Callable[[], object], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        task()
        times.append(time.process_time() - start)
    return statistics.median(times)


def three_families(image: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """From the image to stat, cm at distances 1 to 5 and rlm, averaged over 13 directions."""
    levels, n = discretised(image, mask, Binning(n_bins=64))
    region = region_of(levels, mask, n_levels=n, reach=max(DISTANCES))
    found = intensity_statistics(image[mask])
    for d in DISTANCES:
        for name, value in within_volume(region, pairs, describe, distance=d)["3D_avg"].items():
            found[f"cm_{name}_d{d}_3D_avg"] = value
    for name, value in within_volume(region, runs, named("rlm"))["3D_avg"].items():
        found[f"rlm_{name}_3D_avg"] = value
    return found


def theirs(name: str, python: str | None, program: str, data: Path) -> str:
    """Median CPU seconds of another package, timing itself in an interpreter of its own."""
    if python is None:
        return f"{name}: absent (no interpreter given)"
    run = subprocess.run(
        [python, "-c", program, str(data)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        return f"{name}: could not run ({run.stderr.strip().splitlines()[-1]})"
    return f"{name}: {json.loads(run.stdout.splitlines()[-1]):.3f} s"


def peak_mb(n: int = 20_000) -> float:
    """Peak memory of Moran's I and Geary's C over n voxels."""
    rng = np.random.default_rng(1)
    places, values = rng.normal(size=(n, 3)), rng.normal(size=n)
    tracemalloc.start()
    autocorrelation(places, values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pyradiomics")
    parser.add_argument("--mirp")
    given = parser.parse_args()
    image, mask = ball()
    chain = Settings(binning=Binning(n_bins=64), distances=DISTANCES)
    print(
        f"{int(mask.sum())} voxels, 64 levels, distances 1 to 5, {len(three_families(image, mask))} values"
    )
    seconds = cpu_seconds(lambda: three_families(image, mask))
    print(f"stat + cm + rlm, 3D_avg: {seconds:.3f} s (bar {BAR_SECONDS} s)")
    everything = cpu_seconds(lambda: compute(image, mask, (1.0, 1.0, 1.0), chain), rounds=1)
    print(f"every tag, every aggregation, distances 1 to 5: {everything:.2f} s")
    print(f"Moran's I and Geary's C of 20,000 voxels: {peak_mb():.0f} MB (bar {MEMORY_BAR_MB} MB)")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "ball.npz"
        np.savez(data, image=image, mask=mask)
        print(theirs("pyradiomics", given.pyradiomics, PYRADIOMICS, data))
        print(theirs("mirp", given.mirp, MIRP, data))


if __name__ == "__main__":
    main()
