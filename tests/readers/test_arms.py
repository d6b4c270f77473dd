"""Conditions of a design: what an arm of one modality shows, and what it must not."""

import json

import pytest
from django.test import Client

from portal.archive.models import Instance
from portal.errors import Invalid
from readers import reading
from readers.design import CONDITIONS
from readers.grants import view_of
from tests.cohort import NOW, make_user
from tests.readers.builders import make_reading_study, plan, read_session, start

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.readers.urls")]
ALL = ["CT", "SPECT", "WB-ANT", "WB-POST"]
ARMS = {
    "unaided": ALL,
    "aided": ALL,
    "fused": ALL,
    "CT": ["CT"],
    "SPECT": ["SPECT", "WB-ANT", "WB-POST"],
}


@pytest.fixture
def study():
    return make_reading_study(n_lesions=1, parameters={"still_pictures": True})


def client() -> Client:
    found = Client()
    found.force_login(make_user("expert1"))
    return found


def opened(study, condition):
    case = start(study, condition=condition).assignments.get(position=1)
    return case, client().get(f"/reading/cases/{case.code}/document").json()


def test_every_condition_of_a_design_says_what_it_shows():
    assert set(ARMS) == set(CONDITIONS)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_case_shows_the_images_of_its_condition_and_no_others(study, condition):
    _, document = opened(study, condition)
    assert [series["role"] for series in document["series"]] == ARMS[condition]


@pytest.mark.parametrize("condition", ["CT", "SPECT"])
def test_the_frames_of_the_other_modality_are_not_served(study, condition):
    case, document = opened(study, condition)
    case = reading.with_everything().get(pk=case.pk)
    shown = {image["sop_instance_uid"] for s in document["series"] for image in s["images"]}
    assert {place[2] for place in view_of(case).places} == shown


@pytest.mark.parametrize(
    ("condition", "hidden"), [("CT", "SPECT"), ("CT", "WB-ANT"), ("SPECT", "CT")]
)
def test_no_picture_of_the_other_modality_is_drawn(study, condition, hidden):
    case, _ = opened(study, condition)
    root = f"/reading/cases/{case.code}/picture.png?slice=1&role="
    assert client().get(root + hidden).status_code == 404
    assert client().get(root + "FUSED").status_code == 404
    assert client().get(root + ARMS[condition][0]).status_code == 200


@pytest.mark.parametrize("condition", ["CT", "SPECT"])
def test_nothing_is_fused_or_copied_in_one_arm_and_the_desk_says_why(study, condition):
    _, document = opened(study, condition)
    for name in ("registration", "copy"):
        assert document["case"][name]["ok"] is False
        assert "one modality" in document["case"][name]["reason"]


def test_the_ct_arm_does_not_say_where_the_lesion_lies_on_the_whole_body_scan(study):
    _, document = opened(study, "CT")
    assert document["case"]["lesion"]["whole_body"] is None
    assert "WB-" not in json.dumps(document)


def test_the_still_pictures_of_an_arm_are_its_own(study):
    case, _ = opened(study, "SPECT")
    page = client().get(f"/reading/cases/{case.code}/?view=pictures").content.decode()
    assert "role=SPECT" in page
    assert "role=CT" not in page
    assert "role=FUSED" not in page


def test_the_arms_of_one_reader_are_planned_side_by_side(study):
    plan(study, "expert1", condition="CT")
    plan(study, "expert1", condition="SPECT")
    sessions = study.sessions.order_by("number").values_list("number", "condition")
    assert list(sessions) == [(1, "CT"), (2, "SPECT")]


@pytest.mark.parametrize("condition", ["CT", "SPECT", "fused", "aided"])
def test_outlines_are_drawn_on_all_images_without_aid(study, condition):
    with pytest.raises(Invalid, match="all images"):
        plan(study, "delineator1", task="outline", condition=condition)


def test_an_unknown_condition_is_refused_with_the_known_ones(study):
    with pytest.raises(Invalid, match="unaided, aided, CT, SPECT, fused"):
        plan(study, "expert1", condition="MR")


def test_a_case_of_an_arm_is_read_and_signed_like_any_other(study):
    session = start(study, condition="CT")
    read_session(session, actor=make_user("expert1"))
    closed = reading.close_session(session, actor=make_user("expert1"), now=NOW)
    assert closed.state == "closed"


def test_each_arm_has_an_order_of_its_own():
    study = make_reading_study(n_lesions=8)
    orders = {
        condition: [a.lesion_id for a in plan(study, "expert1", condition=condition)[0].assignments.order_by("position")]
        for condition in ("unaided", "CT", "SPECT")
    }  # fmt: skip
    assert len({tuple(order) for order in orders.values()}) == 3
    assert len({frozenset(order) for order in orders.values()}) == 1


def test_an_image_with_a_slope_of_its_own_says_so_and_no_other_does(study):
    """PET slices have slopes of their own (dicomweb.md 5.5: value = stored · slope + intercept, per instance)."""
    case, before = opened(study, "unaided")
    assert not any("rescale" in image for s in before["series"] for image in s["images"])
    ct = study.patients.get().lesions.get().ct_series
    second = ct.instances.order_by("rank")[1]
    Instance.objects.filter(pk=second.pk).update(slope=2.5, intercept=-7.0)
    after = client().get(f"/reading/cases/{case.code}/document").json()
    (shown,) = [s for s in after["series"] if s["role"] == "CT"]
    own = [image.get("rescale") for image in shown["images"]]
    assert own == [None, {"slope": 2.5, "intercept": -7.0}, *[None] * (len(own) - 2)]
    assert (shown["rescale"]["slope"], shown["rescale"]["intercept"]) == (1.0, -1024.0)
