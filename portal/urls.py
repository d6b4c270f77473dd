"""The roof: every address of the portal."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from portal.accounts.pages import csp_report, help_page, robots, sign_out
from portal.jobs.pages import healthz, metrics, status_page
from portal.roles import rule

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz),
    path("status/", status_page),
    path("metrics", metrics),
    path("robots.txt", robots),
    path("help/", help_page),
    path("sign-out/", sign_out),
    path("csp-report/", csp_report),
    path("accounts/logout/", sign_out, name="account_logout"),
    path("accounts/", include("allauth.urls")),
    path("", include("portal.accounts.urls")),
    path("api/schema/", rule("signed_in")(SpectacularAPIView.as_view()), name="schema"),
    path("", include("portal.study.urls")),
    path("", include("portal.study.oversight_urls")),
    path("", include("portal.truth.urls")),
    path("", include("readers.urls")),
    path("", include("portal.analysis.urls")),
    path("", include("portal.dashboard.urls")),
]
