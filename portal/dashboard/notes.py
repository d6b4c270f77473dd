"""Notes on method: the open points of the published study, worked out wherever its printed figures allow."""

from portal.analysis.plausibility import (
    binomial_limits,
    expected_straddlers,
    hanley_mcneil_se,
    implied_correlation,
    se_of_p,
)
from portal.dashboard.published import (
    CT_VALIDATION_LIMITS,
    EXPERT_LIMITS,
    PUBLISHED_AUC,
    PUBLISHED_LESIONS,
    SELECTED,
)

MODELS = ("ct", "spect", "combined")
TWO_LESIONS = 60
FEWER_CLASS = 54
P_CT_EXPERTS = 0.094
# assumed share of metastases, which the paper does not print per part
SHARE_POSITIVE = 0.6
STATED_ONLY = (
    "Clustering of lesions in patients is ignored in the paper; here intervals are cluster-aware wherever patients repeat.",
    "How two experts became one AUC is not stated. Here the experts' AUC is the mean of the readers' AUCs of their calls, with that of their scores beside it.",
    "The “weighted” kappa .814 on two categories is the plain kappa: weights change nothing with two categories.",
    "“Best net benefit for all thresholds 0–1” cannot be: at threshold 0 every model has the prevalence as its net benefit, as the decision curves here show.",
    "One patient can have lesions of both classes; 79 / 53 patients are counted by any metastasis. “At most two lesions if more than three” leaves exactly three undefined.",
    "Not stated: the cohort of the Brier scores and of the calibration and decision curves, the threshold of the confusion matrix, the sign convention of |r|, any ICC of the 30 re-outlined lesions.",
    "Whether the folds behind lambda .064, .025 and .035 are by patient or by lesion is not stated; the choice changes the selection.",
    "The paper says that MaZda's features satisfy IBSI. Of the 279 entries 247 use formulas with an IBSI-1 counterpart; μ ± 3σ clipping, log10 and three of the groups are not IBSI.",
    "Per-model sensitivity, specificity, predictive values, accuracy, lesions per class, ages and feature names of the paper exist only as pictures: not published in the text.",
)


def notes_on_method() -> tuple[str, ...]:
    """Every open point of the paper as a sentence, with the numbers that its own figures imply."""
    return (
        intervals(),
        misprint(),
        experts(),
        straddling(),
        correlations(),
        multiplicity(),
        events(),
        *STATED_ONLY,
    )


def intervals() -> str:
    shown = []
    for part in ("train", "validation"):
        n = PUBLISHED_LESIONS[part]
        for kind in MODELS:
            found = binomial_limits(PUBLISHED_AUC[part][kind], n)
            shown.append(f"{kind.upper() if kind != 'combined' else 'combined'} {part} {found.low:.3f}–{found.high:.3f}")  # fmt: skip
    return (
        "All six model intervals of the paper equal an exact binomial interval on AUC·n (n = 134 and 58) to .001; "
        "they are not DeLong intervals and treat lesions as independent. Computed here: "
        + ", ".join(shown)
        + "."
    )


def misprint() -> str:
    found = binomial_limits(PUBLISHED_AUC["validation"]["ct"], PUBLISHED_LESIONS["validation"])
    low, high = CT_VALIDATION_LIMITS
    return (
        f"The printed interval {low:.3f}–{high:.3f} of the CT model in validation does not contain its AUC; the binomial "
        f"formula gives {found.low:.4f}–{found.high:.4f}, so {high:.3f} is a misprint for {found.high:.3f}."
    )


def experts() -> str:
    shown = []
    for part, (low, high) in EXPERT_LIMITS.items():
        found = binomial_limits(PUBLISHED_AUC[part]["experts"], PUBLISHED_LESIONS[part])
        agrees = "as printed" if found.is_near(low, high) else f"printed {low:.3f}–{high:.3f}"
        shown.append(f"{part} {found.low:.3f}–{found.high:.3f} ({agrees})")
    return (
        "The experts' intervals do not follow the formula of the models' intervals: "
        + ", ".join(shown)
        + "."
    )


def straddling() -> str:
    n = expected_straddlers(
        TWO_LESIONS, PUBLISHED_LESIONS["train"], PUBLISHED_LESIONS["validation"]
    )
    return (
        "134 + 58 = 192 are lesions printed beside 132 patients: the split seems to be by lesion. With 60 patients of two "
        f"lesions, {n:.0f} of them are expected on both sides. Osteon splits by patient."
    )


def correlations() -> str:
    n = PUBLISHED_LESIONS["validation"]
    n_pos, n_neg = SHARE_POSITIVE * n, (1 - SHARE_POSITIVE) * n
    ct, readers = PUBLISHED_AUC["validation"]["ct"], PUBLISHED_AUC["validation"]["experts"]
    r = implied_correlation(ct, readers, P_CT_EXPERTS, n_pos=n_pos, n_neg=n_neg)
    one = hanley_mcneil_se(ct, n_pos, n_neg)
    other = hanley_mcneil_se(readers, n_pos, n_neg)
    return (
        f"The published P values of the AUC differences imply correlations that cannot be. CT against the experts in validation: a difference of {ct - readers:.3f} "
        f"with P = {P_CT_EXPERTS:.3f} needs a standard error of {se_of_p(ct - readers, P_CT_EXPERTS):.3f} and so AUCs that correlate at {r:.3f}; "
        f"unrelated AUCs have about {(one**2 + other**2) ** 0.5:.3f} (Hanley–McNeil, 60 % metastases assumed)."
    )


def multiplicity() -> str:
    smallest, in_validation = 0.001, 0.007
    return (
        "Twelve comparisons without correction. Holm's first step over twelve makes the smallest P "
        f"{12 * smallest:.3f} (combined model against the experts in training), the only one that stays; over the six of the "
        f"validation part only the combined model against the experts stays ({6 * in_validation:.3f})."
    )


def events() -> str:
    shown = ", ".join(f"{FEWER_CLASS / n:.1f} for {n}" for n in SELECTED.values())
    return (
        "The refit is unpenalised on 12 to 18 features. If 54 of the 134 training lesions are of the smaller class, the events per "
        f"feature are {shown}; at least 10 are advised. Optimism must be shown, and is: nested CV stands beside every training value."
    )
