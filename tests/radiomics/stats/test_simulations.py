"""Coverage and type I error by simulation: a tenth of the samples with every run, all of them with `make validate`."""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from radiomics.stats.mrmc import compare_with_readers, obuchowski_rockette
from radiomics.stats.roc import auc_interval, compare_auc

SIZES = ((35, 23), (80, 54))
AUCS = (0.844, 0.926)


def both(full: int) -> pytest.MarkDecorator:
    """A tenth of the samples always, all of them when slow tests are asked for."""
    return pytest.mark.parametrize("n", [full // 10, pytest.param(full, marks=pytest.mark.slow)])


def holds(hits: int, n: int, low: float, high: float, *, is_whole: bool) -> bool:
    """Within the bounds; for a tenth of the samples widened by four Monte-Carlo standard errors."""
    share = hits / n
    slack = 0 if is_whole else 4 * math.sqrt(high * (1 - low) / n)
    return low - slack <= share <= high + slack


def separation(auc: float) -> float:
    return math.sqrt(2) * float(norm.ppf(auc))


def labels(n_pos: int, n_neg: int) -> np.ndarray:
    return np.r_[np.ones(n_pos), np.zeros(n_neg)]


@both(4000)
@pytest.mark.parametrize("auc", AUCS)
@pytest.mark.parametrize("size", SIZES)
def test_the_default_interval_covers_as_it_says(size, auc, n):
    rng, y = np.random.default_rng(1), labels(*size)
    hits = 0
    for _ in range(n):
        found = auc_interval(y, rng.normal(size=y.size) + separation(auc) * y)
        hits += found.low <= auc <= found.high
    assert holds(hits, n, 0.935, 0.965, is_whole=n == 4000)


@both(4000)
@pytest.mark.parametrize("size", SIZES)
def test_the_paired_comparison_rejects_equal_scores_at_its_level(size, n):
    rng, y = np.random.default_rng(2), labels(*size)
    rejected = 0
    for _ in range(n):
        shared = rng.normal(size=y.size)
        scores = [
            math.sqrt(0.5) * (shared + rng.normal(size=y.size)) + separation(0.871) * y
            for _ in "ab"
        ]
        rejected += compare_auc(y, *scores).p_value < 0.05
    assert holds(rejected, n, 0.030, 0.060, is_whole=n == 4000)


def clustered(
    rng: np.random.Generator, n_clusters: int, icc: float, auc: float, *, n_scores: int = 1
):
    """Lesions of patients, one to three each, both labels in a patient; scores that share the patient's part."""
    groups = np.repeat(np.arange(n_clusters), rng.integers(1, 4, n_clusters))
    while True:
        y = (rng.random(groups.size) < 0.6).astype(float)
        if 2 <= y.sum() <= y.size - 2:
            break
    patient = rng.normal(size=(n_scores, n_clusters))[:, groups]
    own = rng.normal(size=(n_scores, groups.size))
    return groups, y, math.sqrt(icc) * patient + math.sqrt(1 - icc) * own + separation(auc) * y


def settings_of_clusters(often: Callable[[float, float], bool]) -> list[object]:
    """The 12 settings in full when slow tests are asked for; a tenth of the samples of those in `often` always."""
    every = list(product((40, 132), (0.0, 0.3, 0.6), (0.871, 0.926)))
    quick = [(k, icc, auc, 200) for k, icc, auc in every if often(icc, auc)]
    return [*quick, *(pytest.param(*setting, 2000, marks=pytest.mark.slow) for setting in every)]


@pytest.mark.parametrize(
    ("n_clusters", "icc", "auc", "n"), settings_of_clusters(lambda icc, auc: icc != 0.3)
)
def test_the_clustered_interval_covers_as_it_says(n_clusters, icc, auc, n):
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(n):
        groups, y, scores = clustered(rng, n_clusters, icc, auc)
        found = auc_interval(y, scores[0], method="clustered", groups=groups)
        hits += found.low <= auc <= found.high
    assert holds(hits, n, 0.930, 0.970, is_whole=n == 2000)


@pytest.mark.parametrize(
    ("n_clusters", "icc", "auc", "n"),
    settings_of_clusters(lambda icc, auc: icc != 0.3 and auc == 0.871),
)
def test_the_clustered_comparison_rejects_equal_scores_at_its_level(n_clusters, icc, auc, n):
    rng = np.random.default_rng(4)
    rejected = 0
    for _ in range(n):
        groups, y, scores = clustered(rng, n_clusters, icc, auc, n_scores=2)
        rejected += compare_auc(y, *scores, groups=groups).p_value < 0.05
    assert holds(rejected, n, 0.020, 0.070, is_whole=n == 2000)


def test_lesions_taken_for_independent_cover_too_little():
    """What the clustered interval is for: with six lesions a patient the plain Wald interval is far too short."""
    rng, hits, n = np.random.default_rng(5), 0, 300
    groups = np.repeat(np.arange(30), 6)
    for _ in range(n):
        y = np.repeat(rng.permutation(np.r_[np.ones(15), np.zeros(15)]), 6)
        scores = math.sqrt(0.6) * rng.normal(size=30)[groups] + math.sqrt(0.4) * rng.normal(
            size=180
        )
        found = auc_interval(y, scores + separation(0.871) * y, method="delong", groups=groups)
        hits += found.low <= 0.871 <= found.high
    assert hits / n < 0.85


def roe_metz(
    rng: np.random.Generator,
    y: np.ndarray,
    n_readers: int,
    reader_variance: float,
    n_modalities: int = 2,
):
    """Ratings (modalities, readers, cases) of Roe and Metz: C .3, TC .3, RC .2, error .2; no modality better."""
    shape = (n_modalities, n_readers, y.size)

    def part(variance: float, *size: int) -> np.ndarray:
        return math.sqrt(variance) * rng.normal(size=size)

    case = (
        part(0.3, 1, 1, y.size)
        + part(0.3, n_modalities, 1, y.size)
        + part(0.2, 1, n_readers, y.size)
    )
    skill = [
        part(reader_variance, 1, n_readers, 1) + part(reader_variance, n_modalities, n_readers, 1)
        for _ in "ab"
    ]
    return case + part(0.2, *shape) + np.where(y == 1, skill[0], skill[1]) + separation(0.871) * y


@both(1500)
@pytest.mark.parametrize("variance", [0.0055, 0.03])
@pytest.mark.parametrize("size", [(80, 54), (40, 40), (35, 23)])
def test_five_random_readers_find_no_difference_where_there_is_none(size, variance, n):
    rng, y = np.random.default_rng(6), labels(*size)
    rejected = sum(
        obuchowski_rockette(y, roe_metz(rng, y, 5, variance)).p_value < 0.05 for _ in range(n)
    )
    assert holds(rejected, n, 0.030, 0.065, is_whole=n == 1500)


@both(1500)
@pytest.mark.parametrize("n_readers", [3, 5])
@pytest.mark.parametrize("size", SIZES)
def test_a_model_as_good_as_random_readers_is_found_equal(size, n_readers, n):
    rng, y = np.random.default_rng(7), labels(*size)
    total = 1 + 2 * 0.0055  # the readers' own variance blurs their mean AUC a little
    rejected = 0
    for _ in range(n):
        ratings = roe_metz(rng, y, n_readers, 0.0055, 1)[0]
        score = math.sqrt(total) * rng.normal(size=y.size) + separation(0.871) * y
        rejected += compare_with_readers(y, score, ratings, readers="random").p_value < 0.05
    assert holds(rejected, n, 0.030, 0.070, is_whole=n == 1500)


def test_the_same_seed_gives_the_same_samples():
    first, second = (clustered(np.random.default_rng(8), 40, 0.6, 0.9) for _ in "ab")
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
