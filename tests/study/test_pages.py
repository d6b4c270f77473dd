"""The study pages as people meet them: without JavaScript, role by role, empty and filled."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from portal.audit.models import AuditEvent
from portal.study import pages
from portal.study.models import Criterion, Membership, Patient, State, Study
from portal.study.screening import add_default_criteria, decide
from tests.cohort import (
    NOW,
    PASSWORD,
    make_patient,
    make_study,
    make_user,
)
from tests.study.builders import coordinator, make_cohort

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.study.urls")]
COORDINATOR_PAGES = (
    "", "protocol/", "settings/", "members/", "patients/", "lesions/", "screening/",
    "screening/flow.svg", "cohort/", "cohort/template.csv", "new-patient/",
)  # fmt: skip
SignIn = Callable[[str], Client]


def sign_in(name: str) -> Client:
    client = Client()
    client.force_login(make_user(name), backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(client: Client, address: str, *, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content.decode()[:2000]
    return response.content.decode()


def filled_study(state: str = State.SCREENING) -> Study:
    study = make_study(state="SCREENING")
    add_default_criteria(study, actor=coordinator(), now=NOW)
    for patient in make_cohort(study, 3, with_two=1):
        decide(patient, "included", None, actor=coordinator(), now=NOW)
    excluded = make_patient(study, "S900")
    criterion = Criterion.objects.get(study=study, code="no-ct-lesion")
    decide(excluded, "excluded", criterion, actor=coordinator(), now=NOW)
    Study.objects.filter(pk=study.pk).update(state=state)
    return study


@pytest.mark.parametrize("path", COORDINATOR_PAGES)
@pytest.mark.parametrize("build", [make_study, filled_study])
def test_every_page_opens_for_the_coordinator_empty_and_filled(
    path: str, build: Callable[[], Study]
) -> None:
    build()
    assert text_of(sign_in("coordinator"), f"/studies/bone/{path}")


@pytest.mark.parametrize("path", COORDINATOR_PAGES)
@pytest.mark.parametrize("name", ["expert1", "delineator2", "outsider"])
def test_readers_and_outsiders_find_no_such_page(path: str, name: str) -> None:
    filled_study()
    response = sign_in(name).get(f"/studies/bone/{path}")
    expected = 302 if path == "" and name != "outsider" else 404
    assert response.status_code == expected


@pytest.mark.parametrize("path", COORDINATOR_PAGES)
def test_who_has_not_signed_in_is_asked_to(path: str) -> None:
    make_study()
    response = Client().get(f"/studies/bone/{path}")
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("analyst", "patients/", 200), ("analyst", "screening/", 200), ("analyst", "settings/", 404),
        ("analyst", "cohort/", 404), ("monitor", "screening/", 200), ("monitor", "patients/", 404),
        ("monitor", "members/", 200), ("monitor", "", 200), ("analyst", "", 200),
        ("analyst", "members/", 200), ("monitor", "protocol/", 200), ("monitor", "settings/", 404),
    ],
)  # fmt: skip
def test_each_role_has_its_pages(name: str, path: str, status: int) -> None:
    filled_study()
    assert sign_in(name).get(f"/studies/bone/{path}").status_code == status


def without_token(page: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)


@pytest.mark.promise("B6")
def test_a_missing_study_looks_like_a_foreign_one() -> None:
    make_study()
    client = sign_in("outsider")
    missing, foreign = (text_of(client, f"/studies/{c}/", status=404) for c in ("none", "bone"))
    assert without_token(missing) == without_token(foreign)


def test_every_view_declares_its_rule() -> None:
    for pattern in get_resolver("portal.study.urls").url_patterns:
        assert getattr(pattern.callback, "rule", None), pattern  # type: ignore[union-attr]


def test_my_studies_lists_mine_and_no_other() -> None:
    make_study()
    Study.objects.create(code="secret", name="Secret study", created_at=NOW)
    shown = text_of(sign_in("coordinator"), "/")
    assert "Study bone" in shown
    assert "Secret" not in shown


def test_a_reader_is_sent_to_the_reading_room() -> None:
    make_study()
    assert sign_in("expert1").get("/").headers["Location"] == "/reading/"


def test_somebody_without_a_study_is_told_what_to_do() -> None:
    assert "ask" in text_of(sign_in("outsider"), "/").lower()


def test_a_coordinator_creates_a_study_and_lands_on_its_home() -> None:
    make_study()
    response = sign_in("coordinator").post("/new-study/", {"code": "two", "name": "Second"})
    assert response.headers["Location"] == "/studies/two/"
    assert Membership.objects.get(study__code="two").role == "coordinator"


def test_a_taken_code_is_said_beside_the_field() -> None:
    make_study()
    response = sign_in("coordinator").post("/new-study/", {"code": "bone", "name": "Again"})
    assert response.status_code == 422
    assert "choose another code" in response.content.decode()


@pytest.mark.parametrize("name", ["expert1", "outsider", "monitor"])
def test_not_everybody_creates_studies(name: str) -> None:
    make_study()
    assert sign_in(name).post("/new-study/", {"code": "x", "name": "x"}).status_code == 404
    assert Study.objects.count() == 1


def test_an_administrator_opens_accounts_and_a_coordinator_does_not() -> None:
    make_study()
    fields = {"username": "carla", "password": "a long enough phrase"}
    assert sign_in("coordinator").post("/new-account/", fields).status_code == 404
    admin = make_user("root")
    admin.is_staff = True
    admin.save()
    assert sign_in("root").post("/new-account/", fields).status_code == 302
    assert make_user("carla").check_password("a long enough phrase")


def test_an_administrator_without_membership_sees_no_study() -> None:
    make_study()
    admin = make_user("root")
    admin.is_staff = admin.is_superuser = True
    admin.save()
    assert sign_in("root").get("/studies/bone/").status_code == 404


def test_the_home_lists_what_is_missing_before_the_next_step() -> None:
    make_study()
    shown = text_of(sign_in("coordinator"), "/studies/bone/")
    assert "Before SCREENING" in shown
    assert "Write the protocol." in shown
    assert 'aria-current="step"' in shown


def test_a_step_that_is_not_ready_is_refused_with_a_sentence() -> None:
    make_study()
    response = sign_in("coordinator").post(
        "/studies/bone/advance/", {"to": "SCREENING", "reason": "go"}
    )
    assert response.status_code == 409
    assert "Write the protocol." in response.content.decode()


def test_the_unblinding_asks_for_the_password_afresh() -> None:
    study = make_study(state="READS_LOCKED")
    Study.objects.filter(pk=study.pk).update(needs_second_confirmation=False)
    form = {"to": "UNBLINDED", "reason": "reads complete", "password": "wrong"}
    assert sign_in("coordinator").post("/studies/bone/advance/", form).status_code == 403
    form["password"] = PASSWORD
    assert sign_in("coordinator").post("/studies/bone/advance/", form).status_code in {302, 409}


def test_a_monitor_confirms_the_unblinding_with_the_password() -> None:
    make_study(state="READS_LOCKED")
    client = sign_in("monitor")
    assert "Second confirmation" in text_of(client, "/studies/bone/")
    assert client.post("/studies/bone/confirm/", {"password": "wrong"}).status_code == 403
    assert client.post("/studies/bone/confirm/", {"password": PASSWORD}).status_code == 302
    verbs = list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))
    assert verbs == ["signature.failed", "study.confirm"]


def test_the_protocol_is_written_and_then_read_only() -> None:
    study = make_study()
    client = sign_in("coordinator")
    client.post(
        "/studies/bone/protocol/save/", {"protocol": "As published", "analysis_plan": "AUC"}
    )
    study.refresh_from_db()
    assert (study.protocol, study.analysis_plan) == ("As published", {"text": "AUC"})
    for state in ("SCREENING", "READING"):
        Study.objects.update(state=state)
    assert "<textarea" not in text_of(client, "/studies/bone/protocol/")
    fields = {"protocol": "Other", "analysis_plan": ""}
    assert client.post("/studies/bone/protocol/save/", fields).status_code == 409


def test_a_plan_in_json_keeps_its_parameters_and_bad_json_is_refused() -> None:
    study = make_study()
    client = sign_in("coordinator")
    client.post("/studies/bone/protocol/save/", {"analysis_plan": '{"alpha": 0.05}'})
    study.refresh_from_db()
    assert study.analysis_plan == {"alpha": 0.05}
    response = client.post("/studies/bone/protocol/save/", {"analysis_plan": "{alpha"})
    assert response.status_code == 422
    assert "not readable JSON" in response.content.decode()


def test_settings_are_saved_and_the_cap_is_guarded() -> None:
    study = filled_study()
    client = sign_in("coordinator")
    fields = {"name": "Spine", "lesion_cap": "3", "needs_second_confirmation": "on"}
    assert client.post("/studies/bone/settings/", fields).status_code == 302
    study.refresh_from_db()
    assert (study.name, study.lesion_cap) == ("Spine", 3)
    response = client.post("/studies/bone/settings/", {**fields, "lesion_cap": "1"})
    assert response.status_code == 422
    assert "exclude lesions first" in response.content.decode()


def test_members_come_change_and_go() -> None:
    make_study()
    make_user("carla")
    client = sign_in("coordinator")
    client.post("/studies/bone/members/add/", {"username": "carla", "role": "expert"})
    row = Membership.objects.get(user__username="carla")
    client.post(f"/studies/bone/members/{row.pk}/", {"role": "delineator"})
    row.refresh_from_db()
    assert row.role == "delineator"
    client.post(f"/studies/bone/members/{row.pk}/", {"role": "remove"})
    assert not Membership.objects.filter(user__username="carla").exists()


def test_a_refused_role_is_a_sentence() -> None:
    study = make_study()
    row = Membership.objects.get(study=study, user__username="analyst")
    response = sign_in("coordinator").post(f"/studies/bone/members/{row.pk}/", {"role": "expert"})
    assert response.status_code == 409
    assert "neither read nor draw" in response.content.decode()


def test_a_membership_of_another_study_is_not_reached() -> None:
    make_study()
    other = make_study("other")
    row = Membership.objects.get(study=other, user__username="expert1")
    response = sign_in("coordinator").post(f"/studies/bone/members/{row.pk}/", {"role": "remove"})
    assert response.status_code == 404


def test_the_banner_of_a_synthetic_study_is_on_every_page() -> None:
    study = Study.objects.create(code="syn", name="Syn", is_synthetic=True, created_at=NOW)
    Membership.objects.create(
        study=study, user=coordinator(), role="coordinator", can_coordinate=True, since=NOW
    )
    client = sign_in("coordinator")
    for path in COORDINATOR_PAGES:
        if path.endswith("/") or not path:
            assert "Synthetic data:" in text_of(client, f"/studies/syn/{path}")


@pytest.mark.promise("A1")
def test_a_get_changes_nothing_and_leaves_no_audit_row() -> None:
    filled_study()
    client, before = sign_in("coordinator"), AuditEvent.objects.count()
    for path in COORDINATOR_PAGES:
        client.get(f"/studies/bone/{path}")
    assert AuditEvent.objects.count() == before


@pytest.mark.promise("S4")
def test_a_post_without_a_token_of_the_form_is_refused() -> None:
    make_study()
    client = Client(enforce_csrf_checks=True)
    client.force_login(coordinator(), backend="django.contrib.auth.backends.ModelBackend")
    response = client.post("/studies/bone/new-patient/", {"subject": "P1"})
    assert response.status_code == 403
    assert not Patient.objects.exists()


def test_the_page_helper_gives_the_navigation_what_it_needs() -> None:
    assert reverse("study:home", kwargs={"study": "bone"}) == "/studies/bone/"
    assert callable(pages.page)
