"""Planar images: which side each shows and whether that is known, and no size of pixels that the file does not tell."""

import warnings
from datetime import time
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from portal.archive.dicomweb.header import archive_names, header
from portal.archive.models import Instance, Series
from portal.archive.writer import WholeBody, write_whole_body
from tests.archive.builders import change, person, take

pytestmark = pytest.mark.django_db


def scan(folder: Path, edit=None) -> Series:
    """A whole-body scan of two views, imported."""
    counts = np.arange(2 * 6 * 5, dtype=np.uint16).reshape(2, 6, 5)
    one = WholeBody(person(), "2.25.41", "2.25.42", counts, (2.5, 2.0), time(9), 740.0)
    path = write_whole_body(folder, one, encoding="raw")
    if edit is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            change(path, edit)
    take(path)
    return Series.objects.get()


def shown(series: Series) -> dict:
    image = Instance.objects.get(series=series)
    return header(image, series, archive_names(series.exam), 0)


def without_codes(ds: Dataset) -> None:
    for item in ds.DetectorInformationSequence:
        del item.ViewCodeSequence


def test_views_with_a_code_are_known_and_the_pixels_have_their_size(tmp_path):
    series = scan(tmp_path)
    assert (series.state, series.views) == ("ready", ["ANT", "POST"])
    assert series.acquisition["assumed_views"] == [False, False]
    assert series.geometry == {"spacing_mm": [2.5, 2]}
    assert shown(series)["00280030"]["Value"] == [2.5, 2]


def test_views_without_a_code_are_taken_from_the_detectors_and_marked(tmp_path):
    series = scan(tmp_path, without_codes)
    assert (series.state, series.views) == ("ready", ["ANT", "POST"])
    assert series.acquisition["assumed_views"] == [True, True]


@pytest.mark.parametrize("kind", ["WHOLE BODY", "STATIC"])
@pytest.mark.parametrize(("n", "view"), [(1, "ANT"), (2, "POST")])
@pytest.mark.parametrize("has_codes", [True, False])
def test_one_view_alone_is_that_of_its_detector(tmp_path, kind, n, view, has_codes):
    """Many cameras send each view as an object of its own, both with the items of both detectors."""

    def edit(ds: Dataset) -> None:
        if not has_codes:
            without_codes(ds)
        size = len(ds.PixelData) // 2
        ds.PixelData = ds.PixelData[(n - 1) * size : n * size]
        ds.NumberOfFrames, ds.DetectorVector, ds.EnergyWindowVector = 1, n, 1
        ds.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]

    series = scan(tmp_path, edit)
    assert (series.state, series.views) == ("ready", [view])
    assert series.acquisition["assumed_views"] == [not has_codes]
    assert shown(series)["00540020"]["Value"] == [n]


@pytest.mark.parametrize("spacing", [None, [0, 0], [2.5, -2], "2.5"])
def test_no_size_of_pixels_is_invented(tmp_path, spacing):
    def edit(ds: Dataset) -> None:
        ds.PixelSpacing = spacing

    series = scan(tmp_path, edit)
    assert (series.state, series.geometry) == ("ready", {})
    assert "00280030" not in shown(series)


@pytest.mark.parametrize(("keeps", "sex"), [(True, "F"), (False, "")])
def test_the_sex_is_kept_only_where_the_installation_says_so(tmp_path, settings, keeps, sex):
    settings.KEEP_SEX = keeps
    series = scan(tmp_path)
    image = Instance.objects.get()
    assert (series.exam.sex, image.header["facts"]["PatientSex"]) == (sex, sex)
    assert shown(series)["00100040"].get("Value", []) == [sex] * keeps


@pytest.mark.parametrize("is_rescaled", [True, False])
def test_the_header_of_counts_has_the_rescale_that_the_file_has(tmp_path, is_rescaled):
    def edit(ds: Dataset) -> None:
        if is_rescaled:
            ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "0.25", "2", "US"

    found = shown(scan(tmp_path, edit))
    assert ("00281053" in found, "00281052" in found) == (is_rescaled, is_rescaled)
    if is_rescaled:
        assert (found["00281053"]["Value"], found["00281052"]["Value"]) == ([0.25], [2])
