"""The still-picture desk: the same case without script, each answer saved by its own form post."""

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone

from portal.accounts.models import User
from portal.errors import Forbidden, Invalid, StudyError
from readers import reading
from readers.case import BlindCase
from readers.documents import EMPTY
from readers.doors import reader_view
from readers.exam import SeriesView
from readers.models import Assignment, ReadingSession
from readers.pictures import number
from readers.questions import Question
from readers.worklist import desk_case

NOT_ALLOWED = (
    "This study does not take reads made from still pictures; use a browser that runs the viewer."
)
NO_OUTLINES = "Outlines cannot be drawn on still pictures; use a browser that runs the viewer."


def require_allowed(case: Assignment) -> None:
    """Training and synthetic studies by default; a design may allow it for all."""
    session = reading.with_everything().get(pk=case.pk).session
    if session.task == ReadingSession.Task.OUTLINE:
        raise Forbidden(NO_OUTLINES)
    is_free = session.kind == ReadingSession.Kind.TRAINING or session.study.is_synthetic
    if not is_free and not session.design.parameters.get("still_pictures"):
        raise Forbidden(NOT_ALLOWED)


def nearest(view: SeriesView, world: tuple[float, float, float]) -> int:
    """Number, from 1, of the slice nearest to the lesion."""
    heights = [abs(image["position"][2] - world[2]) for image in view.images if image["position"]]
    return heights.index(min(heights)) + 1 if heights else 1


def panes(case: BlindCase, query: QueryDict) -> list[dict[str, Any]]:
    """Address and title of each picture, with the slices before and after it."""
    views = {view.role: view for view in case.series}
    shown = []
    for role, view in views.items():
        count = len(view.images)
        wanted = number(query, role.lower(), 1, count) if role in {"CT", "SPECT"} else 1
        chosen = int(wanted or nearest(view, case.world))
        shown.append(pane(case, query, view.role, view.title, chosen, count))
        if role == "CT" and "SPECT" in views and case.registration.ok:
            shown.append(pane(case, query, "FUSED", "CT and SPECT", chosen, count))
    return shown


def pane(
    case: BlindCase, query: QueryDict, role: str, title: str, chosen: int, count: int
) -> dict[str, Any]:
    def link(to: int) -> str:
        if not 1 <= to <= count or role not in {"CT", "SPECT"}:
            return ""
        kept = {k: query[k] for k in ("ct", "spect") if k in query}
        return "?" + urlencode({"view": "pictures", **kept, role.lower(): to})

    return {
        "title": title,
        "slice": chosen,
        "count": count,
        "before": link(chosen - 1),
        "after": link(chosen + 1),
        "src": f"{case.root}picture.png?" + urlencode({"role": role, "slice": chosen}),
    }


def show(
    request: HttpRequest, reader: User, assignment: Assignment, error: StudyError | None = None
) -> HttpResponse:
    require_allowed(assignment)
    case = reading.open_case(assignment, actor=reader, now=timezone.now())
    said = (case.draft_document or EMPTY)["answers"]
    fields = [{"question": q, "answer": said.get(q["id"])} for q in case.questions]
    context = {
        "case": case,
        "panes": panes(case, request.GET),
        "fields": fields,
        "key": uuid4().hex,
        "error": error,
        "problems": (error.extra.get("problems", {}) if error else {}).get("answers", {}),
    }
    status = 200 if error is None else error.status
    return render(request, "readers/still.html", context, status=status)


def given(asked: Question, form: QueryDict) -> Any:
    """A form field as the answer it stands for; what is no number is left for the check to name."""
    if asked["kind"] == "many_of":
        return form.getlist(asked["id"])
    text = form.get(asked["id"], "").strip()
    if text == "":
        return None
    if asked["kind"] in {"ordinal", "integer"} and text.lstrip("-").isdecimal():
        return int(text[:9])
    return text


@reader_view("POST")
def answer(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    """Save the form; with the submit button, submit it too and go on to the next case."""
    assignment = desk_case(reader, code)
    require_allowed(assignment)
    form, session = request.POST, assignment.session
    try:
        saved = reading.save_draft(
            assignment,
            {
                **EMPTY,
                "answers": {q["id"]: given(q, form) for q in session.questionnaire.questions},
            },
            base_version=whole(form.get("version", "")),
            key=form.get("key", ""),
            actor=reader,
            now=timezone.now(),
            fallback_view=True,
        )
        if "submit" not in form:
            return redirect(f"/reading/cases/{code}/?view=pictures")
        reading.submit(assignment, version=saved.version, actor=reader, now=timezone.now())
    except StudyError as error:
        return show(request, reader, assignment, error)
    return redirect(f"/reading/next/{session.code}/")


def whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise Invalid("The form is not complete; reload the case.", field="version")
    return int(text)
