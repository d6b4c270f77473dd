"""Images read while their request still comes, and frames that are packed from the file they came in."""

import errno
import hashlib
import io
import json
import threading
import warnings
from collections import Counter, OrderedDict
from concurrent.futures import wait
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from portal.archive import ahead, ingest, packs
from portal.archive.ahead import is_ours, reading_ahead, spool_folder
from portal.archive.dicomweb import stow
from portal.archive.geometry import Frame, is_alike, is_sound
from portal.archive.models import Import, Instance, Series
from portal.archive.pool import clean, understood
from portal.archive.reading import is_plain, is_readable, read
from portal.archive.recent import Recent
from portal.archive.settle import settle
from portal.archive.unpack import Entry
from portal.archive.verify import damaged
from portal.audit.chain import exact
from tests.archive.builders import fingerprint, report, slices, take
from tests.archive.dicomweb.test_stow import body, send
from tests.archive.test_import import ct
from tests.archive.test_reading import image, written
from tests.cohort import make_study

pytestmark = pytest.mark.django_db
LITTLE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def pixels(frames: int = 3) -> bytes:
    return np.arange(9 * frames, dtype=np.uint8).tobytes()


def lying(path: Path, answer) -> list[bytes]:
    data = path.read_bytes()
    return [data[o : o + n] for o, n, _ in answer["frames"]]


@pytest.mark.parametrize("syntax", LITTLE)
@pytest.mark.parametrize("is_bare", [False, True])
def test_frames_of_our_own_file_stay_in_it(tmp_path, syntax, is_bare):
    """Also where the file came without a preamble, so that it was read with one put before it."""
    path = written(tmp_path / "a", image(NumberOfFrames=3, PixelData=pixels() + b"\0"), syntax)
    if is_bare:
        path.write_bytes(path.read_bytes()[132:])
    there, copied = (read(path, tmp_path, is_ours=ours) for ours in (True, False))
    assert (there["is_in_file"], copied["is_in_file"]) == (True, False)
    frames = [pixels()[k : k + 9] for k in (0, 9, 18)]
    assert lying(path, there) == lying(tmp_path / "native", copied) == frames
    assert [f[2] for f in there["frames"]] == [hashlib.sha256(f).hexdigest() for f in frames]
    same = ("frames", "is_in_file")
    assert {k: v for k, v in there.items() if k not in same} == {
        k: v for k, v in copied.items() if k not in same
    }


def test_frames_that_are_stored_otherwise_than_they_came_are_copied(tmp_path):
    swapped = np.arange(9, dtype=">u2").tobytes()
    big = image(PixelData=swapped, BitsAllocated=16, BitsStored=16, HighBit=15)
    path = written(tmp_path / "big", big, ExplicitVRBigEndian)
    answer = read(path, tmp_path, is_ours=True)
    assert not answer["is_in_file"]
    assert lying(tmp_path / "native", answer) == [np.arange(9, dtype="<u2").tobytes()]
    (tmp_path / "jls").mkdir()
    ct(tmp_path / "jls", "jls")
    one = next((tmp_path / "jls").glob("*.dcm"))
    assert not read(one, tmp_path, is_ours=True)["is_in_file"]


def test_only_a_file_of_the_spool_is_ours(tmp_path):
    spool = settings.DATA_DIR / "spool"
    assert is_ours(Entry(spool / "upload-x" / "1", "1", 9))
    assert is_ours(Entry(tmp_path, "a piece of a nameless file", 9, offset=4, handle=7))
    for path in (
        tmp_path / "a",
        spool,
        settings.DATA_DIR / "other" / "a",
        spool / ".." / "a",
        spool / "x" / ".." / ".." / "a",
    ):
        assert not is_ours(Entry(path, path.name, 9)), path


def test_a_file_outside_the_spool_may_change_while_it_is_imported(tmp_path, monkeypatch):
    """What is stored is what was read and digested, whatever stands in the file by then."""
    paths, whole = slices(tmp_path), ingest.write_batch

    def late(run, jobs):
        wait(jobs)
        for path in paths:
            path.write_bytes(bytes(path.stat().st_size))
        whole(run, jobs)

    monkeypatch.setattr(ingest, "write_batch", late)
    assert report(take(*paths)) == ["ready"] * 4
    assert damaged().uids == ()


