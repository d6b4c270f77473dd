"""Section 3.4 of the specification through the door, row by row: outcome, code and sentence in the report."""

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.archive import ingest, limits, packs
from portal.archive.models import Exam, Instance, Series
from portal.archive.reading import read
from portal.archive.refusals import SENTENCES, Refusal
from tests.archive.builders import change, slices, take
from tests.archive.test_hostile import TABLE as FILES
from tests.archive.test_hostile import before_patient, bytes_, element, other_syntax, set_
from tests.archive.test_import import ct

pytestmark = pytest.mark.django_db
Make = Callable[[Path], Path]
UNSAFE = "This entry has an unsafe name or is a link; it was left out."
LOCKED = "Unpack the archive first; encrypted and nested archives are not opened."
UNPACKED = "Unpacked, this is larger than allowed ({}); it was not unpacked further."


def image(folder: Path) -> Path:
    return slices(folder / "one", n=1)[0]


def spoiled(spoil: Callable[[Path], None]) -> Make:
    def make(folder: Path) -> Path:
        path = image(folder)
        spoil(path)
        return path

    return make


def zipped(name: str, content: bytes = b"x", *, mode: int = 0, flags: int = 0) -> Make:
    """A zip of one good image and an entry of this name."""

    def make(folder: Path) -> Path:
        out = folder / "some.zip"
        entry = zipfile.ZipInfo("entry")
        entry.filename, entry.external_attr = name, mode << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(image(folder), "good.dcm")
            archive.writestr(entry, content)
        if flags:
            data = bytearray(out.read_bytes())
            at = data.rindex(b"PK\x01\x02")
            data[at + 8] |= flags
            out.write_bytes(bytes(data))
        return out

    return make


def cut_zip(folder: Path) -> Path:
    path = zipped("a.dcm")(folder)
    path.write_bytes(path.read_bytes()[:-30])
    return path


def inner_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.dcm", b"x" * 10)
    return out.getvalue()


def directory(ds) -> None:
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.1.3.10"


def broken_fragment(folder: Path) -> Path:
    """A JPEG-LS frame of which a stretch is gone."""
    (folder / "jls").mkdir()
    ct(folder / "jls")
    path = folder / "jls" / "ct-0001.dcm"

    def damage(ds) -> None:
        ds.PixelData = ds.PixelData[:60] + b"\xff" * 60 + ds.PixelData[120:]

    change(path, damage)
    return path


