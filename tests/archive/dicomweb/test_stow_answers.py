"""The answer of STOW-RS, item by item: codes, UIDs, addresses and sentences for every outcome of a part."""

import json

import pytest
from django.test import RequestFactory

from portal.archive.dicomweb.incoming import reader
from portal.archive.dicomweb.stow import (
    DISCARDED,
    HELD,
    SAID,
    WARNED,
    Door,
    Result,
    Unsupported,
    addresses,
    answer,
    exam_address,
    failed,
    referenced,
    result,
    spooled,
    usable,
)
from portal.archive.frames import BadRequest
from portal.archive.models import Exam, Import, ImportFile, Instance
from portal.archive.refusals import DAMAGED, SENTENCES
from portal.archive.room import Folder
from portal.archive.uids import archive_key, archive_uid
from tests.archive.dicomweb.test_search import LABELS, make_one
from tests.cohort import NOW, make_user

STORED, REFUSED = ImportFile.Outcome.READY, ImportFile.Outcome.REFUSED
IS_HELD, SKIPPED = ImportFile.Outcome.HELD, ImportFile.Outcome.SKIPPED
HERE = ImportFile.Outcome.ALREADY_HERE
CLASS, REFERENCED, FAILED, OTHERS = "00081150", "00081199", "00081198", "0008119A"
UID, ADDRESS, FAILURE, WARNING = "00081155", "00081190", "00081197", "00081196"
GOOD = Result("1.2.840.10008.5.1.4.1.1.2", "2.25.1", STORED, DAMAGED, "")
BAD = Result("", "", REFUSED, DAMAGED, "This is not a DICOM file.")


def but(one: Result, **more) -> Result:
    return Result(**{**one.__dict__, **more})


def values(item) -> dict[str, object]:
    return {tag: element["Value"][0] for tag, element in item.items() if "Value" in element}


@pytest.mark.parametrize(
    ("uid", "kept"),
    [("2.25.1", "2.25.1"), ("", ""), ("1.2.x", ""), ("1.2\r\nX: y", ""), ("1" * 65, ""), ("1..2", "")],
)  # fmt: skip
def test_a_damaged_uid_is_never_sent_back(uid, kept):
    assert usable(uid) == kept


def test_a_part_is_named_by_its_senders_uids_before_the_archives():
    file = ImportFile(outcome=STORED)
    heard = {
        "source": {"SOPClassUID": "1.2.3", "SOPInstanceUID": "1.2.4"}, "uids": {"SOPInstanceUID": "2.25.9"},
    }  # fmt: skip
    assert result(heard, file) == Result("1.2.3", "1.2.4", STORED, DAMAGED, "")
    assert result({"uids": {"SOPInstanceUID": "2.25.9"}}, file).sop_instance == "2.25.9"
    assert result({"sop_class_uid": "1.2.5", **heard}, file).sop_class == "1.2.5"
    assert result({}, file) == Result("", "", STORED, DAMAGED, "")


@pytest.mark.parametrize("code", SENTENCES)
def test_each_refusal_has_its_own_failure_reason(code):
    file = ImportFile(outcome=REFUSED, reason_code=code, sentence="Said.")
    found = result({}, file)
    assert (found.reason, found.sentence) == (SENTENCES[code][0], "Said.")
    assert values(failed(found)) == {FAILURE: SENTENCES[code][0]}


@pytest.mark.parametrize(
    ("one", "identities", "warning"),
    [
        (GOOD, "sealed", None),
        (GOOD, "none", DISCARDED),
        (but(GOOD, sentence="The exam has no date."), "sealed", WARNED),
        (but(GOOD, sentence="The exam has no date."), "none", WARNED),
        (but(GOOD, outcome=IS_HELD, sentence="Burned in."), "sealed", HELD),
        (but(GOOD, outcome=IS_HELD), "none", HELD),
    ],
)
def test_a_stored_part_says_the_gravest_thing_that_happened_to_it(settings, one, identities, warning):  # fmt: skip
    settings.IDENTITIES = identities
    named = {CLASS: GOOD.sop_class, UID: "2.25.1"}
    warned = {WARNING: warning} if warning else {}
    assert values(referenced(one, "")) == {**named, **warned}
    assert values(referenced(one, "http://x/1")) == {**named, **warned, ADDRESS: "http://x/1"}


