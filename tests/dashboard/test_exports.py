"""Exports: who may take which table from when, and that taking it leaves its act."""

import pytest
from django.test import Client

from portal.audit.models import AuditEvent
from portal.dashboard.exports import EXPORTS
from portal.dashboard.formats import csv_text
from portal.study.models import State
from tests.cohort import make_lesion, make_patient, make_study, make_user

pytestmark = pytest.mark.django_db


def signed_in(name: str) -> Client:
    client = Client()
    client.force_login(make_user(name))
    return client


@pytest.mark.parametrize("key", sorted(EXPORTS))
@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "outsider"])
def test_only_coordinators_and_analysts_take_exports(key, name):
    make_study(state=State.UNBLINDED)
    assert signed_in(name).get(f"/studies/bone/exports/{key}.csv").status_code == 404


@pytest.mark.parametrize("key", ["reads", "predictions"])
def test_answers_and_predictions_wait_for_the_unblinding(key):
    make_study(state=State.READING)
    assert signed_in("coordinator").get(f"/studies/bone/exports/{key}.csv").status_code == 404


@pytest.mark.parametrize("key", sorted(EXPORTS))
@pytest.mark.parametrize("form", ["csv", "json"])
def test_an_export_has_its_columns_and_leaves_one_act(key, form):
    make_lesion(make_patient(make_study(state=State.UNBLINDED)))
    before = AuditEvent.objects.count()
    answer = signed_in("coordinator").get(f"/studies/bone/exports/{key}.{form}")
    assert answer.status_code == 200
    if form == "csv":
        assert answer.content.decode().splitlines()[0] == ",".join(EXPORTS[key].columns)
    else:
        assert answer.json()["study"] == "bone"
    assert AuditEvent.objects.filter(verb="export.take").count() == 1
    assert AuditEvent.objects.count() == before + 1


def test_the_exports_page_lists_every_table_and_says_from_when():
    make_study(state=State.SCREENING)
    text = signed_in("coordinator").get("/studies/bone/exports/").content.decode()
    assert all(export.title in text for export in EXPORTS.values())
    assert "from unblinded" in text


@pytest.mark.promise("X2")
@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_text_that_looks_like_a_formula_gets_an_apostrophe(text):
    assert "'" + text[0] in csv_text(["a"], [[text]])


def test_numbers_stay_numbers():
    assert csv_text(["a"], [[-1.5]]).splitlines()[1] == "-1.5"
