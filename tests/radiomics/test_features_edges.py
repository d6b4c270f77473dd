"""Degenerate regions, refusals, repeatability, and further independent second ways of the 279 features."""

import csv
import datetime
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import graycomatrix, graycoprops

from radiomics.features import CATALOGUE, NAMES, PROFILE, extract
from radiomics.features.catalogue import PAIR_FEATURES
from radiomics.features.co_occurrence import counts, pair_statistics
from radiomics.features.outcome import moments
from radiomics.features.run_length import runs
from radiomics.normalise import quantise
from tests.radiomics.test_features_properties import FEW, differing, mirrored, regions, same

GOLDEN = Path(__file__).parents[1] / "golden" / "features"
SMALL = np.array([[10, 20, 30, 40], [20, 30, 40, 50], [30, 40, 50, 60], [40, 50, 60, 90]])


def disc(diameter: int) -> np.ndarray:
    axis = np.arange(diameter) - (diameter - 1) / 2
    return axis[:, None] ** 2 + axis[None, :] ** 2 <= (diameter / 2) ** 2


def n_undefined(diameter: int) -> int:
    noise = np.random.default_rng(diameter).integers(0, 256, (diameter, diameter))
    return len(extract(noise, disc(diameter)).reasons)


@pytest.mark.parametrize(
    ("diameter", "few", "many"),
    [(5, 80, 80), (6, 30, 45), (7, 30, 45), (8, 8, 8), (10, 8, 8), (12, 8, 8), (14, 4, 4), (20, 4, 4),
     (25, 4, 4), (26, 0, 0), (33, 0, 0)],
)  # fmt: skip
def test_small_discs_leave_the_documented_number_undefined(diameter, few, many):
    assert few <= n_undefined(diameter) <= many


def test_one_pixel_nine_pixels_and_a_constant_leave_theirs_undefined():
    rng = np.random.default_rng(0)
    assert len(extract([[7]], [[1]]).reasons) == 252
    assert len(extract(rng.integers(0, 256, (3, 3)), np.ones((3, 3), dtype=bool)).reasons) == 154
    assert len(extract(np.full((10, 10), 0.1), np.ones((10, 10), dtype=bool)).reasons) == 37


def test_exact_zeros_are_positive_zeros():
    found = extract(np.full((10, 10), 0.1), np.ones((10, 10), dtype=bool))
    zeros = [name for name, value in found.items() if value == 0]
    assert {"Variance", "GrMean", "GrVariance", "GrNonZeros", "S(1,0)Contrast", "S(5,-5)Entropy"} <= set(zeros)  # fmt: skip
    assert all(math.copysign(1, found[name]) == 1 for name in zeros)
    assert not [name for name, value in found.items() if 0 < abs(value) < 1e-12]
    assert found["Mean"] == 0.1
    assert found["S(1,0)AngScMom"] == found["S(1,0)InvDfMom"] == 1.0


def test_the_reasons_of_a_constant_region_are_the_documented_ones():
    reasons = extract(np.full((10, 10), 3), np.ones((10, 10), dtype=bool)).reasons
    assert reasons["Skewness"] == reasons["GrKurtosis"] == reasons["Teta1"] == "zero_variance"
    assert reasons["S(2,0)Correlat"] == "zero_variance"
    assert reasons["WavEnLL_s-5"] == "no_block"


def test_a_spread_that_underflows_counts_as_constant():
    found = moments(np.array([0.0, 1e-170, 2e-170]))
    assert found.values[1] == 0.0
    assert found.reasons == ["", "", "zero_variance", "zero_variance"]
    tiny = extract(np.array([[0.0, 5e-324], [0.0, 0.0]]), np.ones((2, 2), dtype=bool))
    assert not any(math.isinf(v) for v in tiny.values())


@pytest.mark.parametrize(
    "image",
    [
        np.full((3, 3), None, dtype=object),
        np.full((3, 3), datetime.date(2020, 1, 1), dtype="datetime64[D]"),
        np.full((3, 3), b"a"),
        np.zeros((3, 3), dtype=complex),
    ],
)
def test_images_of_other_kinds_are_refused(image):
    with pytest.raises(ValueError, match="image must be boolean, integer or float"):
        extract(image, np.ones((3, 3), dtype=bool))


@pytest.mark.parametrize("mask", [np.ones((3, 3)), np.full((3, 3), "x"), np.full((3, 3), None)])
def test_masks_of_other_kinds_are_refused(mask):
    with pytest.raises(ValueError, match="mask must be boolean or integer"):
        extract(np.ones((3, 3)), mask)


def test_values_of_the_largest_size_are_taken_and_larger_ones_refused_inside_only():
    image, mask = np.array([[1e60, -1e60], [0.0, 1e300]]), np.array([[1, 1], [1, 0]])
    assert math.isfinite(extract(image, mask)["Kurtosis"])
    with pytest.raises(ValueError, match="exceed"):
        extract(image, np.ones((2, 2), dtype=int))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32])
