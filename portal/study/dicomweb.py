"""DICOMweb for coordinators: the series of their studies and of their own unfiled shelf, ready and held.

In the source view while identities are kept; the fence is let down for that, once the member has been checked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from portal.accounts import second_factor
from portal.accounts.models import User
from portal.accounts.tokens import check_csrf
from portal.archive.dicomweb import stow
from portal.archive.dicomweb.qido import Page, Query, uid_list
from portal.archive.dicomweb.routes import Base, Mounted, answer, split
from portal.archive.dicomweb.search import search, state_of
from portal.archive.dicomweb.shelf import Shelf, exams_of
from portal.archive.dicomweb.source import Both, SourceBase, found_at_once, has_others
from portal.archive.dicomweb.warm import AtOnce, hand_on_documents
from portal.archive.frames import BadRequest, Sent
from portal.archive.models import Exam, Instance, Series
from portal.archive.uids import archive_key, archive_uid, is_valid_uid
from portal.audit.trail import record
from portal.errors import Forbidden, NotFound, StudyError, not_allowed, refusal
from portal.fence.blind import lifted
from portal.roles import rule
from portal.sql.asked import Asked, written
from portal.study.access import NO_SUCH_PAGE
from portal.study.late import door_of
from portal.study.models import Membership, Study

METHODS = ("GET", "HEAD")
# stands for a user in a written question
PERSON = -1
NO_STORE = "private, no-store"
OF_SENDERS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
NOT_YOURS = "Only coordinators of a study reach its images here."


@csrf_exempt  # who has no session is told so first; what a session stores is checked at the door
@rule("coordinate")
def dicomweb(request: HttpRequest, rest: str) -> HttpResponseBase:
    """QIDO-RS and WADO-RS of the source view; every refusal is one sentence as JSON."""
    try:
        return admitted(request, rest)
    except StudyError as error:
        response = refusal(error)
        response["Cache-Control"] = NO_STORE
        return response


def admitted(request: HttpRequest, rest: str) -> HttpResponseBase:
    """401 without a credential, 403 for other roles, before anything is looked up."""
    if not request.user.is_authenticated:
        response: HttpResponse = JsonResponse({"detail": "Sign in first."}, status=401)
        response["WWW-Authenticate"] = "Token"
        return response
    person = request.user
    studies, is_sealed = reached_by(
        person, is_token=getattr(request, "token_user", None) is not None
    )
    uids, tail = split(rest.strip("/").split("/"))
    is_door = not tail and len(uids) == 1 or rest.strip("/") == "studies"
    if request.method == "POST" and is_door:
        check_csrf(request)
        with lifted():
            at = door(request, person, studies, uids)
            return stow.store(request, replace(at, shows_source=is_sealed))
    if request.method not in METHODS:
        return not_allowed(*METHODS, *(["POST"] if is_door else []))
    root = request.build_absolute_uri("/dicomweb")

    def answered(again: HttpRequest, more: str) -> HttpResponseBase:
        asked, _ = split(more.strip("/").split("/"))
        if not is_sealed:
            return answer(again, archive_base(person, studies, root, asked), more)
        with lifted():
            return answer(again, source_base(person, studies, root, asked), more)

    shelf = Shelf(tuple(studies), person.pk, root)
    hand_on_documents(request, "dicomweb", answered, exams_at_once(shelf) if is_sealed else None)
    given = answered(request, rest)
    note(person, rest, given)
    return given


def reached_by(person: User, *, is_token: bool) -> tuple[list[str], bool]:
    """The studies that this member coordinates, and whether their images are shown with the headers as received."""
    found = coordinated().rows({PERSON: person.pk})
    if not found:
        raise Forbidden(NOT_YOURS)
    is_sealed = settings.IDENTITIES != "none" and all(sees for _, sees, _ in found)
    if is_sealed and not is_token:
        second_factor.require(person, is_synthetic=all(made_up for _, _, made_up in found))
    return [code for code, _, _ in found], is_sealed


@lru_cache(maxsize=1)
def coordinated() -> Asked:
    rows = Membership.objects.filter(user=PERSON, can_coordinate=True)
    return written(
        rows.order_by("pk").values_list("study__code", "sees_truth", "study__is_synthetic")
    )


def exams_at_once(shelf: Shelf) -> AtOnce:
    def at_once(rest: str, asked: Mapping[str, Any]) -> Sent | None:
        return found_at_once(shelf, asked) if rest == "studies" else None

    return at_once


def door(request: HttpRequest, person: User, studies: list[str], uids: list[str]) -> stow.Door:
    """The study named in the query, or the sender's shelf."""
    if not all(is_valid_uid(u) for u in uids):
        raise BadRequest("An address holds valid UIDs.")
    code, root = request.GET.get("study", ""), request.build_absolute_uri("/dicomweb")
    exam = uids[0] if uids else ""
    if code and code not in studies:
        raise NotFound(NO_SUCH_PAGE)
    # the report of what lies on one's own shelf is the same in each of one's studies
    home = reverse("study:home", kwargs={"study": code or min(studies)})
    report = request.build_absolute_uri(f"{home}imports/")
    if not code:
        return stow.Door(person, "", None, "", exam, root, report)
    study = Study.objects.get(code=code)
    key, warning = door_of(study)
    return stow.Door(person, key, study.is_synthetic, warning, exam, root, report)


