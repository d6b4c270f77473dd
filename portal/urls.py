"""The roof: every address of the portal."""

from django.urls import URLPattern, URLResolver, include, path

from portal.accounts.pages import help_page, robots, sign_out
from portal.jobs.pages import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz),
    path("robots.txt", robots),
    path("help/", help_page),
    path("sign-out/", sign_out),
    path("accounts/", include("allauth.urls")),
]
