"""Every family computed a second, independent way: scikit-image, scipy, or counting voxel by voxel."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from scipy import ndimage
from scipy.interpolate import RegularGridInterpolator
from skimage.feature import graycomatrix, graycoprops
from skimage.measure import label, marching_cubes, mesh_surface_area

from radiomics.ibsi import measure, texture
from radiomics.ibsi.co_occurrence import describe, pairs
from radiomics.ibsi.intensity import histogram, statistics, volume_histogram
from radiomics.ibsi.local import RADIUS_MM, local_intensity
from radiomics.ibsi.morphology import autocorrelation, morphology
from radiomics.ibsi.neighbours import dependences, tones
from radiomics.ibsi.processing import Binning, Settings, prepare
from radiomics.ibsi.region import AROUND, IN_SLICE, region_of
from radiomics.ibsi.run_length import runs
from radiomics.ibsi.zones import border_distance, slice_distance, zones

SHAPE = (4, 7, 6)
N_LEVELS = 4
BINS = Binning(n_bins=8)


@pytest.fixture(params=range(4))
def ragged(request):
    """A region with holes, and levels 1 to 4."""
    rng = np.random.default_rng(request.param)
    return rng.integers(1, N_LEVELS + 1, SHAPE), rng.random(SHAPE) < 0.75


def shifted(array, step, fill=0):
    """The array as seen from a step away; beyond it `fill`."""
    padded = np.pad(array, 5, constant_values=fill)
    return padded[tuple(slice(5 + s, 5 + s + n) for s, n in zip(step, array.shape, strict=True))]


@pytest.mark.parametrize("distance", [1, 2, 3])
@pytest.mark.parametrize(
    ("step", "angle"),
    [((0, 0, 1), 0.0), ((0, 1, 0), np.pi / 2), ((0, 1, 1), np.pi / 4), ((0, 1, -1), 3 * np.pi / 4)],
)
def test_pairs_and_their_statistics_in_a_slice_are_scikit_images(step, angle, distance):
    levels = np.random.default_rng(9).integers(1, 9, (1, 14, 17))
    length = distance * math.hypot(*step[1:])
    theirs = graycomatrix(levels[0].astype(np.uint8) - 1, [length], [angle], 8, symmetric=True)
    region = region_of(levels, np.ones(levels.shape, dtype=bool), n_levels=8, reach=distance)
    counts = pairs(region, tuple(distance * s for s in step))
    assert np.array_equal(counts.table, theirs[:, :, 0, 0])
    found = describe(counts)
    for mine, name, power in (
        ("contrast", "contrast", 1), ("dissimilarity", "dissimilarity", 1), ("energy", "ASM", 1),
        ("inv_diff_mom", "homogeneity", 1), ("corr", "correlation", 1),
    ):  # fmt: skip
        normed = theirs / theirs.sum()
        assert found[mine] == pytest.approx(float(graycoprops(normed, name)[0, 0]) ** power)


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 5])
def test_pairs_at_a_distance_are_those_of_the_shifted_image(ragged, distance):
    levels, mask = ragged
    region = region_of(levels, mask, n_levels=N_LEVELS, reach=distance)
    for step in AROUND:
        longer = tuple(distance * s for s in step)
        other, inside = shifted(levels, longer), shifted(mask, longer, fill=False) & mask
        wanted = np.zeros((N_LEVELS, N_LEVELS))
        for i, j in zip(levels[inside], other[inside], strict=True):
            wanted[i - 1, j - 1] += 1
            wanted[j - 1, i - 1] += 1
        assert np.array_equal(pairs(region, longer).table, wanted)


def test_cluster_and_information_features_equal_their_defining_double_sums(ragged):
    region = region_of(*ragged, n_levels=N_LEVELS)
    counts = pairs(region, (1, 1, -1))
    p = counts.table / counts.table.sum()
    px = p.sum(axis=1)
    found, mean = describe(counts), float(np.arange(1, N_LEVELS + 1) @ px)
    sums = dict.fromkeys(("clust_shade", "clust_prom", "clust_tend", "auto_corr", "inv_var"), 0.0)
    hxy = hxy1 = hxy2 = 0.0
    for i, j in itertools.product(range(N_LEVELS), repeat=2):
        away = i + j + 2 - 2 * mean
        for name, power in (("clust_tend", 2), ("clust_shade", 3), ("clust_prom", 4)):
            sums[name] += away**power * p[i, j]
        sums["auto_corr"] += (i + 1) * (j + 1) * p[i, j]
        sums["inv_var"] += p[i, j] / (i - j) ** 2 if i != j else 0.0
        hxy -= p[i, j] * math.log2(p[i, j]) if p[i, j] else 0.0
        hxy1 -= p[i, j] * math.log2(px[i] * px[j]) if p[i, j] else 0.0
        hxy2 -= px[i] * px[j] * math.log2(px[i] * px[j]) if px[i] * px[j] else 0.0
    for name, value in sums.items():
        assert found[name] == pytest.approx(value)
    hx = scipy.stats.entropy(px, base=2)
    assert found["info_corr1"] == pytest.approx((hxy - hxy1) / hx)
    assert found["info_corr2"] == pytest.approx(math.sqrt(1 - math.exp(-2 * (hxy2 - hxy))))
    assert found["joint_entr"] == pytest.approx(scipy.stats.entropy(p.ravel(), base=2))


def lines_along(step):
    """Every line of voxels of the array along a step, from its first voxel to its last."""
    places = set(itertools.product(*(range(n) for n in SHAPE)))
    for place in sorted(places):
        if tuple(np.subtract(place, step)) not in places:
            line = [place]
            while tuple(np.add(line[-1], step)) in places:
                line.append(tuple(int(v) for v in np.add(line[-1], step)))
            yield line


@pytest.mark.parametrize("step", AROUND)
def test_runs_are_groups_of_equal_voxels_along_each_line(ragged, step):
    levels, mask = ragged
    wanted: dict[tuple[int, int], int] = {}
    for line in lines_along(step):
        seen = [int(levels[v]) if mask[v] else 0 for v in line]
        for level, group in itertools.groupby(seen):
            key = (level, len(list(group)))
            wanted[key] = wanted.get(key, 0) + 1
    table = runs(region_of(levels, mask, n_levels=N_LEVELS), step).table
    found = {(i + 1, j + 1): int(table[i, j]) for i, j in zip(*np.nonzero(table), strict=True)}
    assert found == {key: n for key, n in wanted.items() if key[0] > 0}


def test_zones_are_scikit_images_components(ragged):
    levels, mask = ragged
    whole = np.where(mask, levels, 0)
    labels = label(whole, background=0, connectivity=3)
    distance = border_distance(mask)
    wanted = sorted(
        (int(whole[labels == k][0]), int((labels == k).sum()), int(distance[labels == k].min()))
        for k in range(1, labels.max() + 1)
    )
    found = zones(whole, distance)
    assert sorted(zip(found.level.tolist(), found.size.tolist(), found.distance.tolist(), strict=True)) == wanted  # fmt: skip


def test_border_distances_are_the_least_city_block_distances_to_a_voxel_outside(ragged):
    _, mask = ragged
    padded = np.pad(mask, 1)
    outside = np.argwhere(~padded)
    found = np.pad(border_distance(mask), 1)
    for place in np.argwhere(padded):
        assert found[tuple(place)] == np.abs(outside - place).sum(axis=1).min()
    for plane, mine in zip(mask, slice_distance(mask), strict=True):
        assert np.array_equal(mine, border_distance(plane[None].repeat(9, axis=0))[4].clip(0, mine.max()))  # fmt: skip


@pytest.mark.parametrize(("steps", "size"), [(IN_SLICE, (1, 3, 3)), (AROUND, (3, 3, 3))])
def test_tone_differences_and_dependences_are_those_of_a_moving_window(ragged, steps, size):
    levels, mask = ragged
    whole = np.where(mask, levels, 0).astype(float)
    n, s = np.zeros(N_LEVELS), np.zeros(N_LEVELS)

    def differing(window):
        middle, others = window[window.size // 2], np.delete(window, window.size // 2)
        known = others[others > 0]
        return abs(middle - known.mean()) if middle and known.size else -1.0

    def equals(window):
        middle = window[window.size // 2]
        return (window == middle).sum() if middle else 0

    away = ndimage.generic_filter(whole, differing, size=size, mode="constant")
    same = ndimage.generic_filter(whole, equals, size=size, mode="constant").astype(int)
    for level in range(1, N_LEVELS + 1):
        here = (whole == level) & (away >= 0)
        n[level - 1], s[level - 1] = here.sum(), away[here].sum()
    region = region_of(levels, mask, n_levels=N_LEVELS)
    tone = tones(region, steps)
    assert tone.n.tolist() == n.tolist()
    assert tone.s == pytest.approx(s)
    table = dependences(region, steps).table
    for level, many in itertools.product(range(1, N_LEVELS + 1), range(1, table.shape[1] + 1)):
        assert table[level - 1, many - 1] == ((whole == level) & (same == many)).sum()


def test_moments_and_spreads_of_intensity_are_scipys():
    x = np.random.default_rng(3).gamma(2.0, 40.0, 501)
    found = statistics(x)
    assert found["stat_skew"] == pytest.approx(scipy.stats.skew(x))
    assert found["stat_kurt"] == pytest.approx(scipy.stats.kurtosis(x))
    assert found["stat_cov"] == pytest.approx(scipy.stats.variation(x))
    assert found["stat_mad"] == pytest.approx(np.mean(np.abs(x - x.mean())))
    assert found["stat_medad"] == pytest.approx(np.mean(np.abs(x - np.median(x))))
    low, q1, q3, high = np.percentile(x, [10, 25, 75, 90], method="inverted_cdf")
    assert (found["stat_p10"], found["stat_p90"]) == (low, high)
    assert found["stat_iqr"] == q3 - q1
    assert found["stat_qcod"] == pytest.approx((q3 - q1) / (q3 + q1))
    middle = x[(x >= low) & (x <= high)]
    assert found["stat_rmad"] == pytest.approx(np.mean(np.abs(middle - middle.mean())))
    assert found["stat_rms"] == pytest.approx(np.linalg.norm(x) / math.sqrt(x.size))


def test_the_levels_entropy_and_uniformity_are_those_of_their_frequencies():
    levels = np.random.default_rng(3).integers(1, 9, 400)
    _, counts = np.unique(levels, return_counts=True)
    found = histogram(levels, 8)
    assert found["ih_entropy"] == pytest.approx(scipy.stats.entropy(counts, base=2))
    assert found["ih_uniformity"] == pytest.approx(((counts / 400) ** 2).sum())


def test_the_volume_histogram_equals_its_definition_level_by_level():
    x = np.random.default_rng(8).integers(1, 41, 300).astype(float)
    found, low, high = volume_histogram(x), x.min(), x.max()
    table = [((g - low) / (high - low), float((x >= g).mean()), g) for g in np.arange(low, high + 1)]  # fmt: skip
    for percent in (10, 90):
        wanted = max(v for f, v, _ in table if f >= percent / 100)
        assert found[f"ivh_v{percent}"] == pytest.approx(wanted)
        assert found[f"ivh_i{percent}"] == min(g for _, v, g in table if v <= percent / 100)


def test_autocorrelation_equals_the_double_loop():
    rng = np.random.default_rng(5)
    places, values = rng.normal(size=(23, 3)), rng.normal(size=23)
    centred = values - values.mean()
    total = moran = geary = 0.0
    for a, b in itertools.permutations(range(23), 2):
        w = 1 / math.dist(places[a], places[b])
        total += w
        moran += w * centred[a] * centred[b]
        geary += w * (values[a] - values[b]) ** 2
    found, spread = autocorrelation(places, values), float((centred**2).sum())
    assert found["moran_i"] == pytest.approx(23 / total * moran / spread)
    assert found["geary_c"] == pytest.approx(22 / (2 * total) * geary / spread)


def test_shape_is_that_of_scikit_images_mesh_and_of_numpys_axes(ragged):
    _, mask = ragged
    spacing = (3.0, 1.5, 2.0)
    found = morphology(mask, mask, np.ones(SHAPE), spacing)
    vertices, faces, *_ = marching_cubes(np.pad(mask, 1).astype(np.float32), 0.5, spacing=spacing)
    assert found["morph_area_mesh"] == pytest.approx(mesh_surface_area(vertices, faces), rel=1e-5)
    centres = np.argwhere(mask) * spacing
    spreads = np.linalg.svd(centres - centres.mean(axis=0), compute_uv=False) / math.sqrt(mask.sum() - 1)  # fmt: skip
    axes = [found[f"morph_pca_{name}_axis"] for name in ("maj", "min", "least")]
    assert axes == pytest.approx((4 * spreads).tolist())
    corners = vertices.astype(float)
    assert found["morph_diam"] == pytest.approx(
        max(np.linalg.norm(corners - c, axis=1).max() for c in corners)
    )


def test_a_peak_is_the_mean_over_a_ball_footprint(ragged):
    _, mask = ragged
    image = np.random.default_rng(2).normal(50, 10, SHAPE)
    spacing = (2.5, 2.0, 3.0)
    reach = [int(RADIUS_MM // s) for s in spacing]
    grid = np.stack(np.meshgrid(*(np.arange(-r, r + 1) * s for r, s in zip(reach, spacing, strict=True)), indexing="ij"))  # fmt: skip
    ball = ((grid**2).sum(axis=0) <= RADIUS_MM**2).astype(float)
    total = ndimage.convolve(image, ball, mode="constant")
    many = ndimage.convolve(np.ones(SHAPE), ball, mode="constant")
    found = local_intensity(image, mask, spacing)
    assert found["loc_peak_glob"] == pytest.approx((total / many)[mask].max())
    top = np.argwhere(mask & (image == image[mask].max()))[0]
    assert found["loc_peak_loc"] == pytest.approx((total / many)[tuple(top)])


def test_linear_interpolation_is_scipys_regular_grid():
    rng = np.random.default_rng(6)
    image, mask = rng.normal(size=(6, 9, 8)), np.zeros((6, 9, 8), dtype=bool)
    mask[2:4, 3:6, 2:6] = True
    found = prepare(image, mask, (3.0, 2.0, 2.0), Settings((1.7, 1.3, 1.3), binning=BINS))
    lattice = RegularGridInterpolator([np.arange(n) for n in image.shape], image)
    n = [math.ceil(a * s / t) for a, s, t in zip(image.shape, (3.0, 2, 2), (1.7, 1.3, 1.3), strict=True)]  # fmt: skip
    axes = [
        ((np.arange(k) - (k - 1) / 2) * t / s + (a - 1) / 2).clip(0, a - 1)
        for k, a, s, t in zip(n, image.shape, (3.0, 2, 2), (1.7, 1.3, 1.3), strict=True)
    ]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    assert found.image == pytest.approx(lattice(grid))


def test_a_merged_matrix_weighs_every_direction_by_its_pairs(ragged):
    levels, mask = ragged
    region = region_of(levels, mask, n_levels=N_LEVELS)
    total = np.sum([pairs(region, step).table for step in AROUND], axis=0)
    p = total / total.sum()
    found = texture(region, mask)
    assert found["cm_energy_3D_comb"] == pytest.approx((p**2).sum())
    assert found["cm_joint_max_3D_comb"] == pytest.approx(p.max())
    each = [describe(pairs(region, step))["energy"] for step in AROUND]
    assert found["cm_energy_3D_avg"] == pytest.approx(np.mean(each))


def test_slices_are_averaged_without_weights():
    levels = np.ones((2, 4, 4), dtype=int)
    levels[1, 0, 0] = 2
    mask = np.ones(levels.shape, dtype=bool)
    mask[1, 2:] = False
    found = texture(region_of(levels, mask), mask)
    alone = [
        texture(region_of(levels[k : k + 1], mask[k : k + 1], n_levels=2), mask[k : k + 1])
        for k in (0, 1)
    ]
    for tag in ("rlm_sre_2D_comb", "szm_zs_entr_2D", "ngl_lde_2D", "cm_contrast_2D_avg"):
        assert found[tag] == pytest.approx((alone[0][tag] + alone[1][tag]) / 2), tag


def test_one_slice_is_the_same_with_and_without_merging():
    levels = np.random.default_rng(1).integers(1, 5, (1, 6, 7))
    found = measure(levels, levels > 0, (2.0, 1.0, 1.0), levels=levels).values
    for tag in found:
        if tag.endswith("_2D_comb"):
            other = tag.removesuffix("_2D_comb") + "_2_5D_comb"
            assert found[tag] == pytest.approx(found[other], nan_ok=True)
        if tag.endswith("_2D_avg"):
            other = tag.removesuffix("_2D_avg") + "_2_5D_avg"
            assert found[tag] == pytest.approx(found[other], nan_ok=True)
