"""What a model with clinical columns knows of a lesion: age, sex, primary tumour, uptake ratio; or what is not recorded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple

import numpy as np

from portal.analysis.models import FeatureSet
from portal.analysis.table import primary_vectors
from portal.archive.pixels import slice_of
from portal.audit.chain import digest
from portal.errors import Invalid, StudyError
from portal.study.models import Lesion, Patient, Split
from portal.truth.strata import train_labels
from radiomics.clinical import ClinicalRow, uptake_ratio
from radiomics.region import rasterise
from readers.models import Roi

NO_UPTAKE = "the uptake ratio of its SPECT ROI is undefined"
NO_ROI = "no locked SPECT ROI with features"
MALE = {Patient.Sex.MALE.value: 1.0, Patient.Sex.FEMALE.value: 0.0}


def not_recorded(patient: Patient) -> str:
    """The first clinical value that a patient lacks, '' if all are there."""
    if patient.age_years is None:
        return "age is not recorded"
    if patient.sex not in MALE:
        return "sex is not recorded as F or M"
    return "" if patient.primary_tumour.strip() else "primary tumour is not recorded"


def row_of(lesion: Lesion, roi: Roi) -> ClinicalRow | str:
    """The clinical values of a lesion, its uptake from the SPECT ROI; or the sentence why there are none."""
    patient = lesion.patient
    lacking = not_recorded(patient)
    if lacking:
        return lacking
    ratio = uptake_of(roi)
    if np.isnan(ratio):
        return NO_UPTAKE
    return ClinicalRow(
        float(patient.age_years or 0), MALE[patient.sex], ratio, patient.primary_tumour
    )


def uptake_of(roi: Roi) -> float:
    """The uptake ratio on the slice of a ROI; NaN where the archive or the slice does not allow one."""
    try:
        image = slice_of(roi.series, roi.sop_instance_uid, roi.frame).slice
    except (StudyError, FileNotFoundError):
        return float("nan")
    mask = rasterise(image.to_pixel(np.asarray(roi.vertices_mm, dtype=np.float64)), image.shape)
    return uptake_ratio(np.asarray(image.pixels, dtype=np.float64), mask)


def rows_of(feature_set: FeatureSet, lesion_ids: Iterable[int]) -> dict[int, ClinicalRow | str]:
    """Lesion -> clinical values from the ROI that its features come from, or the sentence why there are none."""
    wanted = set(lesion_ids)
    drawn = primary_vectors(feature_set, "SPECT")
    chosen = {lesion: row.roi_id for lesion, row in drawn.items() if lesion in wanted}
    rois = Roi.objects.filter(pk__in=chosen.values()).select_related("series").in_bulk()
    lesions = Lesion.objects.filter(pk__in=wanted).select_related("patient")
    return {
        lesion.pk: row_of(lesion, rois[chosen[lesion.pk]]) if lesion.pk in chosen else NO_ROI
        for lesion in lesions
    }


def training_rows(feature_set: FeatureSet, lesion_ids: Sequence[int]) -> tuple[ClinicalRow, ...]:
    """The clinical values of the training rows, in order; ValueError with one sentence where one is missing."""
    found = rows_of(feature_set, lesion_ids)
    lacking = {lesion: said for lesion, said in found.items() if isinstance(said, str)}
    if lacking:
        raise ValueError(sentence(lacking))
    return tuple(row for lesion in lesion_ids if not isinstance(row := found[lesion], str))


def check_recorded(split: Split) -> None:
    """Refuse a run whose training part lacks age, sex or primary tumour, before anything is queued."""
    lesions = Lesion.objects.filter(pk__in=train_labels(split)).select_related("patient")
    lacking = {x.pk: said for x in lesions if (said := not_recorded(x.patient))}
    if lacking:
        raise Invalid(sentence(lacking), field="kind")


def sentence(lacking: Mapping[int, str]) -> str:
    """How many training lesions lack a clinical value, and the first of them."""
    first = Lesion.objects.select_related("patient").filter(pk__in=lacking)
    lesion = first.order_by("patient__subject", "number")[0]
    return (
        f"A model with clinical columns needs age, sex, primary tumour and uptake ratio of every training lesion; "
        f"{len(lacking)} lack one, the first is {lesion}: {lacking[lesion.pk]}."
    )


def rows_digest(rows: Iterable[ClinicalRow]) -> str:
    return digest({"clinical": [list(astuple(row)) for row in rows]})
