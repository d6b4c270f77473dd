"""The dashboard and its figures: who sees them in which state, in how many queries, with what beside each number."""

import re

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.analysis.models import Evaluation
from portal.dashboard.cohort_plots import part_figures
from portal.dashboard.cohort_tables import part_tables
from portal.study.models import Lesion, State, Study
from tests.cohort import make_study, make_user
from tests.dashboard.builders import BLIND, VIEWERS, figures, make_evaluated

pytestmark = pytest.mark.django_db
BEFORE = (State.DRAFT, State.SCREENING, State.READING, State.READS_LOCKED)
AFTER = (State.UNBLINDED, State.ARCHIVED)
FILES = (
    "figures/validation/roc.json", "figures/validation/roc.csv", "figures/train/auc.csv",
    "figures/validation/roc.html", "tables/validation/rates.csv", "tables/train/auc.csv",
)  # fmt: skip
HOME = "/studies/bone/dashboard/"


def ask(name: str, address: str):
    client = Client()
    client.force_login(make_user(name))
    return client.get(address if address.startswith("/") else f"/studies/bone/{address}")


@pytest.fixture
def study() -> Study:
    return make_evaluated()


@pytest.mark.promise("B10")
@pytest.mark.parametrize("state", BEFORE)
@pytest.mark.parametrize("name", [*VIEWERS, *BLIND])
def test_before_unblinding_no_figure_and_no_table_exists_for_anyone(name, state):
    make_study(state=state)
    assert {ask(name, address).status_code for address in FILES} == {404}


@pytest.mark.promise("B10")
@pytest.mark.parametrize("state", BEFORE)
@pytest.mark.parametrize("name", VIEWERS)
def test_before_unblinding_the_dashboard_says_that_it_is_closed(name, state):
    make_study(state=state)
    text = ask(name, HOME).content.decode()
    assert "not unblinded" in text
    assert "0.8" not in text
    assert "figures/" not in text


@pytest.mark.promise("B10")
@pytest.mark.parametrize("state", BEFORE)
def test_before_unblinding_the_database_holds_no_look_and_no_evaluation(state):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_evaluated(state=state)


@pytest.mark.parametrize("state", AFTER)
@pytest.mark.parametrize("name", VIEWERS)
@pytest.mark.parametrize("address", [HOME, *FILES])
def test_after_unblinding_coordinators_and_analysts_see_everything(name, address, state):
    make_evaluated(state=state)
    assert ask(name, address).status_code == 200


@pytest.mark.parametrize("state", AFTER)
@pytest.mark.parametrize("name", BLIND)
@pytest.mark.parametrize("address", [HOME, *FILES])
def test_readers_monitors_and_outsiders_never_see_any_of_it(name, address, state):
    make_evaluated(state=state)
    assert ask(name, address).status_code == 404


@pytest.mark.parametrize("address", [HOME, *FILES])
def test_nobody_sees_it_without_signing_in(address, study):
    full = address if address.startswith("/") else f"/studies/bone/{address}"
    assert Client().get(full).status_code in (302, 401)


@pytest.mark.parametrize("name", VIEWERS)
def test_the_members_of_one_study_do_not_see_another(name, study):
    make_evaluated("knee")
    Study.objects.get(code="knee").memberships.all().delete()
    assert ask(name, "/studies/knee/figures/validation/roc.json").status_code == 404


@pytest.mark.parametrize("part", ["train", "validation"])
def test_every_figure_is_served_as_json_csv_and_table(part, study):
    for key in part_figures(figures(part)):
        for form in ("json", "csv", "html"):
            assert ask("analyst", f"figures/{part}/{key}.{form}").status_code == 200, (key, form)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_every_table_is_served_as_csv_and_stands_on_the_page(part, study):
    page = ask("analyst", HOME).content.decode()
    for key in part_tables(figures(part)):
        answer = ask("analyst", f"tables/{part}/{key}.csv")
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/csv")
        assert f'id="table-{part}-{key}"' in page


def test_every_figure_stands_on_the_page_with_its_three_files_and_digest(study):
    page = ask("coordinator", HOME).content.decode()
    for part in ("train", "validation"):
        for key in part_figures(figures(part)):
            at = f"/studies/bone/figures/{part}/{key}"
            assert f'data-source="{at}.json"' in page
            for form in ("csv", "svg", "png"):
                assert f'href="{at}.{form}?download"' in page
    assert page.count("inputs validation") > 15


