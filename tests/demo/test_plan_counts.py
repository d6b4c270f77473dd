"""A finished demo is counted against its plan: the published sizes, and a sentence for every row too many or too few."""

import pytest

from portal.demo import build, plan_counts, sittings
from portal.demo.options import Options
from portal.errors import Conflict
from radiomics.phantom.plan import make_plan
from readers.models import Roi
from tests.demo.builders import SMALL, drawn_for, in_reading, silent

PUBLISHED = {
    "patients registered": 171,
    "patients included": 132,
    "lesions registered": 205,
    "lesions included": 192,
    "reference standards": 192,
    "locked reads": 384,
    "main ROIs": 768,
    "repeated ROIs": 120,
    "feature vectors": 888,
}


@pytest.mark.parametrize("seed", [1, 7, 2022])
def test_the_published_cohort_has_the_published_sizes(seed):
    assert plan_counts.planned(make_plan(seed=seed)) == PUBLISHED


def test_a_null_cohort_has_the_same_sizes():
    assert plan_counts.planned(make_plan(seed=5, null=True)) == PUBLISHED


def test_equal_counts_have_no_difference():
    assert plan_counts.differences(PUBLISHED, dict(PUBLISHED)) == []


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("by", [-1, 1])
def test_each_row_too_many_or_too_few_is_named(name, by):
    found = {**PUBLISHED, name: PUBLISHED[name] + by}
    assert plan_counts.differences(PUBLISHED, found) == [
        f"{PUBLISHED[name] + by} {name} instead of {PUBLISHED[name]}"
    ]


@pytest.fixture
def drawn(db, tmp_path, settings):
    """A small demo read and drawn to the end, not yet extracted."""
    settings.DATA_DIR = tmp_path
    study, people = in_reading()
    plan = SMALL.plan
    sittings.read_all(study, plan, people.users, silent())
    sittings.draw_all(study, plan, people.users, drawn_for(plan), silent())
    return study


def test_reads_and_outlines_of_a_small_demo_are_those_of_its_plan(drawn):
    wanted, found = plan_counts.planned(SMALL.plan), plan_counts.counted(drawn)
    assert found.pop("feature vectors") == 0
    assert wanted.pop("feature vectors") == wanted["main ROIs"] + wanted["repeated ROIs"]
    assert found == wanted
    assert wanted["main ROIs"] == Roi.objects.of_study(drawn).primary().count() > 0


def test_a_demo_without_its_vectors_ends_with_what_is_missing(drawn):
    n = plan_counts.planned(SMALL.plan)["feature vectors"]
    with pytest.raises(Conflict, match=f"not what was planned: 0 feature vectors instead of {n}"):
        plan_counts.assert_counts(drawn, SMALL.plan)


def test_the_build_counts_before_it_shows(monkeypatch, db, tmp_path, settings):
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(build, "carry", lambda *a: None)
    monkeypatch.setattr(build, "build_practice", lambda *a, **k: pytest.fail("shown uncounted"))
    with pytest.raises(Conflict, match="0 patients included instead of 8"):
        build.build(Options(patients=8))
