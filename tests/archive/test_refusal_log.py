"""What is refused is one line of the log: import, row and sentence, and nothing that the file or its name says."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portal.archive import packs
from portal.archive.batches import context_of
from portal.archive.models import Import
from portal.archive.refusals import SENTENCES, Refusal, wording
from portal.archive.rehearsal import rehearse
from tests.archive.builders import change, report, slices, take
from tests.archive.dicomweb.test_stow import body, send
from tests.cohort import make_study, make_user
from tests.portal.test_logs import CANARY, listening

pytestmark = pytest.mark.django_db
LOGGER = "portal.archive.ingest"


@pytest.fixture
def lines():
    with listening() as one:
        yield one


def line(row: Import, number: int, words: str) -> str:
    return f"import {row.code}, row {number} refused: {words}"


def mixed(folder):
    """Ready, of an unknown class, cut, without a series, held for its patient, and no image."""
    paths = slices(folder, n=5)
    values = (
        {"SOPClassUID": "1.2.3.4711"},
        {},
        {"SeriesInstanceUID": f"1.2.{CANARY}"},
        {"BurnedInAnnotation": "YES"},
    )
    for path, given in zip(paths[1:], values, strict=True):
        change(path, lambda ds, given=given: [setattr(ds, k, v) for k, v in given.items()])
    paths[2].write_bytes(paths[2].read_bytes()[:-10])
    named = [path.rename(folder / f"{k} {CANARY}.dcm") for k, path in enumerate(paths)]
    (folder / f"letter {CANARY}.txt").write_bytes(b"Dear colleague")
    return named


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_each_refusal_is_one_line_with_import_row_and_sentence(tmp_path, lines):
    mixed(tmp_path)
    row = take(tmp_path)
    assert report(row) == ["ready", "class", "cut", "uid", "burned_in", "not_dicom"]
    assert lines.events(LOGGER) == [
        line(row, 2, "… is not an image class this portal knows."),
        line(row, 3, "The file ends too early: … announces … bytes, … are there; copy it again."),
        line(row, 4, "… is missing or not a valid UID; export the image again."),
    ]
    assert {one["level"] for one in lines.rows} == {"warning"}
    for secret in (CANARY, "4711", "(7FE0,0010)", "dcm", "SYN0001"):
        assert secret not in lines.text


def test_a_batch_that_is_undone_by_a_full_disk_is_logged_as_it_ends(tmp_path, lines, monkeypatch):
    """What its files would have come to was never in the report."""

    def full(folder: str) -> None:
        raise packs.disk_full()

    paths = slices(tmp_path, n=2)
    paths[0].write_bytes(b"")
    monkeypatch.setattr(packs, "sync", full)
    row = take(*paths)
    assert lines.events(LOGGER) == [line(row, k, Refusal("disk").sentence) for k in (1, 2)]


def test_every_door_logs_and_a_dry_run_does_not(tmp_path, lines):
    make_study(is_synthetic=True)
    (path := tmp_path / "a.dcm").write_bytes(b"")
    one = Client()
    one.force_login(make_user("coordinator"))
    one.post("/studies/bone/import/upload/", {"files": [SimpleUploadedFile("a.dcm", b"x" * 9)]})
    send(body(b"x" * 300))
    assert [told.outcome.outcome for told in rehearse([path], context_of("", None, None))] == [
        "refused"
    ]
    found = lines.events(LOGGER)
    assert found == [
        line(row, 1, "This is not a DICOM file.") for row in Import.objects.order_by("pk")
    ]
    assert len(found) == 2


@pytest.mark.parametrize("code", SENTENCES)
def test_the_words_of_a_refusal_hold_no_value(code):
    """Whatever is filled in, the words around it are the same."""
    words = wording(code)
    names = (
        "tag",
        "n",
        "m",
        "limit",
        "r",
        "c",
        "f",
        "keyword",
        "name",
        "k",
        "uid",
        "kind",
        "study",
    )
    assert Refusal(code, **dict.fromkeys(names, "…")).sentence == words
    assert "{" not in words


def test_a_code_that_nobody_knows_has_no_words():
    assert wording("4711") == ""
