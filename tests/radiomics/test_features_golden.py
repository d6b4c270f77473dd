"""All 279 features against golden values, hand-countable examples and independent second ways."""

import csv
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from skimage.feature import graycomatrix

from radiomics.features import CATALOGUE, NAMES, extract
from radiomics.features.autoregressive import equations
from radiomics.features.catalogue import OFFSETS, PAIR_FEATURES
from radiomics.features.co_occurrence import BLOCK, counts, pair_statistics
from radiomics.features.gradient import gradient_sample
from radiomics.features.histogram import percentiles
from radiomics.features.run_length import runs, statistics
from radiomics.features.wavelet import energies
from radiomics.normalise import quantise, window8

GOLDEN = Path(__file__).parents[1] / "golden" / "features"
CASES = sorted(path.stem for path in GOLDEN.glob("o0*.npz"))
NAMES_SHA256 = "1bb1acded58ce43f09ca062e7f90213e480eeb28e1c0d9f0f084f1b5e6d40451"


def case(stem: str):
    with np.load(GOLDEN / f"{stem}.npz") as arrays:
        return arrays["image"], arrays["mask"]


def golden_rows(stem: str) -> list[dict[str, str]]:
    with (GOLDEN / f"{stem}.csv").open() as text:
        return list(csv.DictReader(text))


def test_the_names_are_the_279_in_their_order():
    assert len(CATALOGUE) == 279
    assert hashlib.sha256("\n".join(NAMES).encode()).hexdigest() == NAMES_SHA256


def test_fixed_points_and_ibsi_flags_of_the_catalogue():
    fixed = {8: "Perc.99%", 14: "Horzl_RLNonUni", 33: "135dr_Fraction", 34: "S(1,0)AngScMom",
             67: "S(1,-1)AngScMom", 78: "S(2,0)AngScMom", 253: "S(5,-5)DifEntrp", 259: "WavEnLL_s-1",
             278: "WavEnHH_s-5"}  # fmt: skip
    assert {index: NAMES[index] for index in fixed} == fixed
    assert sum(entry.ibsi is not None for entry in CATALOGUE) == 247


def test_there_are_eight_golden_cases():
    assert len(CASES) == 8


@pytest.mark.parametrize("stem", CASES)
def test_golden_values_are_met(stem):
    found = extract(*case(stem))
    for row in golden_rows(stem):
        if row["value"]:
            reference = float(row["value"])
            assert abs(found[row["feature"]] - reference) <= 1e-9 + 1e-6 * abs(reference), row


@pytest.mark.parametrize("stem", CASES)
def test_undefined_values_and_their_reasons_are_the_golden_ones(stem):
    found = extract(*case(stem))
    wanted = {row["feature"]: row["reason"] for row in golden_rows(stem) if not row["value"]}
    assert dict(found.reasons) == wanted
    assert {name for name, value in found.items() if math.isnan(value)} == set(wanted)
    assert len(wanted) == json.loads((GOLDEN / f"{stem}.json").read_text())["n_nan"]


def pairs(rows, dx, dy) -> dict[str, float]:
    levels = np.asarray(rows) - 1
    table = pair_statistics(counts(levels, np.ones(levels.shape, dtype=bool), [(dx, dy)]))
    return dict(zip(PAIR_FEATURES, table[0].tolist(), strict=True))


def test_pairs_of_a_row_of_four_by_hand():
    found = pairs([[1, 1, 2, 3]], 1, 0)
    log3 = math.log10(3)
    wanted = {"AngScMom": 2 / 9, "Contrast": 2 / 3, "Correlat": 2 / 5, "SumOfSqs": 5 / 9, "InvDfMom": 2 / 3,
              "SumAverg": 10 / 3, "SumVarnc": 14 / 9, "SumEntrp": log3, "DifVarnc": 2 / 9}  # fmt: skip
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-12)
    assert found["Entropy"] == pytest.approx(0.6778079, abs=5e-8)
    assert found["DifEntrp"] == pytest.approx(0.2764346, abs=5e-8)


