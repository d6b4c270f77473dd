"""Every golden file of statistics.md section 14 against our functions: values compared and worst deviation.

A ledger counts each number and keeps the worst deviation as a share of its tolerance; names, orders and indices
count as one value each and must be equal. `python -m tests.radiomics.golden_comparisons` prints the table of docs/golden.md.
"""

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from radiomics.lasso import cross_validate, lasso_path
from radiomics.logistic import fit_logistic
from radiomics.model import RadiomicsModel
from radiomics.resampling import bootstrap_optimism
from radiomics.selection import correlation_filter, zscore
from radiomics.stats.agreement import bland_altman, fleiss_kappa, gwet_ac1, icc, kappa
from radiomics.stats.calibration import calibration
from radiomics.stats.confusion import confusion, mcnemar
from radiomics.stats.decision import decision_curve
from radiomics.stats.groups import adjust_p, compare_categorical, compare_continuous
from radiomics.stats.mrmc import obuchowski_rockette
from radiomics.stats.permutation import permutation_auc
from radiomics.stats.roc import auc, auc_interval, compare_auc, partial_auc, roc_curve, youden
from tests.radiomics.golden_stats import (
    FOLDER,
    answer,
    block_names,
    columns,
    features,
    radiomics_column,
    radiomics_rows,
)

FORMS = ("icc1", "icc2", "icc3", "icc1k", "icc2k", "icc3k")
DESIGNS = {"none": "random", "reader": "fixed_readers", "case": "fixed_cases"}


@dataclass
class Ledger:
    """How many values were compared, and the worst deviation in tolerances."""

    values: int = 0
    worst: float = 0.0
    where: str = ""

    def near(self, where: str, found: Any, wanted: Any, tolerance: Any) -> None:
        """Numbers within `tolerance`; what R left undefined (null) is not golden."""
        ours = np.atleast_1d(np.asarray(found, dtype=np.float64)).ravel()
        theirs = np.atleast_1d(np.asarray(wanted, dtype=np.float64)).ravel()
        if ours.shape != theirs.shape:
            self._note(where, math.inf, 1)
            return
        known = np.isfinite(theirs)
        allowed = np.broadcast_to(np.ravel(tolerance), theirs.shape)
        share = np.abs(ours - theirs)[known] / allowed[known]
        share = np.where(np.isfinite(share), share, math.inf)
        self._note(where, float(share.max(initial=0.0)), int(known.sum()))

    def same(self, where: str, found: Iterable[Any], wanted: Iterable[Any]) -> None:
        """Equal in every place."""
        ours, theirs = list(found), list(wanted)
        self._note(where, 0.0 if ours == theirs else math.inf, len(theirs))

    def _note(self, where: str, share: float, count: int) -> None:
        self.values += count
        if share > self.worst:
            self.worst, self.where = share, where


def relative(wanted: Any, share: float, *, floor: float = 1.0) -> Any:
    """`share` of the larger of `floor` and the value."""
    return share * np.maximum(floor, np.abs(np.asarray(wanted, dtype=np.float64)))


def compare_zscore(book: Ledger, name: str) -> None:
    wanted = answer(f"zscore_{name}")
    found, sd = zscore(features(name)[1]), np.array(wanted["sd"])
    book.near("mean", found.mean, wanted["mean"], 1e-12 * sd)
    book.near("sd", found.scale, sd, 1e-12 * sd)
    book.near("z", found.z, wanted["z"], 1e-12)


def compare_pruning(book: Ledger, name: str) -> None:
    wanted = answer(f"findCorrelation_{name}")
    block = name.removeprefix("radiomics_")
    names, X = (
        features(name)
        if block == name
        else (block_names(block), radiomics_rows(True, block_names(block)))
    )
    for cutoff in (0.9, 0.75):
        found = correlation_filter(X, cutoff=cutoff, names=names)
        book.same(f"cutoff {cutoff}", found.removed_names, wanted[f"cut{cutoff}_exact"])


def lasso_data(name: str) -> tuple[list[str], Any, Any]:
    if not name.startswith("radiomics_"):
        return (*features(name), columns(name)["y"])
    names = answer("pipeline_radiomics_full")["kept"][name.split("_")[1]]
    return names, zscore(radiomics_rows(True, names)).z, radiomics_column("y")


