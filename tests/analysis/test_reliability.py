"""ICC of each feature over repeated drawings: the statistics' own value, training lesions alone, or the reason why not."""

import numpy as np
import pytest

from portal.analysis.models import FeatureVector
from portal.analysis.reliability import FEWEST, reliability, row, training_lesions
from portal.analysis.table import numbers, parts
from portal.study.models import Split
from radiomics.features import NAMES
from radiomics.stats.agreement import icc
from tests.analysis.builders import changed_set, do_all, extracted, outlined
from tests.study.test_pages import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def twice(study):
    """Every lesion outlined by a second delineator, a little smaller."""
    do_all(study, "delineator2", "outline", outlined(radius_mm=9.0))
    extracted(study)
    return study


def by_name(study, chosen, *, modality="CT", form="ICC2"):
    return {
        r.feature: r for r in reliability(study, chosen) if (r.modality, r.form) == (modality, form)
    }


def pairs_of(study, chosen, name):
    rows = FeatureVector.objects.filter(feature_set=chosen, roi__modality="CT").select_related(
        "roi__read__assignment__session__reader"
    )
    found: dict[str, dict[int, float]] = {}
    for vector in rows:
        case = vector.roi.read.assignment
        found.setdefault(case.session.reader.username, {})[case.lesion_id] = numbers(vector)[
            NAMES.index(name)
        ]
    train = sorted(training_lesions(study))
    return np.array([[found[d][i] for d in sorted(found)] for i in train])


def test_every_feature_of_both_modalities_has_a_row(twice):
    rows = list(reliability(twice, extracted(twice)))
    assert len(rows) == 2 * 279
    assert [r.feature for r in rows[:279]] == list(NAMES)
    assert {r.between for r in rows} == {"delineator1 and delineator2"}


@pytest.mark.parametrize("name", ["Mean", "Variance", "Perc.90%"])
def test_the_value_is_the_statistics_own(twice, name):
    chosen = extracted(twice)
    found = by_name(twice, chosen)[name]
    wanted = icc(pairs_of(twice, chosen, name)).icc2
    assert (found.value, found.low, found.high) == (wanted.value, wanted.low, wanted.high)


def test_only_lesions_of_the_training_part_count(twice):
    chosen = extracted(twice)
    before = by_name(twice, chosen)
    held_out = {i for i, p in parts(Split.objects.get(study=twice)).items() if p == "validation"}
    assert before["Mean"].n == 20 - len(held_out)

    def noise(row, lesion):
        if lesion in held_out:
            row.values = [0.5] * 279

    assert by_name(twice, changed_set(twice, noise)) == before


def test_one_delineator_gives_no_row(study):
    assert list(reliability(study, extracted(study))) == []


def test_too_few_pairs_and_constant_features_say_so(twice):
    train = sorted(training_lesions(twice))

    def spoil(row, lesion):
        row.values = [
            3.0,
            None if lesion in train[FEWEST - 1 :] else row.values[1],
            *row.values[2:],
        ]

    found = by_name(twice, changed_set(twice, spoil))
    first, second = NAMES[:2]
    assert (found[first].value, found[first].reason) == (None, "constant")
    assert (found[second].n, found[second].reason) == (FEWEST - 1, "fewer than 10 complete pairs")


def test_a_failed_vector_drops_its_lesion_alone(twice):
    bad = min(training_lesions(twice))

    def fail(row, lesion):
        if lesion == bad and row.roi.modality == "CT":
            row.failure, row.values = "The ROI holds no pixel.", []

    n = len(training_lesions(twice))
    chosen = changed_set(twice, fail)
    assert by_name(twice, chosen)["Mean"].n == n - 1
    assert by_name(twice, chosen, modality="SPECT")["Mean"].n == n


def test_it_is_an_export_of_analysts_and_of_nobody_blind(twice):
    extracted(twice)
    address = "/studies/bone/exports/reliability.csv"
    text = sign_in("analyst").get(address).content.decode()
    assert text.count("delineator1 and delineator2") == 2 * 279
    assert {
        sign_in(n).get(address).status_code for n in ("expert1", "delineator1", "outsider")
    } == {404}


@pytest.mark.parametrize(
    ("first", "second", "form", "value", "reason"),
    [
        (range(12), range(12), "icc2", 1.0, ""),
        (range(12), range(12), "icc3", 1.0, ""),
        ([1] * 12, [2] * 12, "icc2", 0.0, ""),
        ([1] * 12, [2] * 12, "icc3", None, "undefined: the lesions do not differ"),
        ([3] * 12, [3] * 12, "icc2", None, "constant"),
        (range(9), range(9), "icc2", None, "fewer than 10 complete pairs"),
    ],
)
def test_what_has_no_limits_or_no_value_says_none_and_never_nan(first, second, form, value, reason):
    pairs = np.column_stack([first, second]).astype(float)
    found = row(("CT", "Mean", "a and b", form.upper(), len(pairs)), pairs, form)
    assert (found.value, found.low, found.high, found.reason) == (value, None, None, reason)
