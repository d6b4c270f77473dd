"""Series that a remote store holds: pushed after an import, brought back when asked for, moved out and home."""

import json
from io import StringIO
from unittest.mock import ANY

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from portal.archive import copies, limits, packs, pixels, uids
from portal.archive.models import Instance, RemoteCopy, Series
from portal.archive.peer import Server
from portal.archive.store import PUSH, LocalFolder, holdings
from portal.audit.models import AuditEvent
from portal.errors import Invalid, Unavailable
from portal.jobs import work
from portal.jobs.models import Job
from tests.archive.builders import slices, take
from tests.archive.servers import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def remote(servers, settings) -> Server:
    found = servers("portal").server
    host = found.url.removeprefix("http://")
    settings.ARCHIVE = f"http://{found.user}:{found.password}@{host}"
    return found


def stored(folder, uid: str, n: int = 4, first: int = 0) -> Series:
    take(*slices(folder, n=n, series=uid, first=first))
    return Instance.objects.get(uid=uid_here(f"{uid}.{first + 1}")).series


def uid_here(source: str) -> str:
    return uids.archive_uid(uids.archive_key(), source)


def test_an_import_queues_one_push_and_the_job_empties_what_is_pending(remote, tmp_path):
    series = stored(tmp_path / "a", "2.25.8101")
    job = Job.objects.get(kind=PUSH)
    assert list(copies.pending(remote.url)) == [series]
    work.run(job.pk)
    job.refresh_from_db()
    copy = RemoteCopy.objects.get()
    assert (job.state, job.done, job.total) == ("done", 1, 1)
    assert (copy.series, copy.server, copy.digest) == (series, remote.url, series.digest)
    assert not copies.pending(remote.url).exists()


def test_without_a_remote_nothing_is_queued(tmp_path):
    stored(tmp_path / "a", "2.25.8102")
    assert not Job.objects.filter(kind=PUSH).exists()


def test_what_the_cache_lost_is_brought_back_when_a_frame_is_asked_for(remote, tmp_path):
    series = stored(tmp_path / "a", "2.25.8103")
    before = pixels.volume(series).pixels
    copies.push(series, remote, now=timezone.now())
    packs.drop(series.folder)
    assert not packs.folder_of(series.folder).exists()
    assert (pixels.volume(series).pixels == before).all()
    assert LocalFolder().verify(holdings(series)) == ()


def test_only_what_a_remote_holds_leaves_the_cache_the_least_recently_used_first(
    remote, tmp_path, settings
):
    first, second, mine = (stored(tmp_path / n, f"2.25.810{n}") for n in ("4", "5", "6"))
    for series in (first, second):
        copies.push(series, remote, now=timezone.now())
    pixels.volume(first)
    packs.open_packs.forget()
    pixels.volume(first)
    settings.ARCHIVE_CACHE_BYTES = copies.size_of(packs.folder_of(first.folder))
    assert copies.make_room() == 1
    here = [packs.folder_of(s.folder).exists() for s in (first, second, mine)]
    assert here == [True, False, True]
    settings.ARCHIVE_CACHE_BYTES = 0
    assert copies.make_room() == 1
    assert packs.folder_of(mine.folder).exists()


def test_new_slices_of_a_series_that_left_the_cache_bring_it_back_first(remote, tmp_path):
    series = stored(tmp_path / "a", "2.25.8107", n=3)
    copies.push(series, remote, now=timezone.now())
    packs.drop(series.folder)
    assert stored(tmp_path / "b", "2.25.8107", n=2, first=3) == series
    series.refresh_from_db()
    assert LocalFolder().verify(holdings(series)) == ()
    assert [p.mean() for p in pixels.volume(series).pixels] == [0, 10, 20, 30, 40]
    assert series in copies.pending(remote.url), "what came since must be pushed too"
    assert not list(copies.evictable())


def test_a_held_series_is_never_sent(remote, tmp_path):
    series = stored(tmp_path / "a", "2.25.8108")
    Series.objects.filter(pk=series.pk).update(state="held", reason_code="burned_in")
    assert not copies.pending(remote.url).exists()


def test_a_push_to_a_store_that_is_down_is_tried_again_later(remote, tmp_path, settings):
    settings.ARCHIVE = f"http://127.0.0.1:{free_port()}/dicomweb"
    series = stored(tmp_path / "a", "2.25.8109")
    job = Job.objects.get(kind=PUSH)
    work.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.error_class) == ("queued", 1, "Down")
    assert "does not answer" in job.error_text
    assert LocalFolder().verify(holdings(series)) == ()


def moved(*options: str) -> dict[str, object]:
    out = StringIO()
    call_command("archive_move", *options, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_study_moves_out_and_home_again_each_series_audited_once(remote, tmp_path):
    series = stored(tmp_path / "a", "2.25.8110")
    before = pixels.volume(series).pixels
    assert moved("--to", "remote") == {"moved": 1, "failed": {}}
    assert moved("--to", "remote") == {"moved": 0, "failed": {}}
    packs.drop(series.folder)
    assert moved("--to", "local") == {"moved": 1, "failed": {}}
    assert moved("--to", "local") == {"moved": 0, "failed": {}}
    assert not RemoteCopy.objects.exists()
    assert (pixels.volume(series).pixels == before).all()
    acts = AuditEvent.objects.filter(verb="series.move")
    assert [a.obj for a in acts] == [f"series:{series.pk}"] * 2


def test_only_the_named_study_moves(remote, tmp_path):
    stored(tmp_path / "a", "2.25.8111")
    assert moved("--to", "remote", "--study", "bone") == {"moved": 0, "failed": {}}


def test_a_move_to_a_server_that_is_down_ends_with_status_1_and_loses_nothing(tmp_path):
    series = stored(tmp_path / "a", "2.25.8112")
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(
            "archive_move", "--to", f"http://127.0.0.1:{free_port()}/x", "--json", stdout=out
        )
    assert ended.value.code == 1
    assert json.loads(out.getvalue()) == {"moved": 0, "failed": {series.uid: ANY}}
    assert LocalFolder().verify(holdings(series)) == ()


def test_a_move_to_no_server_is_a_wrong_call():
    with pytest.raises(CommandError, match="Name the address"):
        call_command("archive_move", "--to", "remote")


def test_a_full_cache_refuses_to_bring_back(remote, tmp_path, monkeypatch):
    series = stored(tmp_path / "a", "2.25.8113")
    copies.push(series, remote, now=timezone.now())
    packs.drop(series.folder)
    monkeypatch.setattr(limits, "FREE_BYTES", 2**62)
    with pytest.raises(Unavailable, match="disk is full"):
        pixels.volume(series)


def test_a_public_portal_refuses_an_archive_without_a_password(settings):
    settings.PUBLIC, settings.ARCHIVE = True, "https://orthanc.example.org/dicom-web"
    with pytest.raises(Invalid, match="without a password"):
        copies.configured()
    settings.ARCHIVE = "https://u:p@orthanc.example.org/dicom-web"
    assert copies.configured().password == "p"
    settings.PUBLIC, settings.ARCHIVE = False, "https://orthanc.example.org/dicom-web"
    assert copies.configured().user == ""
