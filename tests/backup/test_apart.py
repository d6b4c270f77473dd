"""Sealed headers are backed up in a file of their own: beside the other, put back with it, or left away."""

import json
import stat
import tarfile
from pathlib import Path

import pytest

from portal.backup import apart
from portal.errors import Conflict, Invalid
from tests.backup.test_backup import attempt, installation, manage, rewritten
from tests.cohort import NOW

__all__ = ["installation"]


@pytest.fixture
def place(tmp_path, settings) -> Path:
    """An identity folder with two packs, and the name of a backup."""
    settings.IDENTITY_DIR = tmp_path / "identities"
    for name, body in (("ab/abc", b"header one"), ("cd/cde", b"header two")):
        path = settings.IDENTITY_DIR / name
        path.parent.mkdir(parents=True)
        path.write_bytes(body)
    return tmp_path / "good.tar"


def test_it_is_named_after_the_backup_and_for_its_owner_alone(place):
    written = apart.write(place, now=NOW)
    assert written == place.with_name("good.identities.tar")
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    with tarfile.open(written) as tar:
        assert tar.getnames() == ["identities/ab/abc", "identities/cd/cde", "manifest.json"]
    assert apart.problems(place) == []
    with pytest.raises(Conflict, match="exists already"):
        apart.require_new(place)
    with pytest.raises(Conflict):
        apart.write(place, now=NOW)


def test_what_was_written_comes_back(place, settings, tmp_path):
    apart.write(place, now=NOW)
    settings.IDENTITY_DIR = tmp_path / "new"
    assert apart.put_back(place)
    assert (tmp_path / "new" / "ab" / "abc").read_bytes() == b"header one"
    assert stat.S_IMODE((tmp_path / "new" / "ab" / "abc").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_without_headers_and_without_the_file_there_is_nothing_to_do(tmp_path, settings):
    settings.IDENTITY_DIR = tmp_path / "none"
    assert apart.write(tmp_path / "b.tar", now=NOW) is None
    assert apart.problems(tmp_path / "b.tar") == []
    assert apart.put_back(tmp_path / "b.tar") is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda bodies: bodies.update({"identities/../../x": b"y"}), "written to their end"),
        (lambda bodies: bodies.update({"keys/secret_key": b"y"}), "written to their end"),
        (lambda bodies: bodies.update({"manifest.json": b"{}"}), None),
    ],
)
def test_a_file_with_a_stray_member_or_without_its_list_is_refused(place, tmp_path, change, said):
    written = apart.write(place, now=NOW)
    assert written is not None
    if said is None:
        written.write_bytes(written.read_bytes()[:700])
    else:
        rewritten(written, tmp_path / "x.tar", change).replace(written)
    with pytest.raises(Invalid, match="written to their end"):
        apart.put_back(place)
    assert not (tmp_path / "x").exists()


def test_a_changed_byte_names_its_pack(place):
    written = apart.write(place, now=NOW)
    assert written is not None
    content = written.read_bytes()
    written.write_bytes(content.replace(b"header one", b"header 0ne"))
    assert apart.problems(place) == ["identities/ab/abc is damaged."]


def test_an_installation_is_restored_with_its_headers_and_works_without(installation, tmp_path):
    good = installation / "good.tar"
    assert apart.beside(good).exists()
    with tarfile.open(good) as tar:
        assert not any("identities" in name for name in tar.getnames())
    whole = tmp_path / "whole"
    manage(whole, "restore", str(good))
    assert json.loads(manage(whole, "archive_verify", "--json"))["headers"] == []
    alone = tmp_path / "good.tar"
    alone.write_bytes(good.read_bytes())
    manage(tmp_path / "bare", "restore", str(alone))
    assert not (tmp_path / "bare" / "identities").exists()
    status, _ = attempt(tmp_path / "bare", "archive_verify")
    assert status == 1
