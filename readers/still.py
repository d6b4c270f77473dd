"""The still-picture desk: the same case without script, each answer saved by its own form post."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone

from portal.accounts.models import User
from portal.errors import Forbidden, Invalid, StudyError
from readers import reading
from readers.documents import EMPTY
from readers.doors import reader_view
from readers.models import Assignment, ReadingSession
from readers.questions import Question
from readers.still_panes import still_panes, view_query
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


def show(
    request: HttpRequest, reader: User, assignment: Assignment, error: StudyError | None = None
) -> HttpResponse:
    require_allowed(assignment)
    query = QueryDict(request.POST.get("at", "")) if request.method == "POST" else request.GET
    case = reading.open_case(assignment, actor=reader, now=timezone.now())
    said = (case.draft_document or EMPTY)["answers"]
    fields = [{"question": q, "answer": said.get(q["id"])} for q in case.questions]
    context = {
        "case": case,
        "is_synthetic": assignment.session.study.is_synthetic,
        "panes": still_panes(case, query),
        "at": view_query(query),
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
    """Save the form; a picture's button then moves on in the images, the submit button to the next case."""
    assignment = desk_case(reader, code)
    require_allowed(assignment)
    form, now = request.POST, timezone.now()
    try:
        version = saved_version(assignment, form, reader, now=now)
        if "submit" not in form:
            return redirect(f"/reading/cases/{code}/?view=pictures&{wanted_view(form)}")
        reading.submit(assignment, version=version, actor=reader, now=now)
    except StudyError as error:
        return show(request, reader, assignment, error)
    return redirect(f"/reading/next/{assignment.session.code}/")


def wanted_view(form: QueryDict) -> str:
    """The view that a picture's button asks for, else the one that was shown."""
    return view_query(QueryDict(form.get("go") or form.get("at", "")).dict())


def saved_version(assignment: Assignment, form: QueryDict, reader: User, *, now: datetime) -> int:
    """Version of the draft that holds the form's answers; moving on with the same answers saves nothing."""
    read = reading.current_read(assignment, now=now)
    before = read.document or EMPTY
    questions = assignment.session.questionnaire.questions
    said = {q["id"]: given(q, form) for q in questions}
    if "go" in form and is_same(said, before["answers"]):
        return read.version
    saved = reading.save_draft(
        assignment,
        {**before, "answers": said},
        base_version=whole(form.get("version", "")),
        key=form.get("key", ""),
        actor=reader,
        now=now,
        fallback_view=True,
    )
    return saved.version


def is_same(said: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether the form says what the draft says; no answer and an empty list are alike."""
    return all((said[name] or None) == (before.get(name) or None) for name in said)


def whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise Invalid("The form is not complete; reload the case.", field="version")
    return int(text)
