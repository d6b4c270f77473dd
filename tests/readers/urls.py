"""The reading room's addresses alone, so that its tests need no other floor."""

from django.urls import include, path

urlpatterns = [path("", include("readers.urls"))]
