"""The iMRMC file read back by another hand: every name its own, the AUC recounted from its lines."""

import re
from collections import defaultdict
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.analysis.cases import Reader
from portal.dashboard.imrmc import TRUTH_READER, fields, imrmc_text
from radiomics.stats.roc import auc_interval
from tests.dashboard.builders import SCORES, Y, make_part


def body_of(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.split("BEGIN DATA:\n")[1].splitlines()]


def recounted(text: str) -> dict[str, float]:
    """Reader -> share of (metastasis, benign) pairs in the right order, ties one half."""
    truth: dict[str, int] = {}
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for reader, case, _, value in body_of(text):
        if reader == TRUTH_READER:
            truth[case] = int(value)
        else:
            scores[reader][case] = float(value)
    found = {}
    for reader, said in scores.items():
        up = [said[c] for c, y in truth.items() if y]
        down = [said[c] for c, y in truth.items() if not y]
        wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in product(up, down)]
        found[reader] = sum(wins) / len(wins)
    return found


def readers(*names: str) -> tuple[Reader, ...]:
    return tuple(
        Reader(name, who.calls, who.scores, who.seconds)
        for name, who in zip(names, make_part().readers, strict=True)
    )


def test_the_auc_recounted_from_the_lines_is_the_one_of_the_dashboard():
    found = recounted(imrmc_text(make_part(), comments=["x"]))
    assert found == pytest.approx({name: auc_interval(Y, s, method="delong").auc for name, s in SCORES.items()})  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [("Анна", "Ольга"), ("Dr. A", "Dr, A"), ("Ä. Li", "Ö. Li"), ("-1", "1"), ("李", "王"), ("a", "a ")],
)  # fmt: skip
def test_two_readers_never_become_one(names):
    text = imrmc_text(make_part(readers=readers(*names)), comments=[])
    found = recounted(text)
    assert sorted(found.values()) == pytest.approx(sorted(recounted(imrmc_text(make_part(), comments=[])).values()))  # fmt: skip
    assert len(found) == 2
    assert TRUTH_READER not in found


def test_two_lesions_never_become_one_case():
    part = make_part()
    labels = ("S 1/1", "S_1/1", "S-1/1", *part.labels[3:])
    rows = body_of(imrmc_text(make_part(labels=labels), comments=[]))
    for reader in (TRUTH_READER, "Ann", "Ben"):
        cases = [case for who, case, _, _ in rows if who == reader]
        assert len(set(cases)) == len(cases) == 12


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["P1/1", "P1/2"], ["P1_1", "P1_2"]),
        (["a b", "a,b", "a;b"], ["a_b", "a_b_2", "a_b_3"]),
        (["a b", "a_b_2", "a,b"], ["a_b", "a_b_2", "a_b_3"]),
        (["-1"], ["-1_2"]),
        ([], []),
    ],
)
def test_names_are_told_apart_by_a_number(names, wanted):
    assert fields(names) == wanted


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=6), max_size=8))
def test_whatever_the_names_each_field_is_its_own_and_plain(names):
    found = fields(names)
    assert len(set(found)) == len(names) == len(found)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]*", text) for text in found)
    assert TRUTH_READER not in found


@pytest.mark.parametrize("n", [0, 1, 2])
def test_the_head_counts_the_readers_that_follow(n):
    text = imrmc_text(make_part(readers=make_part().readers[:n]), comments=[])
    assert f"\nNR: {n}\n" in text
    assert len({row[0] for row in body_of(text)} - {TRUTH_READER}) == n


def test_the_file_says_that_lesions_of_a_patient_are_not_independent():
    head = imrmc_text(make_part(), comments=["Study bone"]).split("N0:")[0].splitlines()
    assert head[0] == "# Study bone"
    assert "not independent" in head[1]
    assert all(line.startswith("# ") for line in head)


@pytest.mark.parametrize("score", [0.5, 1.0, 10.0, 100.0])
def test_a_score_comes_back_as_the_number_it_was(score):
    who = make_part().readers[0]
    one = Reader("Ann", who.calls, who.scores * 0 + score, who.seconds)
    rows = body_of(imrmc_text(make_part(readers=(one,)), comments=[]))
    assert {float(row[3]) for row in rows if row[0] == "Ann"} == {score}
