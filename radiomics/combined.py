"""Radiomics and clinical columns in one model: the radiomics score, taken out of fold, beside them in a last logistic fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from radiomics.checks import binary_labels, finite_matrix, group_codes
from radiomics.discrimination import rank_auc, youden_threshold
from radiomics.lasso import Groups
from radiomics.logistic import fit_logistic
from radiomics.model import RadiomicsModel, patient_folds
from radiomics.model_document import check_fit, refit_from
from radiomics.nomogram import Nomogram, nomogram
from radiomics.result import FloatArray, IntArray, frozen, to_json
from radiomics.selection import column_names

FORMAT, VERSION = "radiomics-combined", 1
SCORE = "radiomics score"
KEYS = ("params", "names", "radiomics", "fit", "low", "high", "threshold", "flags")


class CombinedModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A radiomics model and clinical columns (age, sex, uptake ratio ...) in one scikit-learn classifier.

    Parameters: `clinical` numbers of the columns of X that are clinical, the rest is radiomics; `radiomics`
    parameters of the RadiomicsModel (without its seed); `n_folds` of the out-of-fold score; `seed`.

    The score that enters the last logistic fit is out of fold: for each patient the linear predictor of a
    RadiomicsModel fitted without that patient. Taken from the rows it was fitted on, it would look far better than
    it is and push the clinical columns out. New rows get the score of the model of all rows. Where nothing is
    selected the score is left out of the last fit (`empty_selection`): intercepts of folds only mirror the labels.

    After `fit`: `radiomics_` (RadiomicsModel of all rows), `fit_` (LogisticFit of score and clinical columns),
    `score_` (n,) out-of-fold log-odds, `folds_`, `low_`, `high_` (ranges for the nomogram), `threshold_`, `flags_`.
    """

    def __init__(
        self,
        *,
        clinical: Sequence[int],
        radiomics: Mapping[str, Any] | None = None,
        n_folds: int = 5,
        seed: int,
    ) -> None:
        self.clinical = clinical
        self.radiomics = radiomics
        self.n_folds = n_folds
        self.seed = seed

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        groups: Groups | None = None,
        *,
        feature_names: Sequence[str] | None = None,
        blocks: Sequence[str] | None = None,
        feature_mask: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit on these rows and nothing else: `X` (n, p), `y` (n,) of 0 and 1, `groups` (n,) patient ids (mandatory).

        `feature_names` (p,); `blocks` (p - clinical,) labels and `feature_mask`
        (p - clinical,) booleans of the radiomics columns, as RadiomicsModel takes them. Raises ValueError for missing
        groups or values, a clinical column that does not exist, is constant or repeats others, and other bad input.
        """
        if groups is None:
            raise ValueError("groups is mandatory: rows of one patient must stay together")
        rows = finite_matrix(X, names=feature_names)
        labels = binary_labels(y, rows.shape[0])
        codes = group_codes(groups, labels.size)
        self.names_ = column_names(feature_names, rows.shape[1])
        self.patients_ = frozenset(groups)
        self._divide()
        features = rows[:, self._features]
        names = [self.names_[j] for j in self._features]

        def model(chosen: npt.NDArray[Any]) -> RadiomicsModel:
            return RadiomicsModel(**dict(self.radiomics or {}), seed=self.seed).fit(
                features[chosen],
                labels[chosen],
                codes[chosen],
                feature_names=names,
                blocks=blocks,
                feature_mask=feature_mask,
            )

        self.folds_ = patient_folds(labels, groups, n_folds=self.n_folds, seed=self.seed)
        score = np.empty(labels.size)
        for k in np.unique(self.folds_):
            out = self.folds_ == k
            score[out] = model(~out).decision_function(features[out])
        self.radiomics_ = model(np.ones(labels.size, dtype=np.bool_))
        self.score_ = frozen(score)
        self._join(rows, labels, score)
        return self

    def _divide(self) -> None:
        width, chosen = len(self.names_), [int(j) for j in self.clinical]
        if not chosen or len(set(chosen)) != len(chosen) or not set(chosen) < set(range(width)):
            raise ValueError(f"clinical must be different columns out of 0..{width - 1}, not all")
        self._clinical = chosen
        self._features = [j for j in range(width) if j not in set(chosen)]
        self.terms_ = (SCORE, *(self.names_[j] for j in chosen))
        self.classes_, self.n_features_in_ = np.array([0, 1]), width

    def _join(self, rows: FloatArray, labels: FloatArray, score: FloatArray) -> None:
        """Fit score and clinical columns; the threshold is Youden's on the out-of-fold score's predictions."""
        speaks = bool(self.radiomics_.selected_) and float(np.ptp(score)) > 0
        self.terms_ = self.terms_ if speaks else self.terms_[1:]
        design = self._design(rows, score)
        self.fit_ = fit_logistic(design, labels, names=self.terms_)
        self.low_, self.high_ = frozen(design.min(axis=0)), frozen(design.max(axis=0))
        p = expit(self.fit_.coef[0] + design @ self.fit_.coef[1:])
        found = youden_threshold(labels, p)
        self.threshold_ = found if np.isfinite(found) else 0.5
        flag = "threshold_apparent" if np.isfinite(found) else "threshold_default"
        events = min(labels.sum(), labels.size - labels.sum())
        few = ("epv_low",) * bool(events / len(self.terms_) < 10)
        quiet = ("empty_selection",) * (not speaks)
        reversed_ = ("below_half",) * bool(speaks and rank_auc(labels, score) < 0.5)
        own = [f for f in self.radiomics_.flags_ if not f.startswith("threshold")]
        self.flags_ = tuple(dict.fromkeys((*own, *quiet, *reversed_, *self.fit_.flags, *few, flag)))

    def _design(self, rows: FloatArray, score: FloatArray) -> FloatArray:
        """The columns of the last fit; a score that says nothing (empty selection) is not one of them."""
        clinical = rows[:, self._clinical]
        return np.column_stack([score, clinical]) if SCORE in self.terms_ else clinical

    def decision_function(self, X: npt.ArrayLike) -> FloatArray:
        """Return (m,) log-odds of rows `X` (m, p). Raises ValueError on a wrong width or a missing value."""
        check_is_fitted(self, "fit_")
        rows = finite_matrix(X, names=None)
        if rows.shape[1] != len(self.names_):
            raise ValueError(f"X must have shape (rows, {len(self.names_)}), got {rows.shape}")
        score = self.radiomics_.decision_function(rows[:, self._features])
        terms = self._design(rows, score)
        return np.asarray(self.fit_.coef[0] + (terms * self.fit_.coef[1:]).sum(axis=1))

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Return (m, 2) probabilities of 0 and 1 of rows `X` (m, p)."""
        p = expit(self.decision_function(X))
        return np.column_stack([1.0 - p, p])

    def predict(self, X: npt.ArrayLike) -> IntArray:
        """Return (m,) calls: 1 if and only if the probability reaches `threshold_`."""
        return np.asarray(self.predict_proba(X)[:, 1] >= self.threshold_).astype(np.int64)

    def nomogram(self) -> Nomogram:
        """Return the points of the score and of each clinical column over their training ranges."""
        check_is_fitted(self, "fit_")
        coef = self.fit_.coef
        plain = {
            "mean": np.zeros(coef.size - 1),
            "scale": np.ones(coef.size - 1),
        }  # columns as they are
        return nomogram(
            self.terms_, coef[1:], float(coef[0]), **plain, low=self.low_, high=self.high_
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted model as strict JSON types; `from_dict` predicts bit-identically from it."""
        check_is_fitted(self, "fit_")
        stored = {key: getattr(self, f"{key}_") for key in ("names", "low", "high", "threshold", "flags")}  # fmt: skip
        answer: dict[str, Any] = to_json(
            {"format": FORMAT, "version": VERSION, "params": self.get_params()}
            | stored
            | {"radiomics": self.radiomics_.to_dict(), "fit": self.fit_.to_dict()}
        )
        return answer

    def lock_id(self) -> str:
        """Return the SHA-256 of the canonical JSON (sorted keys, no spaces) of `to_dict`."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Rebuild a model that predicts as the stored one did.

        Raises ValueError for an unknown format or version, a missing key, a radiomics part that is refused, terms that
        are not the score and the clinical columns, or ranges and a threshold that are none.
        """
        if document.get("format") != FORMAT or document.get("version") != VERSION:
            raise ValueError(f"not a {FORMAT} of version {VERSION}: {document.get('format')!r}")
        missing = [key for key in KEYS if key not in document]
        if missing:
            raise ValueError(f"the model lacks {', '.join(missing)}")
        check_fit(document["fit"], "fit")
        model = cls(**document["params"])
        model.names_, model.flags_ = tuple(document["names"]), tuple(document["flags"])
        model._divide()
        model.radiomics_ = RadiomicsModel.from_dict(document["radiomics"])
        model.fit_ = refit_from(document["fit"])
        model._restore(model.fit_.terms[1:], document)
        return model

    def _restore(self, terms: tuple[str, ...], document: Mapping[str, Any]) -> None:
        """Take over terms, ranges and threshold of a document, or refuse them."""
        if terms not in (self.terms_, self.terms_[1:]):
            raise ValueError(f"fit has the terms {list(terms)}, not those of {list(self.terms_)}")
        if not np.isfinite(self.fit_.coef).all():
            raise ValueError("fit holds a coefficient that is not finite")
        self.terms_ = terms
        self.low_, self.high_ = (_range(document[key], len(terms), key) for key in ("low", "high"))
        threshold = document["threshold"]
        if not isinstance(threshold, int | float) or not np.isfinite(threshold):
            raise ValueError(f"threshold must be a finite number, got {threshold!r}")
        self.threshold_ = float(threshold)


def _range(values: Any, width: int, name: str) -> FloatArray:
    """Stored ends of the terms' ranges (width,); raises ValueError for anything else."""
    if not isinstance(values, list | tuple) or len(values) != width or None in values:
        raise ValueError(f"{name} must hold a number for each of the {width} terms")
    return frozen(values)
