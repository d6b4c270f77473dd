"""Images in: what becomes of each kind of file, twice, in zips, in the browser, and what of a person is kept where."""

import io
import os
import zipfile
from datetime import date, time
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from portal.archive import packs
from portal.archive.accept import Wanted, wanted_frames
from portal.archive.commit import counts
from portal.archive.decode import LITTLE_ENDIAN
from portal.archive.headers import Subject
from portal.archive.ingest import import_paths
from portal.archive.models import Exam, Identity, Import, ImportFile, Instance, Series, SourceUid
from portal.archive.pixels import frames_of, slice_of, volume
from portal.archive.writer import (
    CtSeries,
    SpectSeries,
    WholeBody,
    write_ct,
    write_spect,
    write_whole_body,
)
from tests.archive.builders import look
from tests.cohort import make_study, make_user

pytestmark = pytest.mark.django_db
SHARED = Path(os.environ.get("OSTEON_SHARED", Path(__file__).parents[3] / "shared")) / "data"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="shared data not found")
JLS = "1.2.840.10008.1.2.4.80"
CANARY = "Zzcanary"
REFUSED = {
    "zero_bytes": "empty", "png_renamed": "not_dicom", "html_renamed": "not_dicom", "garbage": "header",
    "truncated_meta": "header", "pixel_length_4GB": "cut", "truncated_half": "cut", "nested_5000": "nested",
    "deflate_bomb_200MB": "inflated", "rows_cols_65535": "sizes", "frames_0": "sizes", "frames_2e9": "sizes",
    "no_pixeldata": "no_image", "no_series_uid": "uid", "uid_empty": "uid", "uid_path_traversal": "uid",
    "unknown_ts": "syntax",
}  # fmt: skip


def subject(name: str = "SYN0001", **more) -> Subject:
    return Subject(
        name, "F", 63, f"2.25.1{abs(hash(name)) % 10**9}", date(2019, 3, 4), time(9), **more
    )


def spect(folder: Path, *, is_negative: bool = False, uid: str = "2.25.31") -> np.ndarray:
    counts_ = np.arange(5 * 8 * 9, dtype=np.uint16).reshape(5, 8, 9)
    write_spect(
        folder,
        SpectSeries(
            subject(),
            uid + "1",
            uid,
            "2.25.9",
            counts_,
            (-10.0, -20.0, -30.0),
            (4.42, 4.42),
            4.42,
            time(9),
            740.0,
            is_negative,
        ),
    )
    return counts_


def ct(folder: Path, encoding: str = "jls") -> np.ndarray:
    hu = np.random.default_rng(1).integers(-1000, 3000, (4, 16, 12)).astype(np.int16)
    uids = tuple(f"2.25.20{k}" for k in range(4))
    write_ct(
        folder,
        CtSeries(
            subject(), "2.25.20", uids, "2.25.9", hu, (-5.0, -6.0, -7.0), (0.9, 0.8), 2.5, time(9)
        ),
        encoding=encoding,
    )
    return hu


def take(*paths: Path, **more) -> Import:
    return import_paths(paths, door=Import.Door.COMMAND, actor=None, **more)


def outcomes(row: Import) -> dict[str, str]:
    return {f.name: f.reason_code or f.outcome for f in row.files.all()}


@pytest.mark.parametrize("encoding", ["raw", "rle", "jls"])
def test_a_ct_series_comes_out_as_it_was_written(tmp_path, encoding):
    hu = ct(tmp_path, encoding)
    assert counts(take(tmp_path)) == {"ready": 4}
    found = volume(Series.objects.get())
    assert np.array_equal(found.pixels, hu)
    assert found.positions_mm[:, 2].tolist() == [-7.0, -4.5, -2.0, 0.5]
    assert found.spacing_mm == (0.9, 0.8)


@pytest.mark.parametrize("is_negative", [False, True])
def test_both_signs_of_slice_spacing_give_the_same_volume(tmp_path, is_negative):
    counts_ = spect(tmp_path, is_negative=is_negative)
    take(tmp_path)
    series = Series.objects.get()
    found = volume(series)
    assert np.array_equal(found.pixels, counts_)
    assert found.positions_mm[0].tolist() == pytest.approx([-10, -20, -30])
    assert found.slice_spacing_mm == pytest.approx(4.42)
    assert Instance.objects.get().is_reversed == is_negative
    frame = frames_of(series)[3]
    placed = slice_of(series, frame.sop_instance_uid, frame.frame)
    assert placed.index == 3
    assert np.array_equal(placed.slice.pixels, counts_[3])


