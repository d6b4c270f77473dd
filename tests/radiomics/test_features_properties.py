"""What must hold for any region: invariances, identities, refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomics.features import CATALOGUE, NAMES, extract

FEW = settings(max_examples=25, deadline=None)
SWAPPED = {"Horzl": "Vertl", "Vertl": "Horzl"}


@st.composite
def regions(draw):
    """A ragged region of a small image with few or many levels."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 34)), draw(st.integers(1, 34)))
    image = rng.integers(0, draw(st.sampled_from([2, 5, 16, 256])), shape)
    mask = rng.random(shape) < draw(st.sampled_from([0.05, 0.4, 0.9, 1.0]))
    mask[rng.integers(shape[0]), rng.integers(shape[1])] = True
    return image, mask


def same(a: float, b: float) -> bool:
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


def differing(first, second, rename=lambda name: name, families=()) -> list[str]:
    return [
        e.name
        for e in CATALOGUE
        if e.family not in families and not same(first[e.name], second[rename(e.name)])
    ]


@FEW
@given(regions())
def test_pixels_outside_the_region_never_matter(region):
    image, mask = region
    other = image.astype(float)
    other[~mask] = np.nan
    assert str(dict(extract(image, mask))) == str(dict(extract(other, mask)))


@FEW
@given(regions(), st.integers(0, 7), st.integers(0, 7))
def test_moving_the_region_changes_nothing(region, down, right):
    image, mask = region
    pad = ((down, 3), (right, 2))
    assert not differing(extract(image, mask), extract(np.pad(image, pad), np.pad(mask, pad)))


@FEW
@given(regions(), st.sampled_from([0.5, 2.0, 3.0]), st.integers(-1000, 1000))
def test_texture_does_not_depend_on_scale_and_offset(region, a, b):
    image, mask = region
    first, second = extract(image, mask), extract(a * image + b, mask)
    assert not differing(first, second, families=("histogram",))
    assert same(second["Mean"], a * first["Mean"] + b)
    assert same(second["Variance"], a * a * first["Variance"])


def transposed(name: str) -> str:
    for old, new in SWAPPED.items():
        if name.startswith(old):
            return new + name[len(old) :]
    if name.startswith("S("):
        inside, rest = name[2:].split(")", 1)
        dx, dy = inside.split(",")
        return f"S({dy},{dx}){rest}" if "0" in (dx, dy) else name
    return (
        name.replace("WavEnLH", "WavEn*").replace("WavEnHL", "WavEnLH").replace("WavEn*", "WavEnHL")
    )


@FEW
@given(regions())
def test_transposing_swaps_the_directions(region):
    image, mask = region
    first, second = extract(image, mask), extract(image.T, mask.T)
    assert not differing(first, second, transposed, families=("autoregressive",))


def mirrored(name: str) -> str:
    if name.startswith("45dgr"):
        return "135dr" + name[5:]
    if name.startswith("135dr"):
        return "45dgr" + name[5:]
    for d in "12345":
        for one, other in ((f"S({d},{d})", f"S({d},-{d})"), (f"S({d},-{d})", f"S({d},{d})")):
            if name.startswith(one):
                return other + name[len(one) :]
    return name


@FEW
@given(regions(), st.sampled_from([0, 1]))
def test_a_flip_swaps_the_diagonals(region, axis):
    image, mask = region
    first, second = extract(image, mask), extract(np.flip(image, axis), np.flip(mask, axis))
    assert not differing(first, second, mirrored, families=("autoregressive", "wavelet"))


@FEW
@given(regions())
def test_identities_and_ranges_hold(region):
    image, mask = region
    found = extract(image, mask)
    n = int(mask.sum())
    for entry in CATALOGUE:
        if entry.name.endswith("AngScMom") and not math.isnan(found[entry.name]):
            stem = entry.name.removesuffix("AngScMom")
            assert 0 < found[entry.name] <= 1
            spread, contrast = found[stem + "SumOfSqs"], found[stem + "Contrast"]
            assert math.isclose(found[stem + "SumVarnc"], 4 * spread - contrast, abs_tol=1e-8)
            assert 2 <= found[stem + "SumAverg"] <= 128
    for direction in ("Horzl", "Vertl", "45dgr", "135dr"):
        share = found[f"{direction}_Fraction"]
        assert 0 < share <= 1
        assert found[f"{direction}_ShrtREmp"] <= 1 <= found[f"{direction}_LngREmph"]
        assert 1 - 1e-12 <= found[f"{direction}_RLNonUni"] <= n * share + 1e-9


@FEW
@given(regions())
def test_undefined_names_are_exactly_those_with_a_reason_and_arguments_stay(region):
    image, mask = region
    before = (image.copy(), mask.copy())
    found = extract(image, mask)
    assert list(found) == list(NAMES)
    assert {name for name, value in found.items() if math.isnan(value)} == set(found.reasons)
    assert not any(math.isinf(value) for value in found.values())
    assert np.array_equal(image, before[0])
    assert np.array_equal(mask, before[1])


ONES = np.ones((3, 3), dtype=bool)


@pytest.mark.parametrize(
    ("image", "mask", "says"),
    [
        (np.ones((3, 3)), np.zeros((3, 3), dtype=bool), "mask must mark"),
        (np.ones(3), np.ones(3, dtype=bool), "2-D"),
        (np.ones((3, 3)), np.ones((2, 3), dtype=bool), "does not match"),
        (np.ones((0, 3)), np.ones((0, 3), dtype=bool), "length 0"),
        (np.ones((3, 3), dtype=complex), ONES, "dtype"),
        (np.full((3, 3), "a"), ONES, "dtype"),
        (np.ones((3, 3)), np.ones((3, 3)), "mask must be boolean"),
        (np.full((3, 3), np.nan), ONES, "finite"),
        (np.full((3, 3), np.inf), ONES, "finite"),
        (np.full((3, 3), 1e61), ONES, "exceed"),
    ],
)
def test_bad_input_is_refused_with_the_argument_named(image, mask, says):
    with pytest.raises(ValueError, match=says):
        extract(image, mask)
