"""The coordinator's pages about reading: the board, design and plan, missing cases, reopening."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from portal.accounts.models import User
from portal.errors import Invalid, NotFound
from portal.study.access import member_view
from portal.study.models import Lesion, Membership, Study
from readers.amending import REASON_CODES, declare_missing, reopen
from readers.board import board, locked_cases, sessions, unsettled
from readers.crossing import Preview
from readers.design import (
    choose_repeats,
    create_design,
    create_questionnaire,
    lock_design,
    plan_sessions,
    preview_sessions,
)
from readers.models import Assignment, ReadingDesign, ReadingSession
from readers.sessions import NOT_YOURS

PER_PAGE = 50
PLAN_FIELDS = ("design", "reader", "task", "kind", "condition", "blocks")


def back(member: Membership) -> HttpResponse:
    return redirect(f"/studies/{member.study.code}/readers/")


def whole(form: QueryDict, name: str, default: int) -> int:
    text = form.get(name, "").strip()
    if text == "":
        return default
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(f"{name.replace('_', ' ').capitalize()} is a whole number.", field=name)
    return int(text)


@member_view("coordinate", "monitor")
@require_GET
def board_page(request: HttpRequest, member: Membership) -> HttpResponse:
    """Progress only: no call, no score, nothing that anybody answered."""
    study = member.study
    task = "outline" if request.GET.get("task") == "outline" else "read"
    found = board(study, task=task)
    page = Paginator(found.rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "member": member,
        "study": study,
        "task": task,
        "readers": found.readers,
        "page": page,
        "sessions": sessions(study),
        "designs": study.designs.order_by("-version"),
        "unsettled": unsettled(study)[:PER_PAGE],
        "locked": locked_cases(study)[:PER_PAGE],
        "reason_codes": REASON_CODES,
        "people": readers_of(study),
        "kinds": ReadingSession.Kind.values,
        "may_change": member.can_coordinate,
    }
    return render(request, "readers/board.html", context)


def readers_of(study: Study) -> list[User]:
    members = (
        Membership.objects.filter(study=study).select_related("user").order_by("user__username")
    )
    return [m.user for m in members if m.can_read or m.can_draw]


@member_view("coordinate")
@require_POST
def design_page(request: HttpRequest, member: Membership) -> HttpResponse:
    """A new version of the design and its questionnaires."""
    form, now = request.POST, timezone.now()
    scale = form.get("scale", "confidence")
    create_design(
        member.study,
        scale=scale,
        seed=whole(form, "seed", 1),
        sitting=whole(form, "sitting", 20),
        washout_days=whole(form, "washout_days", 28),
        patient_gap=whole(form, "patient_gap", 3),
        n_repeats=whole(form, "n_repeats", 30),
        actor=member.user,
        now=now,
    )
    for task in ReadingSession.Task.values:
        create_questionnaire(member.study, task, scale=scale, actor=member.user, now=now)
    return back(member)


@member_view("coordinate")
@require_POST
def lock_page(request: HttpRequest, member: Membership) -> HttpResponse:
    lock_design(design_of(member.study, request.POST), actor=member.user, now=timezone.now())
    return back(member)


def design_of(study: Study, form: QueryDict) -> ReadingDesign:
    found = study.designs.filter(version=whole(form, "design", 0)).first()
    if found is None:
        raise Invalid("Choose a design of this study.", field="design")
    return found


@member_view("coordinate")
@require_POST
def plan_page(request: HttpRequest, member: Membership) -> HttpResponse:
    """Sessions for the chosen readers over all included lesions, or over the drawn repeats."""
    form = request.POST
    design = design_of(member.study, form)
    kind = form.get("kind", ReadingSession.Kind.MAIN)
    lesions = list(Lesion.objects.of_study(member.study).included().select_related("patient"))
    is_repeat = kind == ReadingSession.Kind.REPEAT
    wanted = set(form.getlist("reader"))
    asked: dict[str, Any] = {
        "kind": kind,
        "task": form.get("task", "read"),
        "readers": [user for user in readers_of(member.study) if user.username in wanted],
        "lesions": choose_repeats(design, lesions) if is_repeat else lesions,
        "occasion": 2 if is_repeat else 1,
        "condition": form.get("condition", "unaided"),
        "n_blocks": whole(form, "blocks", 1),
    }
    if not asked["readers"]:
        raise Invalid("Choose at least one reader.", field="reader")
    if "preview" in form:
        return show_preview(request, member, preview_sessions(design, **asked))
    plan_sessions(design, **asked, actor=member.user, now=timezone.now())
    return back(member)


def show_preview(request: HttpRequest, member: Membership, found: Preview) -> HttpResponse:
    """The coverage matrix with the form that stores it, word for word as it was sent."""
    kept = [(name, value) for name in PLAN_FIELDS for value in request.POST.getlist(name)]
    context = {"member": member, "study": member.study, "preview": found, "kept": kept}
    return render(request, "readers/preview.html", context)


def case_in(study: Study, code: str) -> Assignment:
    case = Assignment.objects.of_study(study).filter(code=code).first()
    if case is None:
        raise NotFound(NOT_YOURS)
    return case


@member_view("coordinate")
@require_POST
def missing_page(request: HttpRequest, member: Membership, code: str) -> HttpResponse:
    case = case_in(member.study, code)
    reason = request.POST.get("reason", "")
    declare_missing(case, reason, actor=member.user, now=timezone.now())
    return back(member)


@member_view("coordinate")
@require_POST
def reopen_page(request: HttpRequest, member: Membership, code: str) -> HttpResponse:
    form = request.POST
    reopen(
        case_in(member.study, code),
        reason_code=form.get("reason_code", ""),
        reason=form.get("reason", ""),
        actor=member.user,
        now=timezone.now(),
    )
    return back(member)
