"""A person's own pages: tokens shown once, the second factor, the password, and who is told about what."""

import io
import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.accounts import second_factor, tokens
from portal.accounts.models import ApiToken, User
from portal.audit.models import AuditEvent, AuditPayload, Signature
from portal.errors import Forbidden, Locked, NotFound
from portal.study.members import add_member
from portal.study.models import Membership
from portal.study.signing import prove
from tests.cohort import PASSWORD, make_study, make_user
from tests.study.test_pages import sign_in

pytestmark = pytest.mark.django_db
SECRET = "JBSWY3DPEHPK3PXP"
LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def no_earlier_tries():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def strict(settings):
    settings.SECOND_FACTOR = True


def give_factor(user: User) -> str:
    """A second factor for the user; its code of this moment."""
    TOTP.activate(user, SECRET)
    return code_now()


def code_now() -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(SECRET, counter))


def verbs() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


def enter(name: str, password: str = PASSWORD) -> Client:
    """Signed in through the page, as people do."""
    client = Client()
    client.post(LOGIN, {"login": name, "password": password})
    return client


# --- tokens -------------------------------------------------------------------------------------


def test_a_new_token_stands_on_one_answer_works_and_is_an_act():
    make_study()
    client = sign_in("coordinator")
    page = client.post(
        "/account/tokens/", {"label": "nightly export", "days": "30"}
    ).content.decode()
    text = re.search(r"<code>([\w-]{40,})</code>", page).group(1)
    program = Client(headers={"authorization": f"Token {text}"})
    assert program.get("/api/v1/studies/bone/").status_code == 200
    assert text not in client.get("/account/").content.decode()
    assert verbs() == ["token.issue"]
    assert text not in AuditPayload.objects.get().body


def test_the_list_names_living_tokens_only():
    user = make_user("coordinator")
    past = timezone.now() - timedelta(days=9)
    tokens.issue(user, label="living", days=3)
    tokens.issue(user, label="ended", days=3, now=past)
    tokens.revoke(user, tokens.issue(user, label="revoked", days=3).row.pk, timezone.now())
    page = sign_in("coordinator").get("/account/").content.decode()
    assert "living" in page
    assert "ended" not in page.replace("ended already", "")
    assert "revoked" not in page


def test_a_revoked_token_stops_working_at_once():
    make_study()
    token = tokens.issue(make_user("coordinator"), label="x", days=3)
    program = Client(headers={"authorization": f"Token {token.text}"})
    assert program.get("/api/v1/studies/bone/").status_code == 200
    sign_in("coordinator").post(f"/account/tokens/{token.row.pk}/revoke/")
    assert program.get("/api/v1/studies/bone/").status_code == 401
    assert verbs() == ["token.revoke"]


@pytest.mark.promise("B6")
def test_nobody_revokes_anothers_token():
    token = tokens.issue(make_user("coordinator"), label="x", days=3)
    client = sign_in("outsider")
    assert client.post(f"/account/tokens/{token.row.pk}/revoke/").status_code == 404
    assert client.post("/account/tokens/999999/revoke/").status_code == 404
    assert ApiToken.objects.get().revoked_at is None
    with pytest.raises(NotFound):
        tokens.revoke(make_user("outsider"), token.row.pk, timezone.now())


@pytest.mark.parametrize(
    "form",
    [
        {"label": "", "days": "3"}, {"label": "x" * 81, "days": "3"}, {"label": "x", "days": "0"},
        {"label": "x", "days": "91"}, {"label": "x", "days": "soon"}, {"label": "x", "days": "²"},
        {"label": "x"}, {"days": "1"},
    ],
)  # fmt: skip
def test_a_token_without_a_name_or_with_foolish_days_is_not_made(form):
    make_user("coordinator")
    assert sign_in("coordinator").post("/account/tokens/", form).status_code == 422
    assert not ApiToken.objects.exists()
    assert verbs() == []


def test_a_program_cannot_make_or_revoke_tokens_or_end_sessions():
    token = tokens.issue(make_user("coordinator"), label="x", days=3)
    program = Client(headers={"authorization": f"Token {token.text}"})
    answers = [
        program.get("/account/"),
        program.post("/account/tokens/", {"label": "y", "days": "90"}),
        program.post(f"/account/tokens/{token.row.pk}/revoke/"),
        program.post("/account/sign-out-everywhere/"),
    ]
    assert [a.status_code for a in answers] == [403] * 4
    assert ApiToken.objects.count() == 1


