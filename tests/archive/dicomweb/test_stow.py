"""STOW-RS: every shape of a body, one outcome per part, and dicomweb-client as the sender and reader."""

import gzip
import io

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client import DICOMwebClient
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from requests.adapters import BaseAdapter

from portal.archive.dicomweb.incoming import by_reading
from portal.archive.dicomweb.multipart import parts
from portal.archive.frames import BadRequest
from portal.archive.models import Exam, Instance, Series
from portal.archive.room import Folder
from tests.archive.dicomweb.test_coordinator import client
from tests.archive.dicomweb.views import uids_of
from tests.archive.test_import import ct, spect
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db
KIND = 'multipart/related; type="application/dicom"; boundary="{}"'


def body(*files: bytes, boundary: str = "b", kind: str = "application/dicom") -> bytes:
    head = f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode()
    return b"".join(head + f + b"\r\n" for f in files) + f"--{boundary}--\r\n".encode()


def send(
    data: bytes,
    *,
    to: str = "/dicomweb/studies",
    kind: str = KIND.format("b"),
    name: str = "coordinator",
):
    return client(name).post(to, data, content_type=kind, headers={"content-type": kind})


@pytest.fixture
def files(tmp_path) -> list[bytes]:
    make_study(is_synthetic=True)
    ct(tmp_path)
    return [p.read_bytes() for p in sorted(tmp_path.glob("*.dcm"))]


def said(answer) -> Dataset:
    assert answer["Content-Type"] == "application/dicom+json"
    return Dataset.from_json(answer.json())


def test_all_stored_is_200_and_each_can_be_retrieved_at_once(files):
    answer = send(body(*files), to="/dicomweb/studies?study=bone")
    assert answer.status_code == 200
    rows = said(answer).ReferencedSOPSequence
    sent = [pydicom.dcmread(io.BytesIO(f)) for f in files]
    assert [r.ReferencedSOPInstanceUID for r in rows] == [s.SOPInstanceUID for s in sent]
    assert Exam.objects.get().study_key == "bone"
    for row, original in zip(rows, sent, strict=True):
        again = client().get(
            row.RetrieveURL.removeprefix("http://testserver"),
            headers={"accept": "application/dicom"},
        )
        found = pydicom.dcmread(io.BytesIO(b"".join(again)))
        assert np.array_equal(found.pixel_array, original.pixel_array)


def test_the_answer_says_where_the_exam_of_the_images_is_retrieved(files):
    answer = said(send(body(*files)))
    own = pydicom.dcmread(io.BytesIO(files[0])).StudyInstanceUID
    assert answer.RetrieveURL == f"http://testserver/dicomweb/studies/{own}"
    path = answer.RetrieveURL.removeprefix("http://testserver")
    assert client().get(f"{path}/metadata").status_code == 200


def test_images_under_the_boundary_that_orthanc_sends_are_stored(files):
    """Two UUIDs joined, three characters more than RFC 2046 allows."""
    boundary = "-".join(["3f313040-be5f-4f85-a395-93c64ec07627"] * 2)
    assert len(boundary) == 73
    answer = send(body(*files, boundary=boundary), kind=KIND.format(boundary).replace(f'"{boundary}"', boundary))  # fmt: skip
    assert answer.status_code == 200
    assert Instance.objects.count() == 4


def test_the_same_again_is_200_and_changes_nothing(files):
    send(body(*files))
    assert send(body(*files)).status_code == 200
    assert Instance.objects.count() == 4


def test_without_a_study_images_wait_on_the_senders_own_shelf(files):
    send(body(*files))
    exam = Exam.objects.get()
    assert (exam.study_key, exam.importer.username) == ("", "coordinator")


def test_an_image_that_lies_in_another_study_is_here_already_without_its_address(files):
    make_study("other", cast=False).memberships.create(
        user=make_user("stranger"),
        role="coordinator",
        can_coordinate=True,
        since="2026-01-01T00:00Z",
    )
    send(body(*files), to="/dicomweb/studies?study=bone")
    answer = send(body(*files), name="stranger")
    rows = said(answer).ReferencedSOPSequence
    assert len(rows) == 4
    assert [row.RetrieveURL for row in rows] == [""] * 4
    assert said(answer).RetrieveURL == ""
    assert client("stranger").get("/dicomweb/studies").status_code == 204


