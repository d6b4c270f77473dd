"""Blocks and preview: each lesion is read by whom the design says, and the preview is what is stored."""

import pytest
from django.test import Client

from portal.errors import Invalid
from portal.study.models import Lesion
from readers.crossing import blocks, shares
from readers.design import create_questionnaire, preview_sessions
from readers.models import Assignment, ReadingSession
from tests.cohort import NOW, make_patient, make_user
from tests.readers.builders import make_read_lesion, make_reading_study, plan

pytestmark = [pytest.mark.django_db, pytest.mark.urls("portal.urls")]


@pytest.fixture
def study():
    """Seven patients, the first with two lesions."""
    study = make_reading_study(n_lesions=6)
    patient = make_patient(study)
    for number in (1, 2):
        make_read_lesion(study, number=number, patient=patient)
    return study


def lesions_of(study):
    return list(Lesion.objects.of_study(study).included().select_related("patient"))


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_blocks_part_the_lesions_and_keep_a_patient_together(study, n):
    lesions = lesions_of(study)
    parts = blocks(study.designs.get(), lesions, n)
    assert sorted(x.pk for part in parts for x in part) == sorted(x.pk for x in lesions)
    patients = [{x.patient_id for x in part} for part in parts]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 7
    assert max(map(len, patients)) - min(map(len, patients)) <= 1


def test_blocks_do_not_depend_on_the_order_of_the_rows(study):
    lesions, design = lesions_of(study), study.designs.get()
    there = [{x.pk for x in part} for part in blocks(design, lesions, 3)]
    back = [{x.pk for x in part} for part in blocks(design, lesions[::-1], 3)]
    assert there == back


def test_readers_take_the_blocks_in_turn(study):
    readers = [make_user(name) for name in ("expert2", "expert1")]
    mine = shares(study.designs.get(), lesions_of(study), readers, n_blocks=2)
    first, second = blocks(study.designs.get(), lesions_of(study), 2)
    assert mine == {make_user("expert1").pk: first, make_user("expert2").pk: second}


@pytest.mark.parametrize("n", [0, -1, 3])
def test_every_lesion_must_have_a_reader(study, n):
    readers = [make_user(name) for name in ("expert1", "expert2")]
    with pytest.raises(Invalid, match="as many as readers"):
        shares(study.designs.get(), lesions_of(study), readers, n_blocks=n)


def test_more_blocks_than_patients_are_refused(study):
    readers = [make_user(name) for name in ("expert1", "expert2")]
    with pytest.raises(Invalid, match="more blocks than patients"):
        shares(study.designs.get(), lesions_of(study)[:1], readers, n_blocks=2)


def met(name):
    cases = Assignment.objects.filter(session__reader__username=name)
    return {a.lesion_id for a in cases}


def test_planned_blocks_cover_each_lesion_once(study):
    plan(study, "expert1", "expert2", n_blocks=2)
    assert met("expert1") & met("expert2") == set()
    assert met("expert1") | met("expert2") == {x.pk for x in lesions_of(study)}


def test_one_block_is_the_full_crossing(study):
    plan(study, "expert1", "expert2")
    assert met("expert1") == met("expert2") == {x.pk for x in lesions_of(study)}


@pytest.mark.parametrize("n_blocks", [1, 2])
def test_the_preview_is_what_is_stored(study, n_blocks):
    readers = [make_user(name) for name in ("expert1", "expert2")]
    shown = preview_sessions(
        study.designs.get(), kind="main", task="read", readers=readers, lesions=lesions_of(study), n_blocks=n_blocks
    )  # fmt: skip
    assert not ReadingSession.objects.exists()
    plan(study, "expert1", "expert2", n_blocks=n_blocks)
    places = {
        (f"{a.lesion.patient.subject}/{a.lesion.number}", a.session.reader.username): f"{a.session.number}.{a.position}"
        for a in Assignment.objects.select_related("lesion__patient", "session__reader")
    }  # fmt: skip
    previewed = {
        (row.lesion, reader): place
        for row in shown.rows
        for reader, place in zip(shown.readers, row.places, strict=True)
        if place
    }
    assert previewed == places
    assert {row.n_readers for row in shown.rows} == {2 // n_blocks}


@pytest.fixture
def boss():
    client = Client()
    client.force_login(make_user("coordinator"))
    return client


def sent(study, **more):
    return {"design": "1", "task": "read", "kind": "main", "condition": "unaided", "reader": ["expert1", "expert2"], **more}  # fmt: skip


def test_the_page_previews_stores_nothing_and_then_stores_the_same(study, boss):
    address = f"/studies/{study.code}/readers/plan/"
    page = boss.post(address, sent(study, blocks="2", preview="1")).content.decode()
    assert page.count('<th scope="row">') == 8
    assert 'name="blocks" value="2"' in page
    assert page.count('name="reader" value=') == 2
    assert not ReadingSession.objects.exists()
    assert boss.post(address, sent(study, blocks="2")).status_code == 302
    assert ReadingSession.objects.count() == 2


def test_a_plan_without_readers_is_refused(study, boss):
    answer = boss.post(f"/studies/{study.code}/readers/plan/", sent(study, reader=[]))
    assert answer.status_code in {400, 422}
    assert not ReadingSession.objects.exists()


def test_the_preview_refuses_what_the_plan_would_refuse(study):
    create_questionnaire(study, "read", actor=make_user("coordinator"), now=NOW)
    with pytest.raises(Invalid, match="may not read"):
        preview_sessions(
            study.designs.get(), kind="main", task="read", readers=[make_user("delineator1")], lesions=lesions_of(study)
        )  # fmt: skip
