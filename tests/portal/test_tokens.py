"""API tokens: shown once, hashed, expiring, revocable; health needs none."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.accounts.models import ApiToken
from portal.accounts.tokens import issue, revoke_all, user_of
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


@pytest.mark.parametrize("days", [0, 91, -1])
def test_a_token_lives_one_to_ninety_days(days):
    with pytest.raises(Invalid, match="90 days"):
        issue(make_user("coordinator"), label="script", days=days)


def test_an_unknown_token_signs_nobody_in():
    assert user_of("nothing") is None
