"""The parts of a backup one by one: what belongs in it, where it goes back to, and each way it can be unsound."""

import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings as portal_settings
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from portal.audit.models import AuditEvent
from portal.audit.trail import record
from portal.audit.verify import anchor, side_file_of_installation
from portal.backup import databases, restoring, writing
from portal.errors import Conflict, Invalid, Unavailable

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture
def place(tmp_path, settings) -> Path:
    """A data folder of the test's own, with one file of each sort."""
    settings.DATA_DIR, settings.ARCHIVE_DIR = tmp_path / "data", tmp_path / "data" / "archive"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "spool"
    for name, body in {
        "archive/ab/native.pack": b"pixels", "archive/ab/deep/er.idx": b"index", "keys/secret_key": b"k" * 64,
        "demo-accounts.json": b"{}", "logs/web.log": b"log", "broker/queue/1.msg": b"m", "spool/x": b"s", "up.lock": b"1",
    }.items():  # fmt: skip
        path = settings.DATA_DIR / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (tmp_path / "spool").mkdir()
    return tmp_path


def tar_of(path: Path, members: dict[str, bytes], **manifest) -> Path:
    """A backup file with a list that fits its members, unless told otherwise."""
    files = [
        {"name": n, "bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()}
        for n, b in members.items()
    ]
    whole = {
        "format": writing.FORMAT,
        "version": writing.VERSION,
        "made_at": "2026",
        "files": files,
        **manifest,
    }
    bodies = {
        **members,
        writing.MANIFEST: json.dumps({k: v for k, v in whole.items() if v is not None}).encode(),
    }
    with tarfile.open(path, "w") as tar:
        for name, body in bodies.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return path


# --- what is written ----------------------------------------------------------------------------


def test_pixels_keys_and_accounts_belong_in_it_logs_broker_spool_and_locks_do_not(place):
    names = [name for _, name in writing.files_of_installation()]
    assert names == [
        "archive/ab/deep/er.idx",
        "archive/ab/native.pack",
        "keys/secret_key",
        "demo-accounts.json",
    ]


def test_a_link_out_of_the_archive_is_not_followed(place, settings):
    outside = place / "outside"
    outside.write_text("secret of another program")
    (settings.ARCHIVE_DIR / "link").symlink_to(outside)
    assert not any(name.endswith("link") for _, name in writing.files_of_installation())


@given(body=st.binary(max_size=4000), sizes=st.lists(st.integers(1, 999), max_size=8))
def test_the_digest_of_a_file_is_that_of_its_bytes_however_it_is_read(body, sizes):
    hashing = writing.Hashing(io.BytesIO(body))
    read = b"".join(hashing.read(n) for n in sizes) + hashing.read()
    assert read == body
    assert hashing.digest.hexdigest() == hashlib.sha256(body).hexdigest()


def test_a_file_that_grows_meanwhile_is_taken_as_far_as_it_reached(tmp_path, monkeypatch):
    path = tmp_path / "growing.pack"
    path.write_bytes(b"a" * 1000)
    real = os.fstat

    def grow(handle):
        found = real(handle)
        with path.open("ab") as more:
            more.write(b"b" * 500)
        return found

    monkeypatch.setattr(writing.os, "fstat", grow)
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        entry = writing.add_file(tar, path, "growing.pack")
    monkeypatch.undo()
    assert entry["bytes"] == 1000
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert tar.extractfile("growing.pack").read() == b"a" * 1000
    assert entry["sha256"] == hashlib.sha256(b"a" * 1000).hexdigest()


@pytest.mark.django_db
def test_the_heads_go_as_far_as_the_copy_surely_goes(place):
    for verb in ("one", "two", "three"):
        record(verb)
        anchor()
    lines = writing.heads_up_to(2).decode().splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert writing.heads_up_to(0) == b""
    side_file_of_installation().unlink()
    assert writing.heads_up_to(9) == b""


@pytest.mark.django_db
def test_a_file_that_exists_is_left_alone_and_no_act_is_written(place):
    taken = place / "there.tar"
    taken.write_text("mine")
    with pytest.raises(Conflict, match="exists already"):
        writing.write_backup(taken, now=NOW)
    assert taken.read_text() == "mine"
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.promise("R2")
def test_a_backup_without_room_is_one_sentence_and_leaves_no_part(place, monkeypatch):
    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "write_members", full)
    with pytest.raises(Unavailable, match="No space left on device"):
        writing.write_backup(place / "b.tar", now=NOW)
    assert list(place.glob("b.tar*")) == []
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
def test_two_backups_into_one_name_do_not_mix(place):
    (place / "b.tar.part").write_bytes(b"the other one's")
    with pytest.raises(Unavailable):
        writing.write_backup(place / "b.tar", now=NOW)


def test_a_folder_that_is_not_there_is_one_sentence(place, db):
    with pytest.raises(Unavailable, match="could not be written"):
        writing.write_backup(place / "no" / "b.tar", now=NOW)


# --- where it goes back to ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("archive/ab/native.pack", "archive/ab/native.pack"), ("keys/boundary", "keys/boundary"),
        ("database.sqlite3", "database.sqlite3"), ("audit-heads.txt", "audit-heads.txt"), ("demo-accounts.json", "demo-accounts.json"),
    ],
)  # fmt: skip
def test_each_member_has_its_place_in_the_data_folder(place, settings, name, where):
    assert restoring.target_of(name) == settings.DATA_DIR / where


