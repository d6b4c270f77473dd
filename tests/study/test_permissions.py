"""Who finds which page and resource: every address of the study and truth floors, by method and role.

A row says: method, address, the status for those who may, and who may (c coordinator, a analyst, m monitor,
r who reads or draws). Everybody else, the outsider included, meets 404; who has not signed in is asked to.
Bodies are empty, so a write that is let in answers with its refusal, or with what it does without any field.
"""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from portal.archive.models import Import, Pull, Series
from portal.jobs.models import Job
from portal.study.models import Criterion, Lesion, Membership, Study
from portal.study.screening import add_default_criteria
from portal.study.splitting import propose, save
from tests.audit_watch import methods
from tests.cohort import (
    NOW,
    make_exam,
    make_lesion,
    make_patient,
    make_series,
    make_study,
    make_user,
)
from tests.study.builders import alternating_strata, coordinator, make_cohort
from tests.study.test_oversight import make_job
from tests.study.test_pages import sign_in
from tests.truth.builders import make_standard

pytestmark = [pytest.mark.django_db, pytest.mark.promise("B6")]
ROLES = {"coordinator": "c", "analyst": "a", "monitor": "m", "expert1": "r", "delineator1": "r", "outsider": "-"}  # fmt: skip
PAGES = """
GET  {s}/                                   200 cam
POST {s}/advance/                           422 c
POST {s}/confirm/                           403 cam
GET  {s}/protocol/                          200 cam
POST {s}/protocol/save/                     302 c
GET  {s}/settings/                          200 c
POST {s}/settings/                          422 c
GET  {s}/members/                           200 cam
POST {s}/members/add/                       422 c
POST {s}/members/{member}/                  422 c
GET  {s}/patients/                          200 ca
GET  {s}/new-patient/                       200 c
POST {s}/new-patient/                       422 c
GET  {s}/cohort/                            200 c
POST {s}/cohort/                            422 c
GET  {s}/cohort/template.csv                200 c
GET  {s}/acquisition/                       200 ca
GET  {s}/acquisition/series.csv             200 ca
GET  {s}/patients/{patient}/                200 ca
GET  {s}/patients/{patient}/new-lesion/     200 c
POST {s}/patients/{patient}/new-lesion/     422 c
GET  {s}/patients/{patient}/amend/          200 c
POST {s}/patients/{patient}/amend/          422 c
GET  {s}/patients/{patient}/decide/         200 c
POST {s}/patients/{patient}/decide/         422 c
GET  {s}/lesions/                           200 ca
GET  {s}/lesions/{lesion}/                  200 ca
GET  {s}/lesions/{lesion}/amend/            200 c
POST {s}/lesions/{lesion}/amend/            422 c
GET  {s}/lesions/{lesion}/decide/           200 c
POST {s}/lesions/{lesion}/decide/           422 c
POST {s}/lesions/{lesion}/series/           409 c
POST {s}/lesions/{lesion}/registration/     302 c
GET  {s}/lesions/{lesion}/fused/            200 c
GET  {s}/lesions/{bare}/fused/picture.png   409 c
POST {s}/lesions/{bare}/include/            409 c
GET  {s}/screening/                         200 cam
GET  {s}/screening/flow.svg                 200 cam
POST {s}/criteria/                          422 c
POST {s}/criteria/{criterion}/remove/       302 c
GET  {s}/import/                            200 c
POST {s}/import/upload/                     422 c
GET  {s}/imports/{import}/                  200 c
GET  {s}/imports/{import}/report.csv        200 c
GET  {s}/kept/                              200 c
POST {s}/kept/{series}/remove/              422 c
GET  {s}/pacs/                              200 c
POST {s}/pacs/search/                       422 c
POST {s}/pacs/pull/                         422 c
POST {s}/pacs/series/                       422 c
POST {s}/pacs/{pull}/again/                 409 c
GET  {s}/held/                              200 c
GET  {s}/held/{held}/                       200 c
GET  {s}/held/{held}/picture.png            409 c
POST {s}/held/{series}/release/             409 c
POST {s}/series/{series}/kind/              422 c
POST {s}/shelf/{exam}/file/                 404 c
GET  {s}/jobs/                              200 cam
POST {s}/jobs/{job}/requeue/                422 ca
GET  {s}/audit/                             200 cam
GET  {s}/audit/1/                           200 c
GET  {s}/truth/                             200 c
GET  {s}/truth/import/                      200 c
POST {s}/truth/import/                      422 c
GET  {s}/truth/import/template.csv          200 c
GET  {s}/truth/{lesion}/                    200 c
POST {s}/truth/{lesion}/                    422 c
GET  {s}/split/                             200 c
POST {s}/split/save/                        422 c
POST {s}/split/{split}/lock/                302 c
"""
RESOURCES = """
GET  {s}/                                   200 camr
GET  {s}/protocol/                          200 cam
PUT  {s}/protocol/                          400 c
GET  {s}/checklist/                         200 c
POST {s}/advance/                           400 c
GET  {s}/members/                           200 cam
POST {s}/members/                           400 c
POST {s}/cohort/                            400 c
GET  {s}/patients/                          200 ca
POST {s}/patients/                          400 c
GET  {s}/patients/{patient}/                200 ca
GET  {s}/lesions/                           200 ca
POST {s}/lesions/                           400 c
GET  {s}/lesions/{lesion}/                  200 ca
PUT  {s}/lesions/{lesion}/series/           409 c
POST {s}/lesions/{lesion}/registration/     200 c
POST {s}/lesions/{bare}/include/            409 c
POST {s}/imports/                           201 c
GET  {s}/imports/{import}/                  200 c
POST {s}/imports/{import}/known/            400 c
PUT  {s}/imports/{import}/batches/1/        415 c
POST {s}/imports/{import}/end/              200 c
GET  {s}/criteria/                          200 cam
POST {s}/criteria/                          400 c
GET  {s}/screening/                         200 cam
POST {s}/screening/                         400 c
GET  {s}/screening/flow/                    200 cam
GET  {s}/reference-standards/               200 c
POST {s}/reference-standards/               400 c
POST {s}/reference-standards/csv/           400 c
GET  {s}/splits/                            200 c
POST {s}/splits/                            400 c
POST {s}/splits/preview/                    400 c
POST {s}/splits/{split}/lock/               423 c
"""


