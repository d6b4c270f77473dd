"""Sealed headers on disk: for their owner alone, whole or not there, gone with their images."""

import errno
import os
import stat
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from portal.archive import identities, packs
from portal.archive.filing import file_exam, remove
from portal.archive.identities import read, record_of
from portal.archive.ingest import import_paths
from portal.archive.models import Exam, Identity, Import, Instance, Series, SourceSeries, SourceUid
from portal.archive.packs import Spooled
from portal.archive.scanning import scan, wanted_of
from portal.archive.verify import damaged
from portal.errors import Unavailable
from tests.archive.builders import change, report, slices, take
from tests.archive.dicomweb.test_coordinator import client
from tests.cohort import NOW, make_study, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path, settings) -> Path:
    settings.IDENTITY_DIR = tmp_path / "sealed"
    return settings.IDENTITY_DIR


def kept(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def records() -> list[bytes]:
    rows = SourceUid.objects.select_related("series").order_by("source_uid")
    found = [record_of(row, row.series.folder) for row in rows]
    return [read(r.folder, [(r.offset, sum(r.lengths))])[0] for r in found]


def test_the_folder_and_its_files_are_for_the_owner_alone_and_named_by_chance(tmp_path, folder):
    take(*slices(tmp_path / "in"))
    (path,) = kept(folder)
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent, folder)]
    assert modes == [0o600, 0o700, 0o700]
    assert path.name == SourceSeries.objects.get().folder != Series.objects.get().folder
    assert path.stat().st_size == SourceSeries.objects.get().size == sum(map(len, records()))


def test_with_identities_none_nothing_is_written(tmp_path, folder, settings):
    settings.IDENTITIES = "none"
    take(*slices(tmp_path / "in"))
    assert not folder.exists()
    assert not Exam.objects.get().has_source


def test_more_images_of_a_series_go_behind_the_others(tmp_path, folder):
    take(*slices(tmp_path / "a", n=2))
    first = records()
    take(*slices(tmp_path / "b", n=2, first=2))
    assert records()[:2] == first
    assert (SourceSeries.objects.get().n_images, len(kept(folder)), len(records())) == (4, 1, 4)


def test_the_rest_that_a_crash_left_is_cut_off_by_the_next_writer(tmp_path, folder):
    take(*slices(tmp_path / "a", n=2))
    (path,) = kept(folder)
    with path.open("ab") as pack:
        pack.write(b"Zzrest" * 1000)
    take(*slices(tmp_path / "b", n=1, first=2))
    assert b"Zzrest" not in path.read_bytes()
    assert damaged().headers == ()
    assert path.stat().st_size == SourceSeries.objects.get().size


def test_a_file_that_is_sent_twice_is_sealed_once(tmp_path, folder):
    paths = slices(tmp_path / "a", n=2)
    take(*paths)
    before = records()
    assert report(take(*paths)) == ["already here"] * 2
    change(paths[0], lambda ds: setattr(ds, "PatientName", "Zzother"))
    change(paths[1], lambda ds: setattr(ds, "PixelData", bytes(60)))
    assert report(take(*paths)) == ["already here", "conflict"]
    assert records() == before
    assert b"Zzother" not in kept(folder)[0].read_bytes()


def test_of_a_refused_file_nothing_is_kept_beside_its_batch(tmp_path, folder):
    paths = slices(tmp_path / "a", n=3)
    change(paths[1], lambda ds: setattr(ds, "SOPInstanceUID", "2.25.71.1"))
    change(paths[1], lambda ds: setattr(ds, "PatientComments", "Zzrefused"))
    change(paths[1], lambda ds: setattr(ds, "PixelData", bytes(60)))
    assert report(take(*paths)) == ["ready", "conflict", "ready"]
    assert [b"Zzrefused" in p.read_bytes() for p in kept(folder)] == [False]
    assert (len(records()), damaged().headers) == (2, ())


def test_a_batch_that_fails_leaves_no_pack(tmp_path, folder, monkeypatch):
    def fails(*_args, **_more) -> None:
        raise RuntimeError("the database went away")

    monkeypatch.setattr("portal.archive.commit.report", fails)
    with pytest.raises(RuntimeError):
        take(*slices(tmp_path / "a", n=2))
    assert kept(folder) == []


def test_a_failed_batch_of_a_known_series_ends_the_pack_where_it_was(tmp_path, folder, monkeypatch):
    take(*slices(tmp_path / "a", n=2))
    before = kept(folder)[0].read_bytes()

    def fails(*_args, **_more) -> None:
        raise RuntimeError("the database went away")

    monkeypatch.setattr("portal.archive.commit.report", fails)
    with pytest.raises(RuntimeError):
        take(*slices(tmp_path / "b", n=1, first=2))
    assert kept(folder)[0].read_bytes() == before