# row of 3.4 -> how the file is made, outcome, code, sentence
ROWS: dict[str, tuple[Make, str, str, str]] = {
    "DICOMDIR": (spoiled(lambda p: change(p, directory)), "skipped", "dicomdir",
                 "DICOMDIR is only an index; the images are imported from their own files."),
    "beyond the end": (
        spoiled(bytes_(lambda d: d[:-64] + b"\xf0\xff\xff\xff" + d[-60:])), "refused", "cut",
        "The file ends too early: (7FE0,0010) announces 4294967280 bytes, 60 are there; copy it again."),
    "zip: up": (zipped("../up.dcm"), "refused", "unsafe_name", UNSAFE),
    "zip: absolute": (zipped("/etc/passwd"), "refused", "unsafe_name", UNSAFE),
    "zip: drive": (zipped("c:\\x.dcm"), "refused", "unsafe_name", UNSAFE),
    "zip: link": (zipped("link.dcm", b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "refused", "unsafe_name", UNSAFE),
    "zip: device": (zipped("exam/NUL.dcm"), "refused", "unsafe_name", UNSAFE),
    "zip: NUL": (zipped("a\0b.dcm"), "refused", "unsafe_name", UNSAFE),
    "zip: encrypted": (zipped("a.dcm", flags=1), "refused", "locked_zip", LOCKED),
    "zip: nested": (zipped("a.dcm", inner_zip()), "refused", "locked_zip", LOCKED),
    "zip: cut": (cut_zip, "refused", "damaged_zip", "This archive is damaged; pack it again."),
    "zip: bomb": (zipped("a.dcm", bytes(2**22)), "refused", "inflated", UNPACKED.format("4 GiB")),
    "other uid in the head": (
        spoiled(lambda p: change(p, lambda ds: setattr(ds.file_meta, "MediaStorageSOPInstanceUID", "1.2.3"))),
        "ready", "", "The data set's UID is used."),
    "unreadable value": (
        spoiled(before_patient(element(0x0008, 0x2111, b"IS", b"1A"))), "ready", "",
        "Left out, being unreadable: (0008,2111)."),
    "private transfer syntax": (
        spoiled(other_syntax(b"1.2.3.4\0")), "refused", "syntax",
        "Transfer syntax 1.2.3.4 cannot be decoded here; send it uncompressed or as JPEG 2000."),
    "damaged frame": (broken_fragment, "refused", "frame", "Frame 1 is damaged; copy the file again."),
    "markup in names": (spoiled(set_(PatientName="<script>alert(1)</script>^=cmd|A1")), "ready", "", ""),
    "program in the preamble": (
        spoiled(bytes_(lambda d: b"MZ" + bytes(126) + d[128:])), "ready", "", ""),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_the_table_ends_as_it_says_and_the_good_image_beside_it_is_stored(tmp_path, row):
    make, outcome, code, sentence = ROWS[row]
    good = slices(tmp_path / "good", n=1, first=5)[0]
    found = take(make(tmp_path), good).files.all()
    last = [f for f in found if f.outcome not in ("ready",)] or [found[0]]
    assert [(f.outcome, f.reason_code, f.sentence) for f in last] == [(outcome, code, sentence)]
    assert Instance.objects.filter(file_digest__isnull=False).count() == sum(
        f.outcome == "ready" for f in found
    )
    assert found[len(found) - 1].outcome == "ready"


def test_a_deflated_header_beyond_its_cap_is_not_unpacked_further(tmp_path, monkeypatch):
    path = image(tmp_path)
    change(path, lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", "1.2.840.10008.1.2.1.99"))
    monkeypatch.setattr(limits, "INFLATED_BYTES", 100)
    with pytest.raises(Refusal) as refusal:
        read(path, tmp_path)
    assert refusal.value.code == "inflated"


def test_a_file_over_the_limit_is_not_read(tmp_path, monkeypatch):
    path = image(tmp_path)
    monkeypatch.setattr(limits, "FILE_BYTES", path.stat().st_size - 1)
    with pytest.raises(Refusal, match="^The file is larger than 0 MiB.$"):
        read(path, tmp_path)


def test_other_pixels_under_a_known_uid_are_refused_and_the_stored_ones_kept(tmp_path):
    take(*slices(tmp_path / "a", n=1))
    before = Series.objects.get().digest
    path = slices(tmp_path / "b", n=1)[0]
    change(path, lambda ds: setattr(ds, "PixelData", bytes(60)[:-2] + b"\1\0"))
    (file,) = take(path).files.all()
    assert (file.outcome, file.reason_code) == ("refused", "conflict")
    assert file.sentence == (
        "Another image with this UID is already stored; the stored one was kept. Ask the sender which is right."
    )
    assert Series.objects.get().digest == before


@pytest.mark.parametrize("keyword", ["PatientID", "PatientBirthDate"])
def test_the_same_exam_of_another_patient_is_held(tmp_path, keyword):
    take(*slices(tmp_path / "a", n=1))
    path = slices(tmp_path / "b", n=1, first=1)[0]
    change(path, lambda ds: setattr(ds, keyword, "19470311"))
    (file,) = take(path).files.all()
    assert (file.outcome, file.reason_code) == ("held", "patient_conflict")
    assert file.sentence == "This exam already belongs to another patient; decide in the held list."
    assert Exam.objects.count() == 2


@pytest.mark.parametrize(
    ("expects", "sentence"),
    [(False, "Synthetic images cannot enter this real study."), (True, "Real images cannot enter this synthetic study.")],
)  # fmt: skip
def test_images_of_the_other_kind_are_refused(tmp_path, expects, sentence):
    path = image(tmp_path)
    if expects:
        change(path, lambda ds: delattr(ds, "SyntheticData"))
    (file,) = take(path, study_key="bone", expects_synthetic=expects).files.all()
    assert (file.outcome, file.sentence) == ("refused", sentence)


def test_an_image_of_another_exam_than_the_address_names_is_refused(tmp_path):
    (file,) = take(image(tmp_path), exam_uid="1.2.3").files.all()
    assert (file.reason_code, file.sentence) == (
        "other_exam", "The file belongs to another exam than the address names.",
    )  # fmt: skip


def test_a_full_disk_stores_nothing_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "has_room", lambda coming: False)
    monkeypatch.setattr(packs, "check_free_space", lambda: None)
    (file,) = ingest.import_paths([image(tmp_path)], door="command", actor=None).files.all()
    assert (file.outcome, file.reason_code) == ("refused", "disk")
    assert file.sentence.startswith("The archive's disk is full; nothing of this file was stored.")
    assert not Instance.objects.exists()


def codes_met() -> set[str]:
    """Codes of the tests above and of the table of files."""
    named = {code for _, _, code, _ in ROWS.values() if code}
    said = {sentence for _, _, sentence in FILES.values()}
    by_sentence = {
        code for code, (_, text) in SENTENCES.items() if any(s.startswith(text.split("{")[0]) and text.split("{")[0]
                                                            for s in said)
    }  # fmt: skip
    return named | by_sentence | {"uid", "class", "inflated", "conflict", "patient_conflict", "synthetic", "other_exam", "disk", "too_large"}  # fmt: skip


def test_no_refusal_is_without_its_row():
    """Children that take too long, and damaged entries, are in test_faults, series that are away in test_returning."""
    elsewhere = {"stopped", "damaged_entry", "archive_down", "archive_damaged"}
    assert set(SENTENCES) - codes_met() == elsewhere