def rows_of(text: str, stem: str) -> list[tuple[str, str, int, str]]:
    rows = [line.split() for line in text.strip().splitlines()]
    return [(m, stem + path.removeprefix("{s}"), int(status), who) for m, path, status, who in rows]


TABLE = rows_of(PAGES, "/studies/bone") + rows_of(RESOURCES, "/api/v1/studies/bone")


def make_pull(study: Study) -> Pull:
    """A series that has come: there is nothing to pull again."""
    return Pull.objects.create(
        connection="main", study_key=study.code, actor=make_user("coordinator"), state="done", created_at=NOW
    )  # fmt: skip


def filled() -> dict[str, str]:
    """A study with one of each object that an address names; the words for the addresses."""
    study = make_study(state="SCREENING")
    add_default_criteria(study, actor=coordinator(), now=NOW)
    patients = make_cohort(study, 4)
    bare = make_lesion(make_patient(study, "BARE"), included=False)
    Lesion.objects.filter(pk=bare.pk).update(ct_series=None)
    split = save(propose(study, strata=alternating_strata(patients), ratio=0.5, seed=1), actor=coordinator(), now=NOW)  # fmt: skip
    lesion = Lesion.objects.order_by("pk")[0]
    make_standard(lesion, "benign")
    started = Import.objects.create(
        code="abc", door=Import.Door.BROWSER, study_key="bone", actor=coordinator(), started_at=NOW
    )
    series = make_series(make_exam(study, "S000"))
    held = make_series(make_exam(study, "S001"), "SPECT")
    Series.objects.filter(pk=held.pk).update(
        state="held", reason_code="geometry_to_confirm", geometry={}
    )
    return {
        "held": str(held.pk), "patient": patients[0].code, "lesion": lesion.code, "bare": bare.code,
        "criterion": Criterion.objects.get(code="no-ct-lesion").code, "import": started.code,
        "series": str(series.pk), "exam": str(series.exam_id), "split": str(split.version),
        "job": str(make_job(state=Job.State.FAILED).pk), "pull": str(make_pull(study).pk),
        "member": str(Membership.objects.get(user=make_user("monitor")).pk),
    }  # fmt: skip


def status_of(client: Client, method: str, address: str) -> int:
    more = {"content_type": "application/json"} if method == "PUT" or "/api/" in address else {}
    send = getattr(client, method.lower())
    return int((send(address) if method == "GET" else send(address, {}, **more)).status_code)


@pytest.mark.parametrize("name", ROLES)
def test_each_role_meets_the_status_of_the_table(name: str) -> None:
    words, client = filled(), sign_in(name)
    expected, met = {}, {}
    for method, path, status, who in TABLE:
        address = path.format(**words)
        wanted = status if ROLES[name] in who else 404
        if ROLES[name] == "r" and (method, address) == ("GET", "/studies/bone/"):
            wanted = 302  # to the reading room
        expected[method, path] = wanted
        met[method, path] = status_of(client, method, address)
    assert met == expected


def test_who_has_not_signed_in_is_asked_to_everywhere() -> None:
    words, person, program = filled(), Client(), Client(headers={"accept": "application/json"})
    met = {(m, path): status_of(program, m, path.format(**words)) for m, path, _, _ in TABLE}
    assert set(met.values()) == {401}
    pages = [path.format(**words) for m, path, _, _ in TABLE if m == "GET" and "/api/" not in path]
    assert {status_of(person, "GET", page) for page in pages} == {302}


