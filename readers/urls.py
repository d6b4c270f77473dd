"""The addresses of the reading room."""

from django.urls import URLPattern, path

from readers import api, images, pages, pictures, still

app_name = "reading"
CASE = "reading/cases/<slug:code>/"

urlpatterns: list[URLPattern] = [
    path("reading/", pages.home, name="home"),
    path("reading/help/", pages.help_page, name="help"),
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
    path(f"{CASE}picture.png", pictures.picture, name="picture"),
    path(f"{CASE}dicomweb/<path:rest>", images.dicomweb, name="dicomweb"),
]
