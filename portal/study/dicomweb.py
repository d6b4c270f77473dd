"""DICOMweb for coordinators: the series of their studies and of their own unfiled shelf, ready and held."""

from collections.abc import Callable

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from portal.accounts.models import User
from portal.archive.dicomweb import stow
from portal.archive.dicomweb.header import Image, Names, images
from portal.archive.dicomweb.routes import Base, answer, split
from portal.archive.frames import BadRequest
from portal.archive.models import Exam, Series
from portal.archive.uids import is_valid_uid
from portal.audit.trail import record
from portal.errors import Forbidden, NotFound, StudyError, as_json
from portal.fence.blind import lifted
from portal.roles import rule
from portal.study.access import NO_SUCH_PAGE
from portal.study.images import door_of
from portal.study.models import Membership, Study

METHODS = ("GET", "HEAD")
NO_STORE = "private, no-store"
NOT_YOURS = "Only coordinators of a study reach its images here."


@rule("coordinate")
def dicomweb(request: HttpRequest, rest: str) -> HttpResponseBase:
    """QIDO-RS and WADO-RS of the archive view; every refusal is one sentence as JSON."""
    try:
        return admitted(request, rest)
    except StudyError as error:
        response = JsonResponse(as_json(error), status=error.status)
        response["Cache-Control"] = NO_STORE
        return response


def admitted(request: HttpRequest, rest: str) -> HttpResponseBase:
    """401 without a credential, 403 for other roles, before anything is looked up."""
    if not request.user.is_authenticated:
        response: HttpResponse = JsonResponse({"detail": "Sign in first."}, status=401)
        response["WWW-Authenticate"] = "Token"
        return response
    person = request.user
    rows = Membership.objects.filter(user=person, can_coordinate=True)
    studies = list(rows.values_list("study__code", flat=True))
    if not studies:
        raise Forbidden(NOT_YOURS)
    uids, tail = split(rest.strip("/").split("/"))
    is_door = not tail and len(uids) == 1 or rest.strip("/") == "studies"
    if request.method == "POST" and is_door:
        with lifted():
            return stow.store(request, door(request, person, studies, uids))
    methods = (*METHODS, "POST") if is_door else METHODS
    if request.method not in METHODS:
        response = HttpResponse(status=405)
        response["Allow"] = ", ".join(methods)
        return response
    root = request.build_absolute_uri("/dicomweb")
    found = answer(request, Base("dicomweb", shown_to(person, studies), root, NO_STORE), rest)
    note(person, rest, found)
    return found


def door(request: HttpRequest, person: User, studies: list[str], uids: list[str]) -> stow.Door:
    """The study named in the query, or the sender's shelf."""
    if not all(is_valid_uid(u) for u in uids):
        raise BadRequest("An address holds valid UIDs.")
    code, root = request.GET.get("study", ""), request.build_absolute_uri("/dicomweb")
    exam = uids[0] if uids else ""
    if not code:
        return stow.Door(person, "", None, "", exam, root)
    if code not in studies:
        raise NotFound(NO_SUCH_PAGE)
    study = Study.objects.get(code=code)
    key, warning = door_of(study)
    return stow.Door(person, key, study.is_synthetic, warning, exam, root)


def shown_to(person: User, studies: list[str]) -> Callable[[str], list[Image]]:
    """The images of one exam, or of all, that this coordinator may see."""
    mine = Q(exam__study_key__in=studies) | Q(exam__study_key="", exam__importer=person)

    def shown(exam_uid: str) -> list[Image]:
        chosen = Series.objects.filter(mine).select_related("exam").order_by("pk")
        if exam_uid:
            chosen = chosen.filter(exam__uid=exam_uid)
        return images(chosen, archive_names)

    return shown


def archive_names(exam: Exam) -> Names:
    return Names(str, exam.subject, 0, is_case=False)


def note(person: User, rest: str, response: HttpResponseBase) -> None:
    """One row for each retrieval of whole images."""
    uids, tail = split(rest.strip("/").split("/"))
    if response.status_code == 200 and not tail and uids:
        record(
            "images.retrieve", obj=f"images:{uids[-1]}"[:120], role="coordinator",
            actor=f"u:{person.pk}",
        )  # fmt: skip
