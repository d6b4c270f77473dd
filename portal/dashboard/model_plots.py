"""Figures of a model run: the LASSO path and the cross-validation curve."""

from collections.abc import Callable, Mapping
from typing import Any

from portal.analysis.cases import NAMES
from portal.dashboard.plots import Plot, Point, Series, words


def lasso_path(model: Mapping[str, Any], kind: str) -> Plot:
    """Coefficients of the selected features along the path."""
    path, wanted = model["path"], set(model["selected"])
    lines: dict[str, list[Point]] = {}
    # one row of the path per lambda, one column per feature that the filter kept
    for row, col, value in zip(path["row"], path["col"], path["val"], strict=True):
        name = model["kept"][col]
        if name in wanted:
            lines.setdefault(name, []).append({"x": path["lambdas"][row], "y": value})
    return Plot(
        "lasso_path", f"LASSO path, {NAMES.get(kind, kind)}", "Lambda", "Coefficient",
        [Series(name, points) for name, points in lines.items()],
        "Coefficients of the selected features over lambda.", words(model["flags"]),
    )  # fmt: skip


def cv_curve(model: Mapping[str, Any], kind: str) -> Plot:
    cv, lambdas = model["cv"], model["path"]["lambdas"]
    points: list[Point] = [
        {"x": x, "y": m, "low": m - s, "high": m + s}
        for x, m, s in zip(lambdas, cv["cvm"], cv["cvsd"], strict=False)
    ]
    marks: list[Point] = [
        {"x": lambdas[cv["index_min"]], "y": cv["cvm"][cv["index_min"]]},
        {"x": lambdas[cv["index_1se"]], "y": cv["cvm"][cv["index_1se"]]},
    ]
    n_folds = len(set(cv["folds"]))
    return Plot(
        "cv", f"Cross-validated deviance, {NAMES.get(kind, kind)}", "Lambda", "Deviance",
        [Series("Deviance ± SE", points), Series("lambda.min and lambda.1se", marks, "dots")],
        f"{n_folds}-fold cross-validation with whole patients in one fold.", words(model["flags"]),
    )  # fmt: skip


RUN_FIGURES: Mapping[str, Callable[[Mapping[str, Any], str], Plot]] = {
    "lasso-path": lasso_path,
    "cv": cv_curve,
}