def dense(golden: dict[str, Any], width: int) -> Any:
    coef = np.zeros((len(golden["lambda"]), width))
    coef[np.array(golden["beta_col"]) - 1, np.array(golden["beta_row"]) - 1] = golden["beta_val"]
    coef[np.abs(coef) < 1e-12] = 0.0
    return coef


def violation(X: Any, y: Any, path: Any) -> Any:
    """The optimality conditions over lambda from X alone, by a route of its own."""
    mean, sd = X.mean(axis=0), X.std(axis=0)
    varying = sd > 1e-12 * np.abs(X).max(axis=0)
    Z = np.where(varying, (X - mean) / np.where(varying, sd, 1.0), 0.0)
    worst = []
    for lam, b0, coef in zip(path.lambdas, path.intercept, path.coef, strict=True):
        b = coef * np.where(varying, sd, 1.0)
        p = np.exp(-np.logaddexp(0, -(b0 + coef @ mean + Z @ b)))
        slope = Z.T @ (y - p) / len(y)
        each = np.where(
            b != 0, np.abs(slope - lam * np.sign(b)), np.maximum(np.abs(slope) - lam, 0)
        )
        worst.append(max(each.max(), abs((y - p).mean())) / lam)
    return np.array(worst)


def compare_path(book: Ledger, name: str) -> None:
    """R stops at a violation of some 1e-6 lambda: coefficients are compared at R's own residual."""
    golden = answer(f"glmnet_path_{name}_th1e-14")
    _, X, y = lasso_data(name)
    lambdas = np.array(golden["lambda"])
    book.near("lambda", lasso_path(X, y).lambdas, lambdas, 1e-12 * lambdas)
    path, coef = lasso_path(X, y, lambdas), dense(golden, X.shape[1])
    differing = (path.coef != 0) != (coef != 0)
    book.same("supports", [differing.any(axis=1).sum() <= len(coef) // 100], [True])
    agreeing = ~differing.any(axis=1)
    book.same("df", path.df[agreeing].tolist(), np.array(golden["df"])[agreeing].tolist())
    book.near("coef", path.coef, coef, 5e-5)
    book.near("a0", path.intercept, golden["a0"], 2e-5)
    book.near("dev.ratio", path.dev_ratio, golden["dev.ratio"], 1e-6)
    book.near("null deviance", path.null_deviance, golden["nulldev"], 1e-12 * golden["nulldev"])
    book.near("kkt", path.kkt, np.zeros(lambdas.size), 1e-9)
    book.near("kkt afresh", violation(X, y, path), np.zeros(lambdas.size), 1e-9)


def compare_choice(book: Ledger, cv: Any, names: list[str], golden: dict[str, Any]) -> None:
    for key in ("min", "1se"):
        wanted = golden[f"lambda.{key}"]
        book.near(f"lambda.{key}", getattr(cv, f"lambda_{key}"), wanted, 1e-12 * wanted)
        chosen = {names[j] for j in np.flatnonzero(cv.path.coef[getattr(cv, f"index_{key}")])}
        theirs = {k for k, b in golden[f"coef.{key}"].items() if abs(b) > 1e-12} - {"(Intercept)"}
        book.same(f"coef.{key}", sorted(chosen), sorted(theirs))
    book.same("index", [cv.index_min + 1], [golden["index_min"]])
    book.same("nzero", cv.nzero.tolist(), [0, *golden["nzero"][1:]])


def compare_cv(book: Ledger, name: str) -> None:
    golden = answer(f"cvglmnet_{name}_th1e-14")
    names, X, y = lasso_data(name)
    small = not name.startswith("radiomics_")
    fold = "_".join(name.split("_")[2:])
    folds = np.arange(len(y)) % 10 + 1 if small else radiomics_column(fold).astype(int)
    deviance = golden["supplied_lambda"]
    cv = cross_validate(X, y, folds, lambdas=deviance["lambda"])
    book.near("cvm", cv.cvm, deviance["cvm"], 2e-5)
    book.near("cvsd", cv.cvsd, deviance["cvsd"], 1e-5)
    book.near("kkt of the folds", cv.fold_kkt_max, np.zeros(cv.fold_kkt_max.size), 1e-9)
    compare_choice(book, cv, names, deviance)
    if small:
        return
    # one of R's 100 AUCs differs by a tie of two predictions
    area = golden["auc_supplied_lambda"]
    cv = cross_validate(X, y, folds, lambdas=area["lambda"], measure="auc")
    for key in ("cvm", "cvsd"):
        gap = np.sort(np.abs(getattr(cv, key) - np.array(area[key])))[:-1]
        book.near(f"auc {key}", gap, np.zeros(gap.size), 1e-9)
    compare_choice(book, cv, names, area)


def compare_pipeline(book: Ledger, _: str) -> None:
    golden = answer("pipeline_radiomics_full")
    for block in ("CT", "SP", "COM"):
        for fold in ("fold_lesion", "fold_patient"):
            compare_fit(book, golden[f"{block} {fold}"], golden["kept"][block], block, fold)


def compare_fit(
    book: Ledger, entry: dict[str, Any], kept: list[str], block: str, fold: str
) -> None:
    names = block_names(block)
    groups = radiomics_column("patient" if fold == "fold_patient" else "lesion")
    model = RadiomicsModel(seed=1).fit(
        radiomics_rows(True, names), radiomics_column("y"), groups, feature_names=names,
        blocks=[name[:2] for name in names], folds=radiomics_column(fold).astype(int),
    )  # fmt: skip
    where = f"{block} {fold}"
    book.same(f"{where} kept", model.kept_, kept)
    book.same(f"{where} selected", model.selected_, entry["selected"])
    book.near(f"{where} lambda", model.lambda_, entry["lambda.min"], 1e-12 * entry["lambda.min"])
    if entry["deviance"] < 1e-6:
        # R's runaway refit of separated classes: its estimates are not golden
        found = [model.refit_.separated, "separation_firth" in model.flags_]
        book.same(f"{where} separated", found, [True, True])
        return
    book.near(f"{where} est", model.refit_.coef, list(entry["est"].values()), 1e-9)
    book.near(f"{where} se", model.refit_.se, list(entry["se"].values()), 1e-6)
    book.near(f"{where} deviance", model.refit_.deviance, entry["deviance"], 1e-9)
    for train, key in ((True, "pred_train"), (False, "pred_val")):
        p = model.predict_proba(radiomics_rows(train, names))[:, 1]
        book.near(f"{where} {key}", p, entry[key], 1e-9)


def compare_glm(book: Ledger, name: str) -> None:
    golden = answer(f"glm_{name}")
    names, X = features(name)
    fit = fit_logistic(X, columns(name)["y"], names=names, missing="drop")
    book.same("terms", fit.terms, golden["terms"])
    if name == "glm_separable_n20p3":
        # R's numbers are garbage there; these are brglm 0.7.2's
        book.same("separated", [fit.separated, *fit.flags], [True, "separation_firth"])
        book.near("coef", fit.coef, [-1.085361, 3.690182, 1.661030, -0.253642], 1e-5)
        book.near("se", fit.se, [0.822980, 1.713937, 1.230519, 0.824302], 1e-5)
        return
    book.same("n", [fit.n_used], [golden["n_used"]])
    book.near("est", fit.coef, golden["est"], 1e-9)
    for ours, theirs in (("deviance", "deviance"), ("null_deviance", "null"), ("aic", "aic"), ("bic", "bic")):  # fmt: skip
        book.near(theirs, getattr(fit, ours), golden[theirs], 1e-9)
    for ours, theirs in (("se", "se"), ("low", "wald_lo"), ("high", "wald_hi"), ("z", "z"), ("p_value", "p")):  # fmt: skip
        book.near(theirs, getattr(fit, ours), golden[theirs], relative(golden[theirs], 1e-6))


def compare_roc(book: Ledger, name: str) -> None:
    golden, data = answer(f"roc_{name}"), columns(name)
    for score in sorted(set(golden) - {"pairs"}):
        compare_roc_score(book, data["y"], data[score], golden[score])
    for pair, wanted in (golden.get("pairs") or {}).items():
        first, second = (data[s] for s in pair.split("_"))
        compare_pair(book, data["y"], first, second, wanted)


def compare_roc_score(book: Ledger, y: Any, s: Any, wanted: dict[str, Any]) -> None:
    book.near("auc", auc(y, s), wanted["auc"], 1e-12)
    wald = auc_interval(y, s, method="delong")
    book.near("variance", wald.variance, wanted["var_delong"], 1e-12)
    book.near("delong", [wald.low, wald.high], wanted["ci_delong"], 1e-12)
    logit, exact = auc_interval(y, s), auc_interval(y, s, method="binomial")
    book.near("binomial", [exact.low, exact.high], wanted["ci_binomial_exact"], 1e-12)
    if wald.variance > 0 and 0 < wanted["auc"] < 1:
        book.near("logit", [logit.low, logit.high], wanted["ci_delong_logit"], 1e-12)
    curve, best = roc_curve(y, s), youden(y, s)
    cuts = np.array([t for t in wanted["thresholds"] if t is not None], dtype=float)
    book.near("thresholds", curve.thresholds[1:-1], cuts, 1e-12 * np.abs(cuts) + 1e-300)
    book.near("sensitivity", curve.sensitivity, wanted["sens"], 1e-12)
    book.near("specificity", curve.specificity, wanted["spec"], 1e-12)
    book.near("youden", best.index, wanted["youden"]["youden"][0] - 1, 1e-12)
    for key, mine in (("youden", best.thresholds), ("topleft", best.topleft_thresholds)):
        theirs = [t for t in wanted[key]["threshold"] if t is not None]
        listed = [any(math.isclose(t, m, rel_tol=1e-12) for m in mine) for t in theirs]
        book.same(f"{key} thresholds", listed, [True] * len(theirs))
    book.near("pauc", partial_auc(y, s, 0.9, 1.0), wanted["pauc_spec_1_.9"], 1e-12)
    corrected = partial_auc(y, s, 0.9, 1.0, corrected=True)
    book.near("pauc corrected", corrected, wanted["pauc_spec_1_.9_corrected"] or math.nan, 1e-12)
    area = partial_auc(y, s, 0.8, 1.0, focus="sensitivity")
    book.near("pauc sensitivity", area, wanted["pauc_sens_1_.8"], 1e-12)


def compare_pair(book: Ledger, y: Any, a: Any, b: Any, wanted: dict[str, Any]) -> None:
    found, apart = compare_auc(y, a, b), compare_auc(y, a, b, y_b=y)
    book.near("difference", found.difference, wanted["diff"], 1e-12)
    book.near("covariance", found.covariance, wanted["cov"], 1e-12)
    if found.se > 0:
        book.near("z", found.statistic, wanted["z"], 1e-10)
        book.near("p", found.p_value, wanted["p"], 1e-10)
        book.near("limits", [found.low, found.high], wanted["ci"], 1e-12)
    if apart.se > 0:
        book.near("unpaired D", apart.statistic, wanted["unpaired_D"], 1e-10)
        book.near("unpaired df", apart.df, wanted["unpaired_df"], relative(apart.df, 1e-9))
        book.near("unpaired p", apart.p_value, wanted["unpaired_p"], 1e-10)


def compare_clustered(book: Ledger, name: str) -> None:
    data, golden = columns(name), answer(name)
    wanted, plain = golden["clustered"], golden["delong"]
    y, groups = data["y"], data["patient"]
    for score, area, variance in (("s1", "auc", "var"), ("s2", "auc2", "var2")):
        found = auc_interval(y, data[score], method="clustered", groups=groups)
        book.near("auc", found.auc, wanted[area], 1e-12)
        book.near("variance", found.variance, wanted[variance], 1e-12)
    pair = compare_auc(y, data["s1"], data["s2"], groups=groups)
    book.near("covariance", pair.covariance, wanted["cov"], 1e-12)
    book.near("z, p", [pair.statistic, pair.p_value], [wanted["z"], wanted["p"]], 1e-10)
    free = compare_auc(y, data["s1"], data["s2"])
    book.near("plain z, p", [free.statistic, free.p_value], [plain["z"], plain["p"]], 1e-10)


def compare_confusion(book: Ledger, name: str) -> None:
    data, golden = columns(name), answer(f"confusion_{name}")
    for score in ("s1", "s2"):
        for interval in ("exact", "wilson"):
            found, rows = (
                confusion(data["y"], data[score], interval=interval),
                golden[score][interval],
            )
            mine = {"se": found.sensitivity, "sp": found.specificity, "pv.pos": found.ppv,
                    "pv.neg": found.npv, "diag.ac": found.accuracy, "lr.pos": found.lr_pos,
                    "lr.neg": found.lr_neg, "diag.or": found.odds_ratio, "youden": found.youden}  # fmt: skip
            got = [[mine[k].value, mine[k].low, mine[k].high] for k in rows["statistic"]]
            book.near(
                interval, np.transpose(got), [rows[k] for k in ("est", "lower", "upper")], 1e-10
            )
        counts = ("tp", "fp", "fn", "tn")
        book.same("counts", [getattr(found, k) for k in counts], [golden[score][k] for k in counts])
    test, wanted = mcnemar(data["y"], data["s1"], data["s2"]), golden["mcnemar_correct_s1"]
    ours = [test.p_chi2_corrected, test.p_chi2, test.p_exact]
    book.near("mcnemar", ours, [wanted[k] for k in ("cc", "nocc", "exact")], 1e-10)


def compare_agreement(book: Ledger, name: str) -> None:
    data, golden = columns(name), answer(name)
    ratings = np.column_stack(list(data.values()))
    for pair in ("ab", "cd"):
        if f"pair_{pair}" in golden:
            compare_kappas(book, data[pair[0]], data[pair[1]], golden[f"pair_{pair}"])
    if "irr_kappa" in golden:
        book.near("kappa", kappa(ratings[:, 0], ratings[:, 1]).value, golden["irr_kappa"], 1e-12)
    many = fleiss_kappa(ratings)
    if "fleiss" in golden:
        book.near("fleiss", many.value, golden["fleiss"]["value"], 1e-12)
        book.near("fleiss z", many.z, golden["fleiss"]["statistic"], 1e-10)
        book.near("conger", many.conger, golden["fleiss_exact"], 1e-12)
    forms = {"gwet_ac1": gwet_ac1(ratings), "fleiss_cac": many.gwet_form,
             "gwet_ac2_linear": gwet_ac1(ratings, weights="linear")}  # fmt: skip
    for key in forms.keys() & golden.keys():
        row, found = golden[key], forms[key]
        book.near(key, [found.observed, found.expected], [row["pa"][0], row["pe"][0]], 1e-12)
        # irrCAC rounds these to five digits
        wanted = [row["coeff.val"][0], row["coeff.se"][0]]
        book.near(f"{key} value", [found.value, found.se], wanted, 6e-6)


def compare_kappas(book: Ledger, a: Any, b: Any, wanted: dict[str, Any]) -> None:
    plain = kappa(a, b)
    book.same("table", plain.table.tolist(), wanted["table"])
    book.near("z", plain.z, wanted["irr_unw"]["z"], 1e-10)
    for weights in ("linear", "quadratic"):
        found, rows = kappa(a, b, weights=weights), wanted[f"vcd_{weights}"]
        book.near("unweighted", [plain.value, plain.se], rows["unw"], 1e-12)
        book.near(weights, [found.value, found.se], rows["w"], 1e-12)
        book.near("limits", [[plain.low, plain.high], [found.low, found.high]], rows["ci"], 1e-12)
        book.near("z", found.z, wanted[f"irr_{weights}"]["z"], 1e-10)


def compare_icc(book: Ledger, _: str) -> None:
    with (FOLDER / "in" / "icc30.csv").open() as file:
        rows = list(csv.DictReader(file))
    for feature, wanted in answer("icc30").items():
        by = {(r["rater"], int(r["lesion"])): float(r[feature]) for r in rows}
        lesions = sorted({lesion for _, lesion in by})
        a, b, again = (np.array([by[rater, x] for x in lesions]) for rater in ("A", "B", "A2"))
        for key, other in (("inter", b), ("intra", again)):
            compare_forms(book, icc(np.stack([a, other], axis=1)), wanted[key])
        limits = icc(np.stack([a, b], axis=1)).icc2
        theirs = [wanted["irr_A1"][k] for k in ("v", "lo", "hi")]
        book.near("irr A,1", [limits.value, limits.low, limits.high], theirs, 1e-10)
        found, bland = bland_altman(a, b), wanted["bland"]
        ours = [found.bias, found.sd, found.low, found.high, found.se_bias, found.se_limit]
        keys = ("bias", "sd", "lo", "hi", "se_bias", "se_loa_approx")
        book.near("bland", ours, [bland[k] for k in keys], 1e-10)


def compare_forms(book: Ledger, found: Any, wanted: dict[str, Any]) -> None:
    forms = [getattr(found, form) for form in FORMS]
    for ours, theirs in (("value", "ICC"), ("df1", "df1"), ("df2", "df2"), ("p_value", "p"),
                         ("low", "lower bound"), ("high", "upper bound")):  # fmt: skip
        book.near(theirs, [getattr(form, ours) for form in forms], wanted[theirs], 1e-10)
    book.near("F", [form.f for form in forms], wanted["F"], 1e-10 * np.abs(wanted["F"]))


def compare_table1(book: Ledger, _: str) -> None:
    golden, data = answer("table1"), columns("table1")
    for variable in ("age", "suv"):
        one, zero = (data[variable][data["group"] == g] for g in (1, 0))
        compare_row(book, compare_continuous(one, zero), golden[variable])
    for variable in ("sex", "form", "confirm"):
        wanted = golden[variable]
        found = compare_categorical(wanted["table"])
        ours = [found.expected_min, found.chi2, found.p_chi2, found.p_fisher]
        theirs = [wanted[k] for k in ("min_expected", "chisq", "p", "fisher_p")]
        book.near(variable, ours, theirs, 1e-10)
        if variable == "sex":
            book.near("yates", found.p_chi2_yates, wanted["p_yates"], 1e-10)
            book.near("odds ratio", found.odds_ratio, wanted["fisher_or"], 1e-5)
            book.near("its limits", [found.odds_low, found.odds_high], wanted["fisher_ci"], 1e-4)
    for method, key in (("bonferroni",) * 2, ("holm",) * 2, ("hochberg",) * 2, ("hommel",) * 2, ("bh", "BH"), ("by", "BY")):  # fmt: skip
        adjusted = adjust_p(golden["p_adjust"]["p"], method=method)
        book.near(method, adjusted, golden["p_adjust"][key], 1e-10)


def compare_row(book: Ledger, found: Any, wanted: dict[str, Any]) -> None:
    for i, g in enumerate("10"):
        book.near("moments", [found.mean[i], found.sem[i], found.sd[i]], [wanted[f"{k}{g}"] for k in ("mean", "sem", "sd")], 1e-10)  # fmt: skip
        book.near("W", found.shapiro[i][0], wanted[f"sw{g}"], 1e-8)
        book.near("W p", found.shapiro[i][1], wanted[f"sw{g}p"], 1e-7)
    book.near("quartiles", found.quartiles[0], wanted["q1"], 1e-10)
    for key in ("student", "welch"):
        test, theirs = getattr(found, key), wanted[key]
        ours = [test.statistic, test.df, test.p_value, test.low, test.high]
        book.near(key, ours, [theirs["t"], theirs["df"], theirs["p"], *theirs["ci"]], 1e-10)
    ranks = found.mann_whitney
    theirs = [wanted["mw"]["W"], wanted["mw"]["p"], wanted["mw_nocc"]]
    book.near("ranks", [ranks.u, ranks.p_value, ranks.p_value_uncorrected], theirs, 1e-10)
    book.near("levene", found.levene, [wanted["levene"]["F"], wanted["levene"]["p"]], 1e-10)


def compare_calibration(book: Ledger, _: str) -> None:
    data, golden = columns("calib_134"), answer("calib_dca")
    for p in ("p1", "p2"):
        found, wanted = calibration(data["y"], data[p]), golden[p]
        for ours, theirs in (("brier", "brier"), ("brier_scaled", "brier_scaled"), ("slope", "slope"),
                             ("intercept", "cal_intercept_given_slope"), ("log_loss", "logloss"),
                             ("in_the_large", "cal_in_the_large"), ("hl_chi2", "HL10"), ("hl_p", "HL_p"),
                             ("spiegelhalter_z", "spiegelhalter_z"), ("bin_observed", "bin_obs"),
                             ("bin_predicted", "bin_pred"), ("bin_n", "bin_n"), ("smooth_x", "lowess_x")):  # fmt: skip
            book.near(theirs, getattr(found, ours), wanted[theirs], 1e-10)
        rms = wanted["rms_val.prob"]
        book.near("slope_se", [found.slope_se, found.in_the_large_se], [wanted["slope_se"], wanted["citl_se"]], 1e-6)  # fmt: skip
        book.near("slope limits", [found.slope_low, found.slope_high], wanted["slope_ci"], 1e-5)
        book.near("curve", found.smooth_y, wanted["lowess_y"], 1e-5)
        book.near("ici, e90", [found.ici, found.e90], [rms["Eavg"], rms["E90"]], 1e-6)
        book.near("e_max", found.e_max, rms["Emax"], 1e-5)
        curve = decision_curve(data["y"], data[p])
        compare_decision(book, curve, golden, p)


def compare_decision(book: Ledger, curve: Any, golden: dict[str, Any], p: str) -> None:
    for ours, table, theirs, who in (("net_benefit", "dca", "net_benefit", p), ("tp_rate", "dca", "tp_rate", p),
                                     ("fp_rate", "dca", "fp_rate", p), ("net_benefit_all", "dca", "net_benefit", "all"),
                                     ("interventions_avoided", "net_int", "net_intervention_avoided", p)):  # fmt: skip
        rows = zip(golden[table]["variable"], golden[table][theirs], strict=True)
        wanted = np.array([value for name, value in rows if name == who], dtype=float)
        tolerance = relative(wanted, 1e-12)
        book.near(ours, getattr(curve, ours), wanted, np.where(np.isnan(tolerance), 1, tolerance))


class FourColumns:
    """Maximum likelihood on all columns."""

    def fit(self, X: Any, y: Any, groups: Any) -> None:
        self.coef = fit_logistic(X, y).coef

    def predict_proba(self, X: Any) -> Any:
        p = 1 / (1 + np.exp(-(self.coef[0] + X @ self.coef[1:])))
        return np.column_stack([1 - p, p])


def compare_optimism(book: Ledger, _: str) -> None:
    table, golden = columns("glm_n80p12"), answer("boot_optimism")
    X = np.column_stack([table[f"x{j}"] for j in (1, 2, 3, 4)])
    rows = np.loadtxt(FOLDER / "in" / "boot_idx_glm_n80p12.csv", delimiter=",", dtype=int) - 1
    found = bootstrap_optimism(FourColumns, X, table["y"], np.arange(80), indices=rows)
    for ours, theirs in (("apparent_auc", "apparent_auc"), ("optimism_auc", "opt_auc"),
                         ("corrected_auc", "corrected_auc"), ("boot_auc", "boot_auc"), ("test_auc", "test_auc")):  # fmt: skip
        book.near(theirs, getattr(found, ours), golden[theirs], 1e-12)
    brier = [found.apparent_brier, found.optimism_brier]
    book.near("brier", brier, [golden["apparent_brier"], golden["opt_brier"]], 1e-9)


def compare_permutation(book: Ledger, _: str) -> None:
    data, golden = columns("roc_tiny5"), answer("perm_tiny")
    found = permutation_auc(data["y"], data["s1"])
    ours = [found.observed, found.p_one_sided, found.p_two_sided]
    book.near("p", ours, [golden[k] for k in ("auc", "p_one_sided", "p_two")], 1e-12)


def mrmc_ratings(data: dict[str, Any]) -> tuple[Any, Any]:
    axes = [np.unique(data[k], return_inverse=True)[1] for k in ("treatment", "reader", "case")]
    table = np.full([a.max() + 1 for a in axes], np.nan)
    table[tuple(axes)] = data["rating"]
    y = np.zeros(table.shape[2])
    y[axes[2]] = data["truth"]
    return y, table


def compare_mrmc(book: Ledger, name: str) -> None:
    golden = answer(name)
    y, table = mrmc_ratings(columns(name))
    for covariance in ("DeLong", "jackknife", "unbiased"):
        for key, design in DESIGNS.items():
            wanted = golden[f"{covariance}_{key}"]
            if "error" not in wanted:
                found = obuchowski_rockette(y, table, covariance=covariance.lower(), design=design)
                compare_design(book, found, wanted)


def compare_design(book: Ledger, found: Any, wanted: dict[str, Any]) -> None:
    def close(where: str, ours: Any, theirs: Any) -> None:
        book.near(where, ours, theirs, relative(theirs, 1e-9))

    if "vcov_comps" in wanted:
        mine = [found.var_reader, found.var_tr, found.var_error, found.cov1, found.cov2, found.cov3]
        book.near("components", mine, wanted["vcov_comps"]["Estimate"], 1e-12)
    test = wanted["test_equality"]
    for theirs, ours in (("MS(T)", "ms_t"), ("MS(T:R)", "ms_tr"), ("Denominator", "denominator"),
                         ("F", "statistic"), ("X2", "statistic"), ("df1", "df1"), ("df", "df1"),
                         ("df2", "df2"), ("p-value", "p_value")):  # fmt: skip
        if theirs in test:
            close(theirs, getattr(found, ours), test[theirs])
    close_rows(close, found.differences, wanted["test_diffs"])
    close_rows(close, found.means, wanted["test_means"])
    if "reader_test_diffs" in wanted:
        close_rows(close, found.reader_differences, wanted["reader_test_diffs"])


def close_rows(close: Callable[[str, Any, Any], None], rows: Any, wanted: dict[str, Any]) -> None:
    for theirs, ours in (("Estimate", "estimate"), ("StdErr", "se"), ("df", "df"), ("t", "statistic"),
                         ("z", "statistic"), ("p-value", "p_value")):  # fmt: skip
        if theirs in wanted:
            close(theirs, [getattr(row, ours) for row in rows], wanted[theirs])
    close("CI", [[row.low, row.high] for row in rows], wanted["CI"])


KINDS: tuple[tuple[str, Callable[[Ledger, str], None], str, str], ...] = (
    ("zscore_", compare_zscore, "", ""),
    ("findCorrelation_", compare_pruning, "", ""),
    ("glmnet_path_", compare_path, "", "_th1e-14"),
    ("cvglmnet_", compare_cv, "", "_th1e-14"),
    ("pipeline_radiomics_full", compare_pipeline, "", ""),
    ("glm_", compare_glm, "", ""),
    ("roc_roc_", compare_roc, "roc_", ""),
    ("roc_clustered", compare_clustered, "roc_clustered", ""),
    ("confusion_roc_binary", compare_confusion, "roc_binary", ""),
    ("agree_", compare_agreement, "agree_", ""),
    ("icc30", compare_icc, "", ""),
    ("table1", compare_table1, "", ""),
    ("calib_dca", compare_calibration, "", ""),
    ("boot_optimism", compare_optimism, "", ""),
    ("perm_tiny", compare_permutation, "", ""),
    ("mrmc_", compare_mrmc, "mrmc_", ""),
)


def files() -> list[str]:
    """The golden files, by name."""
    return sorted(path.stem for path in (FOLDER / "out").glob("*.json"))


def comparison_of(name: str) -> Callable[[Ledger], None]:
    """What compares a file; a file that nothing compares is an error."""
    for prefix, compare, kept, suffix in KINDS:
        if name.startswith(prefix):
            return partial(_compare, compare, kept + name[len(prefix) :].removesuffix(suffix))
    raise LookupError(f"nothing compares golden file {name}")


def _compare(compare: Callable[[Ledger, str], None], name: str, book: Ledger) -> None:
    compare(book, name)


def ledger(name: str) -> Ledger:
    """The comparison of one file."""
    book = Ledger()
    comparison_of(name)(book)
    return book


def row(name: str, book: Ledger) -> str:
    """Line of docs/golden.md; the share is rounded up to a hundredth."""
    return f"| `{name}` | {book.values} | {max(math.ceil(book.worst * 100), 1) / 100:.2f} |"


def page() -> str:
    """The table of docs/golden.md."""
    rows = {name: ledger(name) for name in files()}
    total = sum(book.values for book in rows.values())
    lines = [row(name, book) for name, book in rows.items()]
    head = ["| file | values | worst, in tolerances |", "|---|---|---|"]
    return "\n".join([*head, *lines, f"| {len(rows)} files | {total} | |"])


if __name__ == "__main__":
    print(page())  # noqa: T201