def test_pairs_of_a_checkerboard_by_hand():
    found = pairs([[1, 2], [2, 1]], 1, 0)
    wanted = [1 / 2, 1, -1, 1 / 4, 1 / 2, 3, 0, 0, math.log10(2), 0, 0]
    assert list(found.values()) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    ("direction", "wanted"),
    [("Horzl", [5 / 3, 1, 2, 3 / 4, 3 / 4]), ("Vertl", [4, 3 / 2, 1, 1, 1])],
)
def test_runs_of_a_row_of_four_by_hand(direction, wanted):
    found = statistics(runs(np.array([[1, 1, 2, 3]]), direction))
    assert found == pytest.approx(wanted, abs=1e-12)


def test_a_ramp_has_one_gradient_value():
    y, x = np.mgrid[:5, :5]
    sample = gradient_sample(x + 2 * y, np.ones((5, 5), dtype=bool))
    assert sample.tolist() == [math.sqrt(80)]


def test_haar_energies_of_one_block_by_hand():
    found = energies(np.array([[[[v]], [[1.0]]] for v in (1.0, 2.0, 3.0, 6.0)]), 1)
    assert found.values == [9.0, 2.25, 1.0, 0.25]


def test_percentiles_are_occurring_values():
    assert percentiles(np.arange(1.0, 101.0)) == [1, 10, 50, 90, 99]
    assert percentiles(np.arange(1.0, 5.0))[2:4] == [2, 4]


def test_grey_levels_clip_at_three_sd_and_keep_the_tie():
    values = np.array([-9.0, -3.0, 0.0, 3.0, 9.0])
    assert quantise(values, mean=0.0, sd=1.0, bits=6).tolist() == [0, 0, 32, 63, 63]
    assert quantise(values, mean=0.0, sd=0.0, bits=4).tolist() == [8] * 5


def test_the_bitmap_window_rounds_and_clips():
    found = window8(np.array([-600.0, -500.0, 400.0, 1300.0, 2000.0]), low=-500, high=1300)
    assert found.tolist() == [0, 0, 128, 255, 255]


def test_a_small_region_by_hand():
    image = np.array([[10, 20, 30, 40], [20, 30, 40, 50], [30, 40, 50, 60], [40, 50, 60, 90]])
    found = extract(image, np.ones((4, 4), dtype=bool))
    wanted = {"Mean": 41.25, "Variance": 348.4375, "Perc.10%": 20, "Perc.50%": 40, "S(1,0)Contrast": 52.5,
              "S(1,-1)Contrast": 0, "Horzl_RLNonUni": 16, "Horzl_GLevNonU": 2.75, "45dgr_Fraction": 0.4375,
              "45dgr_LngREmph": 44 / 7, "WavEnLL_s-1": 17554.421875, "WavEnHH_s-1": 31.671875,
              "WavEnLH_s-2": 653.44140625}  # fmt: skip
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=1e-12)
    assert found.reasons["Teta1"] == "singular"
    assert found.reasons["WavEnLL_s-3"] == "no_block"


def test_pair_counts_agree_with_scikit_image():
    levels = np.random.default_rng(3).integers(0, 64, (24, 31))
    mine = counts(levels, np.ones(levels.shape, dtype=bool))
    angles = {(1, 0): 0.0, (0, 1): np.pi / 2, (1, 1): np.pi / 4, (1, -1): 3 * np.pi / 4}
    for number, (dx, dy) in enumerate(OFFSETS):
        d = max(abs(dx), abs(dy))
        length = d * math.sqrt(2) if dx and dy else d
        angle = angles[(np.sign(dx), np.sign(dy))]
        theirs = graycomatrix(levels.astype(np.uint8), [length], [angle], 64, symmetric=True)
        # half of the symmetric matrix: the diagonal counts each pair once, scikit-image twice
        assert np.array_equal(mine[number] + mine[number].T, theirs[:, :, 0, 0])
        assert not np.tril(mine[number], -1).any()


