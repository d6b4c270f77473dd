"""What the images ask of a study's steps, and what a study says of images that come late."""

from portal.archive.models import Series
from portal.archive.shelving import ask_while_writing, under_way
from portal.study.late import closed
from portal.study.life import Check, register_check
from portal.study.models import Lesion, State, Study
from portal.study.patients import images_problem

NAMED = 5


def trouble_of(lesion: Lesion) -> str:
    """Why the chosen images of a lesion cannot be read as they are now, '' when they can or are missing altogether."""
    chosen = [s for s in (lesion.ct_series, lesion.spect_series) if s is not None]
    if any(series.state != Series.State.READY for series in chosen):
        return "an image series of it is held"
    return images_problem(lesion) if len(chosen) == len(("CT", "SPECT")) else ""


def images_are_ready(study: Study) -> tuple[Check, ...]:
    """Images that came after a lesion was included may have put its series on hold again."""
    included = (
        Lesion.objects.of_study(study)
        .included()
        .select_related("patient", "ct_series", "spect_series")
    )
    found = [(lesion, why) for lesion in included.order_by("pk") if (why := trouble_of(lesion))]  # fmt: skip
    told = "; ".join(f"{lesion} ({why.rstrip('.')})" for lesion, why in found[:NAMED])
    more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
    hint = f"Decide on the images of these lesions: {told}{more}."
    return (Check("images", "The images of each included lesion are ready", not found, hint),)


def no_import_is_under_way(study: Study) -> tuple[Check, ...]:
    """A cohort that is locked in the middle of an import would keep half of a series."""
    hint = "Wait until the import into this study has ended; one that was broken off counts for an hour."
    return (Check("imports", "No import is under way", not under_way(study.code).exists(), hint),)


register_check(State.READING, images_are_ready)
register_check(State.READING, no_import_is_under_way)
ask_while_writing(closed)
