"""A file that holds the boundary of answers (6.1) would end its part in the middle: by intent only, and refused."""

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless

from portal.archive import packs
from portal.archive.models import Instance
from portal.archive.refusals import SENTENCES
from tests.archive.builders import change, slices, take

pytestmark = pytest.mark.django_db


def planted(ds: pydicom.Dataset) -> None:
    """The boundary among the pixels, as a copied one would stand there."""
    pixels = bytearray(ds.PixelData)
    pixels[8 : 8 + 32] = packs.boundary().encode()
    ds.PixelData = bytes(pixels)


def refused(path) -> None:
    (file,) = take(path).files.all()
    assert (file.outcome, file.reason_code, file.sentence) == ("refused", "header", SENTENCES["header"][1])  # fmt: skip
    assert not Instance.objects.exists()


def test_among_the_pixels(tmp_path):
    (path,) = slices(tmp_path, n=1)
    change(path, planted)
    refused(path)


def test_in_the_header(tmp_path):
    (path,) = slices(tmp_path, n=1)
    change(path, lambda ds: setattr(ds, "StudyDescription", f"--{packs.boundary()}"))
    refused(path)


def test_in_a_header_that_is_deflated(tmp_path):
    (path,) = slices(tmp_path, n=1)
    change(path, lambda ds: setattr(ds, "StudyDescription", packs.boundary()))
    ds = pydicom.dcmread(path)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    assert packs.boundary().encode() not in path.read_bytes()
    refused(path)


@pytest.mark.parametrize("syntax", [RLELossless, ExplicitVRBigEndian])
def test_in_what_is_decoded(tmp_path, syntax):
    """The file itself does not hold it."""
    (path,) = slices(tmp_path, n=1)
    change(path, planted)
    ds = pydicom.dcmread(path)
    if syntax == RLELossless:
        ds.compress(RLELossless)
        ds.save_as(path)
    else:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        ds["PixelData"].VR = "OW"
        ds.file_meta.TransferSyntaxUID = syntax
        pydicom.dcmwrite(path, ds, implicit_vr=False, little_endian=False, enforce_file_format=True)
    assert packs.boundary().encode() not in path.read_bytes()
    refused(path)


def test_the_others_of_a_batch_are_stored(tmp_path):
    paths = slices(tmp_path, n=3)
    change(paths[1], planted)
    assert [f.outcome for f in take(*paths).files.all()] == ["ready", "refused", "ready"]
