"""DICOMweb for coordinators: who reaches it, what is found, and every byte of what is retrieved."""

import io
import json
from email import message_from_bytes
from email.policy import HTTP

import numpy as np
import pydicom
import pytest
from django.test import Client
from PIL import Image as Picture
from pydicom import Dataset

from portal.accounts.tokens import issue
from portal.archive.ingest import import_paths
from portal.archive.models import Import, Instance, Series
from portal.audit.models import AuditEvent
from tests.archive.dicomweb.views import VIEWS, path_of, series_path, uids_of
from tests.archive.test_import import SHARED, ct, needs_shared, spect
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db
JLS = "1.2.840.10008.1.2.4.80"
LE = "1.2.840.10008.1.2.1"


def client(name: str = "coordinator") -> Client:
    one = Client()
    one.force_login(make_user(name))
    return one


def parts(answer) -> list[bytes]:
    """The bodies of a multipart answer, read by the standard library."""
    content = b"".join(answer) if answer.streaming else answer.content
    assert int(answer["Content-Length"]) == len(content)
    head = f"Content-Type: {answer['Content-Type']}\r\n\r\n".encode()
    return [
        p.get_payload(decode=True)
        for p in message_from_bytes(head + content, policy=HTTP).iter_parts()
    ]


def whole(answer) -> bytes:
    return b"".join(answer) if answer.streaming else answer.content


@pytest.fixture(params=VIEWS)
def view(request, settings) -> str:
    """Whether identities are kept: coordinators then see headers as received, else the archive view."""
    settings.IDENTITIES = request.param
    return request.param


@pytest.fixture
def archive(view, tmp_path):
    """A study with a CT of 4 JPEG-LS slices and a SPECT volume that was stacked downwards."""
    make_study(is_synthetic=True)
    (tmp_path / "ct").mkdir()
    (tmp_path / "nm").mkdir()
    hu, counts = ct(tmp_path / "ct"), spect(tmp_path / "nm", is_negative=True)
    import_paths([tmp_path], door=Import.Door.COMMAND, actor=None, study_key="bone")
    return hu, counts


PLACES = (
    "studies", "series", "instances", "studies/{s}", "studies/{s}/series", "studies/{s}/metadata",
    "studies/{s}/series/{e}", "studies/{s}/series/{e}/metadata", "studies/{s}/series/{e}/rendered",
    "studies/{s}/series/{e}/instances/{i}", "studies/{s}/series/{e}/instances/{i}/frames/1",
    "studies/{s}/series/{e}/instances/{i}/rendered", "studies/{s}/series/{e}/instances/{i}/thumbnail",
    "studies/{s}/series/{e}/instances/{i}/frames/1/rendered",
    "studies/{s}/series/{e}/instances/{i}/bulkdata/7FE00010",
)  # fmt: skip


