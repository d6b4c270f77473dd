"""Linear baselines from scikit-learn behind the contract of RadiomicsModel: elastic net, ridge, linear SVM."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from radiomics.checks import binary_labels, finite_matrix, fold_numbers, group_codes
from radiomics.discrimination import youden_threshold
from radiomics.lasso import Groups
from radiomics.logistic import fit_logistic
from radiomics.model import allowed_columns, block_labels, data_sha256, patient_folds
from radiomics.result import FloatArray, IntArray, to_json
from radiomics.selection import column_names, filter_blocks, zscore

FORMAT, VERSION = "radiomics-baseline", 1
KINDS = ("elastic_net", "ridge", "svm")
L1_SHARE = 0.5
NUMBERS = ("mean", "scale", "coef", "intercept", "C", "threshold")
TEXTS = ("names", "kept", "flags")


class BaselineModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Correlation filter, z-score and one penalised linear model of scikit-learn, its strength chosen by patient-grouped CV.

    Parameters: `kind` "elastic_net" (half L1, half L2), "ridge" or "svm" (linear, Platt-scaled on held-out margins),
    `cutoff` of the filter, `strengths` (values of C tried, the smallest of equally good ones is taken), `n_folds`,
    `seed`. A comparison, not the study's model: none has an optimality certificate.

    After `fit`: `names_, kept_, mean_, scale_, coef_` (of the kept, standardised columns), `intercept_, C_,
    cv_deviance_` (one per strength), `threshold_, n_, n_pos_, n_groups_, data_sha256_, flags_`.
    """

    def __init__(
        self,
        *,
        kind: str = "ridge",
        cutoff: float = 0.9,
        strengths: Sequence[float] = (0.001, 0.01, 0.1, 1.0),
        n_folds: int = 5,
        seed: int,
    ) -> None:
        self.kind = kind
        self.cutoff = cutoff
        self.strengths = strengths
        self.n_folds = n_folds
        self.seed = seed

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        groups: Groups | None = None,
        *,
        feature_names: Sequence[str] | None = None,
        blocks: Sequence[Hashable] | None = None,
        feature_mask: npt.ArrayLike | None = None,
        folds: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit on these rows and nothing else; arguments and refusals as in `RadiomicsModel.fit`."""
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if groups is None:
            raise ValueError("groups is mandatory: rows of one patient must stay together")
        rows = finite_matrix(X, names=feature_names)
        labels = binary_labels(y, rows.shape[0])
        codes = group_codes(groups, labels.size)
        self.names_ = column_names(feature_names, rows.shape[1])
        self.n_, self.n_pos_ = labels.size, int(labels.sum())
        self.n_groups_ = int(np.unique(codes).size)
        self.patients_ = frozenset(groups)
        self.data_sha256_ = data_sha256(rows, labels, list(groups), self.names_)
        found = filter_blocks(
            rows,
            block_labels(blocks, rows.shape[1]),
            allowed_columns(feature_mask, rows.shape[1]),
            names=self.names_,
            cutoff=self.cutoff,
            method="caret_exact",
        )
        standard = zscore(rows[:, found.kept])
        self.kept_ = tuple(self.names_[j] for j in found.kept)
        self.mean_, self.scale_ = standard.mean, standard.scale
        if folds is None:
            folds = patient_folds(labels, groups, n_folds=self.n_folds, seed=self.seed)
        self._choose(standard.z, labels, fold_numbers(folds, labels, codes))
        return self._finish(rows, labels)

    def _choose(self, z: FloatArray, y: FloatArray, folds: IntArray) -> None:
        """Take the strength with the least held-out deviance and fit all rows with it."""
        self.flags_: tuple[str, ...] = ()
        eta = np.empty((len(self.strengths), y.size))
        for k in np.unique(folds):
            out = folds == k
            inner = zscore(z[~out])
            for i, strength in enumerate(self.strengths):
                coef, intercept = self._linear(inner.z, y[~out], strength)
                eta[i, out] = intercept + inner.apply(z[out]) @ coef
        calibrated = [self._calibration(row, y) for row in eta]
        self.cv_deviance_ = tuple(
            float(2 * (np.logaddexp(0, a + b * row) - y * (a + b * row)).mean())
            for (a, b), row in zip(calibrated, eta, strict=True)
        )
        best = int(np.argmin(self.cv_deviance_))
        self.C_ = float(self.strengths[best])
        coef, intercept = self._linear(z, y, self.C_)
        a, b = calibrated[best]
        self.coef_, self.intercept_ = b * coef, float(a + b * intercept)

    def _calibration(self, eta: FloatArray, y: FloatArray) -> tuple[float, float]:
        """Platt's line for SVM margins, nothing for models that speak log-odds."""
        if self.kind != "svm" or np.ptp(eta) == 0:
            return 0.0, 1.0
        fit = fit_logistic(eta[:, None], y, method="firth")
        return float(fit.coef[0]), float(fit.coef[1])

    def _linear(self, z: FloatArray, y: FloatArray, strength: float) -> tuple[FloatArray, float]:
        """Coefficients and intercept of one fit; a solver that stops early becomes a flag."""
        if self.kind == "svm":
            model: Any = SVC(kernel="linear", C=strength)
        elif self.kind == "ridge":
            model = LogisticRegression(C=strength, max_iter=1000)
        else:
            model = LogisticRegression(
                C=strength, l1_ratio=L1_SHARE, solver="saga", max_iter=500, tol=1e-4,
                random_state=self.seed,
            )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                model.fit(z, y)
            except ConvergenceWarning:
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(z, y)
                self.flags_ = ("not_converged",)
        return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])

    def _finish(self, rows: FloatArray, labels: FloatArray) -> Self:
        self._place()
        p = self.predict_proba(rows)[:, 1]
        self.threshold_ = youden_threshold(labels, p)
        default = not np.isfinite(self.threshold_)
        self.threshold_ = 0.5 if default else self.threshold_
        self.flags_ += ("threshold_default" if default else "threshold_apparent",)
        return self

    def _place(self) -> None:
        self.classes_, self.n_features_in_ = np.array([0, 1]), len(self.names_)
        self._columns = [self.names_.index(name) for name in self.kept_]

    def decision_function(self, X: npt.ArrayLike) -> FloatArray:
        """Return (m,) log-odds of rows `X` (m, p). Raises ValueError on a wrong width or a missing value."""
        check_is_fitted(self, "coef_")
        rows = finite_matrix(X)
        if rows.shape[1] != len(self.names_):
            raise ValueError(f"X must have shape (rows, {len(self.names_)}), got {rows.shape}")
        z = (rows[:, self._columns] - self.mean_) / self.scale_
        return np.asarray(self.intercept_ + (z * self.coef_).sum(axis=1))

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Return (m, 2) probabilities of 0 and 1 of rows `X` (m, p)."""
        p = expit(self.decision_function(X))
        return np.column_stack([1.0 - p, p])

    def predict(self, X: npt.ArrayLike) -> IntArray:
        """Return (m,) calls: 1 if and only if the probability reaches `threshold_`."""
        return np.asarray(self.predict_proba(X)[:, 1] >= self.threshold_).astype(np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted model as strict JSON types; `from_dict` predicts bit-identically from it."""
        check_is_fitted(self, "coef_")
        training = ("n", "n_pos", "n_groups", "data_sha256")
        answer: dict[str, Any] = to_json(
            {"format": FORMAT, "version": VERSION, "params": self.get_params()}
            | {key: getattr(self, f"{key}_") for key in (*NUMBERS, *TEXTS, "cv_deviance")}
            | {"training": {key: getattr(self, f"{key}_") for key in training}}
        )
        return answer

    def lock_id(self) -> str:
        """Return the SHA-256 of the canonical JSON (sorted keys, no spaces) of `to_dict`."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Rebuild a model that predicts as the stored one did.

        Raises ValueError for an unknown format or version, a missing key or a number that is not finite.
        """
        if document.get("format") != FORMAT or document.get("version") != VERSION:
            raise ValueError(f"not a {FORMAT} of version {VERSION}: {document.get('format')!r}")
        wanted = ("params", *NUMBERS, *TEXTS, "cv_deviance", "training")
        missing = [key for key in wanted if key not in document]
        if missing:
            raise ValueError(f"the model lacks {', '.join(missing)}")
        model = cls(**document["params"])
        for key in NUMBERS:
            value = np.array(document[key], dtype=np.float64)
            if not np.isfinite(value).all():
                raise ValueError(f"{key} holds a number that is not finite")
            setattr(model, f"{key}_", value if value.ndim else float(value))
        for key in (*TEXTS, "cv_deviance"):
            setattr(model, f"{key}_", tuple(document[key]))
        for key, value in document["training"].items():
            setattr(model, f"{key}_", value)
        model._place()
        return model