def test_good_images_are_stored_around_a_hostile_part(files):
    answer = send(body(files[0], b"\0" * 400, *files[1:]))
    assert answer.status_code == 202
    found = said(answer)
    assert len(found.ReferencedSOPSequence) == 4
    assert [i.FailureReason for i in found.OtherFailuresSequence] == [0xC000]
    assert "This is not a DICOM file." in answer["Warning"]


def test_nothing_stored_is_409(files):
    answer = send(body(b"PK\3\4 a zip", b"letter"))
    assert answer.status_code == 409
    assert len(said(answer).OtherFailuresSequence) == 2
    assert not Instance.objects.exists()


def test_other_pixels_under_a_known_uid_fail_with_their_uid(files):
    send(body(*files))
    ds = pydicom.dcmread(io.BytesIO(files[0]))
    ds.decompress(generate_instance_uid=False)
    ds.PixelData = bytes(len(ds.PixelData))
    out = io.BytesIO()
    ds.save_as(out)
    answer = send(body(out.getvalue()))
    (row,) = said(answer).FailedSOPSequence
    assert (answer.status_code, row.FailureReason) == (409, 0x0111)
    assert row.ReferencedSOPInstanceUID == ds.SOPInstanceUID


def test_a_refused_image_is_named_by_its_own_uids(files):
    ds = pydicom.dcmread(io.BytesIO(files[0]))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.3.4"
    out = io.BytesIO()
    ds.save_as(out)
    (row,) = said(send(body(out.getvalue()))).FailedSOPSequence
    assert (row.ReferencedSOPClassUID, row.FailureReason) == ("1.2.3.4", 0x0122)


def test_an_image_of_another_exam_than_the_address_is_refused(files):
    answer = send(body(*files), to="/dicomweb/studies/1.2.3")
    assert answer.status_code == 409
    assert {i.FailureReason for i in said(answer).FailedSOPSequence} == {0xA901}
    own = pydicom.dcmread(io.BytesIO(files[0])).StudyInstanceUID
    assert send(body(*files), to=f"/dicomweb/studies/{own}").status_code == 200


def test_held_images_are_stored_with_a_warning(files):
    ds = pydicom.dcmread(io.BytesIO(files[0]))
    ds.BurnedInAnnotation = "YES"
    out = io.BytesIO()
    ds.save_as(out)
    answer = send(body(out.getvalue()))
    assert answer.status_code == 202
    assert said(answer).ReferencedSOPSequence[0].WarningReason == 0xB0F0
    assert Series.objects.get().state == "held"


def test_a_locked_cohort_leaves_images_on_the_shelf_and_says_so(tmp_path):
    make_study(state="READING", is_synthetic=True)
    spect(tmp_path)
    answer = send(
        body(next(tmp_path.glob("*.dcm")).read_bytes()), to="/dicomweb/studies?study=bone"
    )
    assert answer.status_code == 202
    assert "The cohort of bone is locked" in answer["Warning"]
    assert Exam.objects.get().study_key == ""


def test_one_image_may_come_alone(files):
    assert send(files[0], kind="application/dicom").status_code == 200


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"", KIND.format("b"), 400), (b"no part", KIND.format("b"), 400), (b"--b\r\n\r\nx", KIND.format("b"), 400),
        (b"--b--\r\n", KIND.format("b"), 400), (body(b"x"), 'multipart/related; type="application/dicom"', 400),
        (b"", "application/dicom", 400), (b"{}", "application/dicom+json", 415), (b"x", "text/plain", 415),
        (body(b"x"), 'multipart/related; type="application/dicom+json"; boundary=b', 415),
        (body(b"x", kind="text/html"), KIND.format("b"), 415),
        (b"--b\r\nX: " + b"y" * 20_000 + b"\r\n\r\nz\r\n--b--", KIND.format("b"), 400),
    ],
)  # fmt: skip
def test_bodies_that_are_no_request_are_refused(files, data, kind, status):
    answer = send(data, kind=kind)
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize(
    ("name", "status"), [("expert1", 403), ("monitor", 403), ("analyst", 403), ("outsider", 403)]
)
def test_only_coordinators_store(files, name, status):
    assert send(body(*files), name=name).status_code == status
    assert (
        Client().post("/dicomweb/studies", b"x", content_type="application/dicom").status_code
        == 401
    )
    assert not Instance.objects.exists()