def address(place: str) -> str:
    one = Instance.objects.order_by("pk").first()
    study, series, image = uids_of(one)
    return "/dicomweb/" + place.format(s=study, e=series, i=image)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("coordinator", 200), ("expert1", 403), ("delineator1", 403), ("analyst", 403), ("monitor", 403),
        ("outsider", 403), (None, 401),
    ],
)  # fmt: skip
def test_only_a_coordinator_is_answered(archive, place, name, status):
    answer = (client(name) if name else Client()).get(address(place))
    assert answer.status_code == status
    assert answer["X-Content-Type-Options"] == "nosniff"
    if status == 401:
        assert answer["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("place", PLACES)
def test_a_coordinator_of_another_study_finds_nothing(archive, place):
    make_study("other", cast=False).memberships.create(
        user=make_user("stranger"),
        role="coordinator",
        can_coordinate=True,
        since="2026-01-01T00:00Z",
    )
    answer = client("stranger").get(address(place))
    assert answer.status_code == (
        204 if place in ("studies", "series", "instances", "studies/{s}/series") else 404
    )
    assert not answer.content or json.loads(answer.content) == {
        "detail": "There is no such image here."
    }


def test_an_administrator_without_membership_is_refused(archive):
    boss = make_user("root")
    boss.is_superuser = boss.is_staff = True
    boss.save()
    assert client("root").get("/dicomweb/studies").status_code == 403


def test_a_token_opens_what_a_session_opens(archive):
    text = issue(make_user("coordinator"), label="t", days=1).text
    answer = Client().get("/dicomweb/studies", headers={"authorization": f"Token {text}"})
    assert answer.status_code == 200
    assert (
        Client().get("/dicomweb/studies", headers={"authorization": "Token no"}).status_code == 401
    )


def test_the_study_row_counts_and_names_what_there_is(archive):
    (row,) = client().get("/dicomweb/studies").json()
    found = Dataset.from_json(row)
    assert (found.NumberOfStudyRelatedSeries, found.NumberOfStudyRelatedInstances) == (2, 5)
    assert sorted(found.ModalitiesInStudy) == ["CT", "NM"]
    assert found.RetrieveURL == f"http://testserver/dicomweb/studies/{found.StudyInstanceUID}"
    assert found.InstanceAvailability == "ONLINE"


@pytest.mark.parametrize(
    ("question", "n"),
    [
        ("", 5), ("Modality=CT", 4), ("Modality=ct", 4), ("00080060=NM", 1), ("Modality=C*", 4), ("Modality=?T", 4),
        ("Modality=%25T", 0), ("Modality=_T", 0), ("Modality=", 5), ("InstanceNumber=1", 2),
        ("ModalitiesInStudy=NM", 5), ("SOPClassUID=1.2.840.10008.5.1.4.1.1.20", 1),
        ("SOPClassUID=1.2.3,1.2.840.10008.5.1.4.1.1.20", 1), ("PatientName=' OR 1=1 --", 0),
        ("StudyDate=19000101-", 5), ("StudyDate=-19000101", 0), ("StudyDate=19000101", 0),
        ("StudyDate=19000101-20991231", 5), ("PatientName=s*&fuzzymatching=true", 5), ("limit=2", 2),
        ("limit=0", 0), ("offset=4", 1), ("offset=5", 0), ("limit=999999999", 5), ("Nonsense=1", 5),
    ],
)  # fmt: skip
def test_searches_match_as_the_standard_says(archive, question, n):
    answer = client().get(f"/dicomweb/instances?{question}")
    assert answer.status_code == (200 if n else 204)
    assert len(answer.json() if n else []) == n
    if n:
        assert answer["Content-Type"] == "application/dicom+json"
    else:
        assert answer.content == b""


@pytest.mark.parametrize(
    "question",
    ["limit=-1", "limit=x", "limit=1.5", "offset=1234567890", "StudyDate=2019", "StudyDate=20191301",
     "StudyDate=20190101-20191332", "StudyDate=-", "SOPInstanceUID=../x", "fuzzymatching=maybe", "0010=1"],
)  # fmt: skip
def test_malformed_searches_are_refused_with_a_sentence(archive, question):
    answer = client().get(f"/dicomweb/instances?{question}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["detail"].endswith(".")


def test_pages_do_not_overlap_and_say_what_is_left(archive):
    one, seen = client(), []
    for offset in range(0, 5, 2):
        answer = one.get(f"/dicomweb/instances?limit=2&offset={offset}")
        seen += [row["00080018"]["Value"][0] for row in answer.json()]
        left = max(0, 3 - offset)
        said = f'299 testserver "There are {left} additional results that can be requested"'
        assert answer.headers.get("Warning") == (said if left else None)
    assert sorted(seen) == sorted(uids_of(i)[2] for i in Instance.objects.all())
    assert "Nonsense is not supported" in one.get("/dicomweb/studies?Nonsense=1")["Warning"]


def test_the_requests_of_ohif_work_verbatim(archive, view):
    one = client()
    listed = "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060"
    (row,) = one.get(f"/dicomweb/studies?{listed}").json()
    uid = row["0020000D"]["Value"][0]
    series = one.get(f"/dicomweb/studies/{uid}/series?includefield=0008103E%2C00080021").json()
    assert sorted(s["00201209"]["Value"] for s in series) == [[1], [4]]
    assert "00120063" not in row
    everything = one.get("/dicomweb/studies?includefield=all").json()[0]
    ours = "Osteon allow-list" in everything["00120063"]["Value"][0]
    assert ours == (view == "none")  # else what the sender says of its own de-identification
    assert "00280030" in one.get("/dicomweb/instances?includefield=PixelSpacing").json()[0]


@pytest.mark.parametrize("accept", ["text/csv", "application/dicom+xml", "image/png"])
@pytest.mark.parametrize("place", ["studies", "studies/{s}/metadata"])
def test_json_is_the_only_form_of_searches_and_metadata(archive, accept, place):
    assert client().get(address(place), headers={"accept": accept}).status_code == 406


def test_metadata_hold_what_viewers_read(archive):
    for series in Series.objects.all():
        rows = client().get(f"{series_path(series)}/metadata").json()
        assert len(rows) == series.instances.count()
        for row in rows:
            found = Dataset.from_json(row, lambda *_: b"")
            for keyword in ("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "PixelSpacing",
                            "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "FrameOfReferenceUID",
                            "WindowCenter", "WindowWidth", "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality",
                            "AvailableTransferSyntaxUID"):  # fmt: skip
                assert keyword in found, keyword
            assert row["7FE00010"]["BulkDataURI"].startswith("http://testserver/dicomweb/studies/")
            place = found if found.Modality == "CT" else found.DetectorInformationSequence[0]
            assert len(place.ImagePositionPatient) == 3
            assert len(place.ImageOrientationPatient) == 6


def test_the_ct_header_gives_hounsfield_units_where_they_lie(archive):
    hu, _ = archive
    series = Series.objects.get(role="CT")
    answer = client().get(series_path(series))
    found = [pydicom.dcmread(io.BytesIO(p)) for p in parts(answer)]
    assert [f.ImagePositionPatient[2] for f in found] == [-7.0, -4.5, -2.0, 0.5]
    for slice_, one in zip(hu, found, strict=True):
        values = one.pixel_array * one.RescaleSlope + one.RescaleIntercept
        assert np.array_equal(values, slice_)


@pytest.mark.parametrize("view", ["none"], indirect=True)
def test_a_volume_stacked_downwards_comes_ascending_with_positive_spacing(archive):
    _, counts = archive
    instance = Instance.objects.get(series__role="SPECT")
    answer = client().get(path_of(instance), headers={"accept": "application/dicom"})
    found = pydicom.dcmread(io.BytesIO(whole(answer)))
    assert np.array_equal(found.pixel_array, counts)
    assert found.SpacingBetweenSlices == pytest.approx(4.42)
    assert list(found.DetectorInformationSequence[0].ImagePositionPatient) == [-10, -20, -30]
    assert list(found.SliceVector) == [1, 2, 3, 4, 5]
    assert found.file_meta.TransferSyntaxUID == LE


def test_the_stored_form_of_a_compressed_instance_decodes_to_the_native_one(archive):
    instance = Instance.objects.filter(series__role="CT").first()
    one = client()
    stored = one.get(path_of(instance), headers={"accept": "application/dicom; transfer-syntax=*"})
    native = one.get(path_of(instance), headers={"accept": "application/dicom"})
    first, second = (pydicom.dcmread(io.BytesIO(whole(a))) for a in (stored, native))
    assert (first.file_meta.TransferSyntaxUID, second.file_meta.TransferSyntaxUID) == (JLS, LE)
    assert np.array_equal(first.pixel_array, second.pixel_array)


def test_frames_come_in_the_order_asked_and_repeated(archive, view):
    counts = archive[1][::-1] if view == "sealed" else archive[1]
    path = path_of(Instance.objects.get(series__role="SPECT"))
    found = parts(client().get(f"{path}/frames/3,1,3"))
    assert found == [counts[k].astype("<u2").tobytes() for k in (2, 0, 2)]
    (pixels,) = parts(client().get(f"{path}/bulkdata/7FE00010"))
    assert pixels == counts.astype("<u2").tobytes()
    alone = client().get(
        f"{path}/bulkdata/7FE00010", headers={"accept": "application/octet-stream"}
    )
    assert whole(alone) == pixels


@pytest.mark.parametrize(
    ("tail", "status"),
    [("frames/0", 400), ("frames/1,,2", 400), ("frames/-1", 400), ("frames/1.5", 400), ("frames/a", 400),
     ("frames/12345678", 400), ("frames/6", 404), ("frames/1,6", 404), ("bulkdata/00100010", 404),
     ("rendered?window=1", 400), ("rendered?window=1,0.5", 400), ("rendered?window=a,b", 400),
     ("rendered?window=1,2,cubic", 400), ("rendered?quality=0", 400), ("rendered?quality=101", 400),
     ("rendered?viewport=0,1", 400), ("rendered?viewport=5000,1", 400), ("rendered?annotation=patient", 400),
     ("rendered?window=nan,2", 400), ("frames/9/rendered", 404), ("nothing", 404), ("frames", 404)],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(archive, tail, status):
    answer = client().get(f"{path_of(Instance.objects.get(series__role='SPECT'))}/{tail}")
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}


def test_an_instance_under_another_series_is_not_found(archive):
    ct_, nm = Series.objects.get(role="CT"), Instance.objects.get(series__role="SPECT")
    wrong = f"{series_path(ct_)}/instances/{uids_of(nm)[2]}"
    for tail in ("", "/metadata", "/frames/1", "/rendered"):
        assert client().get(wrong + tail).status_code == 404
    assert client().get("/dicomweb/studies/1.x/metadata").status_code == 400
    assert client().get("/dicomweb/studies/1.2.3/metadata").status_code == 404


@pytest.mark.parametrize(
    ("method", "tail", "allowed"),
    [("put", "", "POST"), ("patch", "", "POST"), ("delete", "", "POST"), ("post", "/series", "GET"),
     ("delete", "/series", "GET")],
)  # fmt: skip
def test_other_methods_name_what_is_allowed(archive, method, tail, allowed):
    answer = getattr(client(), method)(f"/dicomweb/studies/1.2.3{tail}")
    assert answer.status_code == 405
    assert allowed in answer["Allow"]


def test_a_post_to_an_exam_is_a_store_and_wants_multipart_related(archive):
    assert client().post("/dicomweb/studies/1.2.3").status_code == 415


def test_a_window_maps_as_its_function_says(archive, view):
    path = path_of(Instance.objects.get(series__role="SPECT"))
    counts = archive[1][::-1] if view == "sealed" else archive[1]
    x = counts[0].astype(float)
    ways = {
        "linear": np.clip(255 * ((x - 39.5) / 39 + 0.5), 0, 255),
        "linear-exact": np.clip(255 * ((x - 40) / 40 + 0.5), 0, 255),
        "sigmoid": 255 / (1 + np.exp(-4 * (x - 40) / 40)),
    }
    for name, expected in ways.items():
        answer = client().get(
            f"{path}/frames/1/rendered?window=40,40,{name}", headers={"accept": "image/png"}
        )
        shown = np.asarray(Picture.open(io.BytesIO(answer.content)))
        assert np.array_equal(shown, np.rint(expected))
        assert answer["Cache-Control"] == "private, max-age=31536000, immutable"


def test_pictures_fit_the_viewport_and_thumbnails_are_small(archive):
    series = Series.objects.get(role="CT")
    root = series_path(series)
    sizes = {"thumbnail": (96, 128), "rendered": (12, 16), "rendered?viewport=64,64": (48, 64)}
    for tail, size in sizes.items():
        answer = client().get(f"{root}/{tail}")
        assert answer["Content-Type"] == "image/jpeg"
        assert Picture.open(io.BytesIO(answer.content)).size == size
    assert client().get(f"{root}/rendered", headers={"accept": "image/gif"}).status_code == 406


def test_what_a_client_holds_is_not_sent_again(archive):
    for place, cache in (
        ("studies/{s}/metadata", "private, no-store"),
        ("studies", "private, no-store"),
    ):
        first = client().get(address(place))
        again = client().get(address(place), headers={"if-none-match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert first["Cache-Control"] == cache
        assert first["Vary"] == "Accept, Accept-Encoding, Authorization, Cookie"


@pytest.mark.parametrize("place", PLACES)
def test_head_has_the_headers_of_get_and_no_body(archive, place):
    whole_, head = client().get(address(place)), client().head(address(place))
    assert dict(head.headers) == dict(whole_.headers)
    assert whole(head) == b""
    assert int(head["Content-Length"]) == len(whole(whole_)) > 0


def test_a_slash_at_the_end_changes_nothing_and_metadata_are_compressed_when_asked(archive):
    plain = client().get(address("studies/{s}/metadata"))
    assert client().get(address("studies/{s}/metadata/")).content == plain.content
    packed = client().get(address("studies/{s}/metadata"), headers={"accept-encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    for refused in ("gzip;q=0", "br, gzip; q=0.000", "identity", "x-gzip"):
        plain = client().get(address("studies/{s}/metadata"), headers={"accept-encoding": refused})
        assert "Content-Encoding" not in plain
    assert len(packed.content) < len(plain.content)


def test_each_retrieval_of_whole_images_is_one_row_of_the_trail(archive):
    one = client()
    series = Series.objects.get(role="CT")
    before = AuditEvent.objects.count()
    one.get(series_path(series))
    one.get(address("studies/{s}/metadata"))
    one.get(address("studies/{s}/series/{e}/instances/{i}/frames/1"))
    assert AuditEvent.objects.count() == before + 1
    assert AuditEvent.objects.order_by("-seq").first().verb == "images.retrieve"


@needs_shared
@pytest.mark.parametrize("folder", ["petct_STS_044", "nema_wg04"])
def test_every_frame_of_a_real_file_is_the_one_pydicom_decodes(view, folder):
    """Single-frame monochrome files, so that a file's digest and its archive row meet by their pixels."""
    make_study()
    import_paths([SHARED / folder], door=Import.Door.COMMAND, actor=None, study_key="bone")
    wanted = set()
    for path in sorted((SHARED / folder).rglob("*.dcm")):
        ds = pydicom.dcmread(path)
        if "PixelData" in ds and "JPLY" not in path.name:
            wanted.add(ds.pixel_array.astype(ds.pixel_array.dtype.newbyteorder("<")).tobytes())
    one, found = client(), set()
    for instance in Instance.objects.exclude(native_frames=[]).select_related("series__exam"):
        path = path_of(instance)
        (frame,) = parts(one.get(f"{path}/frames/1"))
        alone = one.get(f"{path}/frames/1", headers={"accept": "application/octet-stream"})
        file = pydicom.dcmread(
            io.BytesIO(whole(one.get(path, headers={"accept": "application/dicom"})))
        )
        assert frame == alone.content == file.PixelData[: len(frame)]
        found.add(frame)
    assert found == wanted
