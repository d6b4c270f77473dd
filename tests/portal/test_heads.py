"""The trail's head beside the database: written each minute, and the start refused when the two disagree."""

import json
import stat
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from portal.audit import verify as heads
from portal.audit.models import AuditEvent, AuditPayload
from portal.audit.trail import record
from portal.audit.verify import anchor, head_holds, side_file_of_installation, verify
from portal.fence import triggers
from portal.jobs import health, reaper

REASON = "an old copy was put back after the disk broke"


@pytest.fixture(autouse=True)
def own_side_file(tmp_path, settings):
    settings.DATA_DIR = tmp_path
    return tmp_path / "audit-heads.txt"


@pytest.fixture
def tampered(transactional_db, own_side_file):
    """Three acts, the last one anchored, then cut off by the database's owner."""
    for verb in ("one", "two", "three"):
        record(verb)
    anchor()
    triggers.drop(connection)
    AuditEvent.objects.filter(verb="three").delete()
    yield own_side_file
    AuditPayload.objects.all().delete()
    AuditEvent.objects.all().delete()


@pytest.mark.django_db
def test_without_a_side_file_or_an_act_there_is_nothing_to_disagree():
    assert head_holds()
    anchor()
    assert not side_file_of_installation().exists()
    record("first")
    assert head_holds()


@pytest.mark.django_db
def test_the_head_is_written_for_the_owner_alone_and_once_while_nothing_happens(own_side_file):
    record("one")
    for _ in range(3):
        anchor()
    record("two")
    anchor()
    lines = own_side_file.read_text().splitlines()
    assert [line.split(" ")[:2] for line in lines] == [
        [str(e.seq), e.hash] for e in AuditEvent.objects.order_by("seq")
    ]
    assert stat.S_IMODE(own_side_file.stat().st_mode) == 0o600
    assert head_holds()


@pytest.mark.django_db
def test_only_the_end_of_a_long_side_file_is_read(own_side_file):
    own_side_file.write_text("7 abc 2026-01-01T00:00:00Z\n" * 5000)
    assert heads.last_line(own_side_file) == "7 abc 2026-01-01T00:00:00Z"


@pytest.mark.django_db
@pytest.mark.parametrize("line", ["x y z", "99", "1 0000 2026-01-01T00:00:00Z", "-1 a b"])
def test_a_line_that_names_no_row_disagrees(own_side_file, line):
    record("one")
    own_side_file.write_text(line + "\n")
    assert not head_holds()


@pytest.mark.promise("R16")
def test_a_cut_tail_refuses_the_start_with_what_to_do(tampered):
    (problem,) = [p for p in health.self_check() if "head" in p]
    assert "Restore a backup" in problem
    assert not verify().is_intact


@pytest.mark.promise("R16")
def test_an_administrator_accepts_it_by_an_act_with_a_reason(tampered, capsys):
    call_command("audit_verify", "--acknowledge", REASON, "--json")
    assert json.loads(capsys.readouterr().out)["intact"]
    event = AuditEvent.objects.get(verb="audit.acknowledge")
    assert REASON in event.values.body
    assert head_holds()
    (kept,) = tampered.parent.glob("audit-heads.2*.txt")
    assert kept.read_text().startswith("3 ")


def test_accepting_needs_a_reason(tampered):
    with pytest.raises(CommandError, match="at least 10 characters"):
        call_command("audit_verify", "--acknowledge", "because")
    assert not AuditEvent.objects.filter(verb="audit.acknowledge").exists()


@pytest.mark.django_db
def test_the_reaper_writes_the_head_at_once_and_then_each_minute(own_side_file, monkeypatch):
    record("one")
    stop, clock = threading.Event(), iter([100.0, 100.0, 100.0, 130.0, 161.0, 161.0, 170.0])
    monkeypatch.setattr(reaper.time, "monotonic", lambda: next(clock))
    rounds = []

    def one_round(_period):
        rounds.append(len(own_side_file.read_text().splitlines()))
        record("again")
        if len(rounds) == 4:
            stop.set()

    monkeypatch.setattr(stop, "wait", one_round)
    reaper.serve(stop)
    assert rounds == [1, 1, 2, 2]