def test_without_a_second_factor_no_token_is_given_out(strict):
    make_user("coordinator")
    answer = sign_in("coordinator").post("/account/tokens/", {"label": "x", "days": "3"})
    assert answer.status_code == 403
    assert "/accounts/2fa/totp/activate/" in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_strangers_are_sent_to_sign_in():
    answer = Client().get("/account/")
    assert answer.status_code == 302
    assert answer["Location"].startswith(LOGIN)


@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "coordinator"])
def test_every_role_has_its_own_page_and_may_make_a_token_behind_the_fence(name):
    make_study()
    client = sign_in(name)
    assert client.get("/account/").status_code == 200
    assert client.post("/account/tokens/", {"label": "mine", "days": "1"}).status_code == 200
    assert ApiToken.objects.get().user.username == name


# --- the second factor --------------------------------------------------------------------------


@pytest.mark.promise("A4")
@pytest.mark.parametrize(
    ("name", "status"), [("coordinator", 403), ("analyst", 403), ("monitor", 200)]
)
def test_who_sees_truth_reaches_a_real_study_with_a_second_factor_only(strict, name, status):
    make_study()
    assert sign_in(name).get("/studies/bone/").status_code == status
    assert sign_in(name).get("/api/v1/studies/bone/protocol/").status_code in {status, 404}
    give_factor(make_user(name))
    assert sign_in(name).get("/studies/bone/").status_code == 200


def test_a_synthetic_study_asks_for_none(strict):
    make_study(is_synthetic=True)
    assert sign_in("coordinator").get("/studies/bone/").status_code == 200


def test_an_administrator_opens_accounts_with_a_second_factor_only(strict):
    User.objects.create_user("admin", password=PASSWORD, is_staff=True)
    admin = sign_in("admin")
    assert admin.get(reverse("study:accounts")).status_code == 403
    give_factor(make_user("admin"))
    assert admin.get(reverse("study:accounts")).status_code == 200


@pytest.mark.promise("A4")
def test_a_real_study_is_not_signed_with_a_password_alone(strict):
    study, user = make_study(), make_user("coordinator")
    with pytest.raises(second_factor.SecondFactorMissing, match="second factor"):
        prove(study, user, password=PASSWORD)
    code = give_factor(user)
    with pytest.raises(Forbidden):
        prove(study, user, password=PASSWORD, code="000000" if code != "000000" else "111111")
    assert prove(study, user, password=PASSWORD, code=code_now()) == "password+totp"


@pytest.mark.promise("A4")
def test_a_code_signs_once(strict):
    study, user = make_study(), make_user("coordinator")
    give_factor(user)
    code = code_now()
    prove(study, user, password=PASSWORD, code=code)
    with pytest.raises(Forbidden):
        prove(study, user, password=PASSWORD, code=code)


@pytest.mark.promise("A4")
def test_a_token_cannot_sign():
    make_study(state="READS_LOCKED")
    token = tokens.issue(make_user("monitor"), label="x", days=3)
    program = Client(headers={"authorization": f"Token {token.text}"})
    answer = program.post("/studies/bone/confirm/", {"password": PASSWORD})
    assert answer.status_code == 403
    assert "token cannot sign" in answer.content.decode()
    assert "study.confirm" not in verbs()


@pytest.mark.promise("A4")
@pytest.mark.promise("A5")
def test_the_fifth_failure_is_a_lock_and_the_study_is_told():
    study, user = make_study(), make_user("coordinator")
    for _ in range(5):
        with pytest.raises(Forbidden):
            prove(study, user, password="wrong")
    with pytest.raises(Locked):
        prove(study, user, password=PASSWORD)
    assert verbs() == ["signature.failed"] * 4 + ["signature.locked"]
    page = sign_in("analyst").get("/studies/bone/audit/").content.decode()
    assert "signature.locked" in page


def test_the_confirmation_stores_how_it_was_proven(strict):
    make_study(state="READS_LOCKED")
    code = give_factor(make_user("monitor"))
    answer = sign_in("monitor").post("/studies/bone/confirm/", {"password": PASSWORD, "code": code})
    assert answer.status_code == 302
    assert Signature.objects.get().method == "password+totp"


