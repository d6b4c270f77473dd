"""The reading room's pages: home, a session's start and end, the desk."""

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils import timezone

from portal.accounts.models import User
from portal.accounts.tokens import refuse_token
from portal.errors import StudyError
from readers import reading, still
from readers.amending import REASON_CODES
from readers.doors import reader_view
from readers.models import ReadingSession
from readers.sessions import MEANING
from readers.signing import prove
from readers.worklist import (
    address_of,
    case_of,
    desk_case,
    due,
    next_case,
    session_of,
    submitted_cases,
    to_continue,
)

WASM = "'wasm-unsafe-eval'"


@reader_view("GET", "HEAD")
def home(request: HttpRequest, reader: User) -> HttpResponse:
    rows = due(reader, now=timezone.now())
    is_synthetic = any(row.session.study.is_synthetic for row in rows)
    context = {"rows": rows, "first": to_continue(rows), "is_synthetic": is_synthetic}
    return render(request, "readers/home.html", context)


@reader_view("GET", "HEAD")
def help_page(request: HttpRequest, reader: User) -> HttpResponse:
    return render(request, "readers/help.html")


@reader_view("GET", "HEAD")
def continue_session(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    """One button: to the start page, the next case, or the signature."""
    session = session_of(reader, code)
    case = next_case(session) if session.state == ReadingSession.State.OPEN else None
    return redirect(address_of(case) or f"/reading/sessions/{session.code}/")


@reader_view("GET", "HEAD", "POST")
def session_page(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    """What the reader is told, the start, and once all cases are submitted the signature."""
    session = session_of(reader, code)
    if request.method == "POST":
        reading.open_session(session, actor=reader, now=timezone.now())
        return redirect(f"/reading/next/{session.code}/")
    return show_session(request, session)


def show_session(
    request: HttpRequest, session: ReadingSession, error: StudyError | None = None
) -> HttpResponse:
    case = next_case(session)
    context = {
        "session": session,
        "is_synthetic": session.study.is_synthetic,
        "is_planned": session.state == ReadingSession.State.PLANNED,
        "is_open": session.state == ReadingSession.State.OPEN,
        "may_sign": session.state == ReadingSession.State.OPEN and case is None,
        "submitted": submitted_cases(session),
        "reason_codes": REASON_CODES,
        "meaning": MEANING,
        "error": error,
    }
    return render(
        request, "readers/session.html", context, status=200 if error is None else error.status
    )


@reader_view("POST")
def close(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    session = session_of(reader, code)
    form = request.POST
    try:
        refuse_token(request, "sign")
        method = prove(
            session.study, reader, password=form.get("password", ""), totp=form.get("totp", "")
        )
        reading.close_session(session, actor=reader, now=timezone.now(), method=method)
    except StudyError as error:
        return show_session(request, session, error)
    return redirect("/reading/")


@reader_view("POST")
def reopen(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    """The form beside a submitted case; the desk's script has its own address for the same verb."""
    case = case_of(reader, code)
    form = request.POST
    reading.reopen(
        case,
        reason_code=form.get("reason_code", ""),
        reason=form.get("reason", ""),
        actor=reader,
        now=timezone.now(),
    )
    return redirect(f"/reading/next/{case.session.code}/")


@csp_update({"script-src": [WASM], "style-src": [UNSAFE_INLINE]})
@reader_view("GET", "HEAD")
def desk(request: HttpRequest, reader: User, code: str) -> HttpResponse:
    assignment = desk_case(reader, code)
    if request.GET.get("view") == "pictures":
        return still.show(request, reader, assignment)
    case = reading.open_case(assignment, actor=reader, now=timezone.now())
    context = {
        "case": case,
        "document": case.to_json(csrf_token=get_token(request)),
        "is_synthetic": assignment.session.study.is_synthetic,
    }
    return render(request, "readers/desk.html", context)
