"""Which scanner or site a lesion's images came from: the batches of the harmonisation."""

from collections.abc import Iterable, Mapping, Sequence

from portal.archive.models import Series
from portal.study.acquisition import facts
from portal.study.models import Lesion

SERIES = {"CT": "ct_series", "SPECT": "spect_series"}


def batches_of(
    lesion_ids: Iterable[int], by: str, modalities: Sequence[str]
) -> dict[int, dict[str, str]]:
    """Lesion -> modality -> batch, '' where nothing is recorded."""
    names = [SERIES[m] for m in modalities]
    rows = Lesion.objects.filter(pk__in=list(lesion_ids)).select_related("patient__site", *names)
    return {row.pk: {m: batch_of(row, m, by) for m in modalities} for row in rows}


def batch_of(lesion: Lesion, modality: str, by: str) -> str:
    if by == "site":
        return lesion.patient.site.code if lesion.patient.site else ""
    series: Series | None = getattr(lesion, SERIES[modality])
    return str(facts(series)["device"] or "") if series else ""


def by_block(
    lesion_ids: Sequence[int], found: Mapping[int, Mapping[str, str]], by: str, modality: str
) -> tuple[str, ...]:
    """The batch of each lesion, in order; raises ValueError where one is not recorded."""
    batches = tuple(found[lesion][modality] for lesion in lesion_ids)
    n_unknown = batches.count("")
    if n_unknown:
        raise ValueError(
            f"{n_unknown} training lesions have no {by} recorded for {modality}; "
            f"record it, or train without harmonisation"
        )
    return batches
