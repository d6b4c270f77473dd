"""The evaluation in the browser: one act, its figures at their addresses, and who finds them."""

import json
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import Client

from portal.analysis import training
from portal.study.models import State, Study
from tests.analysis.builders import do_all, right_but_for, trained
from tests.analysis.test_pages import ROOT, WHY, analyst, verbs
from tests.cohort import NOW, make_user
from tests.study.builders import carry_to
from tests.study.test_pages import sign_in

pytestmark = pytest.mark.django_db
__all__ = ["analyst"]


@pytest.fixture(scope="module")
def carried(built: int, django_db_blocker) -> Iterator[int]:
    """Three locked runs, one expert, unblinded; its key."""
    with django_db_blocker.unblock(), transaction.atomic():
        study = Study.objects.get(pk=built)
        do_all(study, "expert1", "read", right_but_for(4))
        for kind in ("ct", "spect", "combined"):
            training.lock(trained(study, kind), actor=make_user("analyst"), now=NOW)
        carry_to(study, State.UNBLINDED)
        yield study.pk
        transaction.set_rollback(True)


@pytest.fixture
def unblinded(carried: int, db: None) -> Study:
    return Study.objects.get(pk=carried)


def test_evaluating_is_one_act_and_fills_the_dashboard(unblinded, analyst):
    assert "nothing has been evaluated yet" in analyst.get(ROOT + "dashboard/").content.decode()
    before = len(verbs())
    assert analyst.post(ROOT + "evaluate/", WHY).status_code == 302
    assert verbs()[before:] == ["evaluation.compute"]
    page = analyst.get(ROOT + "dashboard/").content.decode()
    for name in ("CT", "SPECT", "Combined", "Experts"):
        assert name in page


@pytest.mark.parametrize(("generator", "shown"), [({"reproduces": "a paper"}, True), ({}, False)])
def test_the_published_values_stand_beside_ours_in_the_study_that_reproduces_them_alone(
    unblinded, analyst, generator, shown
):
    Study.objects.filter(pk=unblinded.pk).update(generator=generator)
    analyst.post(ROOT + "evaluate/", WHY)
    page = analyst.get(ROOT + "dashboard/").content.decode()
    assert ("is what the paper printed" in page) == shown
    if shown:  # elsewhere a figure of the study itself may happen to have these digits
        assert [v for v in (".844", ".871", ".926", ".839") if v not in page] == []


def figure_addresses(client: Client) -> list[str]:
    page = client.get(ROOT + "dashboard/").content.decode()
    found = sorted({part.split('"')[0] for part in page.split('data-source="')[1:]})
    assert len(found) >= 6
    return found


def test_every_figure_comes_as_json_csv_and_svg(unblinded, analyst):
    analyst.post(ROOT + "evaluate/", WHY)
    for address in figure_addresses(analyst):
        shown = analyst.get(address)
        assert shown.status_code == 200
        json.loads(shown.content)
        table = analyst.get(address.replace(".json", ".csv"))
        assert table.headers["Content-Type"].startswith("text/csv")
        assert len(table.content.decode().splitlines()) > 1
        picture = analyst.get(address.replace(".json", ".svg"))
        assert picture.headers["Content-Type"].startswith("image/svg+xml")
        assert picture.content.decode().rstrip().endswith("</svg>")


@pytest.mark.promise("B5")
@pytest.mark.parametrize("name", ["expert1", "delineator1", "outsider"])
def test_no_figure_is_found_by_a_reader_even_by_its_address(unblinded, analyst, name):
    analyst.post(ROOT + "evaluate/", WHY)
    client = sign_in(name)
    for address in figure_addresses(analyst):
        for form in ("json", "csv", "svg"):
            assert client.get(address.replace("json", form)).status_code == 404


def test_unknown_figures_and_forms_are_not_found(unblinded, analyst):
    analyst.post(ROOT + "evaluate/", WHY)
    for address in (
        "figures/validation/nothing.json",
        "figures/test/roc.json",
        "figures/train/roc.exe",
    ):
        assert analyst.get(ROOT + address).status_code == 404


def test_the_second_look_is_counted_on_the_page(unblinded, analyst):
    for reason in ("the planned analysis", "a reviewer asked"):
        analyst.post(ROOT + "evaluate/", {"reason": reason})
    assert "Looks at the validation part: <strong>2</strong>" in analyst.get(ROOT + "dashboard/").content.decode()  # fmt: skip