def test_number_type_and_memory_order_do_not_matter(dtype):
    whole = np.random.default_rng(2).integers(0, 128, (12, 15))
    mask = np.random.default_rng(3).random((12, 15)) < 0.8
    wanted = str(dict(extract(whole.astype(float), mask)))
    assert str(dict(extract(whole.astype(dtype), mask))) == wanted
    assert str(dict(extract(np.asfortranarray(whole.astype(dtype)), mask.astype(dtype) if dtype != np.float32 else mask))) == wanted  # fmt: skip
    assert str(dict(extract(whole.astype(dtype)[::-1][::-1], mask))) == wanted


def test_a_boolean_image_has_two_levels():
    image = np.eye(6, dtype=bool)
    found = extract(image, np.ones((6, 6), dtype=bool))
    assert found["Mean"] == pytest.approx(1 / 6)


def test_the_values_are_read_only_and_ordered():
    found = extract(SMALL, np.ones((4, 4), dtype=bool))
    assert tuple(found) == NAMES
    for mapping in (found, found.reasons, CATALOGUE[14].parameters, PROFILE):
        with pytest.raises(TypeError):
            mapping["Mean"] = 1.0
    with pytest.raises(AttributeError):
        CATALOGUE[0].name = "x"
    assert repr(found).endswith(f"279 values, {len(found.reasons)} undefined>")


def test_threads_and_the_order_of_calls_give_the_same_bits():
    rng = np.random.default_rng(4)
    given = [(rng.normal(size=(20, 20 + i)), rng.random((20, 20 + i)) < 0.7) for i in range(12)]
    alone = [str(dict(extract(*g))) for g in given]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda g: str(dict(extract(*g))), reversed(given))) == alone[::-1]


