import numpy as np
import pytest

from radiomics.phantom.ct import to_ct
from radiomics.phantom.pictures import CT_ORIGIN, CT_SPACING, N_SLICES, plane_of
from radiomics.phantom.plan import make_plan
from radiomics.phantom.shapes import N_Z, X, Y, Z
from radiomics.phantom.skeleton import row_of, skeleton, vertebra_row
from radiomics.phantom.soft_tissue import Torso
from radiomics.phantom.spect import to_spect
from radiomics.phantom.whole_body import Spot, to_whole_body

TORSO = Torso(172, 112, -28, 0.2, 15, 52)


def hot_spot(x: float, y: float, z: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    volume = np.full((N_Z, 256, 256), 0.1, dtype=np.float32)
    r = (X[None, None, :] - x) ** 2 + (Y[None, :, None] - y) ** 2 + (Z[:, None, None] - z) ** 2
    volume[r < 8.0**2] = 12
    return volume


@pytest.mark.parametrize("place", [(0.0, 0.0, 0.0), (20.0, -10.0, 30.0), (-35.0, 15.0, -40.0)])
def test_uptake_appears_in_the_voxel_of_its_place(place: tuple[float, float, float]) -> None:
    counts, origin = to_spect(hot_spot(*place), TORSO, 1.0, np.random.default_rng(1))
    k, r, c = np.unravel_index(int(np.argmax(counts)), counts.shape)
    found = [origin[0] + 4.42 * c, origin[1] + 4.42 * r, origin[2] + 4.42 * k]
    assert np.abs(np.array(found) - place).max() < 4.42


def test_counts_grow_with_the_square_of_the_count_factor() -> None:
    volume = hot_spot(0, 0, 0)
    one, two = (to_spect(volume, TORSO, d, np.random.default_rng(2))[0] for d in (1.0, 1.5))
    assert two.mean() / one.mean() == pytest.approx(2.25, rel=0.03)


def test_ct_keeps_values_within_noise_and_blanks_the_corners() -> None:
    ct = to_ct(np.full((N_Z, 256, 256), 50, dtype=np.float32), np.random.default_rng(3))
    assert ct.shape == (N_SLICES, 256, 256)
    core = ct[:, 100:156, 100:156]
    assert core.mean() == pytest.approx(50, abs=1)
    assert 12 < core.std() < 24
    assert (ct[:, 0, 0] == -1024).all()


@pytest.mark.parametrize(("z", "plane"), [(0.4, 1.25), (-60.0, -48.75), (60.0, 48.75)])
def test_outlines_land_on_the_nearest_slice_of_the_scan(z: float, plane: float) -> None:
    assert plane_of(z, CT_ORIGIN, CT_SPACING, N_SLICES) == pytest.approx(plane)


def test_spine_rows_go_down_from_neck_to_sacrum() -> None:
    rows = [row_of(i) for i in range(24)]
    assert rows == sorted(rows)
    assert rows[0] == pytest.approx(163.1)
    assert vertebra_row(12) == rows[23]


def test_bladder_and_kidneys_show_in_the_view_that_faces_them() -> None:
    bones, kidneys, bladder = skeleton()
    assert bladder[0].max() > bladder[1].max()
    assert kidneys[1].max() > kidneys[0].max()
    assert bones[1][:, 127].max() > bones[0][:, 127].max()


def test_a_lesion_on_the_left_is_stored_on_the_left_from_behind() -> None:
    plan = make_plan(seed=2022)
    patient = next(p for p in plan.patients if p.lesions[0].shape == "facet")
    counts, marks = to_whole_body(
        patient, [Spot(patient.lesions[0], 1, 14.0)], np.random.default_rng(4)
    )
    assert counts.shape == (2, 1024, 256)
    assert marks[0]["anterior"][0] > 127.5 > marks[0]["posterior"][0]
    plain, _ = to_whole_body(patient, [], np.random.default_rng(4))
    column, row = (round(v) for v in marks[0]["posterior"])
    box = (1, slice(row - 2, row + 3), slice(column - 2, column + 3))
    assert counts[box].mean() > 2 * plain[box].mean()
