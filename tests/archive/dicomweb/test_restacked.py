"""After a coordinator's stacking: the archive view has the frames in the order of the volume, the source view as they came."""

import io

import numpy as np
import pydicom
import pytest

from portal.archive.confirming import partners
from portal.archive.filing import release
from portal.archive.models import Series
from tests.archive.builders import look, take
from tests.archive.dicomweb.test_coordinator import client, parts, uids_of, whole
from tests.archive.test_confirming import MIXED, WHY, N, ct, held_spect, shuffled, spect
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db
KEPT, ASKED_AGAIN = "private, max-age=31536000, immutable", "private, no-cache"
DICOM = {"accept": "application/dicom; transfer-syntax=*"}


@pytest.fixture(params=["sealed", "none"])
def sent(request, settings, tmp_path) -> pydicom.FileDataset:
    """A held volume with its frames in an odd order, beside its CT; headers are kept as received, or not."""
    settings.IDENTITIES = request.param
    make_study(is_synthetic=True)
    path = shuffled(spect(tmp_path / "nm"), MIXED)
    take(*ct(tmp_path / "ct"), path, study_key="bone")
    return pydicom.dcmread(path)


def address(sent: pydicom.FileDataset, *, is_source: bool) -> str:
    one = Series.objects.get(role="SPECT").instances.get()
    names = (sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID) if is_source else uids_of(one)  # fmt: skip
    return "/dicomweb/studies/{}/series/{}/instances/{}".format(*names)


def confirm() -> None:
    series = held_spect()
    seen = look(series, "slice1", partners(series)[0])
    release(series, reason=WHY, actor=make_user("coordinator"), study="bone", seen=seen)


def frames(place: str) -> list[bytes]:
    listed = ",".join(str(k) for k in range(1, N + 1))
    return parts(client().get(f"{place}/frames/{listed}"))


def in_order(ds: pydicom.FileDataset, order: list[int]) -> list[bytes]:
    return [ds.pixel_array[k].astype("<u2").tobytes() for k in order]


def test_each_view_numbers_the_frames_its_own_way(sent, settings):
    is_source = settings.IDENTITIES == "sealed"
    place = address(sent, is_source=is_source)
    assert frames(place) == in_order(sent, list(range(N)))
    confirm()
    sorted_ = [MIXED.index(number) for number in range(1, N + 1)]
    expected = in_order(sent, list(range(N)) if is_source else sorted_)
    assert frames(place) == expected
    (pixels,) = parts(client().get(f"{place}/bulkdata/7FE00010"))
    assert pixels == b"".join(expected)
    file = pydicom.dcmread(io.BytesIO(whole(client().get(place, headers=DICOM))))
    assert np.array_equal(file.pixel_array, np.stack([np.frombuffer(f, "<u2").reshape(12, 12) for f in expected]))  # fmt: skip
    assert list(file.SliceVector) == (MIXED if is_source else list(range(1, N + 1)))
    if not is_source:
        assert file.DetectorInformationSequence[0].ImagePositionPatient == [-24, -22, 2]
        assert (file.SpacingBetweenSlices, file.NumberOfFrames) == (4, N)


@pytest.mark.parametrize("resource", ["frames/1", "frames/1/rendered", "rendered", "bulkdata/7FE00010"])  # fmt: skip
def test_pixels_of_a_volume_that_waits_are_asked_for_again(sent, settings, resource):
    """What may still be put into another order is not kept by anybody's browser."""
    place = address(sent, is_source=settings.IDENTITIES == "sealed")
    before = client().get(f"{place}/{resource}")
    assert before["Cache-Control"] == ASKED_AGAIN
    same = client().get(f"{place}/{resource}", headers={"if-none-match": before["ETag"]})
    assert (same.status_code, same["Cache-Control"]) == (304, ASKED_AGAIN)
    confirm()
    after = client().get(f"{place}/{resource}")
    assert after["Cache-Control"] == KEPT
    assert ("rendered" in resource) or after["ETag"] != before["ETag"]


def test_metadata_say_where_the_volume_lies_once_it_is_known(sent, settings):
    place = address(sent, is_source=settings.IDENTITIES == "sealed")
    if settings.IDENTITIES == "sealed":
        before = client().get(f"{place}/metadata").json()
        confirm()
        assert client().get(f"{place}/metadata").json() == before
        return
    (before,) = client().get(f"{place}/metadata").json()
    assert "00200032" not in before.get("00540022", {"Value": [{}]})["Value"][0]
    confirm()
    (after,) = client().get(f"{place}/metadata").json()
    assert after["00540022"]["Value"][0]["00200032"]["Value"] == [-24, -22, 2]
    assert after["00180088"]["Value"] == [4]
