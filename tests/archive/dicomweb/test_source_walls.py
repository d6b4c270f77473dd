"""Who is shown the source view, of what, and what is shown where it cannot be."""

import json
import logging
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from portal.archive.ingest import import_paths
from portal.archive.models import Exam, Identity, Import, Instance, SourceSeries, SourceUid
from portal.audit.models import AuditEvent
from portal.fence.blind import blinded
from portal.study.models import Study
from tests.archive.builders import person, slices, take
from tests.archive.dicomweb.test_coordinator import client
from tests.archive.dicomweb.test_source_view import CT, EXAM, retrieved, root
from tests.archive.dicomweb.test_source_view import sent as _sent
from tests.archive.dicomweb.test_stow import body, send
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db
sent = _sent


def member(name: str, study: str = "bone", *, sees_truth: bool) -> None:
    Study.objects.get(code=study).memberships.create(
        user=make_user(name), role="coordinator", can_coordinate=True, sees_truth=sees_truth,
        since="2026-01-01T00:00Z",
    )  # fmt: skip


def test_a_coordinator_without_the_right_to_truth_keeps_the_archive_view(sent):
    member("half", sees_truth=False)
    (row,) = client("half").get("/dicomweb/studies?includefield=all").json()
    assert row["0020000D"]["Value"] == [Exam.objects.get().uid]
    assert "Zz" not in json.dumps(row)
    found = retrieved(sent[0], name="half")
    assert "Zz" not in str(found)
    assert client("half").get("/dicomweb/studies?PatientID=ZZ-4711").status_code == 204


def test_walls_between_studies_and_shelves_hold(sent, tmp_path):
    make_study("other", cast=False)
    member("stranger", "other", sees_truth=True)
    import_paths(slices(tmp_path / "own", n=1, who=person("ZZ-OWN", "2.25.800"), series="2.25.81"),
                 door=Import.Door.COMMAND, actor=make_user("stranger"))  # fmt: skip
    stranger = client("stranger")
    (row,) = stranger.get("/dicomweb/studies").json()
    assert row["0020000D"]["Value"] == ["2.25.800"]
    for asked in (
        f"StudyInstanceUID={EXAM}",
        "PatientID=ZZ-4711",
        "PatientName=Zzdoe*",
        "StudyDate=2019*",
    ):
        assert stranger.get(f"/dicomweb/studies?{asked}").status_code in (204, 400)
    for one in sent:
        for tail in ("", "/metadata", "/frames/1", "/rendered", "/bulkdata/7FE00010"):
            assert stranger.get(root(one) + tail).status_code == 404
    assert client().get("/dicomweb/studies?PatientID=ZZ-OWN").status_code == 204


def test_readers_and_delineators_are_refused_alike_wherever_they_ask(sent):
    for name in ("expert1", "delineator1", "analyst", "monitor", "outsider"):
        answers = {
            client(name).get(address).content
            for address in (root(sent[0]), f"/dicomweb/studies/{EXAM}/metadata", "/dicomweb/studies/1.2",
                            "/dicomweb/studies?PatientID=ZZ-4711")
        }  # fmt: skip
        assert answers == {b'{"detail": "Only coordinators of a study reach its images here."}'}


def test_without_a_second_factor_the_source_view_of_real_patients_stays_shut(tmp_path, settings):
    make_study()
    take(*slices(tmp_path, n=1), study_key="bone")
    assert client().get("/dicomweb/studies").status_code == 200
    settings.SECOND_FACTOR = True
    assert client().get("/dicomweb/studies").status_code == 403


def of_before(exam: Exam) -> None:
    """As an earlier version left it: no header sealed."""
    Exam.objects.filter(pk=exam.pk).update(has_source=False)
    Identity.objects.filter(pk=exam.pk).update(study_key=None)


