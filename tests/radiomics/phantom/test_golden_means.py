"""Rendered pictures stay what they are: mean and SD inside each true ROI of 12 patients, and equal bytes over workers.

The golden numbers are ours (generator version in the file); tolerances are cohort.md's: .5 HU, 1 % of the counts, so
that one unit in the last place of another processor's exponential does not matter and a changed recipe does.
"""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from skimage.draw import polygon2mask

from radiomics.phantom import GENERATOR_VERSION
from radiomics.phantom.plan import make_plan
from radiomics.phantom.render import render_patient

GOLDEN = Path(__file__).parents[2] / "golden" / "phantom_means.json"
PLAN = make_plan(seed=2022)
FEW, ALL = (0, 6, 9), tuple(range(12))


def inside(image, outline_mm, origin, spacing) -> Sequence[float]:
    """Mean and SD of the pixels inside the outline on its slice."""
    k = round((outline_mm[0, 2] - origin[2]) / spacing[2])
    k = min(max(k, 0), image.shape[0] - 1)
    rc = np.column_stack([(outline_mm[:, i] - origin[i]) / spacing[i] for i in (1, 0)])
    pixels = image[k][polygon2mask(image[k].shape, rc)].astype(np.float64)
    return [round(float(pixels.mean()), 4), round(float(pixels.std()), 4)]


def measured(index: int) -> list[dict[str, Sequence[float]]]:
    images = render_patient(PLAN, index)
    ct = (images.ct_hu, images.ct_origin_mm, images.ct_spacing_mm)
    spect = (images.spect_counts, images.spect_origin_mm, images.spect_spacing_mm)
    return [
        {
            name: inside(image, lesion.outline_mm, origin, spacing)
            for name, (image, origin, spacing) in (("hu", ct), ("counts", spect))
        }
        for lesion in images.lesions
    ]


def bytes_of(index: int) -> str:
    images = render_patient(PLAN, index)
    whole = hashlib.sha256()
    for array in (images.ct_hu, images.spect_counts, images.whole_body):
        whole.update(array.tobytes())
    return whole.hexdigest()


def require_golden(index: int) -> None:
    golden = json.loads(GOLDEN.read_text())
    assert golden["generator"] == GENERATOR_VERSION
    wanted = golden["patients"][str(index)]
    found = measured(index)
    assert len(found) == len(wanted)
    for one, want in zip(found, wanted, strict=True):
        assert one["hu"] == pytest.approx(want["hu"], abs=0.5)
        assert one["counts"] == pytest.approx(want["counts"], rel=0.01)


@pytest.mark.parametrize("index", FEW)
def test_lesions_have_the_stored_mean_and_spread(index):
    require_golden(index)


@pytest.mark.slow
@pytest.mark.parametrize("index", [i for i in ALL if i not in FEW])
def test_all_twelve_have_the_stored_mean_and_spread(index):
    require_golden(index)


@pytest.mark.slow
def test_one_two_and_four_workers_render_the_same_bytes():
    alone = [bytes_of(i) for i in ALL]
    for workers in (2, 4):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            assert list(pool.map(bytes_of, ALL)) == alone


def write_golden() -> None:
    """Run by hand after a new generator version: python -m tests.radiomics.phantom.test_golden_means."""
    rows = {str(i): measured(i) for i in ALL}
    GOLDEN.write_text(json.dumps({"generator": GENERATOR_VERSION, "seed": 2022, "patients": rows}, indent=1) + "\n")  # fmt: skip


if __name__ == "__main__":
    write_golden()