def test_a_failed_part_without_a_uid_names_no_class_either():
    assert values(failed(but(GOOD, sop_instance="", reason=0xA700))) == {FAILURE: 0xA700}
    named = values(failed(but(GOOD, reason=0xA700)))
    assert named == {FAILURE: 0xA700, CLASS: GOOD.sop_class, UID: "2.25.1"}


@pytest.fixture
def door(db) -> Door:
    me = make_user("coordinator")
    return Door(me, "bone", None, "", "", "http://x/dicomweb", "http://x/imports/")


def answered(door: Door, *results: Result, warning: str = "", reason_code: str = ""):
    row = Import.objects.create(
        door=Import.Door.STOW, actor=door.actor, study_key=door.study_key, warning=warning, started_at=NOW
    )  # fmt: skip
    if reason_code:
        ImportFile.objects.create(
            source=row, row=1, position=1, size=0, name="1", outcome=REFUSED, reason_code=reason_code
        )  # fmt: skip
    return row, answer(RequestFactory().post("/dicomweb/studies"), door, row, results)


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([GOOD], 200), ([but(GOOD, outcome=HERE)], 200), ([GOOD, but(GOOD, sop_instance="2.25.2")], 200), ([GOOD, BAD], 202),
        ([but(GOOD, outcome=IS_HELD)], 202), ([but(GOOD, sentence="The exam has no date.")], 202),
        ([but(GOOD, outcome=SKIPPED)], 409), ([BAD], 409), ([], 409), ([GOOD, but(GOOD, outcome=SKIPPED)], 202),
    ],
)  # fmt: skip
def test_the_status_tells_all_some_and_none_apart(door, settings, results, status):
    settings.IDENTITIES = "sealed"
    _, found = answered(door, *results)
    assert found.status_code == status
    assert found.has_header("Retry-After") is False


def test_where_identities_are_thrown_away_no_image_is_stored_as_it_was_sent(door, settings):
    settings.IDENTITIES = "none"
    assert answered(door, GOOD)[1].status_code == 202


def test_a_warning_of_the_whole_request_is_said_and_makes_a_200_a_202(door, settings):
    settings.IDENTITIES = "sealed"
    _, found = answered(door, GOOD, warning='The "bone" cohort is locked – images wait.')
    assert found.status_code == 202
    assert found["Warning"] == "299 testserver \"The 'bone' cohort is locked ? images wait.\""


def test_a_full_disk_asks_the_sender_to_come_again(door):
    _, found = answered(door, GOOD, BAD, reason_code="disk")
    assert (found.status_code, found["Retry-After"]) == (503, "60")
    assert answered(door, GOOD, BAD, reason_code="empty")[1].status_code == 202


def test_each_part_lies_in_the_sequence_of_its_outcome(door):
    named = but(GOOD, sop_instance="2.25.7", outcome=REFUSED, sentence="Frame 1 is damaged.")
    row, found = answered(door, BAD, GOOD, named)
    body = json.loads(found.content)
    assert list(body) == sorted(body)
    assert [[values(i).get(UID) for i in body[tag]["Value"]] for tag in (REFERENCED, FAILED, OTHERS)] == [
        ["2.25.1"], ["2.25.7"], [None],
    ]  # fmt: skip
    assert found["Link"] == f'<http://x/imports/{row.code}/>; rel="describedby"; type="text/html"'
    assert found["Content-Type"] == "application/dicom+json"


def test_a_sequence_without_items_is_left_out(door):
    assert set(json.loads(answered(door, GOOD)[1].content)) == {ADDRESS, REFERENCED}
    assert set(json.loads(answered(door, BAD)[1].content)) == {ADDRESS, OTHERS}


def test_of_many_refusals_the_first_few_are_said(door):
    many = [but(BAD, sentence=f"Sentence {k}.") for k in range(SAID + 4)]
    found = answered(door, *many)[1]["Warning"]
    assert found.count("299 testserver") == SAID
    assert f"Sentence {SAID - 1}." in found
    assert f"Sentence {SAID}." not in found


def filed(sender: str, key: str, importer=None) -> Exam:
    """An exam that holds the image which its sender calls so."""
    exam = make_one(key, "a", None, LABELS[:1], importer=importer)
    Instance.objects.create(
        series=exam.series.get(), uid=archive_uid(archive_key(), sender), sop_class_uid=GOOD.sop_class, rank=9,
        n_frames=1, file_digest=sender, content_digest="c",
    )  # fmt: skip
    return exam


