"""The model card: what a finished run says about itself, row by row, in words and as a nomogram."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.analysis.clinical_card import clinical_card, clinical_nomogram
from portal.analysis.models import ModelRun
from portal.analysis.parameters import modalities_of
from portal.analysis.perturbing import least
from portal.analysis.results import modality_of
from portal.analysis.scoring import outcomes
from portal.analysis.table import PREFIX, build_for, parts
from portal.study.models import State
from radiomics.combined import SCORE
from radiomics.features import CATALOGUE
from radiomics.nomogram import Nomogram, nomogram
from radiomics.robustness import Stability
from radiomics.stats.flags import FLAGS

ANCHORS = {entry.name: entry.ibsi for entry in CATALOGUE}
INTENDED_USE = (
    "Research in this study: to compare a radiomics model with expert readers on vertebral lesions of bone SPECT/CT. "
    "Not a medical device; gives no diagnosis, and nothing is known about other scanners, tracers or bones."
)


@dataclass(frozen=True)
class Term:
    """One line of the formula with what is known of its feature."""

    name: str
    coef: float
    low: float | None
    high: float | None
    p_value: float | None
    icc: float | None
    icc_pairs: int
    ibsi: str
    stability: float | None
    out_of_range: float | None
    perturbed: Stability | None


def warnings_of(run: ModelRun) -> list[str]:
    """Every flag of the fit and of its performance, once, in words."""
    result = run.result
    holders = (result, run.model, result.get("optimism"), result.get("nested"),
               result.get("out_of_fold_calibration"), result.get("apparent_auc"))  # fmt: skip
    flags = {flag for holder in holders if holder for flag in holder.get("flags", ())}
    sentences = [FLAGS.get(flag.split(":")[0], flag) for flag in sorted(flags)]
    return list(dict.fromkeys([*sentences, *unstable(run)]))


def unstable(run: ModelRun) -> Iterator[str]:
    """Selected features that another drawing would have changed much."""
    for name in run.model.get("selected", ()):
        value, n = reader_icc(run, name)
        if value is not None and value < 0.75:
            yield f"{name} has a reader ICC of {value:.2f} over {n} lesions drawn twice: below 0.75."


def reader_icc(run: ModelRun, name: str) -> tuple[float | None, int]:
    """The least ICC among the comparisons of drawings, with its number of lesions."""
    rows = run.result.get("icc", {}).get(name, {}).get("comparisons", ())
    known = [(row["value"], row["n"]) for row in rows if row["value"] is not None]
    return min(known) if known else (None, 0)


def terms(run: ModelRun) -> list[Term]:
    """Terms of the refit with Wald limits where there are any, the intercept first."""
    refit = run.model.get("refit") or {}
    names = refit.get("terms") or ["(Intercept)", *run.model["selected"]]
    columns = [refit.get(key) or [None] * len(names) for key in ("coef", "low", "high", "p_value")]
    outside = out_of_range(run)
    perturbed = least(run.study, run.feature_set, run.model["selected"])
    rows = zip(names, *columns, strict=True)
    return [
        Term(
            name,
            coef,
            low,
            high,
            p,
            *feature_facts(run, name),
            outside.get(name),
            perturbed.get(name),
        )
        for name, coef, low, high, p in rows
    ]


def feature_facts(run: ModelRun, name: str) -> tuple[float | None, int, str, float | None]:
    """Reader ICC and its lesions, IBSI tag, share of resamples that select the feature."""
    tag = ""
    if name in run.model["names"]:
        tag = ANCHORS.get(name.removeprefix(PREFIX[modality_of(name)])) or ""
    value, n = reader_icc(run, name)
    return value, n, tag, run.result.get("stability", {}).get(name)


def out_of_range(run: ModelRun) -> dict[str, float]:
    """Selected feature -> share of scored validation lesions outside the training range, once unblinded."""
    is_open = run.study.has_reached(State.UNBLINDED) and run.state == ModelRun.State.LOCKED
    if not is_open or "ranges" not in run.result:
        return {}
    table = build_for(run.study, run.feature_set, modalities_of(run.kind, run.parameters))
    inside = set(table.lesion_ids)
    held_out = [x for x, part in parts(run.split).items() if part == "validation" and x in inside]
    scored = [o for o in outcomes(run, table, held_out).values() if o.probability is not None]
    if not scored:
        return {}
    return {n: sum(n in o.outside for o in scored) / len(scored) for n in run.model["selected"]}


def formula(run: ModelRun) -> str:
    """The model as one line that a reader of the paper can compute by hand; two where it has clinical columns."""
    clinical = clinical_card(run)
    return f"{SCORE}: {line_of(run.model)}; {clinical.formula}" if clinical else line_of(run.model)


def line_of(model: Mapping[str, Any]) -> str:
    """The radiomics part on the log odds scale."""
    place = {name: j for j, name in enumerate(model["kept"])}
    text = f"log odds = {model['intercept']:.4f}"
    for name, coef in zip(model["selected"], model["coef"], strict=True):
        mean, scale = model["mean"][place[name]], model["scale"][place[name]]
        sign = "−" if coef < 0 else "+"
        text += f" {sign} {abs(coef):.4f} · ({name} − {mean:.6g}) / {scale:.6g}"
    return text


def lambdas(run: ModelRun) -> list[dict[str, Any]]:
    """lambda.min and lambda.1se with their number of features and deviance; which one was used."""
    cv, path = run.model["cv"], run.model["path"]
    return [
        {
            "name": f"lambda.{rule}",
            "value": path["lambdas"][index],
            "n_features": path["df"][index],
            "deviance": cv["cvm"][index],
            "is_used": run.parameters["rule"] == rule,
        }
        for rule, index in (("min", cv["index_min"]), ("1se", cv["index_1se"]))
    ]


def kkt(run: ModelRun) -> float:
    """The largest violation of the optimality conditions along the path, relative to lambda."""
    return max((k for k in run.model["path"]["kkt"] if k is not None), default=0.0)


def nomogram_of(run: ModelRun) -> Nomogram | None:
    """The last fit as a nomogram over the training ranges; None for an intercept-only model."""
    if run.model.get("clinical"):
        return clinical_nomogram(run)
    model, limits = run.model, run.result.get("ranges", {})
    names: Sequence[str] = model["selected"]
    if not names or not limits or not any(model["coef"]):
        return None
    place = {name: j for j, name in enumerate(model["kept"])}
    at = [place[name] for name in names]
    return nomogram(
        names, model["coef"], model["intercept"],
        mean=[model["mean"][j] for j in at], scale=[model["scale"][j] for j in at],
        low=[limits[name][0] for name in names], high=[limits[name][1] for name in names],
    )  # fmt: skip


def counts(run: ModelRun) -> list[Mapping[str, Any]]:
    """Nominal, asked for and usable columns of each modality."""
    found = run.result.get("per_modality", {})
    return [{"modality": modality, **numbers} for modality, numbers in found.items()]