def test_a_part_is_read_before_the_next_has_come(tmp_path, monkeypatch):
    make_study(is_synthetic=True)
    files, told, seen = [p.read_bytes() for p in slices(tmp_path, n=3)], threading.Event(), []
    whole = ahead.read_one

    def heard(*args):
        found = whole(*args)
        told.set()
        return found

    monkeypatch.setattr(ahead, "read_one", heard)
    spooled = stow.spooled

    def slow(request, folder):
        for part in spooled(request, folder):
            yield part
            if not seen:
                seen.append(told.wait(30))

    monkeypatch.setattr(stow, "spooled", slow)
    assert send(body(*files)).status_code == 200
    assert seen == [True]
    assert Instance.objects.count() == 3


def leftovers() -> list[str]:
    return [
        p.name for p in (settings.DATA_DIR / "spool").iterdir() if not p.name.startswith("ingest-")
    ]


def test_a_body_that_breaks_off_stores_nothing_of_what_was_read(tmp_path):
    make_study(is_synthetic=True)
    files, before = [p.read_bytes() for p in slices(tmp_path, n=3)], leftovers()
    assert send(body(*files)[:-20]).status_code == 400
    assert not Instance.objects.exists()
    assert not Import.objects.exists()
    assert leftovers() == before
    assert send(body(*files)).status_code == 200


@pytest.mark.parametrize("most", [1, 2, 4])
def test_more_parts_than_a_batch_are_answered_in_their_order(tmp_path, monkeypatch, most):
    make_study(is_synthetic=True)
    monkeypatch.setattr(ahead, "BATCH", most)
    monkeypatch.setattr(ingest, "BATCH", 2)
    files = [p.read_bytes() for p in slices(tmp_path, n=5)]
    sent = [pydicom.dcmread(io.BytesIO(f)).SOPInstanceUID for f in files]
    answer = send(body(files[0], b"\0" * 300, *files[1:]))
    rows = answer.json()["00081199"]["Value"]
    assert [r["00081155"]["Value"][0] for r in rows] == sent
    assert report(Import.objects.get()) == ["ready", "not_dicom", *["ready"] * 4]
    assert damaged().uids == ()


def entry_of(path: Path) -> Entry:
    return Entry(path, path.name, path.stat().st_size)


def test_nothing_is_read_ahead_onto_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "has_room", lambda: False)
    with reading_ahead(2, lambda answer: None) as found:
        found.begin(entry_of(slices(tmp_path, n=1)[0]))
    assert found.jobs == {}


def test_at_the_end_of_the_block_nobody_reads_any_more(tmp_path):
    with reading_ahead(1, lambda answer: None) as found:
        for path in slices(tmp_path, n=6):
            found.begin(entry_of(path))
    assert not wait(found.jobs.values(), timeout=0).not_done


def test_a_folder_of_the_spool_is_made_when_it_is_needed_and_then_goes():
    before = leftovers()
    with spool_folder("batch-"):
        assert leftovers() == before
    with spool_folder("batch-") as folder:
        assert folder() == folder()
        assert folder().is_dir()
    assert leftovers() == before


def fail(number: int, words: str) -> None:
    raise OSError(number, words)


def test_frames_that_do_not_reach_the_disk_leave_no_row(tmp_path, monkeypatch):
    """The import's own row went with the transaction and is written again for the report."""
    whole = packs.sync
    monkeypatch.setattr(packs, "sync", lambda folder: fail(errno.ENOSPC, "full"))
    row = take(*slices(tmp_path))
    assert report(row) == ["disk"] * 4
    assert Import.objects.get().pk == row.pk
    assert Import.objects.get().ended_at is not None
    assert not Instance.objects.exists()
    assert not Series.objects.exists()
    monkeypatch.setattr(packs, "sync", whole)
    assert report(take(*slices(tmp_path))) == ["ready"] * 4


def test_another_fault_of_the_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "sync", lambda folder: fail(errno.EIO, "broken"))
    with pytest.raises(OSError, match="broken"):
        take(*slices(tmp_path))
    assert (Import.objects.count(), Instance.objects.count()) == (0, 0)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_a_series_settled_from_memory_is_that_of_its_rows(tmp_path, order):
    paths = slices(tmp_path)
    take(*(paths[k] for k in order))
    series = Series.objects.get()
    before = fingerprint(series)
    settle(Series.objects.select_related("exam").get())
    assert fingerprint(series) == before


