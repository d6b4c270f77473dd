"""Frames at the reader's base: the case on the desk, byte for byte, and nothing else."""

import re

import numpy as np
import pytest
from django.core.cache import cache
from django.test import Client

from portal.archive import packs
from readers.grants import grants
from tests.cohort import make_user
from tests.readers.builders import case_images, make_reading_study, start

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.readers.urls")]
STORED = "multipart/related; type=application/octet-stream; transfer-syntax=*"


@pytest.fixture(autouse=True)
def _fresh():
    grants.kept.clear()
    cache.clear()


@pytest.fixture
def case():
    return start(make_reading_study()).assignments.get(position=1)


def signed_in(name: str = "expert1") -> Client:
    client = Client()
    client.force_login(make_user(name))
    return client


def series(client, case, role):
    document = client.get(f"/reading/cases/{case.code}/document").json()
    return next(s for s in document["series"] if s["role"] == role)


def pixels(answer, shape):
    _, body = answer.content.split(b"\r\n\r\n", 1)
    end = body.rindex(b"\r\n--" + packs.boundary().encode())
    return np.frombuffer(body[:end], dtype="<u2").reshape(shape)


def test_every_address_of_the_document_answers_its_own_frame(case):
    client = signed_in()
    for role, size in (("CT", 64), ("SPECT", 32)):
        for k, image in enumerate(series(client, case, role)["images"]):
            answer = client.get(image["url"], headers={"accept": STORED})
            assert answer.status_code == 200
            assert pixels(answer, (size, size))[0, 0] == 100 * k
            assert pixels(answer, (size, size))[size // 2, size // 2] == 500 + k


@pytest.mark.trap("T29")
def test_the_part_names_its_transfer_syntax_as_the_viewer_reads_it(case):
    client = signed_in()
    url = series(client, case, "CT")["images"][0]["url"]
    answer = client.get(url, headers={"accept": STORED})
    assert answer["Content-Type"].startswith('multipart/related; type="application/octet-stream"')
    assert answer["Content-Length"] == str(len(answer.content))
    head = answer.content.split(b"\r\n\r\n")[0].decode()
    assert head.endswith(
        "Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    )
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"


def test_the_two_whole_body_views_are_two_frames(case):
    client = signed_in()
    for role, value in (("WB-ANT", 500), ("WB-POST", 501)):
        (image,) = series(client, case, role)["images"]
        assert pixels(client.get(image["url"]), (64, 32))[32, 16] == value


def test_everything_else_is_the_same_404(case):
    client = signed_in()
    url = series(client, case, "SPECT")["images"][0]["url"]
    root = f"/reading/cases/{case.code}/dicomweb/"
    lesion = case.lesion
    archive = (
        f"{root}studies/{lesion.ct_series.exam.uid}/series/{lesion.ct_series.uid}"
        f"/instances/{lesion.ct_series.instances.first().uid}/frames/1"
    )
    wrong = [
        url.rsplit("/", 1)[0] + "/8",
        root + "nothing",
        root + "../../secret",
        archive,
        url.replace(case.code, "0" * 24),
    ]
    answers = {(a.status_code, a.content) for a in (client.get(address) for address in wrong)}
    assert len(answers) == 1
    assert answers.pop()[0] == 404


@pytest.mark.promise("B6")
def test_another_reader_and_a_stranger_get_no_pixel(case):
    url = series(signed_in(), case, "CT")["images"][0]["url"]
    assert signed_in("expert2").get(url).status_code == 404
    stranger = Client().get(url)
    assert (stranger.status_code, stranger["WWW-Authenticate"]) == (401, "Token")


def test_a_warm_frame_costs_no_more_than_session_and_user(case, django_assert_max_num_queries):
    client = signed_in()
    url = series(client, case, "CT")["images"][0]["url"]
    client.get(url)
    with django_assert_max_num_queries(2):
        client.get(url)


def test_a_frame_takes_no_other_method(case):
    client = signed_in()
    url = series(client, case, "CT")["images"][0]["url"]
    answer = client.post(url)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


def whole(answer) -> bytes:
    return b"".join(answer) if answer.streaming else answer.content


def test_the_case_is_one_exam_with_its_own_names_and_no_others(case):
    client, root = signed_in(), f"/reading/cases/{case.code}/dicomweb"
    (study,) = client.get(f"{root}/studies").json()
    assert study["00100020"]["Value"] == [case.code]
    assert study["00100010"]["Value"] == [{"Alphabetic": case.code}]
    assert study["00201206"]["Value"] == [3]
    labels = [s["0008103E"]["Value"][0] for s in client.get(f"{root}/series").json()]
    assert labels == ["CT", "SPECT", "WB"]
    assert client.get(f"{root}/studies")["Cache-Control"] == "private, no-cache"


@pytest.mark.promise("B2")
@pytest.mark.parametrize("level", ["studies", "series", "instances"])
def test_archive_names_find_nothing_at_the_readers_base(case, level):
    client, root = signed_in(), f"/reading/cases/{case.code}/dicomweb"
    exam = case.lesion.ct_series.exam
    for key, text in (
        ("StudyInstanceUID", exam.uid),
        ("PatientID", exam.subject),
        ("PatientName", "*SUB*"),
    ):
        assert client.get(f"{root}/{level}", {key: text}).status_code == 204
    assert client.get(f"{root}/studies/{exam.uid}/metadata").status_code == 404


@pytest.mark.promise("B2")
def test_no_name_of_the_archive_stands_in_any_answer_of_the_case(case):
    client, root = signed_in(), f"/reading/cases/{case.code}/dicomweb"
    (study,) = client.get(f"{root}/studies").json()
    uid = study["0020000D"]["Value"][0]
    tails = ("studies?includefield=all", "series?includefield=all", "instances?includefield=all",
             f"studies/{uid}", f"studies/{uid}/metadata")  # fmt: skip
    secret = {case.lesion.patient.subject, case.lesion.code}
    for series in (case.lesion.ct_series, case.lesion.spect_series, case.lesion.whole_body_series):
        secret |= {series.uid, series.exam.uid, series.folder, series.frame_of_reference_uid}
        secret |= set(series.instances.values_list("uid", flat=True))
    for tail in tails:
        answer = client.get(f"{root}/{tail}")
        assert answer.status_code == 200
        shown = whole(answer) + str(sorted(answer.headers.items())).encode()
        for name in secret - {""}:
            assert not re.search(
                rb"(?<![\w.])" + re.escape(name.encode()) + rb"(?![\w.])", shown
            ), name


def test_two_cases_of_one_patient_share_no_uid_and_no_mark(case):
    second = case.session.assignments.get(position=2)
    one, two = case_images(case), case_images(second)
    assert not {u for i in one for u in i.key} & {u for i in two for u in i.key}
    assert {i.elements["00100020"]["Value"][0] for i in one + two} == {case.code, second.code}


@pytest.mark.parametrize(
    "rest", ["rendered", "frames/1/thumbnail", "frames/1", "bulkdata/7FE00010", "metadata", ""]
)
def test_what_two_cases_answer_of_one_image_has_no_etag_in_common(case, rest):
    """Acceptance bar B4: they are the same pixels, and nothing says so."""
    second = start(case.session.study, "expert2").assignments.get(position=1)
    second.lesion.ct_series = case.lesion.ct_series
    second.lesion.save()
    found = []
    for one, name in ((case, "expert1"), (second, "expert2")):
        study, series, image = case_images(one)[0].key
        root = f"/reading/cases/{one.code}/dicomweb/studies/{study}/series/{series}"
        answer = signed_in(name).get(f"{root}/instances/{image}/{rest}".rstrip("/"))
        assert answer.status_code == 200
        found.append(answer.headers.get("ETag"))
    assert found[0] != found[1] or found == [None, None]
    assert None not in found or rest == ""


def test_the_header_of_a_case_holds_the_allow_list_and_nothing_of_the_sender(case):
    instance = case.lesion.ct_series.instances.first()
    instance.header = {"facts": {"Manufacturer": "Zzmaker", "PatientWeight": 71, "KVP": 120,
                                 "PatientAge": "060Y", "SoftwareVersions": "Zz9"}}  # fmt: skip
    instance.save()
    shown = case_images(case)[0].elements
    assert shown["00180060"] == {"vr": "DS", "Value": [120]}
    assert "Zz" not in str(shown)
    for absent in (
        "00080070",
        "00081090",
        "00181020",
        "00101010",
        "00101020",
        "00101030",
        "00080031",
    ):
        assert absent not in shown
    for empty in ("00100030", "00080050", "00080090", "00200010", "00080030", "00100040"):
        assert "Value" not in shown[empty]


def test_another_readers_base_answers_every_resource_alike(case):
    (study,) = signed_in().get(f"/reading/cases/{case.code}/dicomweb/studies").json()
    uid = study["0020000D"]["Value"][0]
    tails = (
        "studies",
        f"studies/{uid}",
        f"studies/{uid}/metadata",
        "studies/../x",
        f"studies/{uid}/rendered",
    )
    other = signed_in("expert2")
    for code in (case.code, "0" * 24):
        answers = [other.get(f"/reading/cases/{code}/dicomweb/{t}") for t in tails]
        assert {(a.status_code, a.content) for a in answers} == {
            (404, b'{"detail": "There is no such image here."}')
        }


def test_a_program_that_asks_again_gets_304(case):
    client, root = signed_in(), f"/reading/cases/{case.code}/dicomweb"
    first = client.get(f"{root}/studies")
    again = client.get(f"{root}/studies", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
