"""The addresses of the reading room."""

from django.urls import URLPattern, path

from readers import api, board_pages, images, pages, picking, pictures, rest, still

app_name = "reading"
BOARD = "studies/<slug:study>/readers/"
POSITION = "studies/<slug:study>/lesions/<slug:lesion>/position/"
CASE = "reading/cases/<slug:code>/"
API = "api/v1/reading/"
API_CASE = f"{API}cases/<slug:code>/"

urlpatterns: list[URLPattern] = [
    path("reading/", pages.home, name="home"),
    path("reading/help/", pages.help_page, name="help"),
    path("reading/preferences", api.preferences, name="preferences"),
    path("reading/next/<slug:code>/", pages.continue_session, name="next"),
    path("reading/sessions/<slug:code>/", pages.session_page, name="session"),
    path("reading/sessions/<slug:code>/close/", pages.close, name="close"),
    path(CASE, pages.desk, name="desk"),
    path(f"{CASE}amend/", pages.reopen, name="amend"),
    path(f"{CASE}answer/", still.answer, name="answer"),
    path(f"{CASE}document", api.document, name="document"),
    path(f"{CASE}draft", api.draft, name="draft"),
    path(f"{CASE}events", api.events, name="events"),
    path(f"{CASE}submit", api.submit, name="submit"),
    path(f"{CASE}reopen", api.reopen, name="reopen"),
    path(f"{CASE}threshold", api.threshold, name="threshold"),
    path(BOARD, board_pages.board_page, name="board"),
    path(f"{BOARD}design/", board_pages.design_page, name="design"),
    path(f"{BOARD}lock/", board_pages.lock_page, name="lock"),
    path(f"{BOARD}plan/", board_pages.plan_page, name="plan"),
    path(f"{BOARD}missing/<slug:code>/", board_pages.missing_page, name="missing"),
    path(f"{BOARD}reopen/<slug:code>/", board_pages.reopen_page, name="unlock"),
    path(f"{CASE}picture.png", pictures.picture, name="picture"),
    path(f"{CASE}dicomweb/<path:rest>", images.dicomweb, name="dicomweb"),
    path(POSITION, picking.position_page, name="position"),
    path(f"{POSITION}picture.png", picking.position_picture, name="position_picture"),
    path(API, rest.Worklist.as_view(), name="api_worklist"),
    path(f"{API}preferences/", rest.Settings.as_view(), name="api_preferences"),
    path(f"{API}sessions/<slug:code>/", rest.OneSession.as_view(), name="api_session"),
    path(f"{API}sessions/<slug:code>/open/", rest.OpenSession.as_view(), name="api_open"),
    path(f"{API}sessions/<slug:code>/close/", rest.CloseSession.as_view(), name="api_close"),
    path(API_CASE, rest.OneCase.as_view(), name="api_case"),
    path(f"{API_CASE}draft/", rest.Draft.as_view(), name="api_draft"),
    path(f"{API_CASE}events/", rest.Events.as_view(), name="api_events"),
    path(f"{API_CASE}submit/", rest.Submit.as_view(), name="api_submit"),
    path(f"{API_CASE}reopen/", rest.Reopen.as_view(), name="api_reopen"),
]
