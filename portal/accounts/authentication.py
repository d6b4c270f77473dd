"""API tokens for REST framework views: the middleware has looked the token up already."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
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


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API's description names the token."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey", "in": "header", "name": "Authorization",
            "description": "`Token` and a personal access token, as manage.py token gives it.",
        }  # fmt: skip
