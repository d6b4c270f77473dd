# ruff: noqa: E402
"""Osteon and its peers on the same data in one run: CPU seconds, ratios, and the bars of both specifications.

    python bench/science.py [--json] [--pyradiomics PYTHON] [--mirp PYTHON] [--dcurves PYTHON]

Peers: R with glmnet, caret, pROC, MRMCaov through Rscript (bench/science.R reads the CSV files written here), scikit-learn,
and pyradiomics, mirp, dcurves in the environments whose pythons are given; the first two take turns with ours, each in processes
of its own, and the round with the median ratio counts. What is not there is named as absent. One BLAS thread, medians of five
(features: best of five rounds, as their protocol says; workers: seconds of the wall clock). Exit status 1 if a bar is missed.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import csv
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from radiomics.features import extract
from radiomics.lasso import certificate, cross_validate, lasso_path
from radiomics.model import RadiomicsModel
from radiomics.resampling import bootstrap_optimism
from radiomics.selection import correlation_filter, zscore
from radiomics.stats.decision import decision_curve
from radiomics.stats.mrmc import obuchowski_rockette
from radiomics.stats.roc import compare_auc

TABLE = ROOT / "tests" / "golden" / "stats" / "in" / "radiomics_full.csv"
FOLDS_OF = "fold_patient"


@dataclass(frozen=True)
class Line:
    """One task: our CPU seconds, the peer's (None: absent), the bar as a ratio or in seconds, and whether it is met."""

    task: str
    seconds: float
    peer: str
    peer_seconds: float | None
    ratio_bar: float | None
    seconds_bar: float | None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.seconds / self.peer_seconds if self.peer_seconds else None

    @property
    def met(self) -> bool:
        in_time = self.seconds_bar is None or self.seconds <= self.seconds_bar
        return in_time and (
            self.ratio is None or self.ratio_bar is None or self.ratio <= self.ratio_bar
        )


def cpu_seconds(task: Callable[[], object], calls: int = 1) -> float:
    """Median of five of the CPU seconds of one call."""
    times = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(calls):
            task()
        times.append((time.process_time() - start) / calls)
    return statistics.median(times)


def best_seconds(task: Callable[[], object], calls: int = 20) -> float:
    """Best of five rounds after three calls to warm up (features.md section 7)."""
    for _ in range(3):
        task()
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(calls):
            task()
        rounds.append((time.process_time() - start) / calls)
    return min(rounds)


def grey_image(size: int) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=(size, size))
    return np.clip(128 + 140 * gaussian_filter(noise, 1), 0, 255).astype(np.uint8)


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return (y - 60) ** 2 + (x - 63) ** 2 <= radius**2


