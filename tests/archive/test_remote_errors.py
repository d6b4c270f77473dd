"""What another server may answer, and the one error that each becomes: from a real one on loopback."""

import json

import pytest

from portal.archive import pacs
from portal.archive.packs import DiskFull
from portal.archive.pacs import FoundExam, Wish, exam_from, filters, number
from portal.archive.peer import AS_NATIVE, AS_STORED, Peer, Server, Silent, first
from portal.archive.remote import DicomwebServer, addresses, path_of, renamed
from portal.archive.store import DOES_NOT_ANSWER, Damaged, Down, Missing
from portal.errors import Conflict, NotFound
from tests.archive.holdings import incoming
from tests.archive.scripted import Scripted

SENTENCE = "The server does not answer; try again in a minute."
REFUSES = "The server refuses these credentials; ask its administrator."
SERIES = "studies/1.2/series/1.3"


def peer(remote: Scripted) -> Peer:
    return Peer(Server(remote.url), tries=1)


def post(remote: Scripted):
    return peer(remote).post(iter([b"body"]), 4, "mark")


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        (400, Silent, SENTENCE), (401, Silent, REFUSES), (403, Silent, REFUSES), (404, NotFound, "The server has no such images."),
        (406, Silent, SENTENCE), (408, Silent, SENTENCE), (429, Silent, SENTENCE), (500, Silent, SENTENCE), (502, Silent, SENTENCE),
        (503, Silent, SENTENCE),
    ],
)  # fmt: skip
def test_each_status_of_a_search_and_of_a_pull_is_one_error(remote, tmp_path, status, error, sentence):  # fmt: skip
    remote.status = status
    for ask in (
        lambda: peer(remote).search("studies"),
        lambda: list(peer(remote).parts(SERIES, AS_STORED, tmp_path)),
        lambda: peer(remote).metadata(SERIES),
    ):
        with pytest.raises(error) as refusal:
            ask()
        assert str(refusal.value) == sentence
        assert remote.url not in str(refusal.value)


@pytest.mark.parametrize("body", [b"<html>", b"{", b"\xff\xfe", b""])
def test_nonsense_instead_of_json_is_silence(remote, body):
    remote.body = body
    with pytest.raises(Silent, match="does not answer"):
        post(remote)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "text/html"}, b"<html>sign in</html>"),
        ({"Content-Type": "multipart/related"}, b"--b\r\n\r\nx\r\n--b--"),  # no boundary
        ({"Content-Type": "multipart/related; boundary=b"}, b"--b\r\n\r\nx"),  # cut
        ({"Content-Type": "multipart/related; boundary=b"}, b""),
        ({"Content-Type": "multipart/related; boundary=b", "Content-Length": "999"}, b"--b\r\n\r\nx\r\n--b--"),
    ],
)  # fmt: skip
def test_a_series_that_does_not_come_whole_is_silence_and_no_shorter_series(remote, tmp_path, headers, body):  # fmt: skip
    remote.headers, remote.body = headers, body
    with pytest.raises(Silent):
        list(peer(remote).parts(SERIES, AS_STORED, tmp_path))


def test_no_content_is_a_series_of_nothing(remote, tmp_path):
    remote.status, remote.body = 204, b""
    assert list(peer(remote).parts(SERIES, AS_STORED, tmp_path)) == []


def test_a_length_that_is_no_number_is_passed_over(remote, tmp_path):
    remote.headers = {"Content-Type": "multipart/related; boundary=b", "Content-Length": "\xb2"}
    remote.body = b"--b\r\n\r\nx\r\n--b--"
    assert len(list(peer(remote).parts(SERIES, AS_STORED, tmp_path))) == 1


@pytest.mark.parametrize("status", [400, 406, 415, 500, 501])
def test_a_server_that_is_picky_is_asked_for_native_images_next(remote, tmp_path, status):
    remote.by_accept = {AS_STORED: status}
    remote.headers = {"Content-Type": "multipart/related; boundary=b"}
    remote.body = b"--b\r\n\r\nx\r\n--b--"
    assert len(list(peer(remote).series(SERIES, tmp_path))) == 1
    assert [accept for _, accept in remote.asked] == [AS_STORED, AS_NATIVE]


@pytest.mark.parametrize("status", [401, 404, 408, 503])
def test_a_server_that_refuses_for_another_reason_is_not_asked_in_other_ways(remote, tmp_path, status):  # fmt: skip
    remote.status = status
    with pytest.raises((Silent, NotFound)):
        list(peer(remote).series(SERIES, tmp_path))
    assert len(remote.asked) == 1


