"""Questions as a table: conditions, every answer of every kind, and the score for ROC."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.questions import (
    CALLS,
    contradicts,
    default_questions,
    holds,
    is_empty,
    outline_questions,
    problem,
    problems,
    question,
    verdict,
)

READ = default_questions("confidence")
ODDS = default_questions("probability")
OPTIONS = [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}]
KINDS = {
    "binary": question("q", "binary", "?", options=OPTIONS),
    "one_of": question("q", "one_of", "?", options=OPTIONS),
    "many_of": question("q", "many_of", "?", options=OPTIONS),
    "ordinal": question("q", "ordinal", "?", low=1, high=5, low_label="", high_label=""),
    "integer": question("q", "integer", "?", low=0, high=100),
    "text": question("q", "text", "?", max_length=5),
}


@pytest.mark.parametrize(
    ("kind", "answer", "code"),
    [
        *((kind, empty, "") for kind in KINDS for empty in (None, "", [])),
        ("binary", "a", ""),
        ("binary", "A", "not_an_option"),
        ("binary", "c", "not_an_option"),
        ("binary", 1, "not_an_option"),
        ("binary", True, "not_an_option"),
        ("binary", ["a"], "not_an_option"),
        ("one_of", "b", ""),
        ("one_of", "a,b", "not_an_option"),
        ("many_of", ["a"], ""),
        ("many_of", ["b", "a"], ""),
        ("many_of", ["a", "c"], "not_an_option"),
        ("many_of", ["a", 1], "not_an_option"),
        ("many_of", "a", "not_an_option"),
        ("ordinal", 0, "out_of_range"),
        ("ordinal", 1, ""),
        ("ordinal", 5, ""),
        ("ordinal", 6, "out_of_range"),
        ("ordinal", 3.0, "out_of_range"),
        ("ordinal", "3", "out_of_range"),
        ("ordinal", True, "out_of_range"),
        ("integer", -1, "out_of_range"),
        ("integer", 0, ""),
        ("integer", 100, ""),
        ("integer", 101, "out_of_range"),
        ("integer", 10**30, "out_of_range"),
        ("text", "12345", ""),
        ("text", "123456", "too_long"),
        ("text", 3, "not_an_option"),
        ("text", ["a"], "not_an_option"),
    ],
)
def test_each_kind_takes_its_own_answers_and_names_others(kind, answer, code):
    assert problem(KINDS[kind], {"q": answer}) == code


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("empty", [None, "", []])
def test_a_required_question_of_any_kind_is_missed(kind, empty):
    asked = {**KINDS[kind], "required": True}
    assert problem(asked, {"q": empty}) == "required"
    assert problem(asked, {}) == "required"


@pytest.mark.parametrize(
    ("predicate", "answers", "expected"),
    [
        # the same table as frontend/src/reading/questions.test.ts
        (None, {}, True),
        ({"question": "a", "equals": "x"}, {}, False),
        ({"question": "a", "equals": "x"}, {"a": None}, False),
        ({"question": "a", "equals": "x"}, {"a": "x"}, True),
        ({"question": "a", "equals": 3}, {"a": 3}, True),
        ({"question": "a", "equals": 3}, {"a": "3"}, False),
        ({"question": "a", "in": [1, 2]}, {"a": 2}, True),
        ({"question": "a", "in": [1, 2]}, {"a": 5}, False),
        ({"question": "a", "equals": "x"}, {"a": ["x", "y"]}, True),
        ({"question": "a", "in": ["q"]}, {"a": ["x", "y"]}, False),
        # and what only the server can meet
        ({"question": "a", "equals": 1}, {"a": True}, False),
        ({"question": "a", "equals": 0}, {"a": False}, False),
        ({"question": "a", "in": []}, {"a": "x"}, False),
        ({"question": "a", "equals": "x", "in": ["y"]}, {"a": "x"}, False),
        ({"question": "a", "equals": "x", "in": ["x", "y"]}, {"a": "x"}, True),
        ({"question": "a"}, {}, True),
        ({"question": "a", "equals": 1}, {"a": ["1"]}, True),
    ],
)
def test_a_condition_holds_or_not(predicate, answers, expected):
    assert holds(predicate, answers) is expected


def test_a_question_that_is_not_shown_is_neither_missed_nor_judged():
    asked = {
        **KINDS["ordinal"],
        "required": True,
        "visible_if": {"question": "call", "equals": "benign"},
    }
    assert problems([asked], {"call": "metastasis", "q": 99}) == {}
    assert problems([asked], {"call": "benign"}) == {"q": "required"}
    assert problems([asked], {"call": "benign", "q": 99}) == {"q": "out_of_range"}


def test_the_ten_answers_are_the_ten_scores_in_order():
    ordered = [("benign", k) for k in (5, 4, 3, 2, 1)] + [
        ("metastasis", k) for k in (1, 2, 3, 4, 5)
    ]
    scores = [verdict({"call": c, "confidence": k}).score for c, k in ordered]
    assert scores == list(range(1, 11))


@given(st.sampled_from(CALLS), st.integers(1, 5), st.sampled_from(CALLS), st.integers(1, 5))
def test_scores_order_reads_as_their_calls_and_confidences_do(c1, k1, c2, k2):
    def signed(call, confidence):
        return confidence if call == "metastasis" else 1 - confidence

    first = verdict({"call": c1, "confidence": k1}).score
    second = verdict({"call": c2, "confidence": k2}).score
    assert (first < second) == (signed(c1, k1) < signed(c2, k2))
    assert (first > 5) == (c1 == "metastasis")


@given(st.sampled_from(CALLS), st.integers(1, 5))
def test_the_opposite_call_mirrors_the_score(call, confidence):
    other = CALLS[1 - CALLS.index(call)]
    pair = [verdict({"call": c, "confidence": confidence}).score for c in (call, other)]
    assert sum(pair) == 11


@pytest.mark.parametrize(
    ("call", "probability", "refused"),
    [
        ("metastasis", 0, True),
        ("metastasis", 49, True),
        ("metastasis", 50, False),
        ("metastasis", 100, False),
        ("benign", 0, False),
        ("benign", 50, False),
        ("benign", 51, True),
        ("benign", 100, True),
        (None, 0, False),
        (None, 100, False),
    ],
)
def test_call_and_probability_can_not_contradict(call, probability, refused):
    assert contradicts(call, probability) is refused
    found = problems(ODDS, {"call": call, "probability": probability})
    assert (found.get("probability") == "out_of_range") is refused


@given(st.sampled_from(CALLS), st.integers(-10, 110))
def test_what_passes_on_the_probability_scale_has_that_score(call, probability):
    answers = {"call": call, "probability": probability}
    if not problems(ODDS, answers):
        assert verdict(answers).score == probability
        assert (probability >= 50) if call == "metastasis" else (probability <= 50)


@pytest.mark.parametrize(
    "answers",
    [
        {"cannot_judge": "yes", "cannot_judge_reason": "movement"},
        {"cannot_judge": "yes", "cannot_judge_reason": "movement", "call": "benign"},
        {"cannot_judge": "yes", "cannot_judge_reason": "x", "call": "benign", "confidence": 4},
    ],
)
def test_cannot_be_judged_outweighs_whatever_else_was_said(answers):
    said = verdict(answers)
    assert (said.call, said.confidence, said.score, said.cannot_judge) == ("", None, None, True)
    assert problems(READ, answers) == {}


@pytest.mark.parametrize("reason", [None, "", "x" * 501])
def test_cannot_be_judged_needs_a_reason_of_at_most_500_characters(reason):
    found = problems(READ, {"cannot_judge": "yes", "cannot_judge_reason": reason})
    assert set(found) == {"cannot_judge_reason"}


@pytest.mark.parametrize("said", ["no", "Yes", True, 1, None])
def test_only_yes_excuses_from_the_call(said):
    assert problems(READ, {"cannot_judge": said})["call"] == "required"


@pytest.mark.parametrize(
    ("answer", "empty"),
    [(None, True), ("", True), ([], True), (0, False), (" ", False), ("0", False)],
)
def test_zero_and_a_space_are_answers(answer, empty):
    assert is_empty(answer) is empty


def test_the_default_questions_are_those_of_the_study():
    assert [(q["id"], q["kind"], q["required"]) for q in READ] == [
        ("call", "binary", True),
        ("confidence", "ordinal", True),
        ("ct_change", "one_of", False),
        ("uptake", "one_of", False),
        ("comment", "text", False),
        ("cannot_judge", "one_of", False),
        ("cannot_judge_reason", "text", True),
    ]
    values = {q["id"]: [o["value"] for o in q.get("options", [])] for q in READ}
    assert values["ct_change"] == ["osteolytic", "osteoblastic", "mixed", "none"]
    assert values["uptake"] == ["increased", "not_increased"]


def test_the_scales_differ_in_the_certainty_alone():
    assert [q for q in READ if q["id"] != "confidence"] == [
        q for q in ODDS if q["id"] != "probability"
    ]


def test_a_delineator_is_asked_nothing_of_the_diagnosis():
    asked = {q["id"] for q in outline_questions()}
    assert not asked & {"call", "confidence", "probability", "ct_change", "uptake"}


@given(st.permutations(READ), st.sampled_from(CALLS), st.integers(0, 6))
def test_the_order_of_the_questions_changes_no_verdict(order, call, confidence):
    answers = {"call": call, "confidence": confidence}
    assert problems(order, answers) == problems(READ, answers)


def test_no_two_questions_share_their_name():
    for questions in (READ, ODDS, outline_questions()):
        for a, b in itertools.combinations(questions, 2):
            assert a["id"] != b["id"]