def test_the_headers_of_a_removed_series_go_with_it(
    tmp_path, folder, django_capture_on_commit_callbacks
):
    study = make_study()
    take(*slices(tmp_path / "a", n=2), study_key="bone")
    take(*slices(tmp_path / "b", n=1, series="2.25.72"), study_key="bone")
    boss, why = make_user("coordinator"), "the patient has withdrawn"
    for n_left, series in ((1, Series.objects.first()), (0, Series.objects.last())):
        with django_capture_on_commit_callbacks(execute=True):
            remove(series, reason=why, actor=boss, study=study.code)
        assert len(kept(folder)) == SourceSeries.objects.count() == n_left
    assert not SourceUid.objects.exists()
    assert not Identity.objects.exists()


def test_an_exam_filed_from_the_shelf_is_found_in_its_study_and_by_its_coordinators(tmp_path):
    make_study("lung", cast=False).memberships.create(
        user=make_user("other"), role="coordinator", can_coordinate=True, sees_truth=True, since=NOW
    )
    make_study()
    boss = make_user("coordinator")
    import_paths(slices(tmp_path, n=1), door=Import.Door.COMMAND, actor=boss)
    asked = "/dicomweb/studies?PatientID=SYN0001"
    assert [client(n).get(asked).status_code for n in ("coordinator", "other")] == [200, 204]
    exam = Exam.objects.get()
    file_exam(exam, study_key="lung", expects_synthetic=exam.is_synthetic, actor=boss, now=NOW)
    assert [client(n).get(asked).status_code for n in ("coordinator", "other")] == [204, 200]
    for name, status in (("coordinator", 404), ("other", 200)):
        assert client(name).get("/dicomweb/studies/2.25.700/metadata").status_code == status
    assert client("other").get("/dicomweb/studies").status_code == 200


def test_a_repeated_word_never_counts_against_the_exams_own(tmp_path):
    """Should the sealed table ever say another study than the exam, nobody gets anything."""
    make_study()
    take(*slices(tmp_path, n=1), study_key="lung")
    Identity.objects.update(study_key="bone")
    for address in ("studies", "series", "instances", "studies?PatientID=SYN0001"):
        assert client().get(f"/dicomweb/{address}").status_code == 204
    for tail in ("metadata", "series/2.25.71/instances/2.25.71.1/frames/1", "rendered"):
        assert client().get(f"/dicomweb/studies/2.25.700/{tail}").status_code == 404


def test_a_damaged_header_is_named_by_the_archives_uid(tmp_path, folder):
    take(*slices(tmp_path, n=3))
    (path,) = kept(folder)
    row = SourceUid.objects.get(source_uid="2.25.71.2")
    content = bytearray(path.read_bytes())
    content[row.place[0] + 20] ^= 1
    path.write_bytes(content)
    assert damaged().headers == (row.instance_id,)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("archive_verify", stdout=out)
    assert f"{row.instance_id}: its sealed header" in out.getvalue()
    path.unlink()
    assert len(damaged().headers) == 3


def test_what_is_not_there_is_one_sentence(folder):
    with pytest.raises(Unavailable, match="identity folder"):
        read("ab" * 16, [(0, 4)])
    spooled = folder.parent / "spooled"
    spooled.write_bytes(b"1234")
    assert identities.append("cd" * 16, [Spooled(spooled, 1, 2)], after=0) == 2
    assert read("cd" * 16, [(0, 2)]) == [b"23"]
    with pytest.raises(Unavailable):
        read("cd" * 16, [(0, 3)])
    identities.drop("cd" * 16)
    identities.drop("cd" * 16)
    assert kept(folder) == []


def test_a_name_stands_in_the_sealed_part_only(tmp_path, folder):
    paths = slices(tmp_path / "in", n=2)
    for path in paths:
        change(path, lambda ds: setattr(ds, "PatientName", "Zzsealed^Name"))
        change(path, lambda ds: setattr(ds, "PatientComments", "Zzsealed comment"))
    take(*paths)
    assert b"Zzsealed comment" in kept(folder)[0].read_bytes()
    assert Identity.objects.get().patient_name == "Zzsealed^Name"
    assert scan(wanted_of("Zzsealed")) == []
    folders = [packs.folder_of(Series.objects.get().folder)]
    assert scan(wanted_of("Zzsealed"), folders) == []
    assert Instance.objects.count() == 2


def test_a_full_disk_in_mid_writing_leaves_nothing(tmp_path, folder, monkeypatch):
    real = packs.write

    def full(out: int, content: bytes) -> int:
        if len(content) < 1000:  # heads and tails of frames still find room
            return real(out, content)
        os.write(out, content[:100])
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(packs, "write", full)
    assert report(take(*slices(tmp_path / "a", n=2))) == ["disk"] * 2
    assert kept(folder) == []
    assert not Instance.objects.exists()
