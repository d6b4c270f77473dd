"""Standardising and correlation pruning against R, by hand, and in general."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomics.selection import correlation_filter, zscore
from tests.radiomics.golden_stats import answer, block_names, features, radiomics_rows


def random_matrix(seed, n=30, p=12):
    rng = np.random.Generator(np.random.PCG64(seed))
    latent = rng.normal(size=(n, 4))
    return latent @ rng.normal(size=(4, p)) + 0.4 * rng.normal(size=(n, p))


@pytest.mark.parametrize("name", ["glm_n80p12", "glm_ties_n50p5"])
def test_zscore_agrees_with_r_scale(name):
    golden = answer(f"zscore_{name}")
    found = zscore(features(name)[1])
    sd = np.array(golden["sd"])
    assert (np.abs(found.mean - golden["mean"]) <= 1e-12 * sd).all()
    assert (np.abs(found.scale - sd) <= 1e-12 * sd).all()
    np.testing.assert_allclose(found.z, golden["z"], atol=1e-12)


@pytest.mark.parametrize("cutoff", [0.9, 0.75])
@pytest.mark.parametrize("name", ["corr_p60", "corr_p120"])
def test_the_same_columns_go_in_caret_s_order(name, cutoff):
    names, X = features(name)
    found = correlation_filter(X, cutoff=cutoff, names=names)
    assert list(found.removed_names) == answer(f"findCorrelation_{name}")[f"cut{cutoff}_exact"]


@pytest.mark.parametrize("cutoff", [0.9, 0.75])
@pytest.mark.parametrize("block", ["CT", "SP"])
def test_the_radiomics_blocks_lose_what_caret_removes(block, cutoff):
    names = block_names(block)
    found = correlation_filter(radiomics_rows(True, names), cutoff=cutoff, names=names)
    assert (
        list(found.removed_names)
        == answer(f"findCorrelation_radiomics_{block}")[f"cut{cutoff}_exact"]
    )


@pytest.mark.parametrize("cutoff", [0.9, 0.75])
def test_duplicates_go_and_a_constant_column_is_set_aside(cutoff):
    names, X = features("corr_dup_const")
    found = correlation_filter(X, cutoff=cutoff, names=names)
    assert (
        list(found.removed_names) == answer("findCorrelation_corr_dup_const")[f"cut{cutoff}_exact"]
    )
    assert [names[j] for j in found.constant] == ["x6"]
    assert "x6" not in found.kept_names + found.removed_names


def test_a_constant_column_standardises_to_zero_whatever_comes_later():
    found = zscore([[1.0, 5.0], [3.0, 5.0]])
    assert found.constant.tolist() == [False, True]
    assert found.scale.tolist() == [np.sqrt(2.0), 1.0]
    assert found.z[:, 1].tolist() == [0.0, 0.0]
    assert found.apply([[2.0, 99.0]]).tolist() == [[0.0, 0.0]]


def test_a_tiny_ripple_on_a_large_number_counts_as_constant():
    X = np.array([[1e6], [1e6 + 1e-9], [1e6]])
    assert zscore(X).constant.tolist() == [True]


def test_new_rows_use_the_training_mean_and_scale():
    train = random_matrix(1)
    found = zscore(train)
    new = random_matrix(2)
    np.testing.assert_allclose(
        found.apply(new), (new - train.mean(0)) / train.std(0, ddof=1), atol=1e-12
    )
    np.testing.assert_allclose(found.apply(train), found.z, atol=1e-12)


def test_a_large_offset_costs_no_digits_of_the_spread():
    X = random_matrix(3)
    np.testing.assert_allclose(zscore(X + 1e6).z, zscore(X).z, atol=1e-8)


def naive_filter(X, cutoff, pairwise):
    """The printed algorithm, means recomputed for every pair."""
    R = np.abs(np.corrcoef(X.T))
    np.fill_diagonal(R, 0.0)
    p = len(R)
    order = np.argsort(-np.round(R.sum(0) / (p - 1), 12), kind="stable")
    alive, removed = list(order), []
    for a, i in enumerate(order):
        for j in order[a + 1 :]:
            if i not in alive or j not in alive or R[i, j] <= cutoff:
                continue
            rest = [k for k in alive if k != j]
            m_i = np.mean([R[i, k] for k in alive if k != i])
            if pairwise:
                m_j = np.mean([R[j, k] for k in rest])
            else:
                m_j = np.mean([R[k, m] for k in rest for m in alive if k != m])
            gone = i if m_i > m_j + 1e-12 else j
            alive.remove(gone)
            removed.append(gone)
    return [k for k in order if k in removed]


@pytest.mark.parametrize("method", ["caret_exact", "pairwise_mean"])
@pytest.mark.parametrize("seed", range(6))
def test_running_sums_decide_as_fresh_means_do(seed, method):
    X = random_matrix(seed)
    found = correlation_filter(X, cutoff=0.7, method=method)
    assert found.removed.tolist() == naive_filter(X, 0.7, method == "pairwise_mean")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), cutoff=st.floats(0.3, 0.95))
def test_no_kept_pair_exceeds_the_cutoff(seed, cutoff):
    X = random_matrix(seed)
    found = correlation_filter(X, cutoff=cutoff)
    R = np.abs(np.corrcoef(X[:, found.kept].T)) if found.kept.size > 1 else np.zeros((1, 1))
    off_diagonal = R[~np.eye(len(R), dtype=bool)]
    assert off_diagonal.max(initial=0.0) <= cutoff + 1e-10
    assert found.max_kept_correlation <= cutoff
    assert sorted([*found.kept, *found.removed]) == list(range(X.shape[1]))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_row_order_sign_and_unit_do_not_change_what_stays(seed):
    X = random_matrix(seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    changed = X[rng.permutation(len(X))] * rng.choice([-3.0, 0.5, 2.0], X.shape[1]) + 4.0
    assert correlation_filter(changed).kept.tolist() == correlation_filter(X).kept.tolist()


def test_every_removal_has_its_decision():
    names, X = features("corr_p60")
    found = correlation_filter(X, names=names)
    assert sorted(decision[5] for decision in found.decisions) == sorted(found.removed)
    for i, j, r, m_i, m_j, gone in found.decisions:
        assert r == pytest.approx(abs(np.corrcoef(X[:, i], X[:, j])[0, 1]), abs=1e-12)
        assert r > 0.9
        assert gone == (i if m_i > m_j + 1e-12 else j)


def test_a_single_column_stays():
    found = correlation_filter([[1.0], [2.0], [4.0]])
    assert found.kept.tolist() == [0]
    assert found.max_kept_correlation == 0.0


@pytest.mark.parametrize("cutoff", [0.0, 1.0, -0.5, 2.0])
def test_a_cutoff_outside_zero_to_one_is_refused(cutoff):
    with pytest.raises(ValueError, match="cutoff"):
        correlation_filter(random_matrix(0), cutoff=cutoff)


def test_two_rows_an_unknown_method_and_doubled_names_are_refused():
    with pytest.raises(ValueError, match="at least 3"):
        correlation_filter([[1.0, 2.0], [3.0, 1.0]])
    with pytest.raises(ValueError, match="fast"):
        correlation_filter(random_matrix(0), method="fast")
    with pytest.raises(ValueError, match="12 different names"):
        correlation_filter(random_matrix(0), names=["a"] * 12)


def test_a_missing_value_names_its_column():
    X = random_matrix(0, p=2)
    X[4, 1] = np.inf
    with pytest.raises(ValueError, match="entropy"):
        correlation_filter(X, names=["contrast", "entropy"])
    with pytest.raises(ValueError, match="column"):
        zscore(X)


def test_answers_are_read_only_and_strict_json():
    found = correlation_filter(random_matrix(0), cutoff=0.6)
    with pytest.raises(ValueError, match="read-only"):
        found.kept[0] = 3
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["kept"] == found.kept.tolist()
    with pytest.raises(ValueError, match="columns"):
        zscore(random_matrix(0)).apply([[1.0, 2.0]])
