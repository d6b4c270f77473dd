"""The keys of an installation: made once, whole or not at all, whoever asks at the same time."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal import settings
from portal.settings import private_secret

ASKERS, NAMES = 8, 40


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    return tmp_path / "keys"


def test_a_key_has_32_bytes_for_its_owner_alone_and_stays(folder):
    first = private_secret("archive_key")
    assert len(first) == 32
    assert private_secret("archive_key") == first
    assert private_secret("another") != first
    assert stat.S_IMODE((folder / "archive_key").stat().st_mode) == 0o600


def test_all_who_ask_at_the_same_time_get_the_same_key(folder):
    """An empty key would make every mapped UID a plain digest that anybody can compute."""
    start = Barrier(ASKERS)

    def ask(_: int) -> list[bytes]:
        found = []
        for k in range(NAMES):
            start.wait()
            found.append(private_secret(f"key_{k}"))
        return found

    with ThreadPoolExecutor(ASKERS) as threads:
        answers = list(threads.map(ask, range(ASKERS)))
    assert {len(key) for key in answers[0]} == {32}
    assert all(answer == answers[0] for answer in answers)
    assert sorted(p.name for p in folder.iterdir()) == sorted(f"key_{k}" for k in range(NAMES))


def test_who_comes_second_takes_the_first_ones_key(monkeypatch):
    others = []
    sync = os.fsync

    def meanwhile(handle: int) -> None:
        sync(handle)
        if not others:  # another process makes the whole key just before ours gets its name
            others.append(b"")
            others[0] = private_secret("archive_key")

    monkeypatch.setattr(os, "fsync", meanwhile)
    assert private_secret("archive_key") == others[0]


def test_a_key_has_no_name_until_it_is_on_the_disk(folder, monkeypatch):
    def full(_: int) -> None:
        assert not (folder / "archive_key").exists()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        private_secret("archive_key")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", ["", "00" * 31, "00" * 33, "no key at all"])
def test_a_damaged_key_is_refused_with_its_name(folder, content):
    folder.mkdir()
    (folder / "archive_key").write_text(content)
    with pytest.raises(ImproperlyConfigured, match="The key archive_key .* is damaged"):
        private_secret("archive_key")
