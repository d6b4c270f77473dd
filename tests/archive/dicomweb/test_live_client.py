"""dicomweb-client against a running portal, over the network with a token: store, search, retrieve, all as its users call it."""

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client import DICOMwebClient

from tests.archive.builders import change, person, slices
from tests.archive.test_import import spect

# the server's empty tables are a copy of the test database's, which is made for marked tests only
pytestmark = pytest.mark.django_db
WHO, EXAM = "LIVE1", "2.25.88001"


def connected(running, token: str | None = None) -> DICOMwebClient:
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Token {token or running.server.password}"
    return DICOMwebClient(running.server.url, session=session)


@pytest.fixture(scope="module")
def sent(servers, tmp_path_factory) -> dict[str, object]:
    """A client, what it has stored, and what it was answered."""
    client = connected(servers("portal"))
    folder = tmp_path_factory.mktemp("live")
    paths = slices(folder / "ct", n=4, who=person(WHO, EXAM), series="2.25.88002")
    (folder / "nm").mkdir()
    spect(folder / "nm", is_negative=True, uid="2.25.88003")
    paths.append(folder / "nm" / "spect.dcm")
    change(paths[-1], lambda ds: setattr(ds, "StudyInstanceUID", EXAM))
    change(paths[-1], lambda ds: setattr(ds, "PatientID", WHO))
    files = [pydicom.dcmread(path) for path in paths]
    return {"client": client, "files": files, "answer": client.store_instances(files)}


@pytest.fixture(scope="module")
def exam(sent) -> str:
    (row,) = sent["client"].search_for_studies(search_filters={"StudyInstanceUID": EXAM})
    return row["0020000D"]["Value"][0]


@pytest.fixture(scope="module")
def series(sent, exam) -> dict[str, str]:
    """Modality -> UID of the series."""
    rows = sent["client"].search_for_series(exam, fields=["SeriesDescription"])
    return {row["00080060"]["Value"][0]: row["0020000E"]["Value"][0] for row in rows}


def test_everything_sent_is_stored_and_answered_for(sent):
    rows = sent["answer"].ReferencedSOPSequence
    assert {r.ReferencedSOPInstanceUID for r in rows} == {f.SOPInstanceUID for f in sent["files"]}
    assert "FailedSOPSequence" not in sent["answer"]


def test_a_data_set_made_in_memory_is_stored_too(sent):
    """Written without preamble and magic word by the client."""
    (again,) = sent["client"].store_instances([sent["files"][0]]).ReferencedSOPSequence
    assert again.ReferencedSOPInstanceUID == sent["files"][0].SOPInstanceUID


@pytest.mark.parametrize(
    "asked",
    [
        {"search_filters": {"StudyInstanceUID": EXAM}},
        {"search_filters": {"StudyInstanceUID": EXAM}, "fuzzymatching": True},
        {"search_filters": {"StudyInstanceUID": EXAM}, "fields": ["StudyDescription", "00080060"]},
        {"search_filters": {"StudyInstanceUID": EXAM}, "limit": 1, "offset": 0},
        {"search_filters": {"StudyInstanceUID": EXAM}, "get_remaining": True},
    ],
)
def test_a_search_answers_in_every_form(sent, exam, asked):
    (row,) = sent["client"].search_for_studies(**asked)
    assert row["0020000D"]["Value"] == [exam]
    assert row["00201208"]["Value"] == [5]


def test_pages_are_put_together(sent, exam):
    found = sent["client"].search_for_instances(exam, limit=2, get_remaining=True)
    assert len({row["00080018"]["Value"][0] for row in found}) == len(found) == 5


def test_metadata_come_at_the_three_levels(sent, exam, series):
    client = sent["client"]
    assert len(client.retrieve_study_metadata(exam)) == 5
    rows = client.retrieve_series_metadata(exam, series["CT"])
    assert [row["00200013"]["Value"][0] for row in rows] == [1, 2, 3, 4]
    one = client.retrieve_instance_metadata(exam, series["CT"], rows[2]["00080018"]["Value"][0])
    assert one == rows[2]