def test_a_coordinator_of_another_study_is_an_outsider_here() -> None:
    words = filled()
    other = make_study("knee", cast=False)
    boss = Membership.objects.get(study__code="bone", user=coordinator())
    kept = {f.attname: getattr(boss, f.attname) for f in Membership._meta.concrete_fields}
    del kept["id"]
    Membership.objects.create(**{**kept, "study_id": other.pk, "user_id": make_user("outsider").pk})
    client = sign_in("outsider")
    met = {(m, path): status_of(client, m, path.format(**words)) for m, path, _, _ in TABLE}
    assert set(met.values()) == {404}


def test_the_objects_of_one_study_are_not_found_under_another() -> None:
    """The coordinator of both asks for the patient, lesion, job … of one by the address of the other."""
    words, other = filled(), make_study("knee", cast=False)
    Membership.objects.filter(user=coordinator()).update(study=other)
    Study.objects.filter(code="knee").update(state="SCREENING")
    client = sign_in("coordinator")
    named = [(m, path) for m, path, _, _ in TABLE if "{" in path]
    met = {(m, p): status_of(client, m, p.replace("/bone", "/knee").format(**words)) for m, p in named}  # fmt: skip
    late = ("POST", "/studies/bone/jobs/{job}/requeue/")  # the reason is asked for first
    assert met.pop(late) == 422
    assert {key: status for key, status in met.items() if status != 404} == {}


def leaves(patterns: list[object], prefix: str = "/") -> Iterator[tuple[str, URLPattern]]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from leaves(one.url_patterns, prefix + str(one.pattern))
        elif isinstance(one, URLPattern):
            yield prefix + str(one.pattern), one


def shape(address: str) -> str:
    return re.sub(r"<[^>]+>|\{\w+\}", "*", address).replace("/bone/", "/*/")


def test_the_table_leaves_no_address_and_no_method_out() -> None:
    told = {(m, shape(path.replace("audit/1/", "audit/{seq}/").replace("batches/1/", "batches/{batch}/"))) for m, path, _, _ in TABLE}  # fmt: skip
    held = set()
    for module in ("portal.study.urls", "portal.study.oversight_urls", "portal.truth.urls"):
        for address, pattern in leaves(get_resolver(module).url_patterns):
            if "<slug:study>" not in address:
                continue
            writes = methods(pattern.callback) - {"GET", "HEAD", "OPTIONS", "TRACE"}
            held |= {(m, shape(address)) for m in writes}
            held |= {("GET", shape(address))} if reads(pattern.callback) else set()
    assert told == held


def reads(view: object) -> bool:
    """Whether a view answers GET, by its class or by the decorator around it."""
    kind = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if kind is not None:
        return hasattr(kind, "get")
    while view is not None:
        names = view.__code__.co_freevars  # type: ignore[attr-defined]
        if "request_method_list" in names:
            return "GET" in view.__closure__[names.index("request_method_list")].cell_contents  # type: ignore[attr-defined]
        view = getattr(view, "__wrapped__", None)
    return True


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def test_any_other_method_is_405_for_who_may_and_changes_nothing() -> None:
    words, client = filled(), sign_in("coordinator")
    known = {path: {m for m, p, _, _ in TABLE if p == path} for _, path, _, _ in TABLE}
    met = {
        (m, path): status_of(client, m, path.format(**words))
        for path, own in known.items() for m in METHODS if m not in own
    }  # fmt: skip
    assert {key: status for key, status in met.items() if status != 405} == {}


@pytest.mark.parametrize("name", ["expert1", "delineator1"])
def test_a_reader_hears_neither_seed_nor_digest_of_a_study(name: str) -> None:
    """With the seed of a synthetic cohort its answers can be made again; the split's digest is one of parts."""
    make_study(is_synthetic=True)
    Study.objects.update(generator={"seed": 20_260}, digests={"split": "f" * 64})
    client = sign_in(name)
    one = client.get("/api/v1/studies/bone/").json()
    assert set(one) == {"code", "name", "state", "synthetic", "created_at"}
    assert client.get("/api/v1/studies/").json()["results"] == [one]


@pytest.mark.parametrize("name", ["coordinator", "analyst", "monitor"])
def test_who_does_not_read_hears_how_a_synthetic_study_was_made(name: str) -> None:
    make_study(is_synthetic=True)
    Study.objects.update(generator={"seed": 20_260})
    client = sign_in(name)
    one = client.get("/api/v1/studies/bone/").json()
    assert one["generator"] == {"seed": 20_260}
    assert client.get("/api/v1/studies/").json()["results"] == [one]


def test_a_list_tells_each_study_by_the_role_in_it() -> None:
    make_study()
    other = make_study("knee", cast=False)
    Membership.objects.filter(user=make_user("analyst")).update(study=other)
    Membership.objects.filter(user=make_user("expert1")).update(user=make_user("analyst"))
    found = sign_in("analyst").get("/api/v1/studies/").json()["results"]
    assert [(s["code"], "generator" in s) for s in found] == [("bone", False), ("knee", True)]
