"""Addresses of the reference standards and of the split."""

from django.urls import path

from portal.truth import api, pages

app_name = "truth"
HOME = "studies/<slug:study>/"
API = "api/v1/studies/<slug:study>/"
urlpatterns = [
    path(f"{HOME}truth/", pages.truth_list, name="standards"),
    path(f"{HOME}truth/import/", pages.truth_csv, name="import"),
    path(f"{HOME}truth/import/template.csv", pages.truth_template, name="template"),
    path(f"{HOME}truth/<slug:lesion>/", pages.truth_of_lesion, name="standard"),
    path(f"{HOME}split/", pages.split_page, name="split"),
    path(f"{HOME}split/save/", pages.save_split, name="save_split"),
    path(f"{HOME}split/<int:version>/lock/", pages.lock_split, name="lock_split"),
    path(f"{API}reference-standards/", api.ReferenceStandards.as_view(), name="api_standards"),
    path(f"{API}reference-standards/csv/", api.ReferenceStandardFile.as_view(), name="api_csv"),
    path(f"{API}splits/", api.Splits.as_view(), name="api_splits"),
    path(f"{API}splits/preview/", api.SplitPreview.as_view(), name="api_split_preview"),
    path(f"{API}splits/<int:version>/lock/", api.SplitLock.as_view(), name="api_split_lock"),
]
