"""What an image's content is known by does not move when a version learns to read more of its header."""

import warnings
from pathlib import Path

import pydicom
import pytest

from portal.archive.context import Context
from portal.archive.index import digested
from portal.archive.reading import read
from tests.archive.builders import change, report, take
from tests.archive.test_import import SHARED, needs_shared

FIXED = Context(b"k" * 32, "", None, None, keeps_subject=False)
# taken before the factor to SUV, assumed views, GE's typed columns and the warnings of 2026-11 were read; the last
# image came without a pixel spacing, for which 1 mm stood then
DIGESTS = {
    "synthetic/nm_xeleris_like_neg_spacing": "81a8191d8018196c2a8b917e500fa5a67525f76dfe1a821fd6fca023d2ce2237",
    "synthetic/nm_no_slice_vector": "f71d90d24cdc060024af8a1870c7269101ca888ac19188c855dac7640797f587",
    "synthetic/nm_whole_body_ant_post": "5dde5f5571134f696d4a049ef96d83a6cc90e1990344d510879cbdf1ee5dd4ca",
    "petct_STS_044/PET/000000": "0da2b0e36e537cc717354a65b9097ad8b7438daee582183f45240dd00e2fa349",
    "synthetic/pair_ct_01": "6b4581b913822736aeff142e25a761d96641f54987827c86ef15c0a7a098fbd9",
}
WITHOUT_SPACING = "f4387b073ac1b780519e7555a2ae5040974921e4a3dabba15b38176ea92bd294"


@needs_shared
@pytest.mark.parametrize("name", DIGESTS)
def test_a_sample_has_the_digest_it_was_stored_with(tmp_path, name):
    assert digested(FIXED, read(SHARED / f"{name}.dcm", tmp_path)) == DIGESTS[name]


def without_spacing(folder: Path) -> Path:
    path = folder / "planar.dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(SHARED / "synthetic" / "nm_whole_body_ant_post.dcm")
        del ds.PixelSpacing
        ds.save_as(path)
    return path


@needs_shared
def test_so_has_a_planar_image_without_a_pixel_spacing(tmp_path):
    assert digested(FIXED, read(without_spacing(tmp_path), tmp_path)) == WITHOUT_SPACING


@needs_shared
@pytest.mark.django_db
def test_an_image_that_was_stored_before_is_already_here_in_another_encoding(tmp_path):
    path = without_spacing(tmp_path)
    assert report(take(path)) == ["ready"]
    change(path, lambda ds: ds.add_new((0x0009, 0x0010), "LO", "another file of the same content"))
    assert report(take(path)) == ["already here"]
