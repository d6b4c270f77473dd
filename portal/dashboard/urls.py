"""Addresses of the dashboard and its figures."""

from django.urls import path

from portal.dashboard import exports, pages

app_name = "dashboard"
urlpatterns = [
    path("studies/<slug:study>/exports/", exports.page, name="exports"),
    path("studies/<slug:study>/exports/<slug:key>.<slug:form>", exports.download, name="export"),
    path("studies/<slug:study>/dashboard/", pages.dashboard, name="dashboard"),
    path(
        "studies/<slug:study>/figures/<slug:part>/<slug:key>.<slug:form>",
        pages.part_figure,
        name="figure",
    ),
    path(
        "studies/<slug:study>/runs/<slug:code>/<slug:key>.<slug:form>",
        pages.run_figure,
        name="run_figure",
    ),
]
