"""Figures that the published study printed, and its open points; shown beside ours for the demo only."""

from collections.abc import Mapping
from types import MappingProxyType

from portal.study.models import Study

PUBLISHED_AUC: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "train": {"ct": 0.894, "spect": 0.914, "combined": 0.951, "experts": 0.849},
        "validation": {"ct": 0.844, "spect": 0.871, "combined": 0.926, "experts": 0.839},
    }
)
PUBLISHED_BRIER: Mapping[str, float] = MappingProxyType(
    {"spect": 0.110, "ct": 0.126, "combined": 0.082}
)
PUBLISHED_KAPPA = "0.814 (0.713–0.895)"
NOTES_ON_METHOD: tuple[str, ...] = (
    "All six model intervals of the paper equal an exact binomial interval on AUC·n (n = 134 and 58) to .001; they are not DeLong intervals and treat lesions as independent.",
    "The printed interval .725–0.026 of the CT model in validation is a misprint for .725–.926.",
    "134 + 58 = 192 are lesions printed beside 132 patients: the split seems to be by lesion, so that about 25 patients may be on both sides. Osteon splits by patient.",
    "Clustering of lesions in patients is ignored in the paper; here intervals are cluster-aware wherever patients repeat.",
    "How two experts became one AUC is not stated. Here the experts' AUC is the mean of the readers' AUCs of their calls, with that of their scores beside it.",
    "The experts' published intervals follow no formula that their AUC and n allow.",
    "The published DeLong P values imply AUC correlations from −.24 to .999 between the same scores.",
    "Twelve comparisons without correction: under Holm only the combined model against the experts in training stays.",
    "The “weighted” kappa .814 on two categories is the plain kappa.",
    "“Best net benefit for all thresholds 0–1” cannot be: at threshold 0 every model has the prevalence.",
    "The refit is unpenalised on 12 to 18 features with fewer than five events each: optimism must be shown.",
    "One patient can have lesions of both classes; 79 / 53 patients are counted by any metastasis.",
    "The cohort of the Brier scores, the threshold of the confusion matrix, the sign convention of |r| and any ICC of the 30 re-outlined lesions are not stated.",
    "Whether the folds behind lambda .064, .025 and .035 are by patient or by lesion is not stated; the choice changes the selection.",
    "The paper says that MaZda's features satisfy IBSI. Of the 279 entries 247 use formulas with an IBSI-1 counterpart; μ ± 3σ clipping, log10 and three of the groups are not IBSI.",
    "Per-model sensitivity, specificity, predictive values and feature names of the paper exist only as pictures: not published in the text.",
)


def is_published_study(study: Study) -> bool:
    """Whether the published column belongs beside this study's figures."""
    return bool(study.generator.get("reproduces"))


def published_auc(study: Study, part: str) -> Mapping[str, float]:
    return PUBLISHED_AUC[part] if is_published_study(study) else {}