def test_setting_up_an_authenticator_app_from_the_pages_asks_the_password_first(
    django_capture_on_commit_callbacks,
):
    make_user("expert1")
    client = enter("expert1")
    address = "/accounts/2fa/totp/activate/"
    assert "/accounts/reauthenticate/" in client.get(address)["Location"]
    assert client.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302
    page = client.get(address)
    assert page.status_code == 200
    body = page.content.decode()
    assert 'class="banner"' in body
    assert "data:image/svg+xml" in body
    secret = client.session["mfa.totp.secret"]
    counter = next(iter(yield_hotp_counters_from_time()))
    code = format_hotp_value(hotp_value(secret, counter))
    with django_capture_on_commit_callbacks(execute=True):
        done = client.post(address, {"code": code})
    assert done.status_code == 302
    assert Authenticator.objects.filter(type=Authenticator.Type.TOTP).count() == 1
    assert "account.totp_activated" in verbs()
    assert client.get("/accounts/2fa/recovery-codes/").status_code == 200


def test_after_the_set_up_the_password_alone_does_not_sign_in():
    make_study()
    give_factor(make_user("expert1"))
    client = enter("expert1")
    assert client.get("/reading/").status_code == 302
    assert client.get("/accounts/2fa/authenticate/").status_code == 200
    assert client.post("/accounts/2fa/authenticate/", {"code": code_now()}).status_code == 302
    assert client.get("/reading/").status_code == 200


def test_a_recovery_code_signs_in_once():
    make_study()
    user = make_user("expert1")
    give_factor(user)
    code = RecoveryCodes.activate(user).get_unused_codes()[0]
    for wanted in (302, 200):
        client = enter("expert1")
        assert client.post("/accounts/2fa/authenticate/", {"code": code}).status_code == wanted


def test_nobody_drops_the_second_factor_at_an_open_machine():
    make_study()
    user = make_user("expert1")
    give_factor(user)
    client = enter("expert1")
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    client.post("/accounts/2fa/reauthenticate/", {"code": code_now()})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    answer = client.post("/accounts/2fa/totp/deactivate/")
    assert answer.status_code == 200
    assert second_factor.has_one(user)


def test_new_recovery_codes_replace_the_old_ones_also_for_a_blind_reader():
    make_study()
    user = make_user("expert1")
    give_factor(user)
    old = RecoveryCodes.activate(user).get_unused_codes()
    client = enter("expert1")
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert client.post("/accounts/2fa/recovery-codes/generate/").status_code == 302
    row = Authenticator.objects.get(user=user, type=Authenticator.Type.RECOVERY_CODES)
    assert set(RecoveryCodes(row).get_unused_codes()).isdisjoint(old)


def test_a_new_password_needs_the_old_one_twelve_characters_and_is_an_act():
    make_user("expert1")
    client = enter("expert1")
    start = verbs()
    for old, new in (
        ("wrong", "a long new passphrase"),
        (PASSWORD, "short"),
        (PASSWORD, "password1234"),
    ):
        form = {"oldpassword": old, "password1": new, "password2": new}
        assert client.post("/accounts/password/change/", form).status_code == 200
        assert make_user("expert1").check_password(PASSWORD)
    assert verbs() == start
    form = {
        "oldpassword": PASSWORD,
        "password1": "a long new passphrase",
        "password2": "a long new passphrase",
    }
    assert client.post("/accounts/password/change/", form).status_code == 302
    assert verbs() == [*start, "account.password_changed"]
    assert make_user("expert1").check_password("a long new passphrase")


# --- the door -----------------------------------------------------------------------------------


@pytest.mark.promise("A5")
def test_a_sign_in_and_a_failure_are_acts_of_the_person_without_what_was_typed():
    user = make_user("expert1")
    enter("expert1", "wrong-and-secret")
    enter("expert1")
    rows = list(AuditEvent.objects.order_by("seq").values_list("verb", "obj", "actor"))
    assert rows == [
        ("sign_in.failed", f"user:{user.code}", f"u:{user.pk}"),
        ("sign_in", f"user:{user.code}", f"u:{user.pk}"),
    ]
    assert not AuditPayload.objects.exists()


@pytest.mark.promise("A5")
def test_unknown_names_leave_one_row_a_minute_and_no_name():
    for k in range(5):
        enter(f"patient-name-{k}", "x")
    assert verbs() == ["sign_in.failed"]
    assert "patient-name" not in str(list(AuditEvent.objects.values()))


@pytest.mark.promise("A5")
@pytest.mark.promise("S6")
def test_the_tenth_failure_locks_and_the_lock_is_one_act_that_the_coordinator_sees():
    make_study()
    for k in range(13):
        enter("expert1", f"wrong{k}")
    assert verbs() == ["sign_in.failed"] * 10 + ["sign_in.locked"]
    assert "sessionid" not in enter("expert1").cookies
    page = sign_in("coordinator").get("/studies/bone/audit/").content.decode()
    assert "sign_in.locked" in page