@given(
    st.lists(
        st.sampled_from(["archive", "keys", "..", ".", "a", "/", "x.json", "logs"]), max_size=5
    )
)
def test_no_name_whatever_leads_out_of_the_data_folder(parts):
    found = restoring.target_of("/".join(parts))
    if found is not None:
        inside = Path(os.path.normpath(found))
        roots = (Path(portal_settings.DATA_DIR), Path(portal_settings.ARCHIVE_DIR))
        assert any(inside.is_relative_to(root) for root in roots)


def test_what_is_put_back_is_for_the_owner_alone(tmp_path):
    target = tmp_path / "deep" / "file"
    restoring.write_privately(io.BytesIO(b"body"), target)
    assert target.read_bytes() == b"body"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o700


def test_the_files_of_a_backup_come_back_and_the_database_is_left_to_its_verb(place, settings):
    backup = tar_of(
        place / "b.tar",
        {"archive/z/native.pack": b"z", "keys/new": b"k", "database.sqlite3": b"db"},
    )
    restoring.put_back(backup)
    assert (settings.ARCHIVE_DIR / "z" / "native.pack").read_bytes() == b"z"
    assert (settings.DATA_DIR / "keys" / "new").read_bytes() == b"k"
    assert not (settings.DATA_DIR / "database.sqlite3").exists()
    assert not (settings.DATA_DIR / "manifest.json").exists()


# --- each way it can be unsound -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        ({"a": "1"}, {"a": "1"}, []), ({"a": "1", "b": "2"}, {"a": "1"}, []),
        ({}, {"b": "1", "a": "1"}, ["a is missing from the backup.", "b is missing from the backup."]),
        ({"a": "2"}, {"a": "1"}, ["a is damaged."]),
    ],
)  # fmt: skip
def test_differences_are_named_in_order(found, wanted, said):
    assert restoring.differences(found, wanted) == said


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"version": 2}, "another version"), ({"format": "other"}, "another version"), ({"files": None}, "written to its end"),
        ({"files": [{"name": "x"}]}, "written to its end"), ({"files": 3}, "written to its end"), ({"version": None}, "written to its end"),
        ({"made_at": None, "files": []}, "written to its end"),
    ],
)  # fmt: skip
def test_a_list_that_is_no_list_is_refused_with_one_sentence(place, manifest, said):
    bad = tar_of(place / "b.tar", {"keys/a": b"k"}, **manifest)
    with pytest.raises(Exception, match=said) as refused:
        restoring.looked_at(bad, place / "spool")
    assert isinstance(refused.value, Invalid)


def test_a_link_inside_a_backup_is_refused(place):
    with tarfile.open(place / "b.tar", "w") as tar:
        info = tarfile.TarInfo("keys/link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(Invalid):
        restoring.looked_at(place / "b.tar", place / "spool")


@pytest.mark.parametrize("body", [b"", b"not a tar at all", b"\0" * 10240])
def test_a_file_that_is_no_backup_is_refused(place, body):
    (place / "b.tar").write_bytes(body)
    with pytest.raises(Invalid):
        restoring.looked_at(place / "b.tar", place / "spool")


@pytest.mark.django_db
def test_a_backup_of_the_other_kind_of_database_says_so(place):
    other = "database.pgdump" if connection.vendor == "sqlite" else "database.sqlite3"
    found = restoring.looked_at(tar_of(place / "b.tar", {other: b"x"}), place / "spool")
    assert found.problems == (
        "The backup was made on another kind of database than this installation's.",
    )
    assert not found.is_sound


@pytest.mark.django_db
def test_an_unsound_backup_is_no_act(place):
    found = restoring.verify_backup(tar_of(place / "b.tar", {"keys/a": b"k"}))
    assert not found.is_sound
    assert not AuditEvent.objects.exists()


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="SQLite's own file")
@pytest.mark.parametrize("body", [b"no database", b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_file_that_is_no_database_is_a_sentence_not_a_crash(place, django_db_blocker, body):
    (place / "spool" / "database.sqlite3").write_bytes(body)
    with django_db_blocker.unblock():
        (sentence,) = databases.faults(place / "spool" / "database.sqlite3", place / "none")
    assert sentence.startswith("The copy of the database ")


def test_a_missing_program_of_postgres_is_one_sentence(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(Unavailable, match="pg_dump is not on the PATH"):
        databases.run("pg_dump", {})


def test_the_first_complaint_of_a_program_is_the_sentence(monkeypatch, tmp_path):
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'first complaint' >&2\necho second >&2\nexit 3\n")
    program.chmod(0o700)
    monkeypatch.setattr(shutil, "which", lambda _name: str(program))
    where = {"NAME": "n", "HOST": "", "PORT": "", "USER": "u", "PASSWORD": "p"}
    with pytest.raises(Conflict, match=r"^pg_dump failed: first complaint$"):
        databases.run("pg_dump", where, "--x")


def test_the_password_goes_by_the_environment_and_empty_parts_are_left_out(monkeypatch, tmp_path):
    program, said = tmp_path / "pg_dump", tmp_path / "said"
    program.write_text(f'#!/bin/sh\necho "$PGPASSWORD $@" > {said}\n')
    program.chmod(0o700)
    monkeypatch.setattr(shutil, "which", lambda _name: str(program))
    databases.run(
        "pg_dump", {"NAME": "n", "HOST": "h", "PORT": "", "USER": "u", "PASSWORD": "secret"}, "--x"
    )
    assert said.read_text().split() == [
        "secret",
        "--dbname=n",
        "--host=h",
        "--username=u",
        "--no-password",
        "--x",
    ]
