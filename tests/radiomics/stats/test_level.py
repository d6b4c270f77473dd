"""The confidence level of every function of the science: one check, one sentence, nothing else accepted."""

import inspect
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pytest
from scipy.stats import norm

import radiomics
import radiomics.stats
from radiomics.checks import confidence_level
from radiomics.stats.agreement import bland_altman
from radiomics.stats.roc import auc_interval

ROOT = Path(radiomics.__file__).parent.parent
PARTS = [m.name for m in iter_modules(radiomics.__path__) if not m.ispkg and m.name != "checks"]
MODULES = [f"radiomics.{name}" for name in PARTS]
MODULES += [f"radiomics.stats.{m.name}" for m in iter_modules(radiomics.stats.__path__)]
RNG = np.random.default_rng(6)
Y = np.tile([0, 1], 15)
S = RNG.normal(size=30) + Y
P = 1 / (1 + np.exp(-S))
CALLS = S > 0.5
PAIR = np.stack([S, S[::-1]], axis=1)


class Always:
    """A fitted model of nobody: the probability is the first column."""

    patients_ = frozenset()

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-X[:, 0]))
        return np.column_stack([1 - p, p])


ARGUMENTS = {
    "fit_logistic": (S[:, None], Y),
    "icc2_columns": (S[:, None], S[::-1, None]),
    "icc": (PAIR,),
    "bland_altman": (S, S[::-1]),
    "f_limits": (2.0, 3.0, 9.0),
    "calibration": (Y, P),
    "confusion": (Y, CALLS),
    "compare_with_readers": (Y, S, PAIR.T),
    "t_test": (S, S[::-1]),
    "compare_continuous": (S, S[::-1]),
    "kappa": (Y, CALLS.astype(int)),
    "gwet_ac1": (np.stack([Y, CALLS], axis=1),),
    "fleiss_form": (np.stack([Y, CALLS], axis=1),),
    "obuchowski_rockette": (Y, np.stack([PAIR.T, PAIR.T + Y])),
    "operating_point": (Y, S, 0.8),
    "auc_interval": (Y, S),
    "compare_auc": (Y, S, P[::-1]),
    "binomial_interval": (0.8, 30),
    "performance": (Always(), S[:, None], Y, np.arange(30)),
}
MORE = {"t_test": {"equal": True}}
FROM = re.compile(r"from radiomics[\w.]* import (\([^)]*\)|[^\n]*)")
NO_LEVELS = [0, 1, -0.05, 1.05, 95, float("nan"), float("inf"), None, "0.95", True]


def takers():
    """Every function of the science that has a parameter `level`, where it is written."""
    found = {}
    for name in MODULES:
        for function in vars(import_module(name)).values():
            is_here = inspect.isfunction(function) and function.__module__ == name
            if is_here and "level" in inspect.signature(function).parameters:
                found[function.__name__] = function
    return found


def imported():
    """Names that any file takes out of a module of the science."""
    files = [p for folder in ("radiomics", "portal", "readers") for p in (ROOT / folder).rglob("*.py")]  # fmt: skip
    found = (FROM.findall(path.read_text()) for path in files)
    return {name for names in found for text in names for name in re.findall(r"\w+", text)}


TAKERS = takers()


def test_every_function_that_others_can_reach_is_in_this_table():
    doors = {n for n, f in TAKERS.items() if inspect.signature(f).parameters["level"].default == 0.95}  # fmt: skip
    assert len(doors) >= 14
    assert (doors | (set(TAKERS) & imported())) <= set(ARGUMENTS) <= set(TAKERS)


@pytest.mark.parametrize("level", NO_LEVELS, ids=repr)
@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_what_is_no_level_is_refused_in_one_sentence(name, level):
    with pytest.raises(ValueError, match=r"^level must lie between 0 and 1, got "):
        TAKERS[name](*ARGUMENTS[name], level=level, **MORE.get(name, {}))


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
@pytest.mark.parametrize("level", [0.5, np.float64(0.99)])
def test_what_is_a_level_is_taken(name, level):
    TAKERS[name](*ARGUMENTS[name], level=level, **MORE.get(name, {}))


def test_the_sentence_is_written_in_one_place():
    holders = [
        path.name
        for path in (ROOT / "radiomics").rglob("*.py")
        if "level must lie" in path.read_text()
    ]
    assert holders == ["checks.py"]


def test_the_level_is_given_back_as_it_is():
    assert confidence_level(0.95) == 0.95


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.999])
def test_limits_are_as_wide_as_the_level_says(level):
    found = auc_interval(Y, S, method="logit_delong", level=level)
    centre = np.log(found.auc / (1 - found.auc))
    half = np.log(found.high / (1 - found.high)) - centre
    assert half == pytest.approx(norm.ppf(0.5 + level / 2) * found.se / (found.auc * (1 - found.auc)))  # fmt: skip


def test_a_higher_level_contains_a_lower_one():
    widths = [
        (found.bias_high - found.bias_low, found.high - found.low)
        for level in (0.5, 0.8, 0.9, 0.95, 0.99)
        for found in [bland_altman(S, S[::-1] + 0.1, level=level)]
    ]
    assert all(a[0] < b[0] for a, b in zip(widths, widths[1:], strict=False))