def test_images_that_were_taken_back_are_known_to_nobody():
    known, series = Recent(), Series(pk=7, exam_id=1)
    known.made_series(series)
    held = known.images[7]
    known.add(Instance(series=series, uid="2.25.1"))
    assert [one.uid for one in held] == ["2.25.1"]
    known.forget()
    assert held == []
    assert known.images == {}


@pytest.mark.parametrize("said", ["a\0b", "\ud800", "Müller", "plain", "\\u0000", "a\\b"])
def test_an_answer_is_cleaned_wherever_it_needs_to_be(said):
    line = (json.dumps({"ok": True, "facts": [said]}) + "\n").encode()
    assert understood(line) == clean(json.loads(line))
    raw = json.dumps({"facts": said}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if "\ud800" not in said:
        assert understood(raw) == clean({"facts": said})


KINDS = ("AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UI", "UT", "IS", "DS", "US", "SS", "UL", "SL",
         "FL", "FD", "OB", "OW", "UN", "PN", "AT", "SQ", None)  # fmt: skip
NUMERALS = st.text("0123456789+-. \\eE", max_size=20).map(str.encode)


@given(
    st.sampled_from(KINDS),
    st.one_of(st.binary(max_size=40), NUMERALS, st.text(max_size=20).map(str.encode)),
)
def test_an_element_that_may_wait_is_readable(vr, value):
    raw = RawDataElement(Tag(0x00200010), vr, len(value), value, 0, vr is None, True)
    if not is_plain(raw):
        return
    ds = Dataset()
    ds._dict[raw.tag] = raw
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in the child
        assert is_readable(ds, raw.tag)


@pytest.mark.parametrize(
    ("vr", "value", "waits"),
    [
        ("LO", b"Text", True), ("LO", b"M\xfcller", False), ("LO", b"\x1b$B", False), ("PN", b"A^B", True),
        ("IS", b"12 ", True), ("IS", b"1A", False), ("IS", b"", False), ("DS", b"1.5\\-2", True), ("DS", b"1e5", False),
        ("DS", b"1" * 13, False), ("US", b"ab", True), ("US", b"abc", False), ("UN", b"ab", False), (None, b"ab", False),
    ],
)  # fmt: skip
def test_which_elements_wait(vr, value, waits):
    assert (
        is_plain(RawDataElement(Tag(0x00200010), vr, len(value), value, 0, vr is None, True))
        is waits
    )


coordinates = st.lists(st.floats(-1.1, 1.1), min_size=6, max_size=6)


@given(coordinates, st.lists(st.floats(-2e-4, 2e-4), min_size=6, max_size=6))
def test_directions_are_compared_as_numpy_does(one, by):
    other = [a + b for a, b in zip(one, by, strict=True)]
    assert is_alike(one, other) == bool(np.allclose(one, other, atol=1e-4))
    assert not is_alike(one, other[:5])


@given(st.floats(0, 7), st.floats(-2e-3, 2e-3), st.floats(-2e-3, 2e-3), st.floats(-1, 1))
def test_directions_are_sound_as_numpy_says(angle, longer, slant, spacing):
    r = (1 + longer) * np.array([np.cos(angle), np.sin(angle), 0])
    c = np.array([-np.sin(angle + slant), np.cos(angle + slant), 0])
    sizes = [abs(np.linalg.norm(one) - 1) for one in (r, c)]
    lengths = [*sizes, abs(r @ c)]
    if min(abs(one - 1e-3) for one in lengths) < 1e-12:
        return  # on the edge rounding decides
    expected = max(lengths) < 1e-3 and spacing > 0
    frame = Frame((0.0, 0.0, 0.0), tuple(map(float, (*r, *c))), (1.0, spacing))
    assert is_sound(frame) == expected


class Word(str):
    __slots__ = ()


class Share(float):
    pass


def test_values_of_made_types_are_hashed_as_the_plain_ones():
    odd = {
        "a": Word("x"),
        "b": Share(0.1),
        "c": OrderedDict(k=(1, 2.5)),
        "d": Counter("aab"),
        "e": {3},
    }
    plain = {"a": "x", "b": repr(0.1), "c": {"k": [1, "2.5"]}, "d": {"a": 2, "b": 1}, "e": [3]}
    assert exact(odd) == plain
    assert exact([True, None, 1, 1.0, "s"]) == [True, None, 1, "1.0", "s"]
