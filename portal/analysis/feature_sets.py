"""Which features are computed, from which preparation: a row with a digest of everything."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import transaction

from portal.accounts.models import User
from portal.analysis.models import FeatureSet
from portal.audit.chain import digest
from portal.audit.trail import record
from portal.errors import Invalid
from portal.study.models import Study
from radiomics.features import CATALOGUE, PROFILE

EXTRACTOR_VERSION = "1"
DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "grid_mm": 1.0,
        "interpolator": "linear",
        "values": "window8",
        "ct_window_hu": [-500.0, 1300.0],
        "spect_window": "zero_to_series_maximum",
    }
)
VALUES = ("window8", "native")


def checked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters with defaults filled in; an unknown or impossible one is refused."""
    unknown = sorted(set(parameters) - set(DEFAULTS))
    if unknown:
        raise Invalid(f"Unknown feature parameter {unknown[0]}; known are {', '.join(DEFAULTS)}.")
    full = {**DEFAULTS, **parameters}
    low, high = full["ct_window_hu"]
    if not 0.25 <= float(full["grid_mm"]) <= 5:
        raise Invalid("The grid must lie between 0.25 and 5 mm.", field="grid_mm")
    if full["values"] not in VALUES:
        raise Invalid("Values are window8 or native.", field="values")
    if not low < high:
        raise Invalid(
            "The CT window's lower end must lie below its upper end.", field="ct_window_hu"
        )
    return full


def describe(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What the digest covers: profile, catalogue, extractor version and preparation."""
    return {
        "profile": dict(PROFILE),
        "names": [entry.name for entry in CATALOGUE],
        "extractor_version": EXTRACTOR_VERSION,
        "preparation": dict(parameters),
    }


def use(
    study: Study, parameters: Mapping[str, Any] | None = None, *, actor: User | None, now: datetime
) -> FeatureSet:
    """Make these parameters the study's current feature set; the same ones give the same row."""
    full = checked(parameters or {})
    key = digest(describe(full))
    current = FeatureSet.objects.filter(study=study, is_current=True).first()
    if current is not None and current.digest == key:
        return current
    with transaction.atomic():
        FeatureSet.objects.filter(study=study, is_current=True).update(is_current=False)
        row, _ = FeatureSet.objects.get_or_create(
            study=study,
            digest=key,
            defaults={
                "parameters": full,
                "extractor_version": EXTRACTOR_VERSION,
                "is_current": False,
                "created_at": now,
            },
        )
        row.is_current = True
        row.save(update_fields=["is_current"])
        record(
            "feature_set.use",
            obj=f"feature_set:{row.pk}",
            study=study.code,
            new=full,
            role="analyst",
        )
    return row


def current(study: Study) -> FeatureSet | None:
    return FeatureSet.objects.filter(study=study, is_current=True).first()
