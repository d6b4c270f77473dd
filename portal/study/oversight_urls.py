"""Addresses of jobs and audit pages."""

from django.urls import path

from portal.study import oversight

app_name = "oversight"
urlpatterns = [
    path("studies/<slug:study>/jobs/", oversight.jobs, name="jobs"),
    path("studies/<slug:study>/jobs/<int:job>/requeue/", oversight.requeue, name="requeue"),
    path("studies/<slug:study>/audit/", oversight.audit, name="audit"),
    path("studies/<slug:study>/audit/<int:seq>/", oversight.audit_event, name="audit_event"),
]