def test_a_stranger_cannot_make_an_account():
    answer = Client().post(
        "/accounts/signup/", {"username": "new", "password1": PASSWORD, "password2": PASSWORD}
    )
    assert not User.objects.filter(username="new").exists()
    assert "closed" in answer.content.decode().lower()


@pytest.mark.parametrize(
    "address",
    [
        "login/",
        "signup/",
        "password/reset/",
        "password/change/",
        "reauthenticate/",
        "2fa/",
        "email/",
    ],
)
def test_each_page_of_the_sign_in_wears_the_houses_dress_without_inline_script(address):
    make_user("expert1")
    client = Client() if address in {"login/", "signup/", "password/reset/"} else enter("expert1")
    page = client.get(f"/accounts/{address}", follow=True).content.decode()
    assert 'class="banner"' in page
    assert "osteon.css" in page
    assert not re.search(r"<script(?![^>]*(src=|application/json))[^>]*>", page)
    assert "style=" not in page
    assert "<h1" in page


@pytest.mark.promise("A4")
def test_an_administrator_has_no_study_by_being_one_and_cannot_grant_oneself_one():
    study = make_study()
    admin = User.objects.create_user("admin", password=PASSWORD, is_staff=True, is_superuser=True)
    client = sign_in("admin")
    assert client.get("/studies/bone/").status_code == 404
    assert client.get("/api/v1/studies/bone/").status_code == 404
    with pytest.raises(Forbidden, match="oneself"):
        add_member(study, admin, "coordinator", actor=admin, now=timezone.now())
    assert not Membership.objects.filter(user=admin).exists()


# --- a lost device: manage.py reset_second_factor -----------------------------------------------
REASON = "Her telephone was lost on the ward."


def reset(name: str = "expert1", reason: str = REASON) -> str:
    out = io.StringIO()
    call_command("reset_second_factor", name, reason=reason, stdout=out)
    return out.getvalue().strip()


def test_a_reset_takes_factor_and_codes_of_this_person_only_and_is_one_act(strict):
    user, other = make_user("expert1"), make_user("expert2")
    for one in (user, other):
        give_factor(one)
    RecoveryCodes.activate(user)
    start = len(verbs())
    said = reset()
    assert said == "2 authenticators and code lists of expert1 removed, every session ended."
    assert not Authenticator.objects.filter(user=user).exists()
    assert second_factor.has_one(other)
    assert verbs()[start:] == ["second_factor.reset"]
    event = AuditEvent.objects.latest("seq")
    assert (event.obj, event.role, event.actor) == (f"user:{user.code}", "administrator", "system")
    body = AuditPayload.objects.get(event=event).body
    assert '"kinds":["recovery_codes","totp"]' in body
    assert REASON in body
    with pytest.raises(second_factor.SecondFactorMissing):
        second_factor.require(User.objects.get(pk=user.pk))


def test_after_a_reset_old_sessions_are_over_and_a_new_sign_in_asks_for_no_code():
    make_study()
    user = make_user("expert1")
    client = enter("expert1")
    assert client.get("/account/").status_code == 200
    code = give_factor(user)
    reset()
    assert client.get("/account/").status_code == 302
    assert enter("expert1").get("/account/").status_code == 200
    assert code not in str(AuditPayload.objects.values_list("body", flat=True))


@pytest.mark.parametrize(
    ("name", "reason", "sentence"),
    [
        ("nobody", REASON, "There is no user nobody."),
        ("expert2", REASON, "expert2 has no second factor to reset."),
        ("expert1", "", "Say in at least 10 characters why the second factor is reset."),
        ("expert1", "lost it  ", "Say in at least 10 characters why the second factor is reset."),
        ("expert1", " " * 40, "Say in at least 10 characters why the second factor is reset."),
    ],
)
def test_a_reset_that_cannot_be_is_one_sentence_and_changes_nothing(name, reason, sentence):
    user = make_user("expert1")
    make_user("expert2")
    give_factor(user)
    start = verbs()
    with pytest.raises(CommandError) as refusal:
        reset(name, reason)
    assert (str(refusal.value), refusal.value.returncode) == (sentence, 2)
    assert second_factor.has_one(user)
    assert User.objects.get(pk=user.pk).sessions_since is None
    assert verbs() == start


def test_a_reset_needs_its_reason():
    with pytest.raises(CommandError, match="--reason"):
        call_command("reset_second_factor", "expert1")
