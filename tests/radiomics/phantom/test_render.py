import numpy as np
import pytest

from radiomics.phantom.outlines import dice
from radiomics.phantom.people import delineations
from radiomics.phantom.pictures import PatientImages
from radiomics.phantom.plan import make_plan, make_practice_plan
from radiomics.phantom.render import render_excluded, render_patient

PLAN = make_plan(seed=2022)
SAMPLE = (0, 1, 3, 4, 5, 7)


@pytest.fixture(scope="module")
def pictures() -> dict[int, PatientImages]:
    return {i: render_patient(PLAN, i) for i in SAMPLE}


def test_arrays_have_the_shapes_and_types_of_the_contract(
    pictures: dict[int, PatientImages],
) -> None:
    for images in pictures.values():
        assert images.ct_hu.shape == (40, 256, 256)
        assert images.ct_hu.dtype == np.int16
        assert images.spect_counts.shape == (32, 128, 128)
        assert images.spect_counts.dtype == np.uint16
        assert images.whole_body.shape == (2, 1024, 256)
        assert images.whole_body.dtype == np.uint16
        assert images.ct_hu[:, 0, 0].max() == -1024


def test_the_same_patient_renders_to_the_same_bytes(pictures: dict[int, PatientImages]) -> None:
    again = render_patient(PLAN, 3)
    assert np.array_equal(again.ct_hu, pictures[3].ct_hu)
    assert np.array_equal(again.spect_counts, pictures[3].spect_counts)
    assert np.array_equal(again.whole_body, pictures[3].whole_body)


def test_every_lesion_is_longer_than_ten_millimetres_on_its_slice(
    pictures: dict[int, PatientImages],
) -> None:
    for images in pictures.values():
        for lesion in images.lesions:
            assert 10 < lesion.longest_diameter_mm < 75
            k = (lesion.outline_mm[0, 2] - images.ct_origin_mm[2]) / images.ct_spacing_mm[2]
            assert k == pytest.approx(round(k), abs=1e-6)
            assert 0 <= k <= 39


def test_uptake_lies_where_the_lesion_is(pictures: dict[int, PatientImages]) -> None:
    for images in pictures.values():
        for lesion in images.lesions:
            at = (lesion.centroid_mm - images.spect_origin_mm) / images.spect_spacing_mm[0]
            c, r, k = (int(round(v)) for v in at)
            near = images.spect_counts[k - 1 : k + 2, r - 1 : r + 2, c - 1 : c + 2]
            plane = images.spect_counts[max(k - 1, 0) : k + 2]
            assert near.max() > 3 * np.median(plane[plane > 0])


def test_whole_body_counts_and_marks_are_plausible(pictures: dict[int, PatientImages]) -> None:
    for images in pictures.values():
        assert 5.5e5 < images.whole_body.sum(dtype=np.int64) < 1.2e6
        for lesion in images.lesions:
            (a, row), (p, same) = lesion.whole_body["anterior"], lesion.whole_body["posterior"]
            assert row == same
            assert a + p == pytest.approx(255)
            spot = images.whole_body[1, int(row) - 3 : int(row) + 4, int(p) - 3 : int(p) + 4]
            assert spot.mean() > 2 * images.whole_body[1].mean()


def test_normal_bone_has_texture_and_air_lies_outside(pictures: dict[int, PatientImages]) -> None:
    for images in pictures.values():
        assert 500 < images.ct_hu.max() < 2500
        assert np.percentile(images.ct_hu, 30) < 60


def test_delineators_overlap_as_readers_do(pictures: dict[int, PatientImages]) -> None:
    between = []
    for i, images in pictures.items():
        one, two = (delineations(PLAN, i, images, d, 1) for d in (0, 1))
        for slot, drawing in one.items():
            assert drawing.ct_mm.shape == drawing.spect_mm.shape == (36, 3)
            assert np.ptp(drawing.ct_mm[:, 2]) == 0
            frame = (drawing.spect_mm[0, 2] - images.spect_origin_mm[2]) / 4.42
            assert frame == pytest.approx(round(frame), abs=1e-6)
            between.append(dice(drawing.ct_mm[:, :2], two[slot].ct_mm[:, :2]))
    assert 0.75 < np.mean(between) < 0.95


def test_excluded_patients_with_images_show_why_they_were_left_out() -> None:
    for excluded in PLAN.excluded:
        if not excluded.has_images:
            with pytest.raises(ValueError, match="no images"):
                render_excluded(PLAN, excluded)
            continue
        images = render_excluded(PLAN, excluded)
        if excluded.criterion == "no_lesion_1cm":
            assert images.lesions[0].longest_diameter_mm < 10


def test_practice_patients_have_pictures_of_their_own(pictures: dict[int, PatientImages]) -> None:
    practice = render_patient(make_practice_plan(2022), 0)
    assert not np.array_equal(practice.ct_hu, pictures[0].ct_hu)


def test_a_patient_outside_the_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="index"):
        render_patient(PLAN, 132)


@pytest.mark.slow
def test_all_patients_of_a_cohort_render_with_lesions_over_ten_millimetres() -> None:
    sizes = [
        le.longest_diameter_mm
        for p in PLAN.patients
        for le in render_patient(PLAN, p.index).lesions
    ]
    assert len(sizes) == 192
    assert min(sizes) > 10
