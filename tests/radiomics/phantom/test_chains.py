"""From tissue to CT and from activity to SPECT: resolution, noise, counts, measured on simple objects."""

import numpy as np
import pytest
from scipy.optimize import brentq

from radiomics.phantom.ct import to_ct
from radiomics.phantom.draws import FloatArray
from radiomics.phantom.shapes import N_Z, X, Y, Z
from radiomics.phantom.soft_tissue import Torso
from radiomics.phantom.spect import BIN, COUNTS, SCALE, origin_of, to_spect

TORSO = Torso(a=170.0, b=110.0, y=-20.0, fat=0.3, wall=15.0, muscle=52.0)
SMALL = Torso(a=100.0, b=80.0, y=-20.0, fat=0.3, wall=15.0, muscle=52.0)  # ends inside the field
SHAPE = (N_Z, 256, 256)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def flat(value: float) -> np.ndarray:
    return np.full(SHAPE, value, dtype=np.float32)


@pytest.fixture(scope="module")
def point() -> FloatArray:
    """A point of very much activity in the middle of the field, without noticeable counting noise."""
    activity = flat(0.0)
    activity[27:29, 127:129, 127:129] = 2e3
    counts, _ = to_spect(activity, SMALL, 1.0, rng())
    assert counts.max() < 65535
    return counts.astype(np.float64)


def width_at_half(profile: FloatArray) -> float:
    """Full width at half maximum (mm) of the Gaussian with this profile's second moment."""
    at = np.arange(profile.size) * BIN
    centre = (at * profile).sum() / profile.sum()
    return 2.3548 * float(np.sqrt(((at - centre) ** 2 * profile).sum() / profile.sum()))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_point_source_is_nine_millimetres_wide(point: FloatArray, axis: int) -> None:
    """sqrt(7.0^2 + 5.6^2) = 9.0 mm; the source's own bins and linear resampling widen it by less than 10 %."""
    others = tuple(k for k in range(3) if k != axis)
    found = width_at_half(point.sum(axis=others))
    assert np.hypot(7.0, 5.6) == pytest.approx(8.96, abs=0.01)
    assert 8.96 * 0.97 < found < 8.96 * 1.10


def test_a_point_source_stays_in_its_place(point: FloatArray) -> None:
    origin = origin_of(SMALL)
    nodes = [o + np.arange(n) * BIN for o, n in zip(origin, (128, 128, 32), strict=True)]
    sums = [point.sum(axis=tuple({0, 1, 2} - {k})) for k in (2, 1, 0)]
    found = [(at * s).sum() / s.sum() for at, s in zip(nodes, sums, strict=True)]
    wanted = [X[127:129].mean(), Y[127:129].mean(), Z[27:29].mean()]
    np.testing.assert_allclose(found, wanted, atol=0.5)


def test_counts_are_14_per_unit_times_85() -> None:
    counts, _ = to_spect(flat(1.0), TORSO, 1.0, rng())
    assert (COUNTS, SCALE) == (14.0, 85.0)
    assert counts[8:24, 40:70, 50:78].mean() == pytest.approx(14 * 85, rel=0.02)


@pytest.mark.parametrize("delta", [0.6, 1.0, 1.7])
def test_the_patient_s_count_factor_enters_twice(delta: float) -> None:
    """Once in the counting and once in the scale, so stored values go with its square."""
    counts, _ = to_spect(flat(1.0), TORSO, delta, rng())
    assert counts[8:24, 40:70, 50:78].mean() == pytest.approx(14 * 85 * delta**2, rel=0.03)


def test_counting_noise_is_poisson_smoothed_afterwards() -> None:
    """Relative noise sqrt(1/14) shrinks by the smoothing, each axis by sqrt(sum of squared weights)."""
    counts, _ = to_spect(flat(1.0), TORSO, 1.0, rng())
    inside = counts[10:22, 44:66, 52:76].astype(np.float64)
    sigma = 5.6 / 2.3548 / BIN
    k = np.arange(-3, 4)
    weights = np.exp(-0.5 * (k / sigma) ** 2)
    shrink = float(np.sqrt(((weights / weights.sum()) ** 2).sum())) ** 3
    assert inside.std() / inside.mean() == pytest.approx(np.sqrt(1 / 14) * shrink, rel=0.15)


