"""The held list and the shelf in the browser: one decision, one act, and nobody else's images."""

import pytest

from portal.archive.models import Exam, Series
from portal.audit.models import AuditEvent
from tests.archive.builders import change, person, slices, take
from tests.cohort import make_study, make_user
from tests.study.builders import carry_to
from tests.study.test_pages import sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.study.urls")]
WHY = {"reason": "seen fused on the CT, all is well"}


def verbs() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


@pytest.fixture
def held(tmp_path) -> Series:
    """A series of study bone held because another patient's file came under its exam's UID."""
    make_study(is_synthetic=True)
    take(*slices(tmp_path / "a"), study_key="bone")
    take(*slices(tmp_path / "b", first=9, who=person("SYN0002")), study_key="bone")
    return Series.objects.get(state="held")


def test_the_held_list_names_reason_and_subject(held):
    page = sign_in("coordinator").get("/studies/bone/held/").content.decode()
    assert held.exam.subject in page
    assert "another patient" in page


def test_an_empty_held_list_says_so():
    make_study()
    page = sign_in("coordinator").get("/studies/bone/held/").content.decode()
    assert 'class="empty"' in page


def test_a_release_needs_a_reason_and_is_one_act(held):
    client, address = sign_in("coordinator"), f"/studies/bone/held/{held.pk}/release/"
    before = verbs()
    assert client.post(address, {"reason": ""}).status_code in {409, 422}
    held.refresh_from_db()
    assert (held.state, verbs()) == ("held", before)
    assert client.post(address, WHY).status_code == 302
    held.refresh_from_db()
    assert held.state == "ready"
    assert len(verbs()) == len(before) + 1


def test_a_series_of_another_study_is_not_found(held):
    make_study("knee", is_synthetic=True)
    response = sign_in("coordinator").post(f"/studies/knee/held/{held.pk}/release/", WHY)
    assert response.status_code == 404
    held.refresh_from_db()
    assert held.state == "held"


@pytest.mark.promise("B6")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "analyst", "monitor", "outsider"])
def test_only_coordinators_see_and_release(held, name):
    client = sign_in(name)
    assert client.get("/studies/bone/held/").status_code == 404
    assert client.post(f"/studies/bone/held/{held.pk}/release/", WHY).status_code == 404
    held.refresh_from_db()
    assert held.state == "held"


@pytest.fixture
def shelved(tmp_path) -> Exam:
    """An exam on the coordinator's shelf, and a study to file it into."""
    make_study(is_synthetic=True)
    take(*slices(tmp_path / "a"))
    exam = Exam.objects.get()
    Exam.objects.filter(pk=exam.pk).update(importer=make_user("coordinator"))
    return exam


def test_filing_moves_the_exam_into_the_study_by_one_act(shelved):
    before = verbs()
    response = sign_in("coordinator").post(f"/studies/bone/shelf/{shelved.pk}/file/")
    shelved.refresh_from_db()
    assert (response.status_code, shelved.study_key) == (302, "bone")
    assert len(verbs()) == len(before) + 1


def test_the_shelf_stands_on_the_import_page_until_it_is_filed(shelved):
    client = sign_in("coordinator")
    assert "Your shelf" in client.get("/studies/bone/import/").content.decode()
    client.post(f"/studies/bone/shelf/{shelved.pk}/file/")
    assert "Your shelf" not in client.get("/studies/bone/import/").content.decode()


@pytest.mark.promise("B6")
def test_the_shelf_of_another_person_is_not_found(shelved):
    Exam.objects.filter(pk=shelved.pk).update(importer=make_user("outsider"))
    client = sign_in("coordinator")
    assert "Your shelf" not in client.get("/studies/bone/import/").content.decode()
    assert client.post(f"/studies/bone/shelf/{shelved.pk}/file/").status_code == 404
    shelved.refresh_from_db()
    assert shelved.study_key == ""


def test_synthetic_images_cannot_be_filed_into_a_real_study(shelved):
    make_study("knee")
    response = sign_in("coordinator").post(f"/studies/knee/shelf/{shelved.pk}/file/")
    assert response.status_code in {409, 422}
    assert "Synthetic images cannot enter this real study." in response.content.decode()
    shelved.refresh_from_db()
    assert shelved.study_key == ""


def test_nothing_is_filed_into_a_locked_cohort(tmp_path):
    carry_to(make_study(state="SCREENING", is_synthetic=True), "READING")
    take(*slices(tmp_path / "a"))
    Exam.objects.update(importer=make_user("coordinator"))
    exam = Exam.objects.get()
    response = sign_in("coordinator").post(f"/studies/bone/shelf/{exam.pk}/file/")
    assert response.status_code == 422
    assert "is locked; the images wait on your shelf" in response.content.decode()
    assert Exam.objects.get().study_key == ""


def test_an_unreadable_value_changes_nothing_for_its_neighbours(tmp_path):
    make_study(is_synthetic=True)
    paths = slices(tmp_path / "a")
    change(paths[1], lambda ds: setattr(ds, "PatientWeight", "70.25"))
    take(*paths, study_key="bone")
    assert Series.objects.get().n_frames == 4
