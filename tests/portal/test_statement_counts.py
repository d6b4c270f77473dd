"""How often a request asks the database: counted, never timed, so that a slow machine changes nothing."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from readers.grants import grants
from tests.cohort import make_user
from tests.portal.test_full_disk import save
from tests.readers.builders import make_reading_study, plan, start
from tests.readers.test_images import series

pytestmark = pytest.mark.django_db
READS, WRITES = ("SELECT",), ("INSERT", "UPDATE", "DELETE", "REPLACE")


@pytest.fixture(autouse=True)
def fresh():
    grants.kept.clear()
    cache.clear()


def signed_in() -> Client:
    client = Client()
    client.force_login(make_user("expert1"))
    client.get("/reading/")  # when a session was seen is written once a minute, not counted here
    return client


def asked(context: CaptureQueriesContext, *kinds: str) -> list[str]:
    watch = 'COUNT(*) AS "__count" FROM "audit_auditevent"'  # tests/audit_watch.py, not the portal
    return [q["sql"] for q in context if q["sql"].startswith(kinds) and watch not in q["sql"]]


def test_a_slice_costs_at_most_three_reads_and_no_write():
    case = start(make_reading_study(n_lesions=1)).assignments.get(position=1)
    client = signed_in()
    images = series(client, case, "CT")["images"]
    client.get(images[0]["url"])
    for image in images[1:]:
        with CaptureQueriesContext(connection) as context:
            assert client.get(image["url"]).status_code == 200
        assert len(asked(context, *READS)) <= 3
        assert asked(context, *WRITES) == []


@pytest.mark.parametrize("n_lesions", [1, 4, 9])
def test_the_worklist_costs_at_most_eight_whatever_its_length(n_lesions):
    study = make_reading_study(n_lesions=n_lesions)
    start(study)
    client = signed_in()
    with CaptureQueriesContext(connection) as context:
        assert client.get("/reading/").status_code == 200
    assert len(asked(context, *READS, *WRITES)) <= 8


def test_the_worklist_costs_the_same_with_more_sessions():
    study = make_reading_study(n_lesions=2)
    start(study)
    client = signed_in()
    with CaptureQueriesContext(connection) as few:
        client.get("/reading/")
    plan(study, "expert1", kind="training")
    with CaptureQueriesContext(connection) as more:
        client.get("/reading/")
    assert len(asked(more, *READS)) <= 8
    assert len(asked(more, *READS)) <= len(asked(few, *READS)) + 1


def test_a_save_costs_at_most_twelve_with_session_and_audit():
    case = start(make_reading_study(n_lesions=1)).assignments.get(position=1)
    client = signed_in()
    client.get(f"/reading/cases/{case.code}/document")
    for version in range(4):
        with CaptureQueriesContext(connection) as context:
            assert save(client, case, version=version, key=f"k{version}").status_code == 200
        assert len(asked(context, *READS, *WRITES)) <= 12, "\n".join(
            q[:110] for q in asked(context, *READS, *WRITES)
        )


def test_health_costs_two_reads_and_a_stranger_is_not_looked_up():
    with CaptureQueriesContext(connection) as context:
        Client().get("/healthz")
    assert len(asked(context, *READS)) <= 2
    assert asked(context, *WRITES) == []
