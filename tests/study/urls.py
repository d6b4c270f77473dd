"""The addresses of the study and truth floors, for their own tests."""

from django.urls import include, path

from portal.urls import urlpatterns as roof

names = {getattr(p, "app_name", "") for p in roof}
urlpatterns = [
    *roof,
    *(path("", include(f"portal.{name}.urls")) for name in ("study", "truth") if name not in names),
]
