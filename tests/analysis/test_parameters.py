"""A run's parameters are complete, of the right kind, and a named subset says what it takes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.analysis.parameters import (
    DEFAULTS,
    FAMILIES,
    PARAMETERS,
    checked,
    modalities_of,
    wanted_columns,
)
from portal.errors import Invalid
from radiomics.features import CATALOGUE

NOTHING = {"modalities": None, "families": None, "features": None}


def subset(**asked: object) -> dict[str, object]:
    return {**NOTHING, **asked}


def test_the_paper_is_the_default() -> None:
    full = checked("ct", None)
    assert full == dict(DEFAULTS)
    assert (full["cutoff"], full["rule"], full["refit"], full["n_folds"]) == (0.9, "min", "logistic", 10)  # fmt: skip


def test_what_is_given_stands_beside_the_defaults() -> None:
    assert checked("ct", {"rule": "1se"}) == {**DEFAULTS, "rule": "1se"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cutoff", 0.0), ("cutoff", 1.0), ("cutoff", "0.9"), ("cutoff", None), ("cutoff", float("nan")),
        ("cutoff", True), ("rule", "max"), ("rule", 1), ("rule", None), ("refit", "ridge"),
        ("n_folds", 2), ("n_folds", 21), ("n_folds", 5.0), ("n_folds", True), ("n_boot", -1),
        ("n_boot", 2001), ("n_boot", None), ("n_outer", 1), ("icc_threshold", 1.1),
        ("icc_threshold", -0.1), ("icc_threshold", "high"), ("icc_threshold", float("inf")),
        ("icc_basis", "high"), ("harmonise", "vendor"), ("harmonise", ""), ("harmonise", False),
        ("modalities", []), ("modalities", ["PET"]), ("modalities", "CT"), ("modalities", ["CT", "CT"]),
        ("families", ["shape"]), ("families", [1]), ("features", ["Mean"]), ("features", [["CT_Mean"]]),
        ("features", {"CT_Mean": 1}),
    ],
)  # fmt: skip
def test_an_impossible_value_is_refused_by_name_in_one_sentence(name: str, value: object) -> None:
    with pytest.raises(Invalid) as refusal:
        checked("subset", {"modalities": ["CT"], name: value})
    assert refusal.value.field == name
    assert refusal.value.sentence == f"{name} must be {PARAMETERS[name].words}."


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=12).filter(lambda name: name not in PARAMETERS))
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="Unknown run parameter"):
        checked("ct", {name: 1})


@given(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5), st.lists(st.text(max_size=3), max_size=2)),
    st.sampled_from(sorted(PARAMETERS)),
)  # fmt: skip
def test_no_value_whatever_does_worse_than_a_refusal(value: object, name: str) -> None:
    try:
        outcome: object = checked("ct", {name: value})[name]
    except Invalid as refusal:
        outcome = refusal.sentence
    assert outcome == value or str(outcome).endswith(".")


@pytest.mark.parametrize("kind", ["", "pet", "CT", "experts"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(Invalid, match="Choose CT, SPECT"):
        checked(kind, None)


def test_a_subset_says_what_it_takes() -> None:
    with pytest.raises(Invalid, match="needs modalities, families or features"):
        checked("subset", None)


@pytest.mark.parametrize("kind", ["ct", "spect", "combined"])
@pytest.mark.parametrize("asked", [{"modalities": ["CT"]}, {"families": ["histogram"]}, {"features": ["CT_Mean"]}])  # fmt: skip
def test_ct_spect_and_combined_take_everything(kind: str, asked: dict[str, list[str]]) -> None:
    with pytest.raises(Invalid, match="Only a named subset may choose"):
        checked(kind, asked)


def test_a_subset_of_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="No feature is in all"):
        checked("subset", {"families": ["wavelet"], "features": ["CT_Mean"]})


@pytest.mark.parametrize(
    ("kind", "n", "modalities"),
    [("ct", 279, ("CT",)), ("spect", 279, ("SPECT",)), ("combined", 558, ("CT", "SPECT"))],
)
def test_the_three_models_have_279_columns_per_modality(kind: str, n: int, modalities: tuple[str, ...]) -> None:  # fmt: skip
    assert len(wanted_columns(kind, DEFAULTS)) == n
    assert modalities_of(kind, DEFAULTS) == modalities


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_taken_from_both_modalities(family: str) -> None:
    size = sum(entry.family == family for entry in CATALOGUE)
    columns = wanted_columns("subset", subset(families=[family]))
    assert len(columns) == 2 * size
    assert sum(name.startswith("CT_") for name in columns) == size


def test_families_inside_one_modality() -> None:
    columns = wanted_columns("subset", subset(families=["histogram"], modalities=["SPECT"]))
    assert len(columns) == 9
    assert all(name.startswith("SP_") for name in columns)


def test_columns_by_name_come_in_catalogue_order_whatever_was_asked_first() -> None:
    asked = ["SP_Mean", "CT_Variance", "CT_Mean"]
    assert wanted_columns("subset", subset(features=asked)) == ("CT_Mean", "CT_Variance", "SP_Mean")


@pytest.mark.parametrize(
    ("asked", "modalities"),
    [
        ({"features": ["CT_Mean"]}, ("CT",)),
        ({"features": ["SP_Mean"]}, ("SPECT",)),
        ({"features": ["SP_Mean", "CT_Mean"]}, ("CT", "SPECT")),
        ({"features": ["CT_Mean", "SP_WavEnLL_s-1"], "families": ["histogram"]}, ("CT",)),
        ({"families": ["wavelet"]}, ("CT", "SPECT")),
        ({"modalities": ["SPECT", "CT"]}, ("CT", "SPECT")),
    ],
)
def test_a_subset_needs_only_the_rois_of_its_columns(asked: dict[str, list[str]], modalities: tuple[str, ...]) -> None:  # fmt: skip
    assert modalities_of("subset", subset(**asked)) == modalities