def test_a_study_of_others_takes_nothing(files):
    make_study("other", cast=False)
    assert send(body(*files), to="/dicomweb/studies?study=other").status_code == 404
    assert not Instance.objects.exists()


@given(st.integers(1, 60))
def test_a_body_cut_anywhere_is_broken_and_never_a_shorter_request(tmp_path_factory, cut):
    data = body(b"abc", b"def")
    stream = io.BytesIO(data[: max(0, len(data) - 4 - cut)])
    with pytest.raises(BadRequest):
        list(
            parts(
                by_reading(lambda size: stream.read(size)),
                "b",
                Folder(tmp_path_factory.mktemp("parts")),
            )
        )


class Loop(BaseAdapter):
    """requests without a network: each request goes through the whole portal."""

    def __init__(self) -> None:
        super().__init__()
        self.client = client()

    def send(self, request, **_):
        data = request.body or b""
        path = request.url.removeprefix("http://testserver")
        headers = {k: v for k, v in request.headers.items() if k.lower() != "content-length"}
        kind = headers.pop("Content-Type", headers.pop("content-type", "application/octet-stream"))
        answer = self.client.generic(request.method, path, data, content_type=kind, headers=headers)
        found = requests.Response()
        found.status_code, found.request, found.url = answer.status_code, request, request.url
        found.headers.update(answer.headers)
        content = b"".join(answer) if answer.streaming else answer.content
        if answer.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        found.raw, found._content = io.BytesIO(content), content
        return found

    def close(self) -> None:
        return


@pytest.fixture
def pacs(files):
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", Loop())
    found = DICOMwebClient("http://testserver/dicomweb", session=session)
    answer = found.store_instances([pydicom.dcmread(io.BytesIO(f)) for f in files])
    assert len(answer.ReferencedSOPSequence) == 4
    return found


def test_dicomweb_client_searches_pages_and_reads_metadata(pacs):
    (study,) = pacs.search_for_studies(fields=["StudyDescription"], fuzzymatching=True)
    uid = study["0020000D"]["Value"][0]
    assert len(pacs.search_for_instances(limit=3, get_remaining=True)) == 4
    (series,) = pacs.search_for_series(uid)
    rows = pacs.retrieve_series_metadata(uid, series["0020000E"]["Value"][0])
    assert [r["00200013"]["Value"][0] for r in rows] == [1, 2, 3, 4]


def test_dicomweb_client_retrieves_series_instances_frames_pictures_and_bulk_data(pacs):
    instance = Instance.objects.order_by("rank").first()
    uids = uids_of(instance)
    first, *_ = pacs.retrieve_series(*uids[:2])
    one = pacs.retrieve_instance(*uids)
    pixels = one.pixel_array.tobytes()
    assert first.pixel_array.tobytes() == pixels
    assert pacs.retrieve_instance_frames(*uids, frame_numbers=[1]) == [pixels]
    for media in (("*/*",), ("application/octet-stream",)):
        assert pacs.retrieve_instance_frames(*uids, frame_numbers=[1], media_types=media) == [
            pixels
        ]
    (row,) = [pacs.retrieve_instance_metadata(*uids)]
    assert pacs.retrieve_bulkdata(row["7FE00010"]["BulkDataURI"]) == [pixels]
    assert pacs.retrieve_instance_rendered(*uids)[:2] == b"\xff\xd8"