def source_base(person: User, studies: list[str], root: str, asked: Sequence[str]) -> Mounted:
    """The source view of these studies and of the person's own shelf, and what was stored without its header."""
    found = SourceBase(Shelf(tuple(studies), person.pk, root))
    if not has_others(found.shelf):
        return found
    return Both(found, archive_base(person, studies, root, asked, is_rest=True))


def archive_base(
    person: User, studies: list[str], root: str, asked: Sequence[str], *, is_rest: bool = False
) -> Base:
    """The exams of these studies and of the person's own shelf, called as the address calls them."""
    called: dict[str, str] = {}
    shelf = Shelf(tuple(studies), person.pk, root, called, is_rest)
    shown = shown_to(shelf, asked, called)

    def found(asked_for: Query, uids: Sequence[str]) -> Page:
        query = with_ours(asked_for, shelf.exams)
        page = search(shelf, query, uids)
        rows = [] if page.rows or not uids else shown(uids)
        own = [rows[0].exam.uid, rows[0].uid][: len(uids)] if rows else []
        return search(shelf, query, own) if own else page

    def state(uids: Sequence[str]) -> str:
        return state_of(shelf, uids)

    known = None if is_rest else state
    return Base("dicomweb", shown, shelf.names, root, NO_STORE, search=found, state=known)


def with_ours(query: Query, mine: Q) -> Query:
    """Beside each UID that is asked for the one that was made of it, so that a sender finds what it sent."""
    if not any(query.keys.get(keyword) for keyword in OF_SENDERS):
        return query
    exams = Exam.objects.filter(mine)
    rows: dict[str, Callable[[list[str]], QuerySet[Any]]] = {
        "StudyInstanceUID": lambda made: exams.filter(mapped_uid__in=made),
        "SeriesInstanceUID": lambda made: Series.objects.filter(
            Q(sender_uid__in=made) | Q(mapped_uid__in=made), exam__in=exams
        ),
        "SOPInstanceUID": lambda made: Instance.objects.filter(
            uid__in=made, series__exam__in=exams
        ),
    }
    keys = dict(query.keys)
    for keyword in rows.keys() & {k for k, v in keys.items() if v}:
        asked = uid_list(keys[keyword])
        made = [archive_uid(archive_key(), uid) for uid in asked]
        keys[keyword] = ",".join([*asked, *rows[keyword](made).values_list("uid", flat=True)])
    return replace(query, keys=keys)


def shown_to(
    shelf: Shelf, asked: Sequence[str], called: dict[str, str]
) -> Callable[[Sequence[str]], list[Series]]:
    """The series below an exam's and a series' UID that this coordinator may see.

    Source UIDs in an address are mapped by the key, so that a STOW client finds what it sent; `called` learns under
    which UID each was asked for.
    """

    def shown(uids: Sequence[str]) -> list[Series]:
        mine = Series.objects.filter(exams_of(shelf.studies, shelf.importer, "exam__"))
        if shelf.is_rest:
            mine = mine.filter(exam__has_source=False)
        rows = mine.select_related("exam").order_by("pk")
        below = Q(**dict(zip(("exam__uid", "uid"), uids, strict=False)))
        found = list(rows.filter(below))
        if found or not uids:
            return found
        sent = list(rows.filter(sent_as(uids)))
        if sent:
            called.update({archive_uid(archive_key(), uid): uid for uid in asked})
        for one in sent:
            called.update(zip((one.exam.uid, one.uid), uids, strict=False))
        return sent

    return shown


def sent_as(uids: Sequence[str]) -> Q:
    """What was sent under these UIDs of its sender."""
    exam, *series = (archive_uid(archive_key(), uid) for uid in uids)
    found = Q(exam__mapped_uid=exam)
    return found & (Q(sender_uid=series[0]) | Q(mapped_uid=series[0])) if series else found


def note(person: User, rest: str, response: HttpResponseBase) -> None:
    """One row for each retrieval of whole images."""
    uids, tail = split(rest.strip("/").split("/"))
    if response.status_code == 200 and not tail and uids:
        record(
            "images.retrieve", obj=f"images:{our_word(uids)}", role="coordinator", actor=f"u:{person.pk}"
        )  # fmt: skip


def our_word(uids: Sequence[str]) -> str:
    """The archive's UID for what was asked for: the trail never names a sender's."""
    model = (Exam, Series, Instance)[len(uids) - 1]
    is_ours = model._default_manager.filter(uid=uids[-1]).exists()
    return uids[-1] if is_ours else archive_uid(archive_key(), uids[-1])