def rois_384() -> float:
    """384 ROIs of 384 different shapes, 10-30 px, each seen once."""
    image = grey_image(128)
    y, x = np.mgrid[:128, :128]
    masks = [
        ((y - 60) / (5 + 10 * (k % 20) / 19)) ** 2 + ((x - 63) / (5 + 10 * (k // 20) / 19)) ** 2
        <= 1
        for k in range(384)
    ]
    start = time.process_time()
    for mask in masks:
        extract(image, mask)
    return time.process_time() - start


def printed_seconds(python: str, script: str, *arguments: Path) -> float | None:
    """What a script prints last, run by the python of an environment of its own."""
    done = subprocess.run(
        [python, str(ROOT / "bench" / script), *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        print(f"{script} did not run: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return float(done.stdout.split()[-1])


def in_turns(python: str | None, script: str, folder: Path, rounds: int) -> tuple[float, float] | None:  # fmt: skip
    """Ours and theirs on the disc in alternating processes: the seconds of the round with the median ratio."""
    if python is None:
        return None
    files = folder / "image.npy", folder / "mask.npy"
    np.save(files[0], grey_image(128).astype(float))
    np.save(files[1], disc_128.astype(np.uint8))
    pairs = []
    for _ in range(rounds):
        ours = printed_seconds(sys.executable, "disc_features.py", *files)
        theirs = printed_seconds(python, script, *files)
        if ours is None or theirs is None:
            return None
        pairs.append((ours, theirs))
    return sorted(pairs, key=lambda pair: pair[0] / pair[1])[rounds // 2]


def feature_lines(pythons: dict[str, str | None], folder: Path) -> list[Line]:
    small, large = grey_image(128), grey_image(512)
    cold = rois_384()
    forty = best_seconds(lambda: extract(small, disc_128))
    whole = np.ones(large.shape, dtype=bool)
    beside = {
        "pyradiomics": in_turns(pythons["pyradiomics"], "pyradiomics_peer.py", folder, 5),
        "mirp": in_turns(pythons["mirp"], "mirp_peer.py", folder, 3),
    }
    found = {name: pair or (forty, None) for name, pair in beside.items()}
    return [
        Line("279 features, 40-px disc", found["pyradiomics"][0], "pyradiomics (23 features)", found["pyradiomics"][1], 0.2, 0.003),
        Line("the same", found["mirp"][0], "mirp (by slice)", found["mirp"][1], None, 0.003),
        Line("same ROI in a 512 x 512 image", best_seconds(lambda: extract(large, disc_512)), "-", None, None, 0.004),
        Line("384 ROIs, cold caches", cold, "-", None, None, 3.0),
        Line("whole 512 x 512 image", best_seconds(lambda: extract(large, whole), 1), "-", None, None, 0.4),
    ]  # fmt: skip


disc_128, disc_512 = disc(128, 20), disc(512, 20)


def training_table() -> tuple[list[str], dict[str, np.ndarray]]:
    with TABLE.open() as file:
        header, *rows = csv.reader(file)
    table = dict(zip(header, map(np.array, zip(*rows, strict=True)), strict=True))
    train = table["train"] == "1"
    names = [key for key in header if key[:3] in ("CT_", "SP_")]
    return names, {key: column[train] for key, column in table.items()}


def write(folder: Path, name: str, **columns: np.ndarray) -> None:
    table = np.column_stack(list(columns.values()))
    heads = list(columns) if len(columns) > 1 else [f"v{j}" for j in range(table.shape[1])]
    np.savetxt(folder / name, table, delimiter=",", header=",".join(heads), comments="", fmt="%.17g")  # fmt: skip


def two_scores(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(n)
    y = (rng.random(n) < 0.6).astype(float)
    shared = rng.normal(size=n)
    return {"y": y} | {key: y + shared + rng.normal(size=n) for key in "ab"}


def readings() -> tuple[np.ndarray, np.ndarray]:
    """2 modalities, 5 readers, 114 cases, five-step ratings: the shape of VanDyke's study."""
    rng = np.random.default_rng(114)
    y = (np.arange(114) < 45).astype(float)
    latent = y + rng.normal(size=114) * 0.7 + rng.normal(size=(2, 5, 114)) * 0.7
    return y, np.clip(np.round(latent + 3), 1, 5)


def r_seconds(folder: Path) -> dict[str, float]:
    rscript = shutil.which("Rscript")
    if rscript is None:
        print("R is absent: no ratios to it", file=sys.stderr)
        return {}
    done = subprocess.run(
        [rscript, str(ROOT / "bench" / "science.R"), str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        print(f"R failed: {done.stderr.strip()}", file=sys.stderr)
    pairs = [line.split() for line in done.stdout.splitlines()]
    return {task: float(seconds) for task, seconds in pairs if seconds != "-"}


def scikit_path(z: np.ndarray, y: np.ndarray, lambdas: np.ndarray) -> tuple[float, float]:
    """CPU seconds and worst certificate (in lambda) of scikit-learn's saga at every tenth lambda, 2,000 passes."""
    start, worst = time.process_time(), 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for lam in lambdas[::10]:
            fit = LogisticRegression(
                l1_ratio=1.0, solver="saga", C=1 / (lam * y.size), max_iter=500, tol=1e-8
            ).fit(z, y)
            found = certificate(
                np.ascontiguousarray(z.T), y, np.array([lam]), fit.intercept_, fit.coef_
            )
            worst = max(worst, float(found[0]))
    return time.process_time() - start, worst


@dataclass(frozen=True)
class Fit:
    """The training data of the combined model and its pruned, standardised columns."""

    X: np.ndarray
    y: np.ndarray
    folds: np.ndarray
    patients: np.ndarray
    columns: dict[str, np.ndarray]
    whole: Callable[[], RadiomicsModel]


def prepared(folder: Path) -> Fit:
    names, table = training_table()
    X = np.column_stack([table[name] for name in names]).astype(float)
    y, folds = table["y"].astype(float), table[FOLDS_OF].astype(int)
    blocks = [name[:2] for name in names]

    def whole() -> RadiomicsModel:
        return RadiomicsModel(seed=1).fit(
            X, y, table["patient"], feature_names=names, blocks=blocks, folds=folds
        )

    kept = [names.index(name) for name in whole().kept_]
    ct = [j for j in kept if blocks[j] == "CT"]
    columns = {"CT": zscore(X[:, ct]).z, "COM": zscore(X[:, kept]).z}
    write(folder, "x.csv", x=X)
    write(folder, "m.csv", y=y, fold=folds)
    for block, z in columns.items():
        write(folder, f"{block}.csv", z=z)
    return Fit(X, y, folds, table["patient"], columns, whole)


def written(folder: Path) -> dict[int, dict[str, np.ndarray]]:
    scores = {n: two_scores(n) for n in (100_000, 192)}
    for n, columns in scores.items():
        write(folder, f"roc{n}.csv", **columns)
    y, table = readings()
    axes = np.meshgrid(*map(np.arange, table.shape), indexing="ij")
    flat = {key: axis.ravel() for key, axis in zip(("treatment", "reader", "case"), axes, strict=True)}  # fmt: skip
    write(folder, "mrmc.csv", **flat, truth=y[flat["case"]], rating=table.ravel())
    return scores


def dcurves_line(python: str | None, folder: Path) -> Line:
    """The decision curve of 1,000 rows; both must say the same."""
    rng = np.random.default_rng(9)
    p = rng.random(1000)
    y = (rng.random(1000) < p).astype(float)
    files = folder / "y.npy", folder / "p.npy", folder / "benefit.npy"
    np.save(files[0], y)
    np.save(files[1], p)
    theirs = None if python is None else printed_seconds(python, "dcurves_peer.py", *files)
    note = ""
    if theirs is not None:
        apart = np.abs(np.load(files[2]) - decision_curve(y, p).net_benefit).max()
        note = f"largest difference {apart:.1e}"
    ours = cpu_seconds(lambda: decision_curve(y, p), 20)
    return Line("decision curve, 1,000 rows", ours, "dcurves (Python)", theirs, None, None, note)


def workers_line(data: Fit) -> Line:
    """Optimism over 100 resamples of the whole fit by two processes and by one; the same answer of both."""
    make = partial(RadiomicsModel, seed=1)
    seconds, found = {}, {}
    for workers in (1, 2):
        start = time.perf_counter()
        found[workers] = bootstrap_optimism(
            make, data.X, data.y, data.patients, n_boot=100, seed=1, workers=workers
        )
        seconds[workers] = time.perf_counter() - start
    same = json.dumps(found[1].to_dict()) == json.dumps(found[2].to_dict())
    return Line(
        "100 resamples x whole fit, 2 workers", seconds[2], "1 worker", seconds[1], 1 / 1.5, None,
        "the same answer" if same else "ANOTHER ANSWER",
    )  # fmt: skip


def science_lines(folder: Path, dcurves: str | None) -> list[Line]:
    data, scores = prepared(folder), written(folder)
    theirs = r_seconds(folder)
    y, table = readings()
    com = data.columns["COM"]
    path = lasso_path(com, data.y)
    standard = com / com.std(axis=0)
    lambdas = {block: lasso_path(z, data.y).lambdas for block, z in data.columns.items()}

    def cv() -> None:
        for block, z in data.columns.items():
            cross_validate(z, data.y, data.folds, lambdas=lambdas[block])

    def in_r(suffix: str) -> float | None:
        parts = [theirs.get(f"cv_{block}{suffix}") for block in ("CT", "COM")]
        return None if None in parts else sum(filter(None, parts))

    ours_path, ours_cv = cpu_seconds(lambda: lasso_path(com, data.y), 3), cpu_seconds(cv)
    saga, violation = scikit_path(standard, data.y, path.lambdas)
    certified = f"our kkt {path.kkt.max():.1e} lambda"
    return [
        Line("path, 134 x 448, 100 lambdas", ours_path, "glmnet thresh 1e-14", theirs.get("path"), 1.5, None, certified),
        Line("the same", ours_path, "glmnet default thresh 1e-7", theirs.get("path_default"), None, None, "R's support differs there"),
        Line("10-fold CV, CT + ComModel", ours_cv, "cv.glmnet thresh 1e-14", in_r(""), 1.0, None),
        Line("the same", ours_cv, "cv.glmnet default thresh", in_r("_default"), None, None, "R's support differs there"),
        Line("path (they: every tenth lambda)", ours_path, "scikit-learn saga", saga, None, None, f"their kkt {violation:.1e} lambda"),
        Line("correlation filter, 558 columns", cpu_seconds(lambda: correlation_filter(data.X), 3), "caret", theirs.get("correlation_filter"), 0.02, None),
        *[delong_line(n, columns, theirs) for n, columns in scores.items()],
        Line("Obuchowski-Rockette 2 x 5 x 114", cpu_seconds(lambda: obuchowski_rockette(y, table), 5), "MRMCaov", theirs.get("mrmc"), 0.1, 0.02),
        dcurves_line(dcurves, folder),
        Line("whole fit", cpu_seconds(data.whole), "-", None, None, 1.2),
        workers_line(data),
    ]  # fmt: skip


def delong_line(n: int, columns: dict[str, np.ndarray], theirs: dict[str, float]) -> Line:
    bar, calls = (0.5, 1) if n > 1000 else (1.0, 50)
    ours = cpu_seconds(lambda: compare_auc(columns["y"], columns["a"], columns["b"]), calls)
    return Line(f"two AUCs and their test, n = {n}", ours, "pROC", theirs.get(f"delong_{n}"), bar, None)  # fmt: skip


def text(line: Line) -> str:
    if line.peer == "-":
        against = ""
    elif line.ratio is None:
        against = f"{line.peer}: absent"
    else:
        against = f"{line.peer} {line.peer_seconds:.4f} s, ratio {line.ratio:.3f}"
    bars = [
        f"{bar:.3g} {unit}" for bar, unit in ((line.ratio_bar, "x"), (line.seconds_bar, "s")) if bar
    ]
    bar = f"  [{'met' if line.met else 'MISSED'}: bar {', '.join(bars)}]" if bars else ""
    return f"{line.task:34s} {line.seconds:.5f} s  {against}{bar}  {line.note}".rstrip()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    for peer in ("pyradiomics", "mirp", "dcurves"):
        parser.add_argument(f"--{peer}", metavar="PYTHON", help=f"python of an environment with {peer}")  # fmt: skip
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [*feature_lines(vars(given), folder), *science_lines(folder, given.dcurves)]
    if given.json:
        rows = [asdict(line) | {"ratio": line.ratio, "met": line.met} for line in lines]
        print(json.dumps({"lines": rows, "met": all(line.met for line in lines)}))  # fmt: skip
    else:
        print("\n".join(text(line) for line in lines))
    return 0 if all(line.met for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
