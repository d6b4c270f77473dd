"""Figures that the published study printed; shown beside ours for the study that reproduces it only."""

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
PUBLISHED_LESIONS: Mapping[str, int] = MappingProxyType({"train": 134, "validation": 58})
# as printed; the misprinted upper limit of the CT model in validation is 0.026
EXPERT_LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"train": (0.775, 0.907), "validation": (0.753, 0.906)}
)
CT_VALIDATION_LIMITS = (0.725, 0.026)
SELECTED: Mapping[str, int] = MappingProxyType({"ct": 12, "spect": 13, "combined": 18})


def is_published_study(study: Study) -> bool:
    """Whether the published column belongs beside this study's figures."""
    return bool(study.generator.get("reproduces"))


def published_auc(study: Study, part: str) -> Mapping[str, float]:
    return PUBLISHED_AUC[part] if is_published_study(study) else {}
