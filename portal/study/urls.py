"""Addresses of the study pages and their API."""

from django.urls import path

from portal.roles import rule
from portal.study import amending_pages, api, cohort_pages, dicomweb, images, pages, screening_pages

app_name = "study"
HOME = "studies/<slug:study>/"
PATIENT = f"{HOME}patients/<slug:patient>/"
LESION = f"{HOME}lesions/<slug:lesion>/"
API = "api/v1/studies/"
API_STUDY = f"{API}<slug:study>/"
API_LESION = f"{API_STUDY}lesions/<slug:lesion>/"
urlpatterns = [
    path("", pages.my_studies, name="mine"),
    path("dicomweb/<path:rest>", dicomweb.dicomweb, name="dicomweb"),
    path("new-study/", pages.create, name="create"),
    path("new-account/", pages.create_account, name="accounts"),
    path(HOME, pages.home, name="home"),
    path(f"{HOME}advance/", pages.advance, name="advance"),
    path(f"{HOME}confirm/", pages.confirm, name="confirm"),
    path(f"{HOME}protocol/", pages.protocol_page, name="protocol"),
    path(f"{HOME}protocol/save/", pages.save_protocol, name="save_protocol"),
    path(f"{HOME}settings/", pages.settings_page, name="settings"),
    path(f"{HOME}members/", pages.members_page, name="members"),
    path(f"{HOME}members/add/", pages.add_member, name="add_member"),
    path(f"{HOME}members/<int:pk>/", pages.change_member, name="change_member"),
    path(f"{HOME}patients/", cohort_pages.patient_list, name="patients"),
    path(f"{HOME}new-patient/", cohort_pages.new_patient, name="new_patient"),
    path(f"{HOME}cohort/", cohort_pages.cohort_csv, name="cohort"),
    path(f"{HOME}cohort/template.csv", cohort_pages.cohort_template, name="cohort_template"),
    path(f"{HOME}acquisition/", cohort_pages.acquisition_page, name="acquisition"),
    path(f"{HOME}acquisition/series.csv", cohort_pages.acquisition_file, name="acquisition_csv"),
    path(PATIENT, cohort_pages.patient_page, name="patient"),
    path(f"{PATIENT}new-lesion/", cohort_pages.new_lesion, name="new_lesion"),
    path(f"{PATIENT}amend/", amending_pages.amend_patient, name="amend_patient"),
    path(f"{LESION}amend/", amending_pages.amend_lesion, name="amend_lesion"),
    path(f"{PATIENT}decide/", screening_pages.decide_patient, name="decide_patient"),
    path(f"{HOME}lesions/", cohort_pages.lesion_list, name="lesions"),
    path(LESION, cohort_pages.lesion_page, name="lesion"),
    path(f"{LESION}series/", cohort_pages.choose_series, name="choose_series"),
    path(f"{LESION}registration/", cohort_pages.confirm_registration, name="registration"),
    path(f"{LESION}include/", cohort_pages.include, name="include"),
    path(f"{LESION}decide/", screening_pages.decide_lesion, name="decide_lesion"),
    path(f"{HOME}screening/", screening_pages.screening_page, name="screening"),
    path(f"{HOME}screening/flow.svg", screening_pages.flow_diagram, name="flow"),
    path(f"{HOME}criteria/", screening_pages.add_criterion, name="add_criterion"),
    path(f"{HOME}criteria/<slug:criterion>/remove/", screening_pages.remove_criterion, name="remove_criterion"),
    path(f"{HOME}import/", images.import_page, name="import"),
    path(f"{HOME}import/upload/", images.upload, name="upload"),
    path(f"{HOME}imports/<slug:code>/", images.import_report, name="import_report"),
    path(f"{HOME}imports/<slug:code>/report.csv", images.import_csv, name="import_csv"),
    path(f"{HOME}held/", images.held_page, name="held"),
    path(f"{HOME}held/<int:series>/release/", images.release_series, name="release"),
    path(f"{HOME}shelf/<int:exam>/file/", images.file_from_shelf, name="file_exam"),
    path(API, rule("signed_in")(api.Studies.as_view()), name="api_studies"),
    path(API_STUDY, api.OneStudy.as_view(), name="api_study"),
    path(f"{API_STUDY}protocol/", api.Protocol.as_view(), name="api_protocol"),
    path(f"{API_STUDY}checklist/", api.Checklist.as_view(), name="api_checklist"),
    path(f"{API_STUDY}advance/", api.Advance.as_view(), name="api_advance"),
    path(f"{API_STUDY}members/", api.Members.as_view(), name="api_members"),
    path(f"{API_STUDY}cohort/", api.Cohort.as_view(), name="api_cohort"),
    path(f"{API_STUDY}patients/", api.Patients.as_view(), name="api_patients"),
    path(f"{API_STUDY}patients/<slug:patient>/", api.OnePatient.as_view(), name="api_patient"),
    path(f"{API_STUDY}lesions/", api.Lesions.as_view(), name="api_lesions"),
    path(API_LESION, api.OneLesion.as_view(), name="api_lesion"),
    path(f"{API_LESION}series/", api.LesionSeries.as_view(), name="api_lesion_series"),
    path(f"{API_LESION}registration/", api.LesionRegistration.as_view(), name="api_registration"),
    path(f"{API_LESION}include/", api.LesionInclusion.as_view(), name="api_include"),
    path(f"{API_STUDY}criteria/", api.Criteria.as_view(), name="api_criteria"),
    path(f"{API_STUDY}screening/", api.ScreeningLog.as_view(), name="api_screening"),
    path(f"{API_STUDY}screening/flow/", api.Flow.as_view(), name="api_flow"),
]  # fmt: skip
