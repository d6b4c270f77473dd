"""The bridge: search, choose and pull from real DICOMweb servers, through the same door as every file."""

import stat

import pytest
import requests
from django.test import Client

from portal.accounts.models import User
from portal.archive import pacs
from portal.archive.models import Import, Instance, Pull, Series
from portal.archive.pacs import FoundSeries, Wish
from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid, NotFound, Unavailable
from portal.jobs import work
from portal.jobs.models import Job
from tests.archive.builders import person as subject
from tests.archive.builders import slices
from tests.archive.servers import Running, free_port, orthanc_binary
from tests.cohort import NOW, make_study, make_user

pytestmark = pytest.mark.django_db
NAME = "main"


@pytest.fixture(params=["portal", "orthanc"])
def running(request, servers) -> Running:
    if request.param == "orthanc" and orthanc_binary() is None:
        pytest.skip("NO ORTHANC: apt-get install orthanc orthanc-dicomweb")
    return servers(request.param)


@pytest.fixture
def entered(running, settings) -> Running:
    one = running.server
    settings.PACS = [f"{NAME}={one.url.replace('://', f'://{one.user}:{one.password}@')}"]
    return running


@pytest.fixture
def coordinator() -> User:
    make_study(is_synthetic=True)
    return make_user("coordinator")


def send(running: Running, paths) -> None:
    """As a scanner would: a STOW request put together by hand."""
    body = b"".join(
        b"--x\r\nContent-Type: application/dicom\r\n\r\n" + p.read_bytes() + b"\r\n" for p in paths
    )
    one = running.server
    scheme = {"Authorization": f"Token {one.password}"} if one.user == "Token" else {}
    answer = requests.post(
        f"{one.url}/studies", data=body + b"--x--\r\n", timeout=120,
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=x', **scheme},
        auth=None if scheme else (one.user, one.password),
    )  # fmt: skip
    assert answer.status_code in (200, 202), answer.text


def there(running: Running, folder, number: int, *, n: int = 4) -> str:
    """An exam at the server of the generated patient BRIDGE<number>; its patient ID as it stands there."""
    who = subject(f"BRIDGE{number}", f"2.25.{number}")
    before = set(exams_at())
    send(running, slices(folder, n=n, who=who, series=f"2.25.{number}1"))
    (came,) = (exam for uid, exam in exams_at().items() if uid not in before)
    assert came.n_images == n
    return came.patient_id


def exams_at() -> dict[str, pacs.FoundExam]:
    """Every exam at the server, which other tests of this process use as well."""
    rows = pacs.peer_of(NAME).search("studies", limit=1000)
    return {exam.uid: exam for exam in map(pacs.exam_from, rows)}


def found(patient: str, coordinator: User) -> list[pacs.FoundExam]:
    return pacs.search(NAME, Wish(patient), actor=coordinator, study="bone")


def queue(series: list[FoundSeries], coordinator: User) -> list[Pull]:
    return pacs.choose(NAME, series, study="bone", actor=coordinator, now=NOW)


def run_all() -> list[Job]:
    for job in Job.objects.filter(kind=pacs.KIND, state="queued"):
        work.run(job.pk)
    return list(Job.objects.filter(kind=pacs.KIND).order_by("pk"))


def test_a_chosen_series_comes_with_every_image_and_its_pixels(entered, coordinator, tmp_path):
    patient = there(entered, tmp_path / "a", 9101, n=5)
    (exam,) = found(patient, coordinator)
    assert (exam.n_images, exam.modalities) == (5, "CT")
    (series,) = pacs.series_at(NAME, exam.uid)
    (row,) = queue([series], coordinator)
    (job,) = run_all()
    row.refresh_from_db()
    assert (job.state, job.done, job.total) == ("done", 5, 5)
    assert (row.state, row.came, row.expected) == ("done", 5, 5)
    stored = Series.objects.get(exam__study_key="bone")
    assert (stored.n_frames, stored.state) == (5, "ready")
    source = Import.objects.get(pk=row.source_id)
    assert (source.door, source.study_key) == ("pacs", "bone")
    assert [f.name for f in source.files.all()] == [f"image {k}" for k in range(1, 6)]


