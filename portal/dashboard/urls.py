"""Addresses of the dashboard and its figures."""

from django.urls import path

from portal.dashboard import exports, packages, pages

app_name = "dashboard"
urlpatterns = [
    path("studies/<slug:study>/exports/", packages.page, name="exports"),
    path("studies/<slug:study>/exports/<slug:key>.<slug:form>", exports.download, name="export"),
    path("studies/<slug:study>/packages/<slug:key>", packages.download, name="package"),
    path("studies/<slug:study>/dashboard/", pages.dashboard, name="dashboard"),
    path("studies/<slug:study>/tables/<slug:part>/<slug:key>.csv", pages.part_table, name="table"),
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
