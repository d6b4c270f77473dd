"""Addresses of features, runs and the evaluation."""

from django.urls import path

from portal.analysis import pages

app_name = "analysis"
urlpatterns = [
    path("studies/<slug:study>/features/", pages.features, name="features"),
    path("studies/<slug:study>/features/extract/", pages.start_extraction, name="extract"),
    path("studies/<slug:study>/runs/", pages.runs, name="runs"),
    path("studies/<slug:study>/runs/start/", pages.start_run, name="start_run"),
    path("studies/<slug:study>/runs/<slug:code>/", pages.run, name="run"),
    path("studies/<slug:study>/runs/<slug:code>/lock/", pages.lock_run, name="lock_run"),
    path("studies/<slug:study>/evaluate/", pages.evaluate, name="evaluate"),
]