def test_pulling_again_changes_nothing_and_downloads_nothing(entered, coordinator, tmp_path):
    patient = there(entered, tmp_path / "a", 9102, n=3)
    (exam,) = found(patient, coordinator)
    series = pacs.series_at(NAME, exam.uid)
    queue(series, coordinator)
    run_all()
    (again,) = queue(series, coordinator)
    run_all()
    again.refresh_from_db()
    assert (again.state, again.came) == ("done", 3)
    assert Instance.objects.count() == 3
    assert not Import.objects.get(pk=again.source_id).files.exists()


def test_a_pull_that_was_broken_off_fetches_only_what_is_missing(entered, coordinator, tmp_path):
    patient = there(entered, tmp_path / "a", 9103, n=6)
    (exam,) = found(patient, coordinator)
    (series,) = pacs.series_at(NAME, exam.uid)
    (row,) = queue([series], coordinator)
    target = pacs.Target("bone", True)
    folder = tmp_path / "half"
    folder.mkdir()
    parts = list(
        pacs.peer_of(NAME).series(f"studies/{row.study_uid}/series/{row.series_uid}", folder)
    )
    pacs.take(pacs.source_of(row, target), parts[:4], row, target)
    assert Instance.objects.count() == 4
    run_all()
    row.refresh_from_db()
    assert (row.state, row.came, Instance.objects.count()) == ("done", 6, 6)
    assert row.source.files.count() == 6


def test_fewer_images_than_the_pacs_counts_is_incomplete_and_tried_again(
    entered, coordinator, tmp_path
):
    patient = there(entered, tmp_path / "a", 9104, n=7)
    (exam,) = found(patient, coordinator)
    (series,) = pacs.series_at(NAME, exam.uid)
    false = FoundSeries(series.exam_uid, series.uid, "CT", "", 9)
    (row,) = queue([false], coordinator)
    (job,) = run_all()
    row.refresh_from_db()
    assert (row.state, row.sentence) == ("incomplete", "7 of 9 images came; pull again.")
    assert (job.state, job.attempts, job.error_class) == ("queued", 1, "Incomplete")


def test_a_series_on_its_way_is_not_queued_twice(entered, coordinator, tmp_path):
    series = FoundSeries("2.25.1", "2.25.2", "CT", "", 3)
    first, second = queue([series], coordinator), queue([series], coordinator)
    assert first == second
    assert Job.objects.filter(kind=pacs.KIND).count() == 1


def test_with_identities_none_a_finished_pull_forgets_where_it_came_from(
    entered, coordinator, tmp_path, settings
):
    settings.IDENTITIES = "none"
    patient = there(entered, tmp_path / "a", 9105, n=2)
    (exam,) = found(patient, coordinator)
    (row,) = queue(pacs.series_at(NAME, exam.uid), coordinator)
    run_all()
    row.refresh_from_db()
    assert (row.state, row.study_uid, row.series_uid, row.label) == ("done", "", "", "")


def test_a_search_is_audited_without_the_person_searched_for(entered, coordinator):
    found("NOBODY77", coordinator)
    event = AuditEvent.objects.get(verb="pacs.search")
    assert event.obj == f"pacs:{NAME}"
    assert "NOBODY77" not in str(vars(event))


def test_a_server_that_is_down_is_one_sentence_and_the_job_waits(
    settings, coordinator, monkeypatch
):
    settings.PACS = [f"{NAME}=http://127.0.0.1:{free_port()}/x"]
    monkeypatch.setattr("portal.archive.peer.WAIT_MS", 1)
    with pytest.raises(Unavailable, match="does not answer"):
        found("BRIDGE1", coordinator)
    (row,) = queue([FoundSeries("2.25.1", "2.25.2", "CT", "", 3)], coordinator)
    (job,) = run_all()
    row.refresh_from_db()
    assert (job.state, row.state) == ("queued", "failed")
    assert "127.0.0.1" not in job.error_text + row.sentence


