"""Addresses of features, runs and the evaluation, and of their API."""

from django.urls import path

from portal.analysis import api, pages, run_pages

app_name = "analysis"
HOME = "studies/<slug:study>/"
RUN = f"{HOME}runs/<slug:code>/"
API = f"api/v1/{HOME}"
API_RUN = f"{API}runs/<slug:code>/"
urlpatterns = [
    path(f"{HOME}features/", pages.features, name="features"),
    path(f"{HOME}features/extract/", pages.start_extraction, name="extract"),
    path(f"{HOME}runs/", run_pages.runs, name="runs"),
    path(f"{HOME}runs/start/", run_pages.start_run, name="start_run"),
    path(RUN, run_pages.run, name="run"),
    path(f"{RUN}lock/", run_pages.lock_run, name="lock_run"),
    path(f"{RUN}repeat/", run_pages.repeat_run, name="repeat_run"),
    path(f"{RUN}predict/", run_pages.predict, name="predict"),
    path(f"{HOME}evaluate/", pages.evaluate, name="evaluate"),
    path(f"{API}feature-sets/", api.FeatureSets.as_view(), name="api_feature_sets"),
    path(f"{API}extraction/", api.Extraction.as_view(), name="api_extraction"),
    path(f"{API}feature-vectors/", api.FeatureVectors.as_view(), name="api_vectors"),
    path(f"{API}runs/", api.Runs.as_view(), name="api_runs"),
    path(API_RUN, api.OneRun.as_view(), name="api_run"),
    path(f"{API_RUN}lock/", api.RunLock.as_view(), name="api_run_lock"),
    path(f"{API_RUN}repeat/", api.RunRepeat.as_view(), name="api_run_repeat"),
    path(f"{API_RUN}predictions/", api.Predictions.as_view(), name="api_predictions"),
    path(f"{API_RUN}predict/", api.Predict.as_view(), name="api_predict"),
    path(f"{API}evaluations/", api.Evaluations.as_view(), name="api_evaluations"),
    path(f"{API}looks/", api.Looks.as_view(), name="api_looks"),
]
