"""A full disk: 503 with Retry-After, nothing half-written, and good saves once there is room."""

import itertools
import json

import pytest
from django.db import OperationalError, connection
from django.test import Client

from portal.audit.models import AuditEvent
from portal.audit.verify import verify
from portal.errors import is_busy
from portal.fence import triggers
from readers.models import DraftSave, Read
from tests.cohort import make_user
from tests.readers.builders import answers, draft, make_reading_study, start

pytestmark = [
    pytest.mark.promise("R2"),
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="Postgres has its own code for it"),
]


@pytest.fixture
def case(transactional_db):
    yield start(make_reading_study(n_lesions=1)).assignments.get(position=1)
    triggers.drop(connection)  # the harness empties the tables afterwards


def pragma(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {statement}")
        return int(cursor.fetchone()[0])


@pytest.fixture
def room(case):
    """How many pages the database may still grow by; none is left at first, plenty at the end."""

    def give(pages: int) -> None:
        pragma(f"max_page_count={pragma('page_count') + pages}")

    yield give
    pragma("max_page_count=1073741823")


keys = (f"key-{n}" for n in itertools.count())


def save(client: Client, case, *, version: int, key: str, comment: str = ""):
    body = draft(answers("benign", 3, comment=comment))
    return client.put(
        f"/reading/cases/{case.code}/draft", json.dumps(body), content_type="application/json",
        headers={"If-Match": f'"{version}"', "Idempotency-Key": key},
    )  # fmt: skip


@pytest.fixture
def client(case) -> Client:
    client = Client()
    client.force_login(make_user("expert1"))
    client.get(f"/reading/cases/{case.code}/document")
    return client


def state(case) -> tuple[int, int, int]:
    """Version of the read, saves and acts: what must move together."""
    version = Read.objects.get(assignment=case, is_current=True).version
    return version, DraftSave.objects.count(), AuditEvent.objects.filter(verb="read.save").count()


def fill(client: Client, case) -> tuple[int, str]:
    """Save until the disk is full; the version then, and the key that was refused."""
    for version in range(200):
        key = next(keys)
        answer = save(client, case, version=version, key=key, comment="x" * 3000)
        if answer.status_code != 200:
            assert answer.status_code == 503, answer.content
            assert int(answer["Retry-After"]) >= 1
            return version, key
    raise AssertionError("the disk never filled")


def test_a_full_disk_is_a_503_that_changes_nothing_and_the_replay_is_the_next_version(
    client, case, room
):
    room(3)
    version, key = fill(client, case)
    assert state(case) == (version, version, version)
    assert (
        save(client, case, version=version, key=next(keys), comment="y" * 3000).status_code == 503
    )
    assert state(case) == (version, version, version)
    room(500)
    answer = save(client, case, version=version, key=key, comment="x" * 3000)
    assert (answer.status_code, answer.json()["version"]) == (200, version + 1)
    again = save(client, case, version=version, key=key, comment="x" * 3000)
    assert again.json()["version"] == version + 1
    assert state(case) == (version + 1,) * 3
    assert pragma_text("integrity_check") == "ok"
    assert verify().is_intact


def pragma_text(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return str(cursor.fetchone()[0])


def test_reading_goes_on_while_the_disk_is_full(client, case, room):
    room(0)
    fill(client, case)
    assert client.get("/reading/").status_code == 200
    assert client.get("/healthz").status_code in {200, 503}


def test_the_sentence_says_that_nothing_was_lost(client, case, room):
    room(0)
    fill(client, case)
    detail = save(client, case, version=99, key=next(keys), comment="z" * 9000)
    assert detail.status_code in {409, 503}
    assert "detail" in detail.json()


def test_the_databases_full_is_told_from_other_faults(case, room):
    room(0)
    write = (
        "INSERT INTO web_cache WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) "
        "SELECT hex(randomblob(20)), hex(randomblob(4000)), '2026-01-01' FROM n"
    )
    with pytest.raises(OperationalError) as caught, connection.cursor() as cursor:
        cursor.execute(write)
    assert is_busy(caught.value)
    with pytest.raises(OperationalError) as other, connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    assert not is_busy(other.value)