def test_noise_of_neighbouring_bins_is_correlated_never_white() -> None:
    counts, _ = to_spect(flat(1.0), TORSO, 1.0, rng())
    inside = counts[10:22, 44:66, 52:76].astype(np.float64)
    residual = inside - inside.mean()
    near = (residual[:, :, 1:] * residual[:, :, :-1]).mean() / residual.var()
    assert near > 0.25


def test_nothing_is_counted_without_activity() -> None:
    counts, _ = to_spect(flat(0.0), SMALL, 1.0, rng())
    assert counts.max() == 0


def test_the_body_outside_the_field_of_view_keeps_the_uptake_of_soft_tissue() -> None:
    """A wide patient is cut off by the CT's field of 250 mm; the SPECT is not."""
    counts, origin = to_spect(flat(0.13), TORSO, 1.0, rng())
    at = origin[0] + np.arange(128) * BIN
    flank = (np.abs(at) > 135) & (np.abs(at) < 155)
    row = round((TORSO.y - origin[1]) / BIN)
    assert counts[4:28, row - 3 : row + 4, flank].mean() == pytest.approx(0.13 * 14 * 85, rel=0.1)
    assert counts[:, :, np.abs(at) > 190].max() == 0


def test_the_origin_centres_x_and_z_and_follows_the_body_in_y() -> None:
    x, y, z = origin_of(TORSO)
    assert x == pytest.approx(-63.5 * 4.42)
    assert y == pytest.approx(0.6 * -20 - 63.5 * 4.42)
    assert z == pytest.approx(-15.5 * 4.42)


@pytest.fixture(scope="module")
def water() -> np.ndarray:
    return to_ct(flat(0.0), rng(3))


def test_ct_noise_is_about_fifteen_units(water: np.ndarray) -> None:
    """SD N(15, 1.5) for the field, 18 % more in the centre: one draw lies within four SD of it."""
    centre = water[:, 108:148, 108:148].astype(np.float64)
    assert abs(centre.mean()) < 1
    assert 15 - 6 < centre.std() / 1.15 < 15 + 6


def test_ct_noise_falls_from_the_centre_to_the_edge(water: np.ndarray) -> None:
    """From 1.18 to .82 of it."""
    radius = np.hypot(X[None, :], (Y - Y.mean())[:, None])
    inner, outer = (water[:, ring].std() for ring in (radius < 15, (radius > 110) & (radius < 124)))
    assert outer / inner == pytest.approx(0.845 / 1.14, abs=0.05)


def test_ct_noise_is_new_on_each_slice_and_correlated_within(water: np.ndarray) -> None:
    inside = water[:, 100:156, 100:156].astype(np.float64)
    noise = inside - inside.mean()
    across = (noise[1:] * noise[:-1]).mean() / noise.var()
    beside = (noise[:, :, 1:] * noise[:, :, :-1]).mean() / noise.var()
    assert abs(across) < 0.02
    assert beside == pytest.approx(np.exp(-1 / (4 * 0.62**2)), abs=0.08)


def test_outside_the_round_field_there_is_nothing(water: np.ndarray) -> None:
    radius = np.hypot(X[None, :], (Y - Y.mean())[:, None])
    assert set(np.unique(water[:, radius > 125.1])) == {-1024}


@pytest.mark.parametrize(("value", "stored"), [(9000.0, 3071), (-9000.0, -1024)])
def test_values_are_clipped_to_what_is_stored(value: float, stored: int) -> None:
    image = to_ct(flat(value), rng())
    assert set(np.unique(image[:, 120:130, 120:130])) == {stored}


def test_an_edge_is_blurred_by_half_a_pixel() -> None:
    """The step response of a Gaussian of .55 pixels: 16 % and 84 % lie 1.1 pixels apart."""
    tissue = flat(0.0)
    tissue[:, :, 128:] = 1000.0
    profile = to_ct(tissue, rng(5))[:, 90:166, 120:137].astype(np.float64).mean(axis=(0, 1))
    at = np.arange(120.0, 137.0)

    def crossing(level: float) -> float:
        return float(brentq(lambda x: np.interp(x, at, profile) - level, 122, 134))

    assert crossing(500) == pytest.approx(127.5, abs=0.05)
    assert crossing(841) - crossing(159) == pytest.approx(1.1, abs=0.35)