def test_pairs_of_a_region_larger_than_one_block_of_pixels_agree_with_scikit_image():
    levels = np.random.default_rng(4).integers(0, 64, (150, 140))
    assert levels.size > BLOCK
    mine = counts(levels, np.ones(levels.shape, dtype=bool), [(5, 0)])[0]
    theirs = graycomatrix(levels.astype(np.uint8), [5], [0.0], 64, symmetric=True)[:, :, 0, 0]
    assert np.array_equal(mine + mine.T, theirs)


def test_moments_agree_with_scipy():
    image = np.random.default_rng(4).gamma(2.0, size=(20, 20))
    found = extract(image, np.ones((20, 20), dtype=bool))
    assert found["Skewness"] == pytest.approx(scipy.stats.skew(image.ravel()), rel=1e-9)
    assert found["Kurtosis"] == pytest.approx(scipy.stats.kurtosis(image.ravel()), rel=1e-9)
    assert found["Perc.90%"] == np.percentile(image, 90, method="inverted_cdf")


def test_the_autoregressive_solution_agrees_with_least_squares():
    rng = np.random.default_rng(5)
    image, mask = rng.normal(size=(30, 30)), rng.random((30, 30)) < 0.9
    found = extract(image, mask)
    region = image[mask]
    levels = quantise(image, mean=float(region.mean()), sd=float(region.std()), bits=8)
    inside = levels[mask]
    design, response = equations((levels - inside.mean()) / inside.std(), mask)
    theta, *_ = np.linalg.lstsq(design, response, rcond=None)
    assert [found[f"Teta{i}"] for i in range(1, 5)] == pytest.approx(theta.tolist(), abs=1e-9)


def test_a_simulated_field_gives_its_coefficients_back():
    rng, theta = np.random.default_rng(6), (0.5, -0.2, 0.4, 0.1)
    field = np.zeros((116, 136))
    noise = rng.normal(size=field.shape)
    for y in range(1, 116):
        for x in range(1, 135):
            w = (field[y, x - 1], field[y - 1, x - 1], field[y - 1, x], field[y - 1, x + 1])
            field[y, x] = np.dot(theta, w) + noise[y, x]
    found = extract(field[20:, 20:116], np.ones((96, 96), dtype=bool))
    assert [found[f"Teta{i}"] for i in range(1, 5)] == pytest.approx(theta, abs=0.05)


def phantom():
    with np.load(GOLDEN / "ibsi_digital_phantom.npz") as arrays:
        return arrays["image"].astype(np.int64), arrays["mask"] != 0


def three_digits(value: float) -> float:
    return float(f"{value:.3g}")


def test_the_digital_phantom_gives_the_published_three_digits():
    """The 23 distinct formulas, averaged over slices and directions at distance 1."""
    image, mask = phantom()
    ours: dict[str, list[float]] = {}
    offsets = [(1, 0), (0, 1), (1, 1), (1, -1)]
    for levels, inside in zip(image, mask, strict=True):
        table = pair_statistics(counts(np.where(inside, levels - 1, 0), inside, offsets))
        for name, column in zip(PAIR_FEATURES, table.T, strict=True):
            ours.setdefault(name, []).extend(column.tolist())
        for direction in ("Horzl", "Vertl", "45dgr", "135dr"):
            found = statistics(runs(np.where(inside, levels, 0), direction))
            for name, value in zip(
                ("RLNonUni", "GLevNonU", "LngREmph", "ShrtREmp", "Fraction"), found, strict=True
            ):
                ours.setdefault(name, []).append(value)
    with (GOLDEN / "ibsi_digital_phantom_2D_avg.csv").open() as text:
        rows = list(csv.reader(text))[1:]
    compared = 0
    for name, tag, _, published, _ in rows:
        if name in ours:
            factor = math.log2(10) if "entr" in tag else 1.0
            assert three_digits(factor * float(np.mean(ours[name]))) == pytest.approx(
                float(published)
            ), name
            compared += 1
    assert compared == 16
