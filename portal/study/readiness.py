"""Whether the images of the included lesions are there as they will be read."""

from portal.archive.models import Series
from portal.archive.shelving import under_way
from portal.study.models import Lesion, Study
from portal.study.patients import images_problem

NAMED = 5
MISSING = "Import the missing images and choose the series of each lesion."
UNDER_WAY = (
    "Wait until the import into this study has ended; one that was broken off counts for an hour."
)


def trouble_of(lesion: Lesion) -> str:
    """Why the chosen images of a lesion cannot be read as they are now, '' when they can or are missing altogether."""
    ct, spect = lesion.ct_series, lesion.spect_series
    if ct is None or spect is None:
        return ""
    if Series.State.HELD in (ct.state, spect.state):
        return "an image series of it is held"
    return images_problem(lesion)


def troubles_of(lesions: list[Lesion]) -> str:
    """Images that came after a lesion was included may have put its series on hold again; '' if none is in trouble."""
    found = [(lesion, why) for lesion in lesions if (why := trouble_of(lesion))]
    told = "; ".join(f"{lesion} ({why.rstrip('.')})" for lesion, why in found[:NAMED])
    more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"Decide on the images of these lesions: {told}{more}." if found else ""


def what_images_lack(study: Study) -> str:
    """What to do before the images of each included lesion can be read, '' where nothing is.

    A cohort that is locked in the middle of an import would keep half of a series.
    """
    included = Lesion.objects.of_study(study).included().order_by("pk")
    lesions = list(included.select_related("patient", "ct_series", "spect_series"))
    is_missing = any(one.ct_series is None or one.spect_series is None for one in lesions)
    hints = [MISSING if is_missing else "", troubles_of(lesions)]
    hints.append(UNDER_WAY if under_way(study.code).exists() else "")
    return " ".join(filter(None, hints))
