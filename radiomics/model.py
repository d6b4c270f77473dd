"""The study's model: prune, standardise, choose by LASSO, refit; a scikit-learn classifier that is plain JSON."""

from __future__ import annotations

import copy
import hashlib
import math
import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.validation import check_is_fitted

from radiomics import model_document
from radiomics.checks import binary_labels, finite_matrix, fold_numbers, group_codes
from radiomics.discrimination import youden_threshold
from radiomics.lasso import Groups, LassoCV, Measure, cross_validate, lasso_path
from radiomics.logistic import LogisticFit, RankDeficientError, fit_logistic, shrunken_fit
from radiomics.result import BoolArray, FloatArray, IntArray
from radiomics.selection import Method, column_names, filter_blocks, zscore

REFITS = ("logistic", "firth", "lasso")


def patient_folds(y: npt.ArrayLike, groups: Groups, *, n_folds: int = 10, seed: int) -> IntArray:
    """Deal rows into folds 1..n_folds, all rows of a patient into one, the classes as even as patients allow.

    `y` (n,) of 0 and 1, `groups` (n,) ids. Raises ValueError for an empty fold or a one-class training part.
    Source: scikit-learn StratifiedGroupKFold(shuffle=True); store the ids, its algorithm may change.
    """
    codes = group_codes(groups, np.asarray(y).size)
    labels = binary_labels(y, codes.size)
    if np.unique(codes).size < n_folds:
        raise ValueError(
            f"n_folds is {n_folds} but there are only {np.unique(codes).size} patients"
        )
    state = int(np.random.Generator(np.random.PCG64(seed)).integers(2**31))
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=state)
    class_sizes = np.bincount(labels.astype(np.int64))
    if class_sizes.max() < n_folds:
        raise ValueError(f"n_folds is {n_folds} but the larger class has {class_sizes.max()} rows")
    folds = np.zeros(labels.size, dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for k, (_, held_out) in enumerate(
            splitter.split(np.zeros((labels.size, 1)), labels, codes)
        ):
            folds[held_out] = k + 1
    return fold_numbers(folds, labels, codes)


def data_sha256(
    X: FloatArray, y: FloatArray, groups: Sequence[Hashable], names: Sequence[str]
) -> str:
    """Return the SHA-256 over X (float64 little-endian, C order), y (int8), then ids and names (UTF-8, NUL-joined)."""
    digest = hashlib.sha256(np.ascontiguousarray(X, dtype="<f8").tobytes())
    digest.update(y.astype(np.int8).tobytes())
    digest.update("\0".join([*(str(key) for key in groups), *names]).encode())
    return digest.hexdigest()


class RadiomicsModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Correlation filter, z-score, LASSO and refit in one scikit-learn classifier.

    Parameters: `cutoff`, `pruning` (see `correlation_filter`), `n_lambda`, `lambda_min_ratio`, `n_folds`, `measure`
    (see `cross_validate`), `rule` "min" or "1se", `refit` "logistic" (Firth when separated), "firth" or "lasso",
    `threshold_rule` "youden" or a probability, `seed` of the folds.

    After `fit`: `names_, kept_, constant_, removed_, selected_` (tuples of names), `zscore_`, `filter_` (block ->
    CorrelationFilter), `cv_`, `lambda_`, `refit_`, `threshold_`, `epv_` (rows of the smaller class per selected
    feature), `n_, n_pos_, n_groups_, data_sha256_, flags_`. After `from_dict` all but `zscore_`, `filter_`, `cv_`.
    """

    def __init__(
        self,
        *,
        cutoff: float = 0.9,
        pruning: Method = "caret_exact",
        n_lambda: int = 100,
        lambda_min_ratio: float | None = None,
        n_folds: int = 10,
        rule: str = "min",
        measure: Measure = "deviance",
        refit: str = "logistic",
        threshold_rule: str | float = "youden",
        seed: int,
    ) -> None:
        self.cutoff = cutoff
        self.pruning = pruning
        self.n_lambda = n_lambda
        self.lambda_min_ratio = lambda_min_ratio
        self.n_folds = n_folds
        self.rule = rule
        self.measure = measure
        self.refit = refit
        self.threshold_rule = threshold_rule
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
        """Fit on these rows and nothing else.

        `X` (n, p) finite, `y` (n,) of 0 and 1, `groups` (n,) patient ids (mandatory), `feature_names` (p,),
        `blocks` (p,) labels inside which pruning runs, `feature_mask` (p,) bool of the columns allowed,
        `folds` (n,) ints 1..K instead of `patient_folds`.

        Raises ValueError for missing groups, missing feature values (naming the columns) and other bad input.
        """
        self._check_parameters()
        if groups is None:
            raise ValueError("groups is mandatory: rows of one patient must stay together")
        given = feature_names if feature_names is not None else getattr(X, "columns", None)
        rows = finite_matrix(X, names=None if given is None else [str(name) for name in given])
        labels = binary_labels(y, rows.shape[0])
        codes = group_codes(groups, labels.size)
        self.names_ = column_names(given, rows.shape[1])
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = rows.shape[1]
        self.n_, self.n_pos_ = labels.size, int(labels.sum())
        self.n_groups_ = int(np.unique(codes).size)
        self.patients_ = frozenset(groups)
        self.data_sha256_ = data_sha256(rows, labels, list(groups), self.names_)
        kept = self._prune(rows, blocks, allowed_columns(feature_mask, rows.shape[1]))
        self.zscore_ = zscore(rows[:, kept])
        self.cv_ = self._choose_lambda(labels, groups, folds)
        self._refit(labels, kept)
        self._set_threshold(rows, labels)
        self.flags_ = self._flags()
        self.document_ = model_document.compose(self)
        return self

    def _check_parameters(self) -> None:
        if self.rule not in ("min", "1se"):
            raise ValueError(f"rule must be min or 1se, got {self.rule!r}")
        if self.refit not in REFITS:
            raise ValueError(f"refit must be one of {', '.join(REFITS)}, got {self.refit!r}")
        if isinstance(self.threshold_rule, str) and self.threshold_rule != "youden":
            raise ValueError(
                f"threshold_rule must be youden or a number, got {self.threshold_rule!r}"
            )

    def _prune(
        self, rows: FloatArray, blocks: Sequence[Hashable] | None, allowed: BoolArray
    ) -> IntArray:
        """Filter each block on its own; return the kept columns in ascending order."""
        self.blocks_ = block_labels(blocks, rows.shape[1])
        found = filter_blocks(
            rows,
            self.blocks_,
            allowed,
            names=self.names_,
            cutoff=self.cutoff,
            method=self.pruning,
        )
        self.filter_ = found.filters
        self.constant_ = tuple(self.names_[j] for j in found.constant)
        self.removed_ = tuple(self.names_[j] for j in found.removed)
        self.kept_ = tuple(self.names_[j] for j in found.kept)
        return found.kept

    def _choose_lambda(self, y: FloatArray, groups: Groups, folds: npt.ArrayLike | None) -> LassoCV:
        """Cross-validate on the standardised columns and remember the chosen lambda."""
        z = self.zscore_.z
        if folds is None:
            folds = patient_folds(y, groups, n_folds=self.n_folds, seed=self.seed)
        lambdas = None
        if self.n_lambda != 100 or self.lambda_min_ratio is not None:
            lambdas = lasso_path(
                z, y, n_lambda=self.n_lambda, lambda_min_ratio=self.lambda_min_ratio
            ).lambdas
        cv = cross_validate(z, y, folds, lambdas=lambdas, groups=groups, measure=self.measure)
        self._index = cv.index_min if self.rule == "min" else cv.index_1se
        self.lambda_ = float(cv.lambdas[self._index])
        return cv

    def _refit(self, y: FloatArray, kept: IntArray) -> None:
        """Refit the selected columns and store what predictions need."""
        path = self.cv_.path
        chosen = np.flatnonzero(path.coef[self._index])
        self.selected_ = tuple(self.kept_[j] for j in chosen)
        z = np.ascontiguousarray(self.zscore_.z[:, chosen])
        shrunken = np.concatenate([[path.intercept[self._index]], path.coef[self._index, chosen]])
        self.refit_ = self._refitted(z, y, shrunken)
        self.mean_, self.scale_ = self.zscore_.mean, self.zscore_.scale
        self._remember_terms(self.refit_.coef[1:], float(self.refit_.coef[0]))
        smaller = min(self.n_pos_, self.n_ - self.n_pos_)
        self.epv_ = smaller / chosen.size if chosen.size else float("nan")

    def _remember_terms(self, coef: FloatArray, intercept: float) -> None:
        """Line up coefficients, means and scales of the selected columns."""
        place = {name: j for j, name in enumerate(self.kept_)}
        chosen = [place[name] for name in self.selected_]
        self.coef_, self.intercept_ = np.array(coef), intercept
        self._columns = [self.names_.index(name) for name in self.selected_]
        self._means, self._scales = self.mean_[chosen], self.scale_[chosen]

    def _refitted(self, z: FloatArray, y: FloatArray, shrunken: FloatArray) -> LogisticFit:
        if self.refit == "lasso":
            return shrunken_fit(z, y, shrunken, self.selected_)
        too_wide = z.shape[1] + 1 > y.size - 1
        method: Literal["auto", "firth"] = "firth" if self.refit == "firth" else "auto"
        try:
            fit = None if too_wide else fit_logistic(z, y, method=method, names=self.selected_)
        except RankDeficientError:
            fit = None
        return fit or shrunken_fit(z, y, shrunken, self.selected_, ("refit_impossible",))

    def _set_threshold(self, rows: FloatArray, y: FloatArray) -> None:
        self._threshold_flag = None
        if self.threshold_rule != "youden":
            self.threshold_ = float(self.threshold_rule)
            return
        self._threshold_flag = "threshold_apparent"
        self.threshold_ = youden_threshold(y, expit(self._scores(rows)))
        if not math.isfinite(self.threshold_):
            self.threshold_, self._threshold_flag = 0.5, "threshold_default"

    def _flags(self) -> tuple[str, ...]:
        conditions = {
            "lambda_at_path_end": self._index == self.cv_.lambdas.size - 1,
            "empty_selection": not self.selected_,
            "epv_low": self.epv_ < 10,
        }
        found = [flag for flag in self.cv_.flags if flag != "lambda_at_path_end"]
        found += [flag for flag, holds in conditions.items() if holds]
        found += [*self.refit_.flags, *filter(None, [self._threshold_flag])]
        return tuple(found)

    def _scores(self, rows: FloatArray) -> FloatArray:
        z = (rows[:, self._columns] - self._means) / self._scales
        # a plain sum of columns: the same number for a row whether it comes alone or among others
        return np.asarray(self.intercept_ + (z * self.coef_).sum(axis=1))

    def _rows(self, X: npt.ArrayLike) -> FloatArray:
        check_is_fitted(self, "coef_")
        columns = getattr(X, "columns", None)
        if columns is not None:
            absent = [name for name in self.names_ if name not in columns]
            if absent:
                raise ValueError(f"X lacks the column(s) {', '.join(absent[:20])}")
            frame: Any = X
            X = frame[list(self.names_)]
        rows = np.asarray(X, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.names_):
            raise ValueError(f"X must have shape (rows, {len(self.names_)}), got {rows.shape}")
        return finite_matrix(rows, names=self.names_)

    def decision_function(self, X: npt.ArrayLike) -> FloatArray:
        """Return (m,) log-odds of rows `X` (m, p); pandas columns are matched by name. ValueError on a wrong width."""
        return self._scores(self._rows(X))

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
        return copy.deepcopy(self.document_)

    def lock_id(self) -> str:
        """Return the SHA-256 of the canonical JSON (sorted keys, no spaces) of `to_dict`."""
        return model_document.lock_id(self.to_dict())

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Rebuild a model that predicts as the stored one did.

        Raises ValueError for an unknown format or version, a missing key or a number that is not finite.
        """
        model_document.check(document, cls._get_param_names())
        model = cls(**document["params"])
        for attribute in ("names", "blocks", "constant", "kept", "removed", "selected", "flags"):
            setattr(model, f"{attribute}_", tuple(document[attribute]))
        model.classes_ = np.array([0, 1])
        model.n_features_in_ = len(model.names_)
        model.mean_, model.scale_ = np.array(document["mean"]), np.array(document["scale"])
        model.lambda_, model.threshold_ = document["lambda"], document["threshold"]
        model.refit_ = model_document.refit_from(document["refit"])
        training = document["training"]
        model.n_, model.n_pos_, model.n_groups_ = (
            training[key] for key in ("n", "n_pos", "n_groups")
        )
        model.data_sha256_ = training["sha256"]
        smaller = min(model.n_pos_, model.n_ - model.n_pos_)
        model.epv_ = smaller / len(model.selected_) if model.selected_ else float("nan")
        model._remember_terms(np.array(document["coef"], dtype=np.float64), document["intercept"])
        model.document_ = copy.deepcopy(dict(document))
        return model


def block_labels(blocks: Sequence[Hashable] | None, width: int) -> tuple[str, ...]:
    """Return (width,) labels as text, one block "all" by default. Raises ValueError for another length."""
    labels = ("all",) * width if blocks is None else tuple(str(block) for block in blocks)
    if len(labels) != width:
        raise ValueError(f"blocks must have {width} labels, got {len(labels)}")
    return labels


def allowed_columns(feature_mask: npt.ArrayLike | None, width: int) -> BoolArray:
    """Return (width,) bool, all true by default. Raises ValueError for anything but one boolean per column."""
    if feature_mask is None:
        return np.ones(width, dtype=np.bool_)
    mask = np.asarray(feature_mask)
    if mask.shape != (width,) or mask.dtype != np.bool_:
        raise ValueError(
            f"feature_mask must be {width} booleans, got {mask.dtype} of shape {mask.shape}"
        )
    return mask