def test_a_search_for_everything_is_refused(coordinator):
    with pytest.raises(Invalid, match="Name a patient"):
        pacs.search(NAME, Wish(), actor=coordinator, study="bone")


def test_a_wish_becomes_the_keys_of_a_search():
    wish = Wish("ab12", "2020-01-02", "", "nm")
    assert pacs.filters(wish) == {
        "PatientID": "ab12", "StudyDate": "20200102-", "ModalitiesInStudy": "NM"
    }  # fmt: skip
    assert pacs.filters(Wish("Smith")) == {"PatientName": "Smith*"}


def test_an_unknown_connection_is_not_found():
    with pytest.raises(NotFound, match="no PACS"):
        pacs.peer_of("other")


def test_the_password_of_a_connection_lies_in_a_private_file_and_goes_with_it(
    coordinator, settings
):
    row = pacs.connect(
        name="near",
        url="http://127.0.0.1:9/x",
        user="u",
        password="hush1",
        actor=coordinator,
        now=NOW,
    )
    path = pacs.secret_path("near")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert pacs.server_of("near").password == "hush1"
    assert "hush1" not in str(vars(row)) + str(AuditEvent.objects.values_list())
    with pytest.raises(Conflict):
        pacs.connect(
            name="near",
            url="http://127.0.0.1:9/x",
            user="",
            password="",
            actor=coordinator,
            now=NOW,
        )
    pacs.disconnect(row, actor=coordinator)
    assert not path.exists()


def browser(name: str) -> Client:
    one = Client()
    one.force_login(make_user(name))
    return one


def test_a_coordinator_searches_chooses_and_follows_on_the_page(entered, coordinator, tmp_path):
    patient = there(entered, tmp_path / "a", 9106, n=8)
    page = browser("coordinator")
    address = "/studies/bone/pacs/"
    assert b"No series has been pulled yet" in page.get(address).content
    answer = page.post(f"{address}search/", {"connection": NAME, "patient": patient})
    (exam,) = answer.context["exams"]
    assert patient in answer.content.decode()
    answer = page.post(f"{address}pull/", {"connection": NAME, "exam": exam.uid, "only": "ct"})
    assert (answer.status_code, answer["Location"]) == (302, address)
    run_all()
    text = page.get(address).content.decode()
    assert "8 of 8" in text
    assert f"/imports/{Pull.objects.get().source.code}/" in text


def test_single_series_of_a_found_exam_are_chosen_on_the_page(entered, coordinator, tmp_path):
    before = set(exams_at())
    who = subject("BRIDGE9108", "2.25.9108")
    send(entered, slices(tmp_path / "a", n=3, who=who, series="2.25.91081"))
    send(entered, slices(tmp_path / "b", n=2, who=who, series="2.25.91082"))
    (exam,) = [e for uid, e in exams_at().items() if uid not in before]
    page = browser("coordinator")
    asked = {"connection": NAME, "exam": exam.uid}
    text = page.post("/studies/bone/pacs/series/", asked).content.decode()
    keys = {one.n_images: one.key for one in pacs.series_at(NAME, exam.uid)}
    assert all(f'value="{key}"' in text for key in keys.values())
    answer = page.post("/studies/bone/pacs/pull/", {"connection": NAME, "series": [keys[2]]})
    assert answer.status_code == 302
    assert [row.expected for row in Pull.objects.all()] == [2]
    wrong = {"connection": NAME, "series": [f"{exam.uid}|1.2.3"]}
    answer = page.post("/studies/bone/pacs/pull/", wrong)
    assert answer.status_code == 422
    assert b"does not have this series any more" in answer.content
    assert Pull.objects.count() == 1


@pytest.mark.parametrize("state", ["incomplete", "failed"])
def test_what_came_to_nothing_is_pulled_again_and_what_is_on_its_way_is_not(coordinator, state):
    row = Pull.objects.create(
        connection=NAME, study_key="bone", actor=coordinator, study_uid="2.25.1", series_uid="2.25.2",
        state=state, sentence="7 of 9 images came; pull again.", expected=9, created_at=NOW,
    )  # fmt: skip
    page, address = browser("coordinator"), f"/studies/bone/pacs/{row.pk}/again/"
    assert "Pull again" in page.get("/studies/bone/pacs/").content.decode()
    assert page.post(address).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.sentence) == ("waiting", "")
    assert Job.objects.filter(kind=pacs.KIND, state="queued").count() == 1
    text = page.get("/studies/bone/pacs/").content.decode()
    assert 'hx-trigger="every 2s"' in text
    assert page.post(address).status_code == 409
    assert Job.objects.filter(kind=pacs.KIND).count() == 1