def test_another_process_gives_the_same_bits():
    program = (
        "import numpy as np; from radiomics.features import extract; r = np.random.default_rng(4);"
        "print(dict(extract(r.normal(size=(20, 20)), r.random((20, 20)) < 0.7)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    rng = np.random.default_rng(4)
    mine = extract(rng.normal(size=(20, 20)), rng.random((20, 20)) < 0.7)
    assert done.stdout.strip() == str(dict(mine))


@pytest.mark.parametrize(
    ("bits", "first", "last"), [(4, [3, 5, 6, 7], 14), (6, [14, 20, 25, 31], 59), (8, [56, 79, 102, 125], 238)]
)  # fmt: skip
def test_the_grey_levels_of_the_small_region_by_hand(bits, first, last):
    levels = quantise(SMALL.astype(float), mean=41.25, sd=math.sqrt(348.4375), bits=bits)
    assert levels[0].tolist() == first
    assert levels[-1, -1] == last


def test_diagonal_runs_of_a_square_by_hand():
    """Levels 1 2 / 2 1: up to the right one run of two 2s and two single 1s, downwards the other way round."""
    levels = np.array([[1, 2], [2, 1]])
    up, down = runs(levels, "45dgr"), runs(levels, "135dr")
    assert sorted(zip(up.levels.tolist(), up.lengths.tolist(), strict=True)) == [(1, 1), (1, 1), (2, 2)]  # fmt: skip
    assert sorted(zip(down.levels.tolist(), down.lengths.tolist(), strict=True)) == [(1, 2), (2, 1), (2, 1)]  # fmt: skip


@FEW
@given(regions(), st.sampled_from([np.nan, np.inf, -np.inf, 1e300]))
def test_pixels_outside_never_matter_to_the_last_bit(region, value):
    image, mask = region
    spoilt = np.where(mask, image.astype(float), value)
    assert str(dict(extract(spoilt, mask))) == str(dict(extract(image, mask)))


@FEW
@given(regions())
def test_half_a_turn_changes_only_the_directed_families(region):
    image, mask = region
    first, second = extract(image, mask), extract(np.rot90(image, 2), np.rot90(mask, 2))
    assert not differing(first, second, families=("autoregressive", "wavelet"))


@FEW
@given(regions())
def test_two_flips_are_half_a_turn(region):
    image, mask = region
    first = extract(image, mask)
    second = extract(image[::-1, ::-1], mask[::-1, ::-1])
    assert not differing(first, second, lambda n: mirrored(mirrored(n)), families=("autoregressive", "wavelet"))  # fmt: skip


@FEW
@given(
    regions(),
    st.floats(0.5, 10).map(lambda a: round(a, 3)),
    st.floats(-1000, 1000).map(lambda b: round(b, 3)),
)
def test_a_change_of_units_moves_the_histogram_and_leaves_the_texture(region, a, b):
    image, mask = region
    first, second = extract(image, mask), extract(a * image + b, mask)
    assert not differing(first, second, families=("histogram",))
    for percent in ("01", "10", "50", "90", "99"):
        name = f"Perc.{percent}%"
        assert same(second[name], a * first[name] + b)
    for name in ("Skewness", "Kurtosis"):
        assert math.isclose(second[name], first[name], rel_tol=1e-7, abs_tol=1e-7) or math.isnan(first[name])  # fmt: skip


@FEW
@given(regions())
def test_correlation_is_one_minus_contrast_over_twice_the_variance(region):
    found = extract(*region)
    for entry in CATALOGUE:
        if entry.name.endswith("Correlat") and entry.name not in found.reasons:
            stem = entry.name.removesuffix("Correlat")
            wanted = 1 - found[stem + "Contrast"] / (2 * found[stem + "SumOfSqs"])
            assert same(found[entry.name], wanted)
            assert -1 - 1e-9 <= found[entry.name] <= 1 + 1e-9


@FEW
@given(regions())
def test_the_run_matrices_are_bounded_by_their_runs(region):
    image, mask = region
    found, n = extract(image, mask), int(mask.sum())
    for direction in ("Horzl", "Vertl", "45dgr", "135dr"):
        count = n * found[f"{direction}_Fraction"]
        assert count == pytest.approx(round(count))
        for name in ("RLNonUni", "GLevNonU"):
            assert 1 - 1e-12 <= found[f"{direction}_{name}"] <= count + 1e-9


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pair_statistics_are_scikit_images(seed):
    levels = np.random.default_rng(seed).integers(0, 64, (20, 23))
    mine = dict(zip(PAIR_FEATURES, pair_statistics(counts(levels, np.ones(levels.shape, dtype=bool), [(3, 0)]))[0], strict=True))  # fmt: skip
    theirs = graycomatrix(levels.astype(np.uint8), [3], [0.0], 64, symmetric=True, normed=True)
    for name, prop in (("AngScMom", "ASM"), ("Contrast", "contrast"), ("Correlat", "correlation"),
                       ("InvDfMom", "homogeneity")):  # fmt: skip
        assert mine[name] == pytest.approx(float(graycoprops(theirs, prop)[0, 0]))
    p = theirs[:, :, 0, 0]
    assert mine["Entropy"] == pytest.approx(scipy.stats.entropy(p.ravel(), base=10))
    sums = [np.trace(p[::-1], offset=k) for k in range(-63, 64)]
    assert mine["SumEntrp"] == pytest.approx(scipy.stats.entropy(sums, base=10))


def orthonormal_haar(image: np.ndarray, scales: int):
    """(LL, LH, HL, HH) per scale by the orthonormal transform along rows and columns."""
    low = image.astype(float)
    for _ in range(scales):
        across = [(low[:, 0::2] + s * low[:, 1::2]) / math.sqrt(2) for s in (1, -1)]
        bands = [(x[0::2] + s * x[1::2]) / math.sqrt(2) for s in (1, -1) for x in across]
        low = bands[0]
        yield low, bands[2], bands[1], bands[3]


@pytest.mark.parametrize("shape", [(32, 32), (64, 32), (32, 96)])
def test_wavelet_energies_are_the_orthonormal_haar_transforms(shape):
    image = np.random.default_rng(7).integers(0, 256, shape)
    found = extract(image, np.ones(shape, dtype=bool))
    levels = quantise(image.astype(float), mean=image.mean(), sd=image.std(), bits=8)
    for scale, bands in enumerate(orthonormal_haar(levels, 5), start=1):
        for band, values in zip(("LL", "LH", "HL", "HH"), bands, strict=True):
            wanted = ((values / 2**scale) ** 2).mean()
            assert found[f"WavEn{band}_s-{scale}"] == pytest.approx(wanted), (scale, band)


def test_a_full_square_of_24_has_the_documented_blocks():
    """A checkerboard of single pixels has energy in HH at scale 1 only; block sums tell how many are valid."""
    image = np.indices((24, 24)).sum(axis=0) % 2
    found = extract(image, np.ones((24, 24), dtype=bool))
    assert found["WavEnHH_s-1"] > 0
    assert found["WavEnHH_s-2"] == found["WavEnHL_s-3"] == 0
    assert "WavEnLL_s-5" not in found.reasons


def test_the_digital_phantoms_histogram_gives_the_published_three_digits():
    with np.load(GOLDEN / "ibsi_digital_phantom.npz") as arrays:
        image, mask = arrays["image"], arrays["mask"] != 0
    # all 74 voxels as one row: the histogram knows no places
    found = extract(image[mask][None, :], np.ones((1, 74), dtype=bool))
    with (GOLDEN / "ibsi_digital_phantom_2D_avg.csv").open() as text:
        rows = [row for row in list(csv.reader(text))[1:] if row[1].startswith("stat_")]
    assert len(rows) == 7
    for name, _, _, published, _ in rows:
        assert float(f"{found[name]:.3g}") == pytest.approx(float(published)), name
