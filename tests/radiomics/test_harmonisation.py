"""ComBat: as the published program, fitted on training rows alone, and never on an unknown batch."""

import json
from pathlib import Path

import numpy as np
import pytest

from radiomics.harmonisation import MIN_LESIONS, Combat, UnknownBatchError, fit_combat

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "combat.json").read_text())
X, BATCHES = np.array(GOLDEN["X"]), GOLDEN["batches"]


def two_sites(seed: int = 0, n: int = 40, p: int = 30):
    """Two batches that differ in place and scale of every feature."""
    rng = np.random.default_rng(seed)
    one = rng.normal(10, 2, (n, p))
    two = rng.normal(16, 5, (n, p))
    return np.vstack([one, two]), ["a"] * n + ["b"] * n


def test_every_value_is_that_of_the_published_program():
    found = fit_combat(X, BATCHES).apply(X, BATCHES)
    assert np.abs(found - np.array(GOLDEN["harmonised"])).max() < 1e-6


def test_batches_that_differ_in_place_and_scale_agree_afterwards():
    rows, batches = two_sites()
    after = fit_combat(rows, batches).apply(rows, batches)
    one, two = after[:40], after[40:]
    assert (
        np.abs(one.mean(axis=0) - two.mean(axis=0)).max()
        < 0.35 * np.abs(rows[:40].mean(axis=0) - rows[40:].mean(axis=0)).min()
    )
    assert one.std(axis=0).mean() == pytest.approx(two.std(axis=0).mean(), rel=0.02)
    assert one.mean() == pytest.approx(two.mean(), rel=5e-3)


def test_one_batch_is_the_identity():
    rows, _ = two_sites()
    fitted = fit_combat(rows, ["only"] * 80)
    assert np.array_equal(fitted.apply(rows, ["only"] * 80), rows)


def test_rows_that_were_not_fitted_change_no_parameter():
    rows, batches = two_sites()
    train = np.r_[0:30, 40:70]
    chosen = [batches[i] for i in train]
    before = fit_combat(rows[train], chosen)
    rows[30:40] = 1e6
    assert fit_combat(rows[train], chosen).to_dict() == before.to_dict()


def test_a_row_is_harmonised_the_same_alone_and_among_others():
    rows, batches = two_sites()
    fitted = fit_combat(rows, batches)
    together = fitted.apply(rows, batches)
    assert np.array_equal(fitted.apply(rows[50:51], batches[50:51])[0], together[50])


def test_the_order_of_rows_and_the_names_of_batches_do_not_matter():
    rows, batches = two_sites()
    order = np.random.default_rng(3).permutation(80)
    renamed = [{"a": "zurich", "b": "aarau"}[batches[i]] for i in order]
    found = fit_combat(rows[order], renamed).apply(rows[order], renamed)
    assert np.allclose(found, fit_combat(rows, batches).apply(rows, batches)[order], atol=1e-9)


def test_the_arguments_are_left_as_they_were():
    rows, batches = two_sites()
    copy = rows.copy()
    fit_combat(rows, batches).apply(rows, batches)
    assert np.array_equal(rows, copy)


def test_a_fit_survives_json():
    rows, batches = two_sites()
    fitted = fit_combat(rows, batches)
    again = Combat.from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)))
    assert np.array_equal(again.apply(rows, batches), fitted.apply(rows, batches))


def test_another_format_is_refused():
    with pytest.raises(ValueError, match="format must be combat-1, got None"):
        Combat.from_dict({})


def test_a_batch_unseen_in_training_is_refused_by_name():
    rows, batches = two_sites()
    fitted = fit_combat(rows, batches)
    with pytest.raises(UnknownBatchError, match="batch c did not occur in training"):
        fitted.apply(rows[:1], ["c"])


def test_a_batch_of_nine_is_refused_and_one_of_ten_is_fitted():
    rows, _ = two_sites()
    with pytest.raises(ValueError, match="batch small has 9 training lesions; at least 10"):
        fit_combat(rows[:50], ["big"] * 41 + ["small"] * 9)
    assert fit_combat(rows[:50], ["big"] * 40 + ["small"] * MIN_LESIONS).batches == ("big", "small")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x, b: (x, b[:-1]), "batches must have 80 entries, got 79"),
        (lambda x, b: (np.where(np.arange(30) == 4, 1.0, x), b), "column 4 is constant"),
        (lambda x, b: (np.where(np.arange(30) == 2, np.nan, x), b), "missing or infinite"),
        (lambda x, b: (x[0], b), "two-dimensional"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, sentence):
    rows, batches = two_sites()
    with pytest.raises(ValueError, match=sentence):
        fit_combat(*change(rows, batches))