def test_a_whole_body_scan_has_two_views_and_no_place(tmp_path):
    scan = np.arange(2 * 6 * 5, dtype=np.uint16).reshape(2, 6, 5)
    write_whole_body(
        tmp_path, WholeBody(subject(), "2.25.41", "2.25.42", scan, (2.21, 2.21), time(9), 740.0)
    )
    take(tmp_path)
    series = Series.objects.get()
    assert (series.role, series.views, series.is_volume) == ("WB", ["ANT", "POST"], False)


def test_the_same_files_twice_change_nothing(tmp_path):
    ct(tmp_path)
    take(tmp_path)
    digest = Series.objects.get().digest
    assert counts(take(tmp_path)) == {"already here": 4}
    assert (Instance.objects.count(), Series.objects.get().digest) == (4, digest)


def test_another_encoding_of_the_same_image_is_already_here(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ct(tmp_path / "a", "jls")
    ct(tmp_path / "b", "raw")
    take(tmp_path / "a")
    assert counts(take(tmp_path / "b")) == {"already here": 4}


def test_other_pixels_under_a_known_uid_are_refused(tmp_path):
    ct(tmp_path)
    take(tmp_path)
    path = sorted(tmp_path.glob("*.dcm"))[0]
    ds = pydicom.dcmread(path)
    ds.decompress(generate_instance_uid=False)
    ds.PixelData = bytes(len(ds.PixelData))
    ds.save_as(path)
    row = take(path)
    assert outcomes(row) == {path.name: "conflict"}
    assert Instance.objects.count() == 4


def test_frames_are_kept_natively_and_as_they_came(tmp_path):
    ct(tmp_path)
    take(tmp_path)
    series, instance = Series.objects.get(), Instance.objects.order_by("rank").first()
    assert series.transfer_syntax_uid == JLS
    offset, length = instance.stored_frames[0]
    stored = packs.read(series.folder, packs.STORED, packs.Extent(offset, length))
    assert stored[:2] == b"\xff\xd8"
    part = packs.read_part(series.folder, packs.STORED, packs.Extent(offset, length), JLS)
    assert part.startswith(b"--" + packs.boundary().encode())
    assert part.endswith(b"--\r\n")


@needs_shared
def test_every_trap_ends_with_its_sentence_and_harms_nothing():
    row = take(SHARED / "synthetic")
    found = outcomes(row)
    assert {name: found[f"{name}.dcm"] for name in REFUSED} == REFUSED
    assert all(f.sentence for f in row.files.filter(outcome=ImportFile.Outcome.REFUSED))
    assert found["sc_burned_in_no_flag.dcm"] == "secondary_capture"
    assert found["nm_tomo_projections.dcm"] == "not_a_volume"
    assert found["nm_no_detector_seq.dcm"] == "geometry"
    assert found["nm_xeleris_like_modality_OT.dcm"] == "ready"


@needs_shared
@pytest.mark.parametrize(("name", "z"), [("pair_nm_neg", -0.007), ("pair_nm_pos", 0.007)])
def test_the_hot_sphere_lies_where_the_ct_says(name, z):
    take(SHARED / "synthetic" / f"{name}.dcm")
    found = volume(Series.objects.get())
    inside = np.argwhere(found.pixels > 1000)
    assert len(inside) == 164
    assert found.to_patient(inside).mean(axis=0).tolist() == pytest.approx(
        [20.048, 30.015, z], abs=1e-3
    )


@needs_shared
def test_the_real_pair_shares_a_frame_of_reference():
    assert counts(take(SHARED / "petct_STS_044"))["ready"] == 106
    pair = {s.label: s for s in Series.objects.ready()}
    assert pair["CT"].frame_of_reference_uid == pair["PET"].frame_of_reference_uid
    assert (pair["CT"].n_frames, pair["PET"].n_frames) == (53, 53)
    assert pair["CT"].geometry["origin_mm"][2] == pytest.approx(-869.82)
    assert pair["PET"].unit == "GML"


def planted(folder: Path) -> Path:
    spect(folder)
    path = next(folder.glob("*.dcm"))
    ds = pydicom.dcmread(path)
    for keyword in ("PatientName", "StudyDescription", "SeriesDescription", "ImageComments", "InstitutionName",
                    "AccessionNumber", "ReferringPhysicianName", "StudyID", "ProtocolName", "OperatorsName"):  # fmt: skip
        setattr(ds, keyword, f"{CANARY}{keyword}"[:16])
    block = ds.private_block(0x0099, "SECRET", create=True)
    block.add_new(1, "LO", CANARY)
    ds.PatientID = CANARY + "ID"
    ds.save_as(path)
    return path


@pytest.mark.promise("B1")
def test_nothing_that_names_a_person_stands_outside_the_sealed_tables(tmp_path):
    take(planted(tmp_path), names={})
    leaks = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            if CANARY in str(cursor.fetchall()):
                leaks.append(table)
    assert sorted(leaks) == ["truth_identity", "truth_source_series"]
    stored = packs.folder_of(Series.objects.get().folder)
    assert not any(CANARY.encode() in p.read_bytes() for p in stored.iterdir() if p.is_file())


@pytest.mark.promise("B1")
def test_without_identities_nothing_that_names_a_person_is_written(tmp_path, settings):
    settings.IDENTITIES = "none"
    take(planted(tmp_path))
    assert (Instance.objects.count(), Identity.objects.count(), SourceUid.objects.count()) == (
        1,
        0,
        0,
    )


def test_a_pseudonym_stands_for_the_patient_and_no_uid_of_the_sender(tmp_path):
    path = planted(tmp_path)
    take(path)
    exam = Exam.objects.get()
    assert exam.subject.startswith("S")
    assert exam.uid != str(pydicom.dcmread(path).StudyInstanceUID)
    assert exam.shifted_date < date(2019, 3, 4)
    assert (date(2019, 3, 4) - exam.shifted_date).days % 7 == 0


def test_a_synthetic_file_is_refused_by_a_real_study(tmp_path):
    spect(tmp_path)
    row = take(tmp_path, study_key="real", expects_synthetic=False)
    assert row.files.get().sentence == "Synthetic images cannot enter this real study."


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.promise("H3")
def test_unsafe_names_and_nested_archives_in_a_zip_are_left_out(tmp_path):
    spect(tmp_path)
    good = next(tmp_path.glob("*.dcm")).read_bytes()
    path = tmp_path / "all.zip"
    path.write_bytes(
        zipped(
            {"ok.dcm": good, "../evil.dcm": good, "/abs.dcm": good, "in.zip": zipped({"a": b"1"})}
        )
    )
    found = outcomes(take(path))
    assert found == {
        "all.zip/ok.dcm": "ready", "all.zip/../evil.dcm": "unsafe_name", "all.zip//abs.dcm": "unsafe_name",
        "all.zip/in.zip": "locked_zip",
    }  # fmt: skip


@pytest.mark.promise("H1")
def test_a_zip_that_inflates_too_far_is_not_opened(tmp_path):
    path = tmp_path / "bomb.zip"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.dcm", bytes(30 * 2**20))
    path.write_bytes(out.getvalue())
    assert outcomes(take(path)) == {"bomb.zip": "inflated"}


@pytest.mark.parametrize("name", ["all.zip", "ALL.ZIP", "0"])
def test_a_file_of_a_zip_is_skipped_where_it_is_no_image_whatever_the_zip_is_called(tmp_path, name):
    (path := tmp_path / name).write_bytes(zipped({"letter.pdf": b"%PDF", "cut.dcm": bytes(128) + b"DICM"}))  # fmt: skip
    (letter := tmp_path / "letter.zip").write_bytes(b"%PDF")
    found = {f.name: (f.outcome, f.reason_code) for f in take(path, letter).files.all()}
    assert found == {
        f"{name}/letter.pdf": ("skipped", "not_dicom"), f"{name}/cut.dcm": ("refused", "header"),
        "letter.zip": ("refused", "not_dicom"),
    }  # fmt: skip


def test_a_zip_in_the_browser_is_a_zip_by_its_content(tmp_path):
    make_study(is_synthetic=True)
    sent = {"Images.ZIP": zipped({"letter.pdf": b"%PDF"}), "letter.pdf": b"%PDF"}
    files = [SimpleUploadedFile(name, content) for name, content in sent.items()]
    client().post("/studies/bone/import/upload/", {"files": files})
    found = dict(ImportFile.objects.values_list("name", "outcome"))
    assert found == {"Images.ZIP/letter.pdf": "skipped", "letter.pdf": "refused"}


def client(name: str = "coordinator") -> Client:
    one = Client()
    one.force_login(make_user(name))
    return one


def test_a_browser_upload_ends_in_a_report_per_file(tmp_path):
    make_study(is_synthetic=True)
    ct(tmp_path)
    files = [SimpleUploadedFile(p.name, p.read_bytes()) for p in sorted(tmp_path.glob("*.dcm"))]
    files.append(SimpleUploadedFile("<b>letter.pdf", b"%PDF"))
    answer = client().post("/studies/bone/import/upload/", {"files": files}, follow=True)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "4 ready" in text
    assert "This is not a DICOM file." in text
    assert "<b>letter" not in text
    assert Exam.objects.get().study_key == "bone"
    table = client().get(answer.request["PATH_INFO"] + "report.csv").content.decode()
    assert table.count("\n") == 6


def test_an_upload_without_files_says_what_to_do():
    make_study()
    answer = client().post("/studies/bone/import/upload/")
    assert answer.status_code == 422
    assert b"Choose at least one file" in answer.content


def test_images_for_a_locked_cohort_wait_on_the_shelf(tmp_path):
    study = make_study(state="READING", is_synthetic=True)
    spect(tmp_path)
    files = [SimpleUploadedFile("a.dcm", next(tmp_path.glob("*.dcm")).read_bytes())]
    answer = client().post(f"/studies/{study.code}/import/upload/", {"files": files}, follow=True)
    assert "The cohort of bone is locked" in answer.content.decode()
    assert Exam.objects.get().study_key == ""


@pytest.mark.parametrize("page", ["import/", "held/"])
@pytest.mark.parametrize("name", ["expert1", "delineator1", "analyst", "monitor", "outsider"])
def test_only_coordinators_reach_the_images_pages(page, name):
    make_study()
    assert client(name).get(f"/studies/bone/{page}").status_code == 404


def test_a_held_series_is_released_only_where_a_person_may_decide(tmp_path):
    make_study()
    ct(tmp_path)
    sorted(tmp_path.glob("*.dcm"))[1].unlink()
    take(tmp_path, study_key="bone")
    series = Series.objects.get()
    assert (series.state, series.reason_code) == ("held", "geometry_to_confirm")
    assert "missing between" in series.sentence
    url = f"/studies/bone/held/{series.pk}/release/"
    why, seen = {"reason": "seen fused on the CT, all is well"}, {"mark": look(series).mark}
    assert client().post(url, {**seen, "reason": "short"}).status_code == 422
    assert client().post(url, why).status_code == 409
    assert client().post(url, {**why, **seen}).status_code == 302
    series.refresh_from_db()
    assert series.state == "ready"
    assert client().post(url, {**why, **seen}).status_code == 409


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", Wanted(LITTLE_ENDIAN, False)),
        ("*/*", Wanted(LITTLE_ENDIAN, False)),
        ('multipart/related; type="*/*"', Wanted(LITTLE_ENDIAN, False)),
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", Wanted(JLS, False)),
        (
            'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2',
            Wanted(LITTLE_ENDIAN, False),
        ),
        ("application/octet-stream", Wanted(LITTLE_ENDIAN, True)),
        (f"application/octet-stream; transfer-syntax={JLS}", Wanted(JLS, True)),
        ('multipart/related; type="image/jls"', Wanted(JLS, False)),
        ('multipart/related; type="image/jp2", */*;q=0.1', Wanted(LITTLE_ENDIAN, False)),
        ("video/mp4", None),
        ("multipart/related; type=application/octet-stream; transfer-syntax=1.2.3", None),
    ],
)
def test_accept_headers_are_read_leniently(header, wanted):
    assert wanted_frames(header, JLS, True) == wanted
