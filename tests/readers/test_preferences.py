"""A reader's settings: kept on the server, given with every case, refused whole if one of them is wrong."""

import json

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.errors import Invalid
from readers.preferences import DEFAULTS, checked, preferences
from tests.cohort import make_user
from tests.readers.builders import make_reading_study, start

ADDRESS = "/reading/preferences"
MINE = {
    "backend": "cpu",
    "layout": "axial",
    "text_size": "large",
    "single_keys": False,
    "keys": {"call-metastasis": "n", "link": ""},
}
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from(["cpu", "six", "normal", "large", "x", "\x00", ""]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(
        st.sampled_from(["link", "Link", ""]), st.sampled_from(["l", "", 3]), max_size=2
    ),
)


@given(saved=anything | st.fixed_dictionaries({}, optional=dict.fromkeys(DEFAULTS, anything)))
def test_whatever_is_stored_the_desk_gets_valid_settings(saved):
    assert checked(preferences(saved)) == preferences(saved)


def test_valid_settings_are_taken_as_they_are():
    assert checked(MINE) == MINE
    assert preferences(MINE) == MINE


def test_nothing_stored_means_the_defaults():
    assert preferences({}) == preferences(None) == DEFAULTS


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"backend": "webgpu"}, "backend"),
        ({"layout": "seven"}, "layout"),
        ({"text_size": None}, "text_size"),
        ({"single_keys": 1}, "single_keys"),
        ({"keys": ["m"]}, "keys"),
        ({"keys": {"Call": "m"}}, "keys"),
        ({"keys": {"call-benign": "x" * 25}}, "keys"),
        ({"keys": {"call-benign": "\x00"}}, "keys"),
        ({"keys": {"call-benign": 7}}, "keys"),
        ({"keys": {f"c{k}": "m" for k in range(201)}}, "keys"),
    ],
)
def test_a_wrong_setting_is_named(change, field):
    with pytest.raises(Invalid) as refused:
        checked({**MINE, **change})
    assert refused.value.field == field


@pytest.mark.parametrize("wanted", [None, [], {}, {**MINE, "theme": "dark"}])
def test_other_settings_than_these_are_refused(wanted):
    with pytest.raises(Invalid):
        checked(wanted)


def client_of(name: str) -> Client:
    client = Client(headers={"accept": "application/json"})
    client.force_login(make_user(name))
    return client


def put(client: Client, body: object):
    return client.put(ADDRESS, json.dumps(body), content_type="application/json")


@pytest.mark.django_db
class TestThroughTheDoor:
    def test_saved_settings_come_with_the_next_case_on_any_machine(self):
        case = start(make_reading_study()).assignments.get(position=1)
        assert put(client_of("expert1"), MINE).json() == MINE
        other_machine = client_of("expert1")
        document = other_machine.get(f"/reading/cases/{case.code}/document").json()
        assert document["case"]["preferences"] == MINE
        assert document["case"]["urls"]["preferences"] == ADDRESS
        assert other_machine.get(ADDRESS).json() == MINE

    def test_one_readers_settings_are_not_anothers(self):
        put(client_of("expert1"), MINE)
        assert client_of("expert2").get(ADDRESS).json() == DEFAULTS

    def test_saving_writes_one_row_of_the_trail(self):
        put(client_of("expert1"), MINE)
        (event,) = AuditEvent.objects.filter(verb="preferences.save")
        assert event.scope == "own"

    def test_a_refused_save_changes_nothing(self):
        client = client_of("expert1")
        put(client, MINE)
        answer = put(client, {**MINE, "backend": "x"})
        assert answer.status_code == 422 or answer.status_code == 400
        assert "backend" in answer.json()["detail"]
        assert User.objects.get(username="expert1").preferences == MINE

    def test_nobody_is_asked_to_sign_in_by_a_page(self):
        assert Client(headers={"accept": "application/json"}).get(ADDRESS).status_code == 401
