"""A backup made while the portal works is consistent, damage is named, and restoring proves itself."""

import hashlib
import io
import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from portal.backup.restoring import looked_at, target_of
from portal.errors import Invalid
from tests.browser.portal_server import ROOT, build_reference, manage, variables
from tests.once import built_once

pytestmark = pytest.mark.promise("R12")

WRITER = """
import django, sys
django.setup()
from portal.audit.trail import record
from portal.audit.verify import anchor
print("writing", flush=True)
n = 0
while True:
    n += 1
    record("test.act", obj=f"thing:{n}", new={"n": n})
    if n % 5 == 0:
        anchor()
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory) -> Path:
    """A data folder with the seeded study, and its backup beside it."""
    folder = tmp_path_factory.mktemp("backup")
    shutil.copytree(built_once(tmp_path_factory, "reference", build_reference), folder / "data")
    manage(folder / "data", "backup", str(folder / "good.tar"))
    return folder


@pytest.fixture
def other_databases(django_db_blocker):
    """Lets a test open databases that are not the test run's own."""
    with django_db_blocker.unblock():
        yield


def attempt(data: Path, *command: str) -> tuple[int, str]:
    """Exit status and what was said on standard error."""
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT, env=variables(data), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stderr.strip()


def rows(data: Path) -> dict[str, int]:
    """How many rows each table of an installation holds."""
    with closing(sqlite3.connect(data / "osteon.sqlite3")) as db:
        names = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def rewritten(source: Path, to: Path, change) -> Path:
    """A backup with one member changed and its list of files made to fit."""
    bodies = {}
    with tarfile.open(source) as tar:
        for member in tar:
            bodies[member.name] = tar.extractfile(member).read()
    change(bodies)
    manifest = json.loads(bodies.pop("manifest.json"))
    manifest["files"] = [
        {"name": name, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        for name, body in bodies.items()
    ]
    bodies["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(to, "w") as tar:
        for name, body in bodies.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return to


def test_a_backup_is_for_its_owner_only(installation):
    assert stat.S_IMODE((installation / "good.tar").stat().st_mode) == 0o600


def test_a_backup_holds_database_pixels_and_keys_but_no_logs_or_locks(installation):
    with tarfile.open(installation / "good.tar") as tar:
        names = tar.getnames()
    assert {"database.sqlite3", "audit-heads.txt", "manifest.json"} <= set(names)
    assert any(name.startswith("archive/") and name.endswith(".pack") for name in names)
    assert "keys/secret_key" in names
    assert not any(word in name for name in names for word in ("logs/", ".lock", "broker", "spool"))


def test_a_restored_installation_has_every_row_and_proves_trail_and_frames(installation, tmp_path):
    target = tmp_path / "new"
    manage(target, "restore", str(installation / "good.tar"), "--json")
    before, after = rows(installation / "data"), rows(target)
    grown = {name for name in before if after[name] != before[name]}
    assert grown <= {"audit_auditevent", "audit_auditpayload"}
    assert json.loads(manage(target, "audit_verify", "--json"))["intact"] is True
    frames = json.loads(manage(target, "archive_verify", "--json"))
    assert frames["checked"] > 0
    assert frames["damaged"] == []
    for name in ("secret_key", "boundary"):
        old, new = (folder / "keys" / name for folder in (installation / "data", target))
        assert old.read_bytes() == new.read_bytes()


def test_restoring_is_an_act_that_anchors_the_trail_again(installation, tmp_path):
    target = tmp_path / "new"
    manage(target, "restore", str(installation / "good.tar"))
    with closing(sqlite3.connect(target / "osteon.sqlite3")) as db:
        seq, verb, head = db.execute(
            "SELECT seq, verb, hash FROM audit_auditevent ORDER BY seq DESC LIMIT 1"
        ).fetchone()
    assert verb == "backup.restore"
    last = (target / "audit-heads.txt").read_text().splitlines()[-1]
    assert last.startswith(f"{seq} {head} ")


def test_a_used_installation_is_not_overwritten(installation):
    before = rows(installation / "data")
    status, said = attempt(installation / "data", "restore", str(installation / "good.tar"))
    assert status != 0
    assert said.startswith("CommandError: This installation has a database already")
    assert rows(installation / "data") == before


def test_a_file_that_exists_is_not_overwritten(installation):
    before = (installation / "good.tar").read_bytes()
    status, said = attempt(installation / "data", "backup", str(installation / "good.tar"))
    assert status != 0
    assert "exists already" in said
    assert (installation / "good.tar").read_bytes() == before


def test_a_flipped_byte_is_found_and_names_its_file(installation, tmp_path):
    with tarfile.open(installation / "good.tar") as tar:
        pack = next(m for m in tar if m.name.endswith("native.pack"))
    bad = tmp_path / "bad.tar"
    body = bytearray((installation / "good.tar").read_bytes())
    body[pack.offset_data + pack.size // 2] ^= 1
    bad.write_bytes(body)
    status, said = attempt(tmp_path / "new", "restore", str(bad))
    assert status != 0
    assert said == f"CommandError: {pack.name} is damaged."
    assert not (tmp_path / "new" / "osteon.sqlite3").exists()
    assert not list((tmp_path / "new").rglob("*.pack"))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_backup_that_was_cut_short_is_refused_with_one_sentence(installation, tmp_path, share):
    whole = (installation / "good.tar").read_bytes()
    bad = tmp_path / "cut.tar"
    bad.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(Invalid, match=r"is not there|no backup that was written to its end"):
        looked_at(bad, tmp_path / "scratch")


def test_a_file_that_is_not_there_is_refused_with_one_sentence(tmp_path):
    with pytest.raises(Invalid, match="is not there"):
        looked_at(tmp_path / "none.tar", tmp_path)


def tampered(statement: str, lost_trigger: str, scratch: Path):
    """A change of the database copy in a backup as its owner could make it, triggers put back but one."""

    def change(bodies):
        file = scratch / "db.sqlite3"
        file.write_bytes(bodies["database.sqlite3"])
        with closing(sqlite3.connect(file)) as db:
            triggers = dict(
                db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            )
            for name in triggers:
                db.execute(f'DROP TRIGGER "{name}"')
            db.execute(statement)
            for name, sql in triggers.items():
                if name != lost_trigger:
                    db.execute(sql)
            db.commit()
        bodies["database.sqlite3"] = file.read_bytes()

    return change


@pytest.mark.usefixtures("other_databases")
@pytest.mark.parametrize(
    ("statement", "lost_trigger", "said"),
    [
        ("UPDATE audit_auditevent SET verb = 'nothing' WHERE seq = 2", "", "broken at row 2"),
        ("SELECT 1", "audit_auditevent_no_delete", "audit_auditevent_no_delete is missing"),
        ("UPDATE study_patient SET study_id = 999", "", "points nowhere"),
    ],
    ids=["trail", "trigger", "key"],
)
def test_a_database_that_does_not_hold_inside_the_backup_is_named(
    installation, tmp_path, statement, lost_trigger, said
):
    change = tampered(statement, lost_trigger, tmp_path)
    bad = rewritten(installation / "good.tar", tmp_path / "bad.tar", change)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = looked_at(bad, scratch)
    assert not found.is_sound
    assert said in " ".join(found.problems)


@pytest.mark.usefixtures("other_databases")
def test_a_whole_backup_has_no_problem(installation, tmp_path):
    found = looked_at(installation / "good.tar", tmp_path)
    assert found.problems == ()
    assert found.n_files > 5


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/outside", "elsewhere/x", "archive/../../x", "notes.txt", ""]
)
def test_a_member_that_belongs_nowhere_has_no_place(name):
    assert target_of(name) is None


def test_a_backup_with_a_stray_member_is_refused_before_anything_is_written(installation, tmp_path):
    bad = rewritten(
        installation / "good.tar",
        tmp_path / "bad.tar",
        lambda bodies: bodies.update({"../x": b"x"}),
    )
    scratch = tmp_path / "a" / "scratch"
    with pytest.raises(Invalid, match="no backup"):
        looked_at(bad, scratch)
    assert not (tmp_path / "a" / "x").exists()


def test_backups_taken_while_others_write_hold_together(installation, tmp_path):
    data = tmp_path / "busy"
    manage(data, "restore", str(installation / "good.tar"))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER], cwd=ROOT, env=variables(data), stdout=subprocess.PIPE
    )
    try:
        assert writer.stdout.readline() == b"writing\n"
        found = [
            json.loads(manage(data, "backup", str(tmp_path / f"{n}.tar"), "--json"))
            for n in range(2)
        ]
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    assert [f["problems"] for f in found] == [[], []]
    manage(tmp_path / "again", "restore", str(tmp_path / "1.tar"))
    acts = rows(tmp_path / "again")["audit_auditevent"]
    assert rows(installation / "data")["audit_auditevent"] < acts
