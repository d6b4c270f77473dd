"""CPU seconds of pruning, path, cross-validation and the whole fit; beside R's where Rscript has glmnet and caret.

Run with one BLAS thread: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python bench/model.py
"""

import csv
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from radiomics.lasso import cross_validate, lasso_path
from radiomics.model import RadiomicsModel
from radiomics.selection import correlation_filter, zscore

TABLE = Path(__file__).parents[1] / "tests" / "golden" / "stats" / "in" / "radiomics_full.csv"
BARS = {"path": 1.5, "cross_validate": 1.0, "correlation_filter": 0.02}
FIT_BAR_SECONDS = 1.2

R_SCRIPT = """
suppressMessages({library(glmnet); library(caret)})
f <- commandArgs(TRUE); z <- as.matrix(read.csv(f[1])); m <- read.csv(f[2]); x <- as.matrix(read.csv(f[3]))
cpu <- function(e) { v <- replicate(5, { t <- proc.time(); e(); sum((proc.time() - t)[1:2]) }); median(v) }
fit <- function() glmnet(z, m$y, family = "binomial", thresh = 1e-14, maxit = 1e7)
l <- fit()$lambda
cat("path", cpu(fit), "\\n")
cat("cross_validate", cpu(function() cv.glmnet(z, m$y, family = "binomial", lambda = l, foldid = m$fold,
  thresh = 1e-14, maxit = 1e7)), "\\n")
cat("correlation_filter", cpu(function() findCorrelation(cor(x), 0.9, exact = TRUE)), "\\n")
"""


def cpu_seconds(task: Callable[[], object], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        task()
        times.append(time.process_time() - start)
    return statistics.median(times)


def read() -> tuple[list[str], dict[str, np.ndarray]]:
    with TABLE.open() as file:
        header, *rows = csv.reader(file)
    table = {
        key: np.array(column) for key, column in zip(header, zip(*rows, strict=True), strict=True)
    }
    train = table["train"] == "1"
    return [key for key in header if key[:3] in ("CT_", "SP_")], {
        k: v[train] for k, v in table.items()
    }


def r_seconds(z: np.ndarray, y: np.ndarray, folds: np.ndarray, x: np.ndarray) -> dict[str, float]:
    rscript = shutil.which("Rscript")
    if rscript is None:
        print("R is absent: no ratios")
        return {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("z.csv", "m.csv", "x.csv")]
        for path, values in zip(paths, (z, np.column_stack([y, folds]), x), strict=True):
            heads = (
                ["y", "fold"] if path.name == "m.csv" else [f"v{j}" for j in range(values.shape[1])]
            )
            np.savetxt(
                path, values, delimiter=",", header=",".join(heads), comments="", fmt="%.17g"
            )
        run = subprocess.run(
            [rscript, "-e", R_SCRIPT, *map(str, paths)], capture_output=True, text=True, check=False
        )
    if run.returncode:
        print("R has no glmnet or no caret: no ratios")
        return {}
    return {task: float(seconds) for task, seconds in map(str.split, run.stdout.splitlines())}


def main() -> None:
    names, table = read()
    X = np.column_stack([table[name] for name in names]).astype(float)
    y, patient = table["y"].astype(float), table["patient"]
    folds = table["fold_patient"].astype(int)
    blocks = [name[:2] for name in names]
    model = RadiomicsModel(seed=1)

    def fit() -> RadiomicsModel:
        return model.fit(X, y, patient, feature_names=names, blocks=blocks, folds=folds)

    kept = [names.index(name) for name in fit().kept_]
    standard = zscore(X[:, kept]).z
    path = lasso_path(standard, y)
    ours = {
        "path": cpu_seconds(lambda: lasso_path(standard, y)),
        "cross_validate": cpu_seconds(
            lambda: cross_validate(standard, y, folds, lambdas=path.lambdas)
        ),
        "correlation_filter": cpu_seconds(lambda: correlation_filter(X)),
    }
    theirs = r_seconds(standard, y, folds, X)
    print(
        f"{standard.shape[0]} x {standard.shape[1]} columns kept, {path.lambdas.size} lambdas, kkt {path.kkt.max():.1e}"
    )
    for task, seconds in ours.items():
        ratio = f", {seconds / theirs[task]:.3f} of R (bar {BARS[task]})" if task in theirs else ""
        print(f"{task:20s} {seconds:.4f} s{ratio}")
    print(f"{'whole fit':20s} {cpu_seconds(fit):.4f} s (bar {FIT_BAR_SECONDS} s)")


if __name__ == "__main__":
    main()