def test_a_series_is_not_pulled_again_beside_its_own_other_pull(coordinator):
    same = {
        "connection": NAME, "study_key": "bone", "actor": coordinator, "study_uid": "2.25.1",
        "series_uid": "2.25.2", "created_at": NOW,
    }  # fmt: skip
    Pull.objects.create(**same, state="waiting")
    row = Pull.objects.create(**same, state="failed")
    with pytest.raises(Conflict, match="on its way already"):
        pacs.again(row, actor=coordinator)
    assert not Job.objects.exists()


def test_trouble_of_a_search_stands_in_the_page_with_what_was_asked(coordinator, settings):
    settings.PACS = [f"{NAME}=http://127.0.0.1:{free_port()}/x"]
    page = browser("coordinator")
    for address, asked in (
        ("search", {"patient": ""}),
        ("search", {"connection": "other", "patient": "x1"}),
    ):
        answer = page.post(f"/studies/bone/pacs/{address}/", {"connection": NAME, **asked})
        assert answer.status_code in (404, 422)
        assert b'role="alert"' in answer.content
        assert b'id="patient"' in answer.content
    answer = page.post("/studies/bone/pacs/series/", {"connection": NAME, "exam": "no uid"})
    assert (answer.status_code, b"search again" in answer.content) == (422, True)


def test_pages_of_the_bridge_say_what_to_do_when_there_is_nothing(coordinator, settings):
    settings.PACS = []
    text = browser("coordinator").get("/studies/bone/pacs/").content.decode()
    assert "No PACS is entered" in text
    assert browser("coordinator").post("/studies/bone/pacs/pull/", {}).status_code == 422


@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "analyst", "outsider"])
def test_nobody_but_a_coordinator_reaches_the_bridge(coordinator, name):
    assert browser(name).get("/studies/bone/pacs/").status_code == 404
    assert browser(name).post("/studies/bone/pacs/search/", {"patient": "x"}).status_code == 404
    assert browser(name).post("/studies/bone/pacs/pull/", {"exam": "1.2"}).status_code == 404
    assert browser(name).get("/pacs-connections/").status_code == 404
    assert browser(name).post("/pacs-connections/near/remove/").status_code == 404


def test_an_administrator_enters_and_removes_a_pacs(coordinator):
    User.objects.filter(username="outsider").update(is_staff=True)
    page = browser("outsider")
    wrong = {"name": "near", "url": "http://169.254.169.254/latest", "user": "", "password": ""}
    answer = page.post("/pacs-connections/", wrong)
    assert answer.status_code == 422
    assert b"never connects" in answer.content
    assert (
        page.post("/pacs-connections/", {**wrong, "url": "http://127.0.0.1:9/x"}).status_code == 302
    )
    assert b"Remove near" in page.get("/pacs-connections/").content
    assert page.post("/pacs-connections/near/remove/").status_code == 302
    assert AuditEvent.objects.filter(verb="pacs.disconnect").count() == 1


def test_after_the_cohort_is_locked_a_pull_goes_to_the_shelf(entered, coordinator, tmp_path):
    patient = there(entered, tmp_path / "a", 9107, n=9)
    (exam,) = found(patient, coordinator)
    (row,) = queue(pacs.series_at(NAME, exam.uid), coordinator)
    target = pacs.Target("", True, "The cohort of bone is locked; the images wait on your shelf.")
    pacs.pull(work.claim(Job.objects.get(kind=pacs.KIND).pk), row, target)
    series = Series.objects.get()
    assert (series.exam.study_key, series.exam.importer) == ("", coordinator)
    assert Import.objects.get().warning == target.warning