def test_a_server_that_knows_no_pages_does_not_keep_us_for_ever(remote):
    remote.body = json.dumps([{"0020000E": {"vr": "UI", "Value": [u]}} for u in ("1.4", "1.5")]).encode()  # fmt: skip
    assert [first(row, "0020000E") for row in peer(remote).every("series", "1.2")] == ["1.4", "1.5"]
    assert len(remote.asked) == 2


def test_one_image_after_the_other_is_the_last_way(remote, tmp_path):
    remote.by_accept = {AS_STORED: 406, AS_NATIVE: 406}
    remote.body = json.dumps([{"00080018": {"vr": "UI", "Value": [u]}} for u in ("1.4", "../x", "1.5")]).encode()  # fmt: skip
    with pytest.raises(Silent):
        list(peer(remote).series(SERIES, tmp_path))
    paths = [path for path, _ in remote.asked]
    assert f"/{SERIES}/instances/1.4" in paths
    assert not any("../x" in path for path in paths)  # no address is made of what is no UID


@pytest.mark.parametrize(
    ("status", "headers", "body", "error"),
    [
        (413, {}, b"", DiskFull), (507, {}, b"", DiskFull), (503, {"Warning": '299 h "The archive\'s disk is full"'}, b"", DiskFull),
        (503, {}, b"the disk is full", DiskFull), (503, {}, b"busy", Silent), (400, {}, b"", Silent), (401, {}, b"", Silent),
        (404, {}, b"", NotFound), (204, {}, b"", Silent), (302, {"Location": "/x"}, b"", Silent),
    ],
)  # fmt: skip
def test_each_refusal_of_a_push_is_one_error(remote, status, headers, body, error):
    remote.status, remote.headers, remote.body = status, headers, body
    with pytest.raises(error):
        post(remote)


@pytest.mark.parametrize("status", [200, 202, 409])
def test_a_push_is_answered_by_what_became_of_each_image(remote, status):
    remote.status, remote.body = status, b'{"00081199": {"vr": "SQ", "Value": []}}'
    assert post(remote) == {"00081199": {"vr": "SQ", "Value": []}}
    remote.body = b"[1]"
    assert post(remote) == {}


@pytest.mark.parametrize(("status", "is_done"), [(200, True), (202, True), (204, True), (405, False), (501, False), (404, False)])  # fmt: skip
def test_a_server_that_offers_no_deletion_keeps_the_series(remote, status, is_done):
    remote.status, remote.body = status, b""
    assert peer(remote).delete(SERIES) is is_done


def test_a_store_that_is_down_says_so_and_nothing_else(tmp_path, settings):
    settings.ARCHIVE_DIR = tmp_path / "archive"
    store = DicomwebServer(Server("http://127.0.0.1:9"))
    batch = incoming(tmp_path / "in", n=1)
    there = [one.holding for one in batch]
    for ask in (
        lambda: store.put(batch), lambda: store.present(there), lambda: store.verify(there), lambda: store.metadata(there),
        lambda: store.frames(there, there[0], [1], "native"), lambda: store.ask_to_delete(there),
    ):  # fmt: skip
        with pytest.raises(Down) as refusal:
            ask()
        assert (str(refusal.value), refusal.value.status, refusal.value.retry_after) == (DOES_NOT_ANSWER, 503, 60)  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (Missing, 404, "There is no such image here."),
        (Damaged, 503, "This image is damaged in the archive; tell the coordinator."),
        (Down, 503, "The image archive does not answer; try again in a minute."),
    ],
)
def test_a_stores_errors_are_sentences(error, status, sentence):
    assert (str(error()), error().status) == (sentence, status)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://h/dicom-web/studies/1.2/series/1.3/instances/1.4", "studies/1.2/series/1.3/instances/1.4"),
        ("https://evil.example/x/y/studies/1/series/2/instances/3/", "studies/1/series/2/instances/3"),
        ("studies/1/series/2/instances/3", "studies/1/series/2/instances/3"),
        ("", ""), ("http://h/studies/1/series/2", ""), ("http://h/studies/1/series/2/instances/x", ""),
        ("http://h/studies/../series/2/instances/3", ""), ("http://h/studies/1/instances/2/series/3", ""),
        ("http://h/studies/1/series/2/instances/3/frames/1", ""), ("http://h/studies/1/series/2/instances/3?x=y", ""),
        ("http://h/studies/1/series/2/instances/" + "3" * 65, ""),
    ],
)  # fmt: skip
def test_of_an_address_only_its_uids_are_used(url, path):
    assert path_of(url) == path