@pytest.mark.parametrize(("form", "kind"), [("svg", "image/svg+xml"), ("png", "image/png")])
def test_pictures_have_their_type_and_a_name(form, kind, study):
    answer = ask("analyst", f"figures/validation/auc.{form}?download")
    assert answer["Content-Type"] == kind
    assert answer["Content-Disposition"] == f'attachment; filename="bone-validation-auc.{form}"'
    assert answer["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("address", [
    "figures/validation/nothing.json", "figures/test/roc.json", "figures/validation/roc.pdf", "figures/validation/reliability.csv",
    "tables/validation/nothing.csv", "tables/test/auc.csv", "runs/nothing/cv.json",
])  # fmt: skip
def test_what_does_not_exist_is_not_found(address, study):
    assert ask("analyst", address).status_code == 404


@pytest.mark.parametrize("looks", [1, 2])
def test_the_page_counts_the_looks_with_the_validation_figures(looks):
    make_evaluated(looks=looks)
    page = ask("analyst", HOME).content.decode()
    counted = page.count(f"Looks at the validation part: {looks}.")
    assert counted >= len(part_figures(figures("validation")))
    assert ("evaluated more than once" in page) == (looks > 1)


@pytest.mark.parametrize("name", VIEWERS)
def test_the_page_costs_eight_queries_whatever_it_shows(name, study):
    client = Client()
    client.force_login(make_user(name))
    client.get(
        HOME
    )  # the first request of a session notes its time, and no page after it for a while
    with CaptureQueriesContext(connection) as seen:
        assert client.get(HOME).status_code == 200
    assert len(seen) <= 8


def test_the_lesion_that_all_got_wrong_links_to_its_page(study):
    lesion = Lesion.objects.get()
    page = ask("coordinator", HOME).content.decode()
    assert f'<a href="/studies/bone/lesions/{lesion.code}/">P5/1</a>' in page
    assert ask("coordinator", f"lesions/{lesion.code}/").status_code == 200


def test_an_evaluated_part_of_one_class_shows_its_reason(study):
    for row in Evaluation.objects.filter(study=study, part="validation"):
        assert row.figures["counts"]["lesions"] == 12
    other = make_study("knee", state=State.UNBLINDED)
    row = Evaluation.objects.filter(part="validation").get()
    Evaluation.objects.create(
        study=other, part="validation", look=row.look, inputs_digest="0" * 64, digest="0" * 64,
        figures={"reason": "This part needs both classes."}, created_at=row.created_at,
    )  # fmt: skip
    assert "This part needs both classes." in ask("analyst", "/studies/knee/dashboard/").content.decode()  # fmt: skip
    assert ask("analyst", "/studies/knee/figures/validation/roc.json").status_code == 404


def test_without_an_evaluation_the_page_asks_for_one_with_a_reason():
    make_study(state=State.UNBLINDED)
    page = ask("analyst", HOME).content.decode()
    assert 'action="/studies/bone/evaluate/"' in page
    assert ask("analyst", "figures/validation/roc.json").status_code == 404


def test_published_values_and_notes_on_method_belong_to_the_study_that_reproduces_only(study):
    assert "Notes on method" not in ask("analyst", HOME).content.decode()
    Study.objects.filter(code="bone").update(generator={"reproduces": "paper"})
    page = ask("analyst", HOME).content.decode()
    assert "Notes on method" in page
    assert "0.844" in page


def test_a_synthetic_study_says_so_on_the_page_and_in_every_file():
    make_evaluated(is_synthetic=True)
    page = ask("analyst", HOME).content.decode()
    assert "Synthetic data: computer-made images" in page
    assert "Models and simulated readers" in page
    for address in ("figures/validation/roc.csv", "tables/train/auc.csv"):
        assert ask("analyst", address).content.decode().startswith("# Synthetic data:")


def test_a_real_study_is_not_called_synthetic(study):
    assert "ynthetic" not in ask("analyst", HOME).content.decode()
    assert "ynthetic" not in ask("analyst", "tables/train/auc.csv").content.decode()


def test_the_sections_can_be_reached_from_the_top(study):
    page = ask("analyst", HOME).content.decode()
    targets = re.findall(r'href="#([^"]+)"', page)
    assert len(targets) > 12
    assert all(f'id="{target}"' in page for target in targets if target != "main")


def test_ids_are_used_once(study):
    ids = re.findall(r' id="([^"]+)"', ask("analyst", HOME).content.decode())
    assert len(ids) == len(set(ids))


def test_the_numbers_of_a_figure_come_as_a_table_without_a_page_around(study):
    text = ask("analyst", "figures/validation/auc.html").content.decode()
    assert text.startswith("<table")
    assert "0.806" in text  # 29 of 36 pairs
    assert "<html" not in text
