"""Every element of every VR planted with a string of its own: none of them in the archive view or its files (4.3)."""

from collections.abc import Iterator
from itertools import chain

import pytest
from django.test import Client
from pydicom.datadict import keyword_for_tag

from portal.archive import packs
from portal.archive.models import Instance, Series
from portal.archive.scanning import in_database, in_files, wanted_of
from portal.archive.store import LocalFolder, holdings
from tests.archive.builders import slices, take
from tests.archive.planting import kept_until_the_end, spoil, tell_tales
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def in_archive(tmp_path_factory, django_db_setup: None, django_db_blocker) -> Iterator[int]:
    """Three slices with more than 2,000 planted elements each, preamble and file name included; the series' key."""
    with django_db_blocker.unblock(), kept_until_the_end():
        make_study(is_synthetic=True)
        paths = slices(tmp_path_factory.mktemp("in"), n=3)
        for path in paths:
            spoil(path)
        row = take(*paths, study_key="bone")
        assert [f.outcome for f in row.files.all()] == ["ready"] * 3
        yield Series.objects.get().pk


@pytest.fixture
def planted(in_archive: int) -> Series:
    return Series.objects.get(pk=in_archive)


def test_nothing_planted_is_in_the_archive_view(planted):
    for one in holdings(planted):
        found = tell_tales(b"".join(LocalFolder().whole([one], one)))
        # Retain Device Identity and the kernel: the archive view alone keeps these five
        device = {tell_tales(str(v).encode()).pop() for v in device_texts(one.image.elements)}
        assert found <= device
        assert len(device) == 5


# numbers that 4.3 keeps: they pass as numbers, read and printed again
LISTED_NUMBERS = {
    "CountsAccumulated", "DataCollectionDiameter", "ActualFrameDuration", "NumberOfEnergyWindows",
    "NumberOfRotations", "FrameReferenceTime", "DecayFactor", "ImageIndex",
    "SliceThickness", "KVP", "SpacingBetweenSlices", "ReconstructionDiameter", "GantryDetectorTilt",
    "ExposureTime", "XRayTubeCurrent", "Exposure", "PatientWeight", "PatientSize",
}  # fmt: skip


def test_a_planted_number_passes_only_where_the_allow_list_names_it(planted):
    for one in holdings(planted):
        odd = {
            keyword_for_tag(int(tag, 16))
            for tag, element in one.image.elements.items()
            for value in element.get("Value", [])
            if str(value).startswith(("47110815", "4711081", "4700"))
        }
        assert odd <= LISTED_NUMBERS


DEVICE = ("00080070", "00081090", "00181020", "00181160", "00181210")


def device_texts(elements) -> list[str]:
    return [elements[tag]["Value"][0] for tag in DEVICE]


def test_nothing_planted_is_in_any_answer_of_the_archive_view_but_the_device(planted, settings):
    settings.IDENTITIES = "none"
    page = Client()
    page.force_login(make_user("coordinator"))
    base = f"/dicomweb/studies/{planted.exam.uid}"
    device = set(
        chain.from_iterable(
            tell_tales(v.encode()) for v in device_texts(holdings(planted)[0].image.elements)
        )
    )
    for address in (
        f"{base}/metadata",
        base,
        "/dicomweb/studies?includefield=all",
        f"{base}/instances?includefield=all",
    ):
        answer = page.get(address)
        body = b"".join(answer) if answer.streaming else answer.content
        assert tell_tales(body + str(answer.headers).encode()) <= device, address


def test_the_coordinators_source_view_shows_all_of_it_and_nothing_else_does(planted):
    page = Client()
    page.force_login(make_user("coordinator"))
    (exam,) = page.get("/dicomweb/studies").json()
    base = f"/dicomweb/studies/{exam['0020000D']['Value'][0]}"
    (path, *_) = page.get(f"{base}/instances").json()
    image = f"{base}/series/{path['0020000E']['Value'][0]}/instances/{path['00080018']['Value'][0]}"
    file = b"".join(page.get(image))
    assert len(tell_tales(file)) > 1000
    assert {b"QZPRIV1", b"QZOVERLAY", b"QZTRAILER", b"QZOWNER"} <= tell_tales(file)
    assert b"QZPREAMBLE" not in file
    metadata = page.get(f"{image}/metadata").content
    # binary values stand there in base64
    assert len(tell_tales(metadata)) > 1000
    assert b"QZPRIV1" in metadata
    for wrong in ("analyst", "monitor", "expert1", "delineator1", "outsider"):
        page.force_login(make_user(wrong))
        for address in (image, f"{image}/metadata", f"{base}/metadata", "/dicomweb/studies"):
            answer = page.get(address)
            assert (answer.status_code, tell_tales(answer.content)) == (403, set())


def test_nothing_planted_is_in_a_file_or_a_table_but_where_it_may_be(planted):
    wanted = wanted_of(
        "1.2.999.47110815\n19470311\nQZPRIV\nQZPREAMBLE\nQZOVERLAY\nQZTRAILER\nQZOWNER"
    )
    assert list(in_files(packs.folder_of(planted.folder), wanted)) == []
    assert list(in_database(wanted)) == []


def test_pixels_and_places_are_those_of_the_unplanted_image(planted):
    assert planted.n_frames == 3
    values = [i.header["plane"][0][2] for i in Instance.objects.order_by("rank")]
    assert values == [-7.0, -4.5, -2.0]
