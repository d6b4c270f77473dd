"""Removing a series for good, what is kept of one, and what identities `none` changes."""

import json

import pytest
from django.test import Client
from django.utils import timezone

from portal.archive import copies, packs, uids
from portal.archive.filing import remove
from portal.archive.kept import kept
from portal.archive.models import Exam, Identity, Instance, Pull, RemoteCopy, Series, SourceUid
from portal.archive.peer import Server
from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid, Unavailable
from portal.study.models import Study
from tests.archive.builders import EXAM, change, report, slices, take
from tests.archive.servers import free_port
from tests.cohort import make_lesion, make_patient, make_study, make_user

pytestmark = pytest.mark.django_db
WHY = "The patient withdrew consent."


@pytest.fixture
def series(tmp_path) -> Series:
    make_study(is_synthetic=True)
    take(*slices(tmp_path / "in"), study_key="bone")
    return Series.objects.get()


def removed(series: Series) -> None:
    remove(series, reason=WHY, actor=make_user("coordinator"), study="bone")


def test_a_removed_series_leaves_no_row_and_no_file_and_one_audit_row(
    series, django_capture_on_commit_callbacks
):
    folder = packs.folder_of(series.folder)
    assert folder.exists()
    with django_capture_on_commit_callbacks(execute=True):
        removed(series)
    assert not folder.exists()
    for model in (Series, Instance, Exam, Identity, SourceUid):
        assert not model.objects.exists(), model
    event = AuditEvent.objects.get(verb="series.remove")
    assert (event.study, event.role) == ("bone", "coordinator")


def test_what_was_removed_may_come_again(series, tmp_path):
    removed(series)
    assert report(take(*slices(tmp_path / "in"), study_key="bone")) == ["ready"] * 4


def test_an_exam_keeps_its_person_while_another_series_of_it_is_here(series, tmp_path):
    take(*slices(tmp_path / "two", series="2.25.72"), study_key="bone")
    removed(series)
    assert (Exam.objects.count(), Identity.objects.count(), Series.objects.count()) == (1, 1, 1)


def test_a_series_that_a_lesion_refers_to_is_not_removed(series):
    lesion = make_lesion(make_patient(Study.objects.get()))
    lesion.ct_series = series
    lesion.save()
    with pytest.raises(Conflict, match="refers to this series"):
        removed(series)
    assert Instance.objects.filter(series=series).count() == 4
    assert packs.folder_of(series.folder).exists()
    assert not AuditEvent.objects.filter(verb="series.remove").exists()


def test_a_removal_says_why(series):
    with pytest.raises(Invalid, match="10 characters"):
        remove(series, reason="  no  ", actor=make_user("coordinator"), study="bone")


def test_a_removal_waits_for_the_remote_store(series):
    down = Server(f"http://127.0.0.1:{free_port()}/x")
    RemoteCopy.objects.create(
        series=series, server=down.url, digest=series.digest, pushed_at=timezone.now()
    )
    with pytest.raises(Unavailable, match="archive does not answer"):
        removed(series)
    assert Series.objects.exists()
    assert copies.copy_of(series) is not None


def page(name: str = "coordinator") -> Client:
    one = Client()
    one.force_login(make_user(name))
    return one


def test_the_page_shows_what_was_kept_and_removes_with_a_reason(series):
    text = page().get("/studies/bone/kept/").content.decode()
    assert "PatientIdentityRemoved" in text
    assert "Manufacturer" in text
    address = f"/studies/bone/kept/{series.pk}/remove/"
    assert page().post(address, {"reason": ""}).status_code == 422
    assert page().post(address, {"reason": WHY}).status_code == 302
    assert "No image has been imported" in page().get("/studies/bone/kept/").content.decode()
    assert page().post(address, {"reason": WHY}).status_code == 404


@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "analyst", "outsider"])
def test_only_a_coordinator_sees_or_removes(series, name):
    assert page(name).get("/studies/bone/kept/").status_code == 404
    assert (
        page(name).post(f"/studies/bone/kept/{series.pk}/remove/", {"reason": WHY}).status_code
        == 404
    )
    assert Series.objects.exists()


def test_the_report_counts_what_came_and_shows_no_identity(tmp_path):
    paths = slices(tmp_path / "in", n=1)

    def private(ds):
        ds.PatientName = "Zzkept^Person"
        ds.private_block(0x0009, "ZZ", create=True).add_new(1, "LO", "Zzkept secret")
        ds.ImageComments = "Zzkept comment"

    change(paths[0], private)
    take(*paths)
    found = kept(Series.objects.get())
    assert found.n_private == 2
    assert found.n_dropped > 0
    assert found.n_received == found.n_dropped + len(found.elements)
    shown = {e.name: e.example for e in found.elements}
    assert (shown["Rows"], shown["PatientIdentityRemoved"]) == ("6", "YES")
    assert shown["DeidentificationMethodCodeSequence"].startswith("{CodeValue 113100;")
    assert "Zzkept" not in str(found)


def test_with_identities_none_no_sealed_row_is_written(tmp_path, settings):
    settings.IDENTITIES = "none"
    take(*slices(tmp_path / "in"))
    for model in (Identity, SourceUid, Pull):
        assert not model.objects.exists(), model


@pytest.mark.parametrize("identities", ["none", "sealed"])
def test_a_stow_client_finds_what_it_sent_under_its_own_uids(tmp_path, settings, identities):
    settings.IDENTITIES = identities
    make_study(is_synthetic=True)
    take(*slices(tmp_path / "in", n=3), study_key="bone")
    base = f"/dicomweb/studies/{EXAM}/series/2.25.71"
    headers = json.loads(page().get(f"{base}/metadata").content)
    sent = [f"2.25.71.{k}" for k in (1, 2, 3)]
    mapped = [uids.archive_uid(uids.archive_key(), uid) for uid in sent]
    shown = {"none": mapped, "sealed": sent}[identities]
    assert [h["00080018"]["Value"][0] for h in headers] == shown
    frame = page().get(
        f"{base}/instances/2.25.71.2/frames/1", headers={"Accept": "application/octet-stream"}
    )
    assert frame.status_code == 200
    assert len(frame.content) == 6 * 5 * 2
    assert page().get(f"{base}/instances/2.25.71.9/frames/1").status_code == 404
    assert page().get("/dicomweb/studies/2.25.7/metadata").status_code == 404
    assert page("expert1").get(f"{base}/metadata").status_code == 403


def test_with_identities_none_stow_says_that_elements_were_discarded(tmp_path, settings):
    settings.IDENTITIES = "none"
    make_study(is_synthetic=True)
    (path,) = slices(tmp_path / "in", n=1)
    body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n--x--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=x'
    answer = page().post("/dicomweb/studies", body, content_type=kind)
    (item,) = answer.json()["00081199"]["Value"]
    assert (answer.status_code, item["00081196"]["Value"]) == (202, [0xB006])
    assert item["00081155"]["Value"] == ["2.25.71.1"]
