"""Display windows: the fixed ones of CT, and the counts near a lesion by hand and by a second way."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomics.image import Volume
from readers.exam import Image, split_views
from readers.presets import NEAR_MM, near_maximum, positive, presets


def series(values, *, is_volume=False):
    return SimpleNamespace(values=values, is_volume=is_volume, pk=1, digest="")


def bounds(role, values, world=None):
    return {p["name"]: (p["lower"], p["upper"]) for p in presets(role, series(values), world)}


def block(pixels, *, tilt=0.0, spacing=10.0):
    """A volume whose first voxel lies at the origin, turned about x by `tilt` radians."""
    down = np.array([0.0, np.cos(tilt), np.sin(tilt)])
    normal = np.array([0.0, -np.sin(tilt), np.cos(tilt)])
    return Volume(
        np.asarray(pixels, dtype=float),
        (0.0, 0.0, 0.0),
        (1.0, 0.0, 0.0),
        tuple(down),
        (spacing, spacing),
        spacing,
        np.arange(len(pixels))[:, None] * spacing * normal,
    )


def test_ct_windows_are_centre_plus_and_minus_half_the_width():
    # bone 450/1500, soft 40/400, lung -600/1500, dense 700/3000
    assert bounds("CT", {}) == {
        "bone": (-300.0, 1200.0),
        "soft": (-160.0, 240.0),
        "lung": (-1350.0, 150.0),
        "dense": (-800.0, 2200.0),
    }


def test_ct_opens_on_bone():
    assert presets("CT", series({}), None)[0]["name"] == "bone"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"maximum": 900.0, "p999_positive": 400.0}, (400.0, 900.0, 450.0, 900.0)),
        ({"maximum": 900.0}, (900.0, 900.0, 450.0, 900.0)),
        ({"maximum": 900.0, "p999_positive": 0.0}, (900.0, 900.0, 450.0, 900.0)),
        ({"maximum": 0.0, "p999_positive": 0.0}, (1.0, 1.0, 0.5, 1.0)),
        ({"maximum": -5.0}, (1.0, 1.0, 0.5, 1.0)),
        ({}, (1.0, 1.0, 0.5, 1.0)),
        ({"maximum": None}, (1.0, 1.0, 0.5, 1.0)),
    ],
)
def test_counts_without_a_lesion_fall_back_on_the_whole_image(values, expected):
    found = bounds("SPECT", values)
    assert list(found) == ["volume", "lesion", "half", "full"]
    assert tuple(upper for _, upper in found.values()) == expected
    assert {lower for lower, _ in found.values()} == {0.0}


def test_a_whole_body_scan_has_two_windows_from_zero():
    assert bounds("WB-ANT", {"maximum": 300.0, "p999_positive": 200.0}) == {
        "volume": (0.0, 200.0),
        "full": (0.0, 300.0),
    }


@given(st.none() | st.floats(allow_nan=True))
def test_an_upper_bound_always_lies_above_zero(value):
    assert positive(value) > 0


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((0, 0, 0), 7.0),
        ((0, 0, 3), 7.0),
        ((0, 0, 4), 0.0),
        ((3, 0, 0), 7.0),
        ((0, 3, 0), 7.0),
        ((2, 2, 1), 7.0),
        ((2, 2, 2), 0.0),
    ],
)
def test_a_voxel_counts_up_to_exactly_30_mm(place, expected):
    """Voxels of 10 mm: (2, 2, 1) steps are 30 mm away, (2, 2, 2) are 34.6 mm."""
    pixels = np.zeros((6, 6, 6))
    pixels[place] = 7.0
    assert near_maximum(block(pixels), (0.0, 0.0, 0.0)) == expected


@pytest.mark.parametrize("world", [(0.0, 0.0, -31.0), (500.0, 0.0, 0.0), (0.0, -40.0, 0.0)])
def test_a_place_more_than_30_mm_outside_the_images_has_no_maximum(world):
    assert near_maximum(block(np.full((3, 3, 3), 9.0)), world) == 0.0


def test_negative_values_alone_give_zero():
    assert near_maximum(block(np.full((3, 3, 3), -9.0)), (0.0, 0.0, 0.0)) == 0.0


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(*[st.floats(-40, 90)] * 3),
    st.sampled_from([0.0, 0.1745, -0.5]),
    st.sampled_from([4.0, 10.0]),
)
def test_the_maximum_near_a_place_equals_a_search_of_every_voxel(seed, world, tilt, spacing):
    pixels = np.random.default_rng(seed).integers(0, 1000, (6, 7, 8)).astype(float)
    image = block(pixels, tilt=tilt, spacing=spacing)
    best = 0.0
    grid = np.stack(np.meshgrid(range(7), range(8), indexing="ij"), axis=-1).reshape(-1, 2)
    for k in range(6):
        away = np.linalg.norm(image.slice(k).to_patient(grid) - np.asarray(world), axis=1)
        if np.any(np.abs(away - NEAR_MM) < 1e-6):
            return  # on the edge rounding decides
        near = pixels[k].ravel()[away <= NEAR_MM]
        best = max(best, near.max(initial=0.0))
    assert near_maximum(image, world) == best


IMAGES = [Image("2.25.1", frame, frame - 1, None) for frame in (1, 2)]


@pytest.mark.parametrize(
    ("views", "anterior", "posterior"),
    [
        (["ANT", "POST"], [1], [2]),
        (["POST", "ANT"], [2], [1]),
        (["ANTERIOR", "POSTERIOR"], [1], [2]),
        (["posterior", "anterior"], [2], [1]),
        ([], [1], [2]),
        (["ANT"], [1], []),
        (["POST"], [], [1]),
        (["ANT", "ANT"], [1], []),
        (["LATERAL", "POST"], [], [2]),
    ],
)
def test_the_sides_of_a_whole_body_scan_are_told_by_their_labels(views, anterior, posterior):
    scan = SimpleNamespace(views=views)
    for role, frames in (("WB-ANT", anterior), ("WB-POST", posterior)):
        assert [image.frame for image in split_views(scan, IMAGES, role)] == frames
