"""The right to a case's images: whose, which series, for how long, at what cost."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from portal.errors import NotFound
from readers.grants import SECONDS, Grants
from readers.models import Assignment
from tests.cohort import NOW, make_user
from tests.readers.builders import make_reading_study, read_case, start

pytestmark = pytest.mark.django_db


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def case():
    return start(make_reading_study()).assignments.get(position=1)


def asked(session: str = "s"):
    return SimpleNamespace(session=SimpleNamespace(session_key=session))


def test_a_grant_holds_the_images_of_the_case_and_no_other(case):
    grant = Grants().of(asked(), make_user("expert1"), case.code)
    lesion = case.lesion
    mine = (lesion.ct_series, lesion.spect_series, lesion.whole_body_series)
    assert {stored.folder for stored in grant.view.places.values()} == {s.folder for s in mine}
    assert len(grant.view.places) == 5 + 1 + 1
    archive = {i.uid for s in mine for i in s.instances.all()}
    assert not archive & {uid for address in grant.view.places for uid in address}


def test_a_warm_grant_asks_the_database_nothing(case, django_assert_num_queries):
    grants, reader = Grants(), make_user("expert1")
    first = grants.of(asked(), reader, case.code)
    with django_assert_num_queries(0):
        assert grants.of(asked(), reader, case.code) is first


def test_a_grant_lives_ten_seconds(case):
    clock = Clock()
    grants, reader = Grants(clock=clock), make_user("expert1")
    first = grants.of(asked(), reader, case.code)
    clock.now = SECONDS - 0.01
    assert grants.of(asked(), reader, case.code) is first
    read_case(case, actor=reader, now=NOW + timedelta(minutes=1))
    clock.now = SECONDS
    with pytest.raises(NotFound):
        grants.of(asked(), reader, case.code)


def test_another_person_or_session_does_not_inherit_a_grant(case):
    grants, reader = Grants(), make_user("expert1")
    first = grants.of(asked(), reader, case.code)
    assert grants.of(asked("other"), reader, case.code) is not first
    with pytest.raises(NotFound):
        grants.of(asked(), make_user("expert2"), case.code)


def test_the_next_case_has_no_images_before_its_turn(case):
    later = Assignment.objects.get(session=case.session_id, position=2)
    with pytest.raises(NotFound):
        Grants().of(asked(), make_user("expert1"), later.code)