@pytest.mark.parametrize("media_types", [None, (("application/dicom", "*"),)])
def test_a_series_is_retrieved_whole_with_the_pixels_that_were_sent(
    sent, exam, series, media_types
):
    found = sorted(sent["client"].iter_series(exam, series["CT"], media_types=media_types), key=lambda f: f.InstanceNumber)  # fmt: skip
    assert [f.pixel_array.tobytes() for f in found] == [f.pixel_array.tobytes() for f in sent["files"][:4]]  # fmt: skip
    assert {str(f.PatientID) for f in found} == {WHO}


@pytest.mark.parametrize("media_types", [None, ("*/*",), ("application/octet-stream",)])
def test_frames_of_a_volume_come_in_the_order_asked_for(sent, exam, series, media_types):
    rows = sent["client"].retrieve_series_metadata(exam, series["NM"])
    uid = rows[0]["00080018"]["Value"][0]
    frames = sent["client"].retrieve_instance_frames(
        exam, series["NM"], uid, frame_numbers=[5, 1], media_types=media_types
    )
    # stored head to foot, and numbered so in the source view
    original = sent["files"][4].pixel_array
    assert [np.frombuffer(f, dtype="<u2").tolist() for f in frames] == [original[k].ravel().tolist() for k in (4, 0)]  # fmt: skip


def test_an_instance_its_bulk_data_and_its_picture(sent, exam, series):
    client = sent["client"]
    row = client.retrieve_series_metadata(exam, series["CT"])[0]
    uid = row["00080018"]["Value"][0]
    whole = client.retrieve_instance(exam, series["CT"], uid)
    # the client leaves the port out of its Host header, and so the answer cannot name it
    address = client.base_url + row["7FE00010"]["BulkDataURI"].partition("/dicomweb")[2]
    assert client.retrieve_bulkdata(address) == [whole.PixelData]
    for media, magic in ((("image/jpeg",), b"\xff\xd8"), (("image/png",), b"\x89PNG")):
        picture = client.retrieve_instance_rendered(exam, series["CT"], uid, media_types=media)
        assert picture.startswith(magic)


def test_a_wrong_token_is_401(servers):
    with pytest.raises(requests.HTTPError) as refused:
        connected(servers("portal"), "wrong").search_for_studies()
    assert refused.value.response.status_code == 401


def test_a_frame_is_the_same_however_often_a_connection_asks_for_it(sent, exam, series):
    """The first way through Django, the next by what is known of the caller, then by what is known of the connection."""
    client = sent["client"]
    one = client.search_for_instances(exam, series["CT"])[0]["00080018"]["Value"][0]
    url = f"{client.base_url}/studies/{exam}/series/{series['CT']}/instances/{one}/frames/1"
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = client._session.headers["Authorization"]
        answers = [session.get(url) for _ in range(5)]
        other = session.get(url, headers={"Authorization": "Token nobody"})
    heads = [{k: v for k, v in a.headers.items() if k != "Date"} for a in answers]
    assert [a.status_code for a in answers] == [200] * 5
    assert all(a.content == answers[0].content for a in answers)
    assert all(head == heads[0] for head in heads), heads
    assert other.status_code == 401


@pytest.mark.parametrize("query", ["", "?PatientID=LIVE1", "?limit=1&includefield=all"])
def test_a_search_is_the_same_however_often_a_connection_asks(sent, query):
    client = sent["client"]
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = client._session.headers["Authorization"]
        answers = [session.get(f"{client.base_url}/studies{query}") for _ in range(5)]
        other = session.get(
            f"{client.base_url}/studies{query}", headers={"Authorization": "Token x"}
        )
    heads = [{k: v for k, v in a.headers.items() if k != "Date"} for a in answers]
    assert {a.status_code for a in answers} == {200}
    assert all(a.content == answers[0].content for a in answers)
    assert all(head == heads[0] for head in heads), heads
    assert other.status_code == 401


def test_what_was_stored_a_moment_ago_is_found_at_once(sent, tmp_path):
    """Also by those who have asked before and are answered by what is known of them."""
    client = sent["client"]
    for k in range(3):
        who = f"LATER{k}"
        assert client.search_for_studies(search_filters={"PatientID": who}) == []
        paths = slices(
            tmp_path / who, n=1, who=person(who, f"2.25.8810{k}"), series=f"2.25.8811{k}"
        )
        client.store_instances([pydicom.dcmread(paths[0])])
        for _ in range(3):
            (row,) = client.search_for_studies(search_filters={"PatientID": who})
            assert row["00201208"]["Value"] == [1]
