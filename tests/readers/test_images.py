"""Frames at the reader's base: the case on the desk, byte for byte, and nothing else."""

import numpy as np
import pytest
from django.core.cache import cache
from django.test import Client

from portal.archive import packs
from readers.grants import grants
from tests.cohort import make_user
from tests.readers.builders import make_reading_study, start

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
        url.rsplit("/frames", 1)[0],
        root + "studies",
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