def told(uid: str, url: str) -> dict:
    return {"00081155": {"vr": "UI", "Value": [uid]}, "00081190": {"vr": "UR", "Value": [url]}}


def failed(tag: str, reason: int) -> dict:
    return {tag: {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [reason]}}]}}


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (failed("00081198", 0x0111), Conflict, "already stored"), (failed("0008119A", 0x0111), Conflict, "already stored"),
        (failed("00081198", 0xA700), DiskFull, "disk is full"), (failed("00081198", 0xC000), Down, "does not answer"),
        ({}, Down, "does not answer"), ({"00081199": {"vr": "SQ", "Value": [told("2.25.99", "")]}}, Down, "does not answer"),
    ],
)  # fmt: skip
def test_a_push_is_done_when_each_image_is_confirmed(tmp_path, answer, error, sentence):
    (one,) = (i.holding for i in incoming(tmp_path, n=1))
    with pytest.raises(error, match=sentence):
        addresses(answer, [one])


def test_only_an_address_other_than_ours_is_kept(tmp_path):
    one, two = (i.holding for i in incoming(tmp_path, n=2))
    study, series, instance = one.image.key
    ours = f"http://h/studies/{study}/series/{series}/instances/{instance}"
    theirs = "http://h/studies/1/series/2/instances/3"
    answer = {"00081199": {"vr": "SQ", "Value": [told(one.uid, ours), told(two.uid, theirs)]}}
    assert addresses(answer, [one, two]) == {two.uid: "studies/1/series/2/instances/3"}


def test_a_remotes_header_comes_back_under_our_uids_and_without_pixels(tmp_path):
    (one,) = (i.holding for i in incoming(tmp_path, n=1))
    theirs = {"00080018": {"vr": "UI", "Value": ["9"]}, "7FE00010": {"vr": "OW", "BulkDataURI": "x"}, "00280010": {"vr": "US", "Value": [6]}}  # fmt: skip
    found = renamed(theirs, one)
    uids = tuple(found[t]["Value"][0] for t in ("0020000D", "0020000E", "00080018"))
    assert uids == one.image.key
    assert "7FE00010" not in found
    assert found["00280010"] == {"vr": "US", "Value": [6]}


@pytest.mark.parametrize(
    ("wish", "keys"),
    [
        (Wish(), {}), (Wish("  "), {}), (Wish("Mueller"), {"PatientName": "Mueller*"}), (Wish(" P123 "), {"PatientID": "P123"}),
        (Wish(first_day="2019-01-02"), {"StudyDate": "20190102-"}), (Wish(last_day="2019-01-02"), {"StudyDate": "-20190102"}),
        (Wish(first_day="2019-01-02", last_day="2019-02-03"), {"StudyDate": "20190102-20190203"}),
        (Wish(modality=" nm "), {"ModalitiesInStudy": "NM"}),
        (Wish("7", "2019-01-02", "", "ct"), {"PatientID": "7", "StudyDate": "20190102-", "ModalitiesInStudy": "CT"}),
    ],
)  # fmt: skip
def test_a_wish_becomes_the_keys_of_a_search(wish, keys):
    assert filters(wish) == keys


@pytest.mark.parametrize(("text", "n"), [("12", 12), ("", 0), ("x", 0), ("-1", 0), ("1.5", 0), ("²", 0), ("٣", 0)])  # fmt: skip
def test_a_count_that_is_no_number_is_nought(text, n):
    assert number(text) == n


def test_a_row_of_a_pacs_may_lack_anything():
    assert exam_from({}) == FoundExam("", "", "", "", "", "", 0)
    row = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}, "00080061": {"vr": "CS", "Value": ["CT", "NM"]}, "00201208": {"vr": "IS", "Value": [3]}}  # fmt: skip
    assert (exam_from(row).patient_name, exam_from(row).modalities, exam_from(row).n_images) == ("A^B", "CT, NM", 3)  # fmt: skip


@pytest.mark.parametrize(
    ("element", "text"),
    [(None, ""), ({}, ""), ({"Value": []}, ""), ({"Value": None}, ""), ({"Value": ["a", "b"]}, "a"), ({"Value": [7]}, "7"), ({"Value": [{"Ideographic": "x"}]}, "")],
)  # fmt: skip
def test_the_first_value_of_an_element_is_text(element, text):
    assert first({"00100010": element}, "00100010") == text


def test_a_pacs_of_no_name_is_not_there(db):
    with pytest.raises(NotFound, match="There is no PACS of that name"):
        pacs.server_of("nowhere")