def test_exams_without_sealed_headers_are_shown_in_the_archive_view_behind_the_others(tmp_path):
    make_study(is_synthetic=True)
    for k in range(5):
        who = person(f"ZZP{k}", f"2.25.90{k}")
        take(*slices(tmp_path / str(k), n=1, who=who, series=f"2.25.91{k}"), study_key="bone")
    for exam in Exam.objects.order_by("pk")[:2]:
        of_before(exam)
    old = sorted(Exam.objects.filter(has_source=False).values_list("uid", flat=True))
    one, found = client(), []
    for offset in range(0, 6, 2):
        answer = one.get(f"/dicomweb/studies?limit=2&offset={offset}")
        found += [row["0020000D"]["Value"][0] for row in answer.json()]
    assert found[:3] == ["2.25.902", "2.25.903", "2.25.904"]
    assert sorted(found[3:]) == old
    assert "There are 3 additional" in one.get("/dicomweb/studies?limit=2")["Warning"]
    for uid in ("2.25.900", old[0], "2.25.904"):
        assert one.get(f"/dicomweb/studies/{uid}/metadata").status_code == 200
        assert one.get(f"/dicomweb/studies/{uid}/rendered").status_code == 200
    assert "ZZP0" not in one.get("/dicomweb/studies/2.25.900/metadata").content.decode()
    assert one.get("/dicomweb/studies?PatientID=ZZP0").status_code == 204
    assert one.get(f"/dicomweb/studies/{old[0]}/series").status_code == 200


def test_an_image_without_a_header_takes_its_exam_out_of_the_view(tmp_path, settings):
    make_study(is_synthetic=True)
    paths = slices(tmp_path, n=3)
    take(*paths[:2], study_key="bone")
    settings.IDENTITIES = "none"
    take(paths[2], study_key="bone")
    settings.IDENTITIES = "sealed"
    (row,) = client().get("/dicomweb/studies").json()
    assert row["0020000D"]["Value"] == [Exam.objects.get().uid]
    assert row["00201208"]["Value"] == [3]
    assert len(client().get(f"/dicomweb/studies/{EXAM}/metadata").json()) == 3


def test_with_identities_none_kept_headers_are_not_shown(sent, settings):
    settings.IDENTITIES = "none"
    assert "Zz" not in client().get("/dicomweb/instances?includefield=all").content.decode()
    assert "Zz" not in client().get(f"/dicomweb/studies/{EXAM}/metadata").content.decode()


def test_the_trail_never_names_a_senders_uid(sent):
    for address in (
        root(sent[0]),
        f"/dicomweb/studies/{EXAM}/series/{CT}",
        f"/dicomweb/studies/{EXAM}",
    ):
        assert client().get(address).status_code == 200
    said = list(AuditEvent.objects.filter(verb="images.retrieve").values_list("obj", flat=True))
    image = Instance.objects.get(uid=said[0].removeprefix("images:"))
    assert said == [f"images:{uid}" for uid in (image.uid, image.series.sender_uid, image.series.exam.mapped_uid)]  # fmt: skip


def test_an_address_that_a_post_was_answered_with_opens(tmp_path):
    make_study(is_synthetic=True)
    (path,) = slices(tmp_path, n=1)
    (item,) = send(body(path.read_bytes()), to="/dicomweb/studies").json()["00081199"]["Value"]
    (address,) = item["00081190"]["Value"]
    assert address == f"http://testserver/dicomweb/studies/{EXAM}/series/{CT}/instances/2.25.71.1"
    assert client().get(address.removeprefix("http://testserver")).status_code == 200
    assert Client().get(address.removeprefix("http://testserver")).status_code == 401


def test_where_the_identity_folder_is_missing_the_answer_says_so(sent, settings, tmp_path: Path):
    settings.IDENTITY_DIR = tmp_path / "elsewhere"
    answer = client().get(f"/dicomweb/studies/{EXAM}/metadata?again")
    assert answer.status_code == 503
    assert "identity folder" in answer.json()["detail"]
    assert client().get("/dicomweb/studies").status_code == 200
    assert SourceSeries.objects.count() == 2


def test_no_log_holds_anything_of_it(sent, caplog):
    caplog.set_level(logging.DEBUG)
    for address in (
        f"{root(sent[0])}/metadata",
        "/dicomweb/studies?PatientName=Zzdoe*&limit=x",
        "/dicomweb/studies?PatientName=Zzdoe*",
        f"/dicomweb/studies/{EXAM}/frames/x",
    ):
        client().get(address)
    assert "Zz" not in caplog.text


@pytest.mark.promise("B9")
@pytest.mark.parametrize("table", ["truth_identity", "truth_source_series", "truth_source_uid"])
def test_a_blind_request_cannot_read_the_sealed_tables(sent, table):
    with blinded(), pytest.raises(DatabaseError), transaction.atomic():
        connection.cursor().execute(f"SELECT count(*) FROM {table}")
    for model in (Identity, SourceSeries, SourceUid):
        with blinded(), pytest.raises(DatabaseError), transaction.atomic():
            model.objects.first()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone()[0] > 0
