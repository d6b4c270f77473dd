"""A sender searches by the UIDs it sent, and finds the report of what became of its images."""

import io
import re

import pydicom
import pytest

from portal.archive.models import Exam, Instance, Series
from tests.archive.builders import slices
from tests.archive.dicomweb.test_coordinator import client
from tests.archive.dicomweb.test_stow import body, send
from tests.archive.test_import import spect
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db
EXAM, SERIES, IMAGE = "2.25.700", "2.25.71", "2.25.71.2"


@pytest.fixture(autouse=True)
def identities(settings) -> None:
    """Where they are not kept, the archive view is shown, and the sender's UIDs are mapped by the key."""
    settings.IDENTITIES = "none"


@pytest.fixture
def sent(tmp_path) -> list[bytes]:
    make_study(is_synthetic=True)
    files = [p.read_bytes() for p in slices(tmp_path / "ct", n=3)]
    assert send(body(*files), to="/dicomweb/studies?study=bone").status_code == 202
    return files


def found(address: str, tag: str) -> list[str]:
    answer = client().get(f"/dicomweb/{address}")
    return [row[tag]["Value"][0] for row in answer.json()] if answer.status_code == 200 else []


@pytest.mark.parametrize(
    ("address", "tag", "wanted"),
    [
        (f"studies?StudyInstanceUID={EXAM}", "0020000D", Exam),
        (f"studies?0020000D={EXAM},1.2.3", "0020000D", Exam),
        (f"series?SeriesInstanceUID={SERIES}", "0020000E", Series),
        (f"series?StudyInstanceUID={EXAM}", "0020000E", Series),
        (f"studies/{EXAM}/series?SeriesInstanceUID={SERIES}", "0020000E", Series),
    ],
)
def test_a_search_by_a_uid_as_it_was_sent_finds_what_became_of_it(sent, address, tag, wanted):
    assert found(address, tag) in ([wanted.objects.get().uid], [EXAM], [SERIES])


def test_an_image_is_found_by_the_uid_it_was_sent_under(sent):
    named = pydicom.dcmread(io.BytesIO(sent[1])).SOPInstanceUID
    assert named == IMAGE
    (uid,) = found(f"instances?SOPInstanceUID={named}", "00080018")
    assert uid == Instance.objects.get(rank=2).uid


def test_an_nm_series_that_is_a_series_of_its_own_here_is_found_by_its_senders(sent, tmp_path):
    (tmp_path / "nm").mkdir()
    spect(tmp_path / "nm")
    send(body((tmp_path / "nm" / "spect.dcm").read_bytes()), to="/dicomweb/studies?study=bone")
    (uid,) = found("series?SeriesInstanceUID=2.25.311", "0020000E")
    assert Series.objects.get(uid=uid).role == "SPECT"


def test_a_uid_of_the_archive_is_found_as_before_and_a_strangers_search_finds_nothing(sent):
    uid = Exam.objects.get().uid
    assert found(f"studies?StudyInstanceUID={uid}", "0020000D") == [uid]
    make_study("other", cast=False).memberships.create(
        user=make_user("stranger"), role="coordinator", can_coordinate=True, since="2026-01-01T00:00Z"
    )  # fmt: skip
    for asked in (uid, EXAM):
        assert client("stranger").get(f"/dicomweb/studies?StudyInstanceUID={asked}").status_code == 204  # fmt: skip


@pytest.mark.parametrize("query", ["?study=bone", ""])
def test_the_answer_to_a_post_links_to_its_report_which_the_sender_may_open(tmp_path, query):
    make_study(is_synthetic=True)
    (path,) = slices(tmp_path / "ct", n=1)
    answer = send(body(path.read_bytes(), b"letter"), to=f"/dicomweb/studies{query}")
    address, rel = re.fullmatch(r'<http://testserver([^>]+)>; (rel="describedby"); .*', answer["Link"]).groups()  # fmt: skip
    page = client().get(address)
    assert (page.status_code, rel) == (200, 'rel="describedby"')
    assert "This is not a DICOM file." in page.content.decode()
    assert client("expert1").get(address).status_code == 404