def test_an_address_is_given_for_what_lies_behind_the_same_door_alone(door):
    exam = filed("1.2.31", "bone")
    for sender, key, importer in (("1.2.32", "other", None), ("1.2.33", "", door.actor)):
        filed(sender, key, importer)
    asked = [but(GOOD, sop_instance=f"1.2.{k}") for k in (31, 32, 33, 34)]
    series = exam.series.get()
    uid = archive_uid(archive_key(), "1.2.31")
    path = f"http://x/dicomweb/studies/{exam.uid}/series/{series.uid}/instances/{uid}"
    assert addresses(asked, door) == {"1.2.31": path}


EXAMS = [f"http://x/dicomweb/studies/2.25.{k}" for k in (1, 2)]


@pytest.mark.parametrize(
    ("found", "address"),
    [
        ([], ""), ([f"{EXAMS[0]}/series/3/instances/{k}" for k in (4, 5)], EXAMS[0]),
        ([f"{EXAMS[0]}/series/{k}/instances/5" for k in (3, 4)], EXAMS[0]),
        ([f"{exam}/series/3/instances/4" for exam in EXAMS], ""),
    ],
)  # fmt: skip
def test_the_address_of_an_answer_is_that_of_the_one_exam_that_it_stored(found, address):
    assert exam_address(found) == address


def test_what_has_no_address_says_so_with_an_empty_one(door):
    empty = {"vr": "UR"}
    assert referenced(GOOD, "")[ADDRESS] == empty
    assert json.loads(answered(door, BAD)[1].content)[ADDRESS] == empty


def test_on_the_shelf_only_ones_own_images_have_an_address(door):
    filed("1.2.41", "", door.actor)
    filed("1.2.42", "", make_user("outsider"))
    asked = [but(GOOD, sop_instance=f"1.2.4{k}") for k in (1, 2)]
    shelf = Door(**{**door.__dict__, "study_key": ""})
    assert set(addresses(asked, shelf)) == {"1.2.41"}


def post(data: bytes, kind: str):
    return RequestFactory().post("/dicomweb/studies", data, content_type=kind)


RELATED = 'multipart/related; type="application/dicom"; boundary=b'


@pytest.mark.parametrize(
    "kind", [RELATED, RELATED.replace('"', ""), RELATED.upper().replace("=B", "=b"), "multipart/related; boundary=b"]
)  # fmt: skip
def test_a_body_of_parts_is_spooled_part_by_part(tmp_path, kind):
    data = b"--b\r\nContent-Type: application/dicom\r\n\r\none\r\n--b\r\n\r\n\r\n--b--\r\n"
    found = spooled(post(data, kind), Folder(tmp_path))
    assert [(p.media, p.path.read_bytes()) for p in found] == [("application/dicom", b"one"), ("", b"")]  # fmt: skip


def test_a_single_image_is_one_part_and_an_empty_body_none(tmp_path):
    (one,) = spooled(post(b"x" * 70_000, "application/dicom"), Folder(tmp_path))
    assert (one.media, one.path.read_bytes()) == ("application/dicom", b"x" * 70_000)
    nothing = post(b"", "application/dicom")
    nothing.META["CONTENT_TYPE"] = "application/dicom"  # the factory leaves it out
    assert list(spooled(nothing, Folder(tmp_path))) == []


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data; boundary=b", RELATED.replace("dicom", "dicom+json"), "text/plain"]
)  # fmt: skip
def test_another_kind_of_body_is_unsupported_and_nothing_is_spooled(tmp_path, kind):
    with pytest.raises(Unsupported, match="stored as multipart/related"):
        list(spooled(post(b"x", kind), Folder(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_parts_without_a_boundary_are_refused(tmp_path):
    with pytest.raises(BadRequest, match="names no boundary"):
        list(spooled(post(b"x", "multipart/related"), Folder(tmp_path)))


def test_a_body_is_read_as_it_comes_and_then_ends():
    into, place = reader(post(b"abcde", "application/dicom")), bytearray(2)
    found = [bytes(place[: into(memoryview(place))]) for _ in range(4)]
    assert found == [b"ab", b"cd", b"e", b""]
