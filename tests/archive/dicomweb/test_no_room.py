"""A store that meets a full disk, and images that cannot be had for now: 503 with a time to come again."""

import errno
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from django.test import RequestFactory

from portal.archive import limits, packs
from portal.archive.dicomweb import stow
from portal.archive.models import Import
from portal.errors import Unavailable
from readers.doors import program_view
from tests.archive.builders import slices
from tests.archive.dicomweb.test_coordinator import client
from tests.archive.dicomweb.test_stow import body, send
from tests.cohort import make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path) -> bytes:
    make_study(is_synthetic=True)
    return slices(tmp_path, n=1)[0].read_bytes()


@pytest.fixture
def spooled(monkeypatch):
    """No nameless file is free: parts are files of a folder."""

    @contextmanager
    def room(size: int):
        yield None

    monkeypatch.setattr(stow, "pool", lambda n: SimpleNamespace(room=room))


def assert_come_again(answer) -> None:
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert answer["Content-Type"] == "application/json"
    assert "Free space and send it again" in answer.json()["detail"]
    assert not Import.objects.exists()


def test_a_disk_that_is_full_before_the_import_begins(file, monkeypatch):
    monkeypatch.setattr(limits, "FREE_BYTES", 2**62)
    assert_come_again(send(body(file)))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("is_single", [False, True])
def test_a_disk_that_fills_up_while_a_part_is_spooled(file, spooled, monkeypatch, number, is_single):  # fmt: skip
    def full(out, data):
        raise OSError(number, "No space left on device")

    monkeypatch.setattr(packs, "write", full)
    assert_come_again(send(file, kind="application/dicom") if is_single else send(body(file)))


def test_another_fault_of_the_disk_is_no_refusal(file, spooled, monkeypatch):
    def broken(out, data):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(packs, "write", broken)
    with pytest.raises(OSError, match="Input/output error"):
        send(body(file))


@pytest.mark.parametrize(("error", "seconds"), [(Unavailable("Not now."), "2"), (packs.disk_full(), "60")])  # fmt: skip
def test_a_readers_program_is_told_when_to_come_again(error, seconds):
    @program_view("GET")
    def view(request, reader):
        raise error

    request = RequestFactory().get("/")
    request.user = SimpleNamespace(is_authenticated=True)
    answer = view(request)
    assert (answer.status_code, answer["Retry-After"]) == (503, seconds)


def test_what_waiting_does_not_help_names_no_time(file):
    assert not client().get("/dicomweb/studies/1.x/metadata").has_header("Retry-After")
