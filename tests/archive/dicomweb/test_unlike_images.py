"""Images of one held series may differ in size and in kind of pixels: each is shown as its own header says."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image as Picture
from pydicom import Dataset

from portal.archive.models import Instance, Series
from tests.archive.builders import change, slices, take
from tests.archive.dicomweb.test_coordinator import client, whole
from tests.archive.dicomweb.views import VIEWS, path_of, series_path
from tests.cohort import make_study

pytestmark = pytest.mark.django_db
# rows, columns, bytes of a pixel, signed, photometric form of each image
UNLIKE = [(6, 5, 2, 0, "MONOCHROME2"), (10, 5, 2, 0, "MONOCHROME2"), (3, 7, 1, 0, "MONOCHROME2"),
          (4, 9, 2, 1, "MONOCHROME1")]  # fmt: skip
KEYWORDS = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
            "PhotometricInterpretation")  # fmt: skip


def unlike(folder: Path, kind: str) -> list[Dataset]:
    """Images of one series of a sender, each of another size: scouts, or slices of a stack."""
    make_study(is_synthetic=True)
    paths = slices(folder, n=len(UNLIKE))
    for path, (rows, columns, width, sign, form) in zip(paths, UNLIKE, strict=True):

        def edit(ds: Dataset, rows=rows, columns=columns, width=width, sign=sign, form=form) -> None:  # fmt: skip
            ds.ImageType = ["ORIGINAL", "PRIMARY", kind]
            ds.Rows, ds.Columns, ds.PhotometricInterpretation = rows, columns, form
            ds.BitsAllocated = ds.BitsStored = 8 * width
            ds.HighBit, ds.PixelRepresentation = 8 * width - 1, sign
            ds.RescaleIntercept, ds.WindowCenter, ds.WindowWidth = 0, 50, 100
            pixels = np.arange(rows * columns).astype(f"<{'ui'[sign]}{width}").tobytes()
            ds.PixelData = pixels + bytes(len(pixels) % 2)
            ds["PixelData"].VR = "OW" if width == 2 else "OB"

        change(path, edit)
    take(*paths, study_key="bone")
    return [pydicom.dcmread(path) for path in paths]


@pytest.fixture(params=VIEWS)
def view(request, settings) -> str:
    settings.IDENTITIES = request.param
    return request.param


@pytest.fixture(params=["LOCALIZER", "AXIAL"])
def sent(view, request, tmp_path) -> list[tuple[Instance, Dataset]]:
    found = unlike(tmp_path, request.param)
    series = Series.objects.get()
    reason = "localizer" if request.param == "LOCALIZER" else "pixel_encoding"
    assert (series.state, series.reason_code) == ("held", reason)
    return list(zip(Instance.objects.order_by("pk"), found, strict=True))


def picture(path: str) -> np.ndarray:
    answer = client().get(path, headers={"accept": "image/png"})
    assert answer.status_code == 200
    return np.asarray(Picture.open(io.BytesIO(whole(answer))))


def test_the_header_of_each_image_has_its_own_sizes(sent):
    for instance, ds in sent:
        (found,) = client().get(f"{path_of(instance)}/metadata").json()
        said = Dataset.from_json({k: v for k, v in found.items() if k.startswith("0028")})
        assert [said[k].value for k in KEYWORDS] == [ds[k].value for k in KEYWORDS]


def test_a_file_as_it_is_retrieved_has_the_pixels_that_it_announces(sent):
    for instance, ds in sent:
        accept = {"accept": "application/dicom; transfer-syntax=*"}
        answer = client().get(path_of(instance), headers=accept)
        found = pydicom.dcmread(io.BytesIO(whole(answer)))
        assert np.array_equal(found.pixel_array, ds.pixel_array)


@pytest.mark.parametrize("place", ["rendered", "frames/1/rendered"])
def test_every_image_is_rendered_in_its_own_size_and_values(sent, place):
    for instance, ds in sent:
        shown = picture(f"{path_of(instance)}/{place}")
        # by hand: 255((x - 49.5)/99 + 0.5), and inverted
        values = np.clip(255 * ((ds.pixel_array - 49.5) / 99 + 0.5), 0, 255)
        is_inverted = ds.PhotometricInterpretation == "MONOCHROME1"
        assert np.array_equal(shown, np.rint(255 - values if is_inverted else values))


def test_thumbnails_keep_the_shape_of_their_image(sent):
    for instance, ds in sent:
        rows, columns = picture(f"{path_of(instance)}/thumbnail").shape
        assert max(rows, columns) == 128
        assert rows / columns == pytest.approx(ds.Rows / ds.Columns, rel=0.02)


def test_the_picture_of_the_series_is_that_of_its_middle_image(sent):
    instance, ds = sent[len(sent) // 2]
    assert instance.rank == 3
    assert picture(f"{series_path(instance.series)}/rendered").shape == ds.pixel_array.shape
