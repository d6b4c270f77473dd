import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.questions import default_questions, holds, outline_questions, problems, verdict

READ = default_questions("confidence")
PROBABILITY = default_questions("probability")
JSON_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(max_size=3))
)


def test_a_call_and_its_confidence_are_enough():
    assert problems(READ, {"call": "benign", "confidence": 4}) == {}


def test_nothing_is_preselected_and_call_and_confidence_are_required():
    assert problems(READ, {}) == {"call": "required", "confidence": "required"}


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"call": "malignant", "confidence": 3}, {"call": "not_an_option"}),
        ({"call": ["benign"], "confidence": 3}, {"call": "not_an_option"}),
        ({"call": "benign", "confidence": 6}, {"confidence": "out_of_range"}),
        ({"call": "benign", "confidence": 0}, {"confidence": "out_of_range"}),
        ({"call": "benign", "confidence": 3.0}, {"confidence": "out_of_range"}),
        ({"call": "benign", "confidence": True}, {"confidence": "out_of_range"}),
        ({"call": "benign", "confidence": 3, "comment": "x" * 2001}, {"comment": "too_long"}),
        ({"call": "benign", "confidence": 3, "uptake": "some"}, {"uptake": "not_an_option"}),
    ],
)
def test_an_answer_outside_its_question_is_named(answers, code):
    assert problems(READ, answers) == code


def test_a_case_that_cannot_be_judged_needs_its_reason_and_nothing_else():
    assert problems(READ, {"cannot_judge": "yes"}) == {"cannot_judge_reason": "required"}
    answers = {"cannot_judge": "yes", "cannot_judge_reason": "CT is missing"}
    assert problems(READ, answers) == {}
    assert verdict(answers).cannot_judge
    assert verdict({**answers, "call": "benign", "confidence": 5}).call == ""


def test_a_hidden_question_is_not_checked():
    long = {"call": "benign", "confidence": 3, "cannot_judge_reason": "x" * 9999}
    assert problems(READ, long) == {}


@pytest.mark.parametrize(
    ("call", "confidence", "score"),
    [("metastasis", k, 5 + k) for k in range(1, 6)]
    + [("benign", 1, 5), ("benign", 2, 4), ("benign", 3, 3), ("benign", 4, 2), ("benign", 5, 1)],
)
def test_the_score_orders_certain_benign_to_certain_metastasis(call, confidence, score):
    assert verdict({"call": call, "confidence": confidence}).score == score


def test_on_the_probability_scale_the_probability_is_the_score():
    answers = {"call": "metastasis", "probability": 80}
    assert problems(PROBABILITY, answers) == {}
    said = verdict(answers)
    assert (said.score, said.confidence) == (80, None)


@pytest.mark.parametrize(("call", "probability"), [("metastasis", 49), ("benign", 51)])
def test_a_call_on_the_other_side_of_50_is_refused(call, probability):
    found = problems(PROBABILITY, {"call": call, "probability": probability})
    assert found == {"probability": "out_of_range"}


def test_50_goes_with_either_call():
    for call in ("metastasis", "benign"):
        assert problems(PROBABILITY, {"call": call, "probability": 50}) == {}


def test_conditions_look_at_values_lists_and_sets():
    assert holds(None, {})
    assert holds({"question": "a", "equals": "x"}, {"a": "x"})
    assert not holds({"question": "a", "equals": "x"}, {})
    assert not holds({"question": "a", "equals": 1}, {"a": True})
    assert holds({"question": "a", "in": [1, 2]}, {"a": 2})
    assert holds({"question": "a", "equals": "x"}, {"a": ["x", "y"]})


def test_delineators_are_asked_for_no_call():
    assert {q["id"] for q in outline_questions()} == {
        "comment",
        "cannot_judge",
        "cannot_judge_reason",
    }


def test_several_options_may_be_chosen_of_a_many_of_question():
    asked = {
        "id": "signs",
        "kind": "many_of",
        "text": "Signs",
        "options": [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}],
        "required": True,
        "visible_if": None,
    }
    assert problems([asked], {"signs": ["a", "b"]}) == {}
    assert problems([asked], {"signs": []}) == {"signs": "required"}
    assert problems([asked], {"signs": "a"}) == {"signs": "not_an_option"}


@given(st.dictionaries(st.sampled_from([q["id"] for q in READ]), JSON_VALUES))
def test_any_answers_give_codes_and_never_an_error(answers):
    codes = set(problems(READ, answers).values())
    assert codes <= {"required", "out_of_range", "not_an_option", "too_long"}
    if not codes:
        said = verdict(answers)
        assert said.cannot_judge or 1 <= said.score <= 10
