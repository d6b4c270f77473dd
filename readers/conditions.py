"""Conditions that the database holds of reads and ROIs, too long to stand in their tables."""

from django.db.models import F, Q

SCORE_AGREES = (
    Q(confidence__isnull=True, score__isnull=True)
    | Q(confidence__gte=1, confidence__lte=5, call="metastasis", score=F("confidence") + 5)
    | Q(confidence__gte=1, confidence__lte=5, call="benign", score=6 - F("confidence"))
    | Q(confidence__isnull=True, call="metastasis", score__gte=50, score__lte=100)
    | Q(confidence__isnull=True, call="benign", score__gte=0, score__lte=50)
)
# a comparison with NULL refuses nothing, so each column is asked for as well
THRESHOLD_NAMES_ITS_SPHERE = Q(
    kind="threshold",
    modality="SPECT",
    sphere_centre_mm__isnull=False,
    sphere_radius_mm__isnull=False,
    threshold_fraction__isnull=False,
    sphere_radius_mm__gt=0,
    threshold_fraction__gt=0,
    threshold_fraction__lte=1,
) | Q(
    ~Q(kind="threshold"),
    sphere_centre_mm__isnull=True,
    sphere_radius_mm__isnull=True,
    threshold_fraction__isnull=True,
)
