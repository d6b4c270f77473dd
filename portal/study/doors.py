"""The door of a study's API: the same membership, rights and fence as that of its pages."""

from contextlib import ExitStack
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from portal.accounts.models import User
from portal.errors import NotFound
from portal.fence.blind import lifted
from portal.study.access import NO_SUCH_PAGE, admit, is_truth_seeing, membership_of, require
from portal.study.listing import Columns, narrowed
from portal.study.models import Membership

SAFE = {"GET", "HEAD", "OPTIONS"}


class Pages(LimitOffsetPagination):
    default_limit = 100
    max_limit = 1000


def user_of(request: Request) -> User:
    if not isinstance(request.user, User):
        raise NotFound(NO_SUCH_PAGE)
    return request.user


class StudyAPI(APIView):
    """A resource of one study; `may_read` and `may_write` name the rights, one of which is needed."""

    may_read: ClassVar[tuple[str, ...]] = ("coordinate",)
    may_write: ClassVar[tuple[str, ...]] = ("coordinate",)
    member: Membership
    fence: ExitStack

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        view = super().as_view(**initkwargs)
        view.rule = tuple(dict.fromkeys(cls.may_read + cls.may_write))  # type: ignore[attr-defined]
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with ExitStack() as self.fence:
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After the sign-in: the membership, the right, and only then the fence."""
        super().initial(request, *args, **kwargs)
        self.member = membership_of(user_of(request).pk, kwargs["study"])
        require(self.member, *(self.may_read if request.method in SAFE else self.may_write))
        admit(request._request, self.member)
        if is_truth_seeing(self.member):
            self.fence.enter_context(lifted())

    def parsed(self, request: Request, kind: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """The body as the named fields of `kind`; 400 with a sentence per field otherwise."""
        serializer = kind(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def answer_list(
        self,
        request: Request,
        rows: QuerySet[Any, Any],
        columns: Columns,
        kind: type[BaseSerializer[Any]],
    ) -> Response:
        pages = Pages()
        wanted = narrowed(request._request, rows, columns)
        found = pages.paginate_queryset(wanted, request, view=self)
        return pages.get_paginated_response(kind(found, many=True).data)
