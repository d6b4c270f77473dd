"""API tokens for REST framework views: the middleware has looked the token up already."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from portal.accounts.models import User


class TokenAuthentication(BaseAuthentication):
    """The same token for REST framework views."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        user = getattr(request._request, "token_user", None)
        return (user, None) if user is not None else None

    def authenticate_header(self, request: Request) -> str:
        return "Token"
