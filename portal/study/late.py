"""Images that come when their study's cohort is locked wait on their importer's shelf."""

from portal.study.models import State, Study


def too_late(study: Study) -> str:
    """Why a study takes no more images, '' while it does."""
    if not study.has_reached(State.READING):
        return ""
    return f"The cohort of {study.code} is locked; the images wait on your shelf."


def door_of(study: Study) -> tuple[str, str]:
    """The study that new images enter, or the shelf with a warning once the cohort is locked."""
    why = too_late(study)
    return ("", why) if why else (study.code, "")


def closed(study_key: str) -> str:
    """The same, asked while images are written: until they are, the study's state stands still."""
    study = Study.objects.select_for_update().filter(code=study_key).first()
    return too_late(study) if study is not None else ""
