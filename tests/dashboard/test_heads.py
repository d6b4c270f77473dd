"""Heads of columns as people write them; the CSV keeps the names it always had."""

import pytest

from portal.dashboard.templatetags.dashboard_format import SHORT, head


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("auc", "AUC"),
        ("auc of the model", "AUC of the model"),
        ("mean auc of the readers", "Mean AUC of the readers"),
        ("ppv low", "PPV low"),
        ("p (Holm)", "P (Holm)"),
        ("hl_p", "HL p"),
        ("spiegelhalter p", "Spiegelhalter p"),
        ("model or reader", "Model or reader"),
        ("", ""),
    ],
)
def test_a_head_has_its_abbreviations_and_a_capital(name, shown):
    assert head(name) == shown


@pytest.mark.parametrize("word", sorted(SHORT.values()))
def test_a_head_that_is_written_right_stays_as_it_is(word):
    assert head(word) == word
    assert head(word.lower()) == word
    assert head(f"x {word.lower()}") == f"X {word}"
