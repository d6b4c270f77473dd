"""API tokens: shown once, hashed, expiring, revocable; health needs none."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.accounts.models import ApiToken, User
from portal.accounts.tokens import NAME, holder, issue, revoke_all, user_of
from portal.errors import Invalid
from tests.cohort import make_user

pytestmark = pytest.mark.django_db


def test_a_token_signs_its_user_in_and_is_stored_hashed():
    user = make_user("coordinator")
    token = issue(user, label="script", days=30)
    assert user_of(token.text) == user
    assert token.text not in str(list(ApiToken.objects.values()))


def test_a_revoked_token_is_worthless():
    user = make_user("coordinator")
    token = issue(user, label="script", days=30)
    assert revoke_all(user) == 1
    assert user_of(token.text) is None


def test_an_expired_token_is_worthless():
    user = make_user("coordinator")
    token = issue(user, label="script", days=1, now=timezone.now() - timedelta(days=2))
    assert user_of(token.text) is None


def test_the_token_of_somebody_who_has_left_is_worthless():
    user = make_user("coordinator")
    token = issue(user, label="script", days=1)
    user.is_active = False
    user.save()
    assert user_of(token.text) is None


def test_each_question_is_of_its_own_moment():
    """The SQL is written once; the moment of its first writing must not stay in it."""
    user, now = make_user("coordinator"), timezone.now()
    token = issue(user, label="script", days=1)
    assert user_of(token.text) == user
    assert len(holder().values) == 2
    assert NAME in holder().values
    ApiToken.objects.update(expires_at=now + timedelta(milliseconds=1))
    time.sleep(0.01)
    assert user_of(token.text) is None


def test_whom_a_token_signs_in_is_whole():
    user = make_user("coordinator")
    found = user_of(issue(user, label="script", days=1).text)
    assert found is not None
    assert found.get_deferred_fields() == set()
    names = [f.attname for f in User._meta.concrete_fields]
    fresh = User.objects.get(pk=user.pk)
    assert [getattr(found, n) for n in names] == [getattr(fresh, n) for n in names]


@pytest.mark.parametrize("days", [0, 91, -1])
def test_a_token_lives_one_to_ninety_days(days):
    with pytest.raises(Invalid, match="90 days"):
        issue(make_user("coordinator"), label="script", days=days)


def test_an_unknown_token_signs_nobody_in():
    assert user_of("nothing") is None
