"""Fresh credentials under a step: five wrong tries lock signing, each one on the trail."""

import pytest
from django.core.cache import cache

from portal.accounts.tries import TRIES, tries_key
from portal.audit.models import AuditEvent
from portal.errors import Forbidden, Locked
from portal.study.models import Study
from portal.study.signing import prove
from tests.cohort import PASSWORD, make_study, make_user
from tests.study.builders import coordinator
from tests.study.test_pages import sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.study.urls")]


@pytest.fixture(autouse=True)
def no_earlier_tries() -> None:
    cache.clear()


def fail(study: Study, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Forbidden, match="not signed"):
            prove(study, coordinator(), password="wrong")


def test_the_right_password_holds_and_leaves_nothing() -> None:
    prove(make_study(), coordinator(), password=PASSWORD)
    assert not AuditEvent.objects.exists()


@pytest.mark.promise("A5")
def test_a_wrong_password_is_refused_and_on_the_trail() -> None:
    fail(make_study(), 1)
    assert AuditEvent.objects.get().verb == "signature.failed"


@pytest.mark.promise("A4")
def test_five_failures_lock_signing_even_with_the_right_password() -> None:
    study = make_study()
    fail(study, TRIES)
    with pytest.raises(Locked, match="15 minutes"):
        prove(study, coordinator(), password=PASSWORD)


def test_a_success_forgets_the_failures_before_it() -> None:
    study = make_study()
    fail(study, TRIES - 1)
    prove(study, coordinator(), password=PASSWORD)
    assert cache.get(tries_key(coordinator())) is None
    fail(study, TRIES - 1)


def test_one_persons_failures_lock_nobody_else() -> None:
    study = make_study()
    fail(study, TRIES)
    prove(study, make_user("analyst"), password=PASSWORD)


def test_the_page_locks_after_five_wrong_passwords() -> None:
    make_study(state="READS_LOCKED")
    client = sign_in("monitor")
    codes = [
        client.post("/studies/bone/confirm/", {"password": "wrong"}).status_code for _ in range(6)
    ]
    assert codes == [403] * 5 + [423]