def test_other_columns_than_fitted_are_refused():
    rows, batches = two_sites()
    with pytest.raises(ValueError, match="X must have 30 columns, got 29"):
        fit_combat(rows, batches).apply(rows[:, :29], batches)


def test_one_feature_is_harmonised_by_its_own_mean_and_spread():
    """There is no other feature to draw towards: batches agree exactly."""
    rows, batches = two_sites(p=1)
    found = fit_combat(rows, batches).apply(rows, batches)
    one, two = found[:40, 0], found[40:, 0]
    assert one.mean() == pytest.approx(two.mean())
    assert one.std() == pytest.approx(two.std())


def test_copies_of_one_feature_are_harmonised_alike():
    rows, batches = two_sites(p=1)
    alone = fit_combat(rows, batches).apply(rows, batches)
    twice = fit_combat(np.hstack([rows, rows]), batches).apply(np.hstack([rows, rows]), batches)
    np.testing.assert_allclose(twice, np.hstack([alone, alone]))


@pytest.mark.parametrize("p", [1, 2, 30])
def test_a_feature_without_spread_at_one_site_stays_finite(p):
    rows, batches = two_sites(p=p)
    rows[:40, 0] = 5.0
    found = fit_combat(rows, batches)
    assert (found.scale > 0).all()
    assert np.isfinite(found.apply(rows, batches)).all()
    # a later lesion of that site keeps its distance from the site's mean
    later = found.apply(np.vstack([rows[0], rows[0] + 1]), ["a", "a"])
    assert later[1, 0] > later[0, 0]


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e6), (-2.0, 3.0)])
def test_units_of_all_features_do_not_matter(scale, offset):
    rows, batches = two_sites(seed=2)
    plain = fit_combat(rows, batches).apply(rows, batches)
    other = fit_combat(scale * rows + offset, batches).apply(scale * rows + offset, batches)
    np.testing.assert_allclose((other - offset) / scale, plain, rtol=1e-6, atol=1e-6)


def test_few_lesions_are_drawn_further_towards_the_other_features_than_many():
    """Empirical Bayes: with n -> infinity the shift is the batch's own mean."""
    drawn = []
    for n in (10, 400):
        rows, batches = two_sites(seed=3, n=n)
        rows[n:] += np.linspace(-8, 8, 30)  # the sites differ from feature to feature
        found = fit_combat(rows, batches)
        own = ((rows[:n] - found.mean) / found.deviation).mean(axis=0)
        drawn.append(np.abs(found.shift[0] - own).mean() / np.abs(own - own.mean()).mean())
    assert 0 < 10 * drawn[1] < drawn[0] < 1


def test_shrunken_shifts_lie_between_their_own_and_the_common_mean():
    rows, batches = two_sites(seed=4, n=12)
    found = fit_combat(rows, batches)
    own = ((rows[:12] - found.mean) / found.deviation).mean(axis=0)
    common = own.mean()
    inside = (found.shift[0] - own) * (found.shift[0] - common)
    assert (inside <= 1e-12).all()


def test_three_sites_share_one_grand_mean_weighted_by_their_lesions():
    rng = np.random.default_rng(5)
    sizes = (10, 20, 40)
    rows = np.vstack([rng.normal(k, 1, (n, 4)) for k, n in enumerate(sizes)])
    found = fit_combat(rows, np.repeat(["c", "a", "b"], sizes))
    assert found.batches == ("a", "b", "c")
    np.testing.assert_allclose(found.mean, rows.mean(axis=0))


@pytest.mark.parametrize("names", [[1, 2], ["1", "2"], [1.5, 2.5], [True, False]])
def test_batches_may_be_named_by_anything_that_has_a_text(names):
    rows, _ = two_sites(n=12)
    batches = [names[0]] * 12 + [names[1]] * 12
    found = Combat.from_dict(json.loads(json.dumps(fit_combat(rows, batches).to_dict())))
    np.testing.assert_array_equal(found.apply(rows, batches), fit_combat(rows, batches).apply(rows, batches))  # fmt: skip
