"""The reading room for programs: the desk's own doors and the sessions under /api/v1/, with a token or a session."""

from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.tokens import refuse_token
from portal.study.doors import user_of
from readers import api, reading, shapes
from readers.models import ReadingSession
from readers.signing import prove
from readers.worklist import address_of, due, next_case, session_of, submitted_cases

VERSION = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, required=True)
KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, required=True)


class ReaderAPI(APIView):
    """A resource of the signed-in reader's own work; nobody else's exists here."""

    rule: ClassVar[str] = "reader"

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        view = super().as_view(**initkwargs)
        view.rule = cls.rule  # type: ignore[attr-defined]
        return view

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response


class Worklist(ReaderAPI):
    @extend_schema(responses=shapes.DueSession(many=True))
    def get(self, request: Request) -> Response:
        """The reader's unfinished sessions, open ones first."""
        rows = due(user_of(request), now=timezone.now())
        return Response(
            [
                {
                    "code": row.session.code,
                    "study": row.session.study.code,
                    "number": row.session.number,
                    "task": row.session.task,
                    "state": row.session.state,
                    "done": row.done,
                    "count": row.count,
                    "not_before": row.session.not_before,
                }
                for row in rows
            ]
        )


def own_session(session: ReadingSession) -> Response:
    is_open = session.state == ReadingSession.State.OPEN
    following = next_case(session) if is_open else None
    return Response(
        {
            "code": session.code,
            "number": session.number,
            "task": session.task,
            "state": session.state,
            "told": session.told,
            "next": address_of(following),
            "submitted": [case.code for case in submitted_cases(session)],
        }
    )


class OneSession(ReaderAPI):
    @extend_schema(responses=shapes.OwnSession)
    def get(self, request: Request, code: str) -> Response:
        """What the reader is told, and the address of the next case."""
        return own_session(session_of(user_of(request), code))


class OpenSession(ReaderAPI):
    @extend_schema(request=None, responses=shapes.OwnSession)
    def post(self, request: Request, code: str) -> Response:
        """Start the session."""
        reader = user_of(request)
        session = session_of(reader, code)
        return own_session(reading.open_session(session, actor=reader, now=timezone.now()))


class CloseSession(ReaderAPI):
    @extend_schema(request=shapes.SignatureIn, responses=shapes.OwnSession)
    def post(self, request: Request, code: str) -> Response:
        """Sign and close the session with fresh credentials; a token cannot."""
        reader = user_of(request)
        session = session_of(reader, code)
        refuse_token(request._request, "sign")
        form = shapes.SignatureIn(data=request.data)
        form.is_valid(raise_exception=True)
        said = form.validated_data
        method = prove(session.study, reader, password=said["password"], totp=said.get("totp", ""))
        closed = reading.close_session(session, actor=reader, now=timezone.now(), method=method)
        return own_session(closed)


def through(door: Any, request: Request, **arguments: str) -> HttpResponse:
    """The desk's own door, for the person whom the token or the session names."""
    request._request.user = user_of(request)
    answer: HttpResponse = door(request._request, **arguments)
    return answer


class OneCase(ReaderAPI):
    @extend_schema(responses=shapes.CaseDocument)
    def get(self, request: Request, code: str) -> HttpResponse:
        """The case document: everything a reader may learn of the case on the desk."""
        return through(api.document, request, code=code)


class Draft(ReaderAPI):
    @extend_schema(responses=shapes.SavedDraft)
    def get(self, request: Request, code: str) -> HttpResponse:
        """The saved draft and the outlines of its versions."""
        return through(api.draft, request, code=code)

    @extend_schema(
        request=shapes.DraftDocument, responses=shapes.SaveAnswer, parameters=[VERSION, KEY]
    )
    def put(self, request: Request, code: str) -> HttpResponse:
        """Save the whole draft as the next version."""
        return through(api.draft, request, code=code)


class Events(ReaderAPI):
    @extend_schema(request=shapes.EventsIn, responses={204: None})
    def post(self, request: Request, code: str) -> HttpResponse:
        """Append timing events."""
        return through(api.events, request, code=code)


class Submit(ReaderAPI):
    @extend_schema(request=shapes.SubmitIn, responses=shapes.SubmitAnswer)
    def post(self, request: Request, code: str) -> HttpResponse:
        """Submit the saved draft; from here its content never changes."""
        return through(api.submit, request, code=code)


class Reopen(ReaderAPI):
    @extend_schema(request=shapes.ReopenIn, responses=shapes.ReopenAnswer)
    def post(self, request: Request, code: str) -> HttpResponse:
        """Reopen a submitted read with a reason; the earlier revision stays."""
        return through(api.reopen, request, code=code)


class Settings(ReaderAPI):
    @extend_schema(responses=shapes.Preferences)
    def get(self, request: Request) -> HttpResponse:
        """The reader's settings of the desk."""
        return through(api.preferences, request)

    @extend_schema(request=shapes.Preferences, responses=shapes.Preferences)
    def put(self, request: Request) -> HttpResponse:
        """Keep the reader's settings."""
        return through(api.preferences, request)
