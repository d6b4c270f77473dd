"""IBSI features of stored regions: the mask of their outlines, the portal's settings, one row per tag."""

import json
import math

import numpy as np
import pytest

from portal.analysis import extraction, feature_sets, regions
from portal.analysis.table import primary_vectors
from portal.archive import packs
from portal.archive.models import Series
from portal.archive.pixels import volume
from radiomics.ibsi.processing import COUNTS_DEFAULT, CT_DEFAULT, compute
from radiomics.volume_region import Section, mask_of
from readers.models import Roi
from tests.analysis.builders import do_all, do_jobs, make_outlined_study, outlined
from tests.cohort import NOW, make_user
from tests.readers.builders import circle, draft
from tests.study.test_pages import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def flat():
    """Two lesions with one outline per modality."""
    study = make_outlined_study(2)
    do_all(study, "delineator1", "outline", outlined())
    return study


def stacked(_case, shown):
    """Three slices on CT, the middle one the largest; one on SPECT."""
    radii = {1: 7.0, 2: 10.0, 3: 8.0}
    ct = [circle(shown, "CT", radius_mm=r, image=k) for k, r in radii.items()]
    return draft({}, CT=ct, SPECT=circle(shown, "SPECT", radius_mm=14.0))


@pytest.fixture
def deep():
    """Two lesions with a region of three slices on CT, in a study whose design has regions."""
    study = make_outlined_study(2, parameters={"regions_3d": True})
    do_all(study, "delineator1", "outline", stacked)
    return study


def test_each_read_and_modality_is_one_region(deep):
    found = list(regions.regions(deep))
    assert [(r.first.modality, len(r.rois)) for r in found] == [("CT", 3), ("SPECT", 1)] * 2
    assert [roi.slice_index for roi in found[0].rois] == [2, 3, 1]


def test_an_unsigned_region_is_none():
    study = make_outlined_study(2)
    do_all(study, "delineator1", "outline", outlined(), close=False)
    assert list(regions.regions(study)) == []


def test_the_values_are_those_of_the_whole_series(deep):
    """Only a slab is read; the numbers are the chain's on the volume with the outlines' mask."""
    for region in list(regions.regions(deep))[:2]:
        whole = volume(region.first.series)
        mask = mask_of([Section(r.slice_index, np.asarray(r.vertices_mm)) for r in region.rois], whole)  # fmt: skip
        chain = CT_DEFAULT if region.first.modality == "CT" else COUNTS_DEFAULT
        spacing = (whole.slice_spacing_mm, *whole.spacing_mm)
        wanted = compute(whole.pixels, mask, spacing, chain)
        found = regions.measured(region)
        assert found.failure == ""
        assert found.reasons == wanted.reasons
        for tag, value in wanted.values.items():
            mine = found.values[tag]
            assert mine == pytest.approx(value, rel=1e-9) if mine is not None else math.isnan(value)


def test_the_mask_holds_every_slice_and_the_margin_none(deep):
    region = next(regions.regions(deep))
    cut = regions.cut_out(region)
    assert cut.whole.shape == (5, 64, 64)
    assert (cut.mask.sum(axis=(1, 2)) > 0).tolist() == [False, True, True, True, False]
    assert int(cut.mask.sum()) == sum(roi.n_pixels for roi in region.rois)


@pytest.mark.parametrize(
    ("indices", "step", "wanted"),
    [([50], 2.5, (44, 56)), ([0, 1], 2.5, (0, 7)), ([98], 2.5, (92, 99)), ([50, 52], 10.0, (47, 55))],
)  # fmt: skip
def test_a_margin_of_a_centimetre_and_a_little_is_read(indices, step, wanted):
    series = Series(geometry={"slice_spacing_mm": step, "positions_mm": [[0, 0, k] for k in range(100)]})  # fmt: skip
    assert regions.reach(series, indices) == wanted


def test_units_are_hounsfield_suv_where_the_images_hold_it_else_counts(flat):
    ct, spect, *_ = regions.regions(flat)
    assert (ct.unit, spect.unit) == ("HU", "counts")
    spect.first.series.unit = "GML"
    assert spect.unit == "SUV"
    spect.first.series.unit = "BQML"
    assert spect.unit == "counts"


def test_a_region_of_uneven_slices_is_not_measured_as_if_they_were_even(flat):
    first, *_ = regions.regions(flat)
    Series.objects.filter(pk=first.first.series_id).update(volume_reason="The stack is tilted.")
    (failed, *_) = [row for row in regions.rows(flat) if row[6] == ""]
    assert failed[8] == regions.NO_VOLUME


def test_a_region_that_cannot_be_measured_says_why_and_the_rest_go_on(flat):
    first, second, *_ = regions.regions(flat)
    for name in (packs.NATIVE, packs.STORED):
        (packs.folder_of(first.first.series.folder) / name).unlink()
    Series.objects.filter(pk=second.first.series_id).update(is_volume=False)
    rows = list(regions.rows(flat))
    failed = [row for row in rows if row[6] == ""]
    assert [row[8] for row in failed] == [extraction.NO_PIXELS, regions.NO_VOLUME]
    assert len({tuple(row[:4]) for row in rows}) == 4


def test_the_export_has_a_row_per_region_and_tag_without_a_hole(deep):
    rows = list(regions.rows(deep))
    assert len(rows) == 4 * 483
    assert {row[5] for row in rows if row[3] == "CT"} == {3}
    for row in rows:
        assert (row[7] is None) == (row[8] != ""), row


def test_the_export_is_taken_as_csv_and_json(flat):
    client = sign_in("analyst")
    lines = client.get(f"/studies/{flat.code}/exports/ibsi.csv").content.decode().splitlines()
    assert lines[0] == ",".join(regions.COLUMNS)
    assert len(lines) == 1 + 4 * 483
    body = json.loads(client.get(f"/studies/{flat.code}/exports/ibsi.json").content)
    assert body["ibsi"][0]["tag"] == "morph_volume"


def test_the_279_features_of_a_region_are_those_of_its_largest_cross_section(deep):
    chosen = feature_sets.use(deep, actor=make_user("analyst"), now=NOW)
    do_jobs(extraction.start(chosen, user=None, shards=1))
    for lesion, vector in primary_vectors(chosen, "CT").items():
        rois = Roi.objects.filter(read__assignment__lesion=lesion, modality="CT")
        assert vector.roi.area_mm2 == max(roi.area_mm2 for roi in rois)
