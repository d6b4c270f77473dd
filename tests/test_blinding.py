"""The wall: whatever a blind member asks for, truth, others' work and models change no byte of the answer.

Every address of the portal is visited, with what is flipped behind the wall in between. The comparison is itself tested:
two planted leaks must make it fail.
"""

import re
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from portal.analysis.models import FeatureSet, ModelRun, Prediction
from portal.fence import triggers
from portal.fence.blind import lifted
from portal.study.models import Lesion, SplitPart, Study
from portal.truth.models import ReferenceStandard
from readers.case import BlindCase
from readers.models import Assignment, Read
from tests.cohort import NOW, make_user
from tests.readers.builders import case_images, make_reading_study, read_session, start
from tests.readers.test_regions import heat
from tests.study.builders import make_locked_split

pytestmark = [pytest.mark.django_db, pytest.mark.promise("B4"), pytest.mark.promise("B6")]
BLIND = ("expert1", "delineator1")
TOKENS = re.compile(
    rb'(csrfmiddlewaretoken" value="|csrf_token": ?"|name="key" value=")[^"]+', re.IGNORECASE
)
QUERIES = (
    "?view=pictures",
    "?view=pictures&ct=1&ct_window=soft&overlay=1",
    "picture.png?role=SPECT&slice=2&map=inferno",
    "picture.png?role=FUSED&slice=3&opacity=1&threshold=0",
    "picture.png?role=WB-ANT",
)
OTHERS = ("accounts/",)  # allauth's own pages hold nothing of a study
# addresses without a rule of ours, each with its reason
RULELESS = {
    "accounts": "allauth's own views",
    "api": "REST framework views carry permission classes",
}


def routes(patterns=None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every route of the portal as text."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif not route.startswith(OTHERS):
            yield route, pattern


def addresses(samples: dict[str, list[str]], *, floors: tuple[str, ...] = ("",)) -> list[str]:
    """Each route of these floors with every sample of its arguments; an argument without samples gets a number."""
    found = []
    for route, pattern in routes():
        if not pattern.callback.__module__.startswith(floors):
            continue
        filled = [re.sub(r"[\^$\\]|\(\?P|\\Z", "", route)]
        for name in re.findall(r"<(?:\w+:)?(\w+)>", route):
            values = samples.get(name, ["1"])
            filled = [
                re.sub(rf"<(?:\w+:)?{name}>", v, text, count=1) for text in filled for v in values
            ]
        found += ["/" + text for text in filled]
    return sorted(set(found))


@pytest.fixture
def world() -> Study:
    """A study in READING with truth, a split, others' locked reads and a model's predictions."""
    study = make_reading_study(
        parameters={"still_pictures": True, "regions_3d": True}, state="SCREENING"
    )
    boss = make_user("coordinator")
    lesions = list(Lesion.objects.of_study(study))
    ReferenceStandard.objects.bulk_create(
        ReferenceStandard(
            lesion=x, diagnosis="benign", method="pathology", entered_by=boss, entered_at=NOW
        )
        for x in lesions
    )
    split = make_locked_split(study, {p.pk: "benign" for p in study.patients.all()})
    Study.objects.filter(pk=study.pk).update(state="READING")
    study.refresh_from_db()
    read_session(start(study, "expert2"), actor=make_user("expert2"))
    features = FeatureSet.objects.create(
        study=study, parameters={}, extractor_version="1", digest="d", created_at=NOW
    )
    run = ModelRun.objects.create(
        study=study, kind="ct", name="ct", split=split, feature_set=features, truth_digest="t",
        seed=1, created_by=boss, created_at=NOW,
    )  # fmt: skip
    Prediction.objects.bulk_create(
        Prediction(run=run, lesion=x, kind="out_of_fold", probability=0.25) for x in lesions
    )
    return study


@pytest.fixture
def visit(world) -> Callable[..., list[tuple]]:
    """Ask for every address as each blind member; the answers without the tokens of the request."""
    own = start(world, "expert1")
    case = own.assignments.get(position=1)
    foreign = Assignment.objects.filter(session__reader__username="expert2").first()
    lesion = Lesion.objects.of_study(world).first()
    run = ModelRun.objects.get()
    asked = addresses(
        {
            "study": [world.code],
            "code": [
                case.code,
                own.code,
                foreign.code,
                foreign.session.code,
                lesion.code,
                run.code,
            ],
            "part": ["train", "validation"],
            "key": ["roc", "reads"],
            "form": ["csv"],
            "rest": [
                "studies/1/series/1/instances/1/frames/1",
                "studies",
                "series",
                "instances?includefield=all",
                *image_addresses(case),
            ],
            "subject": [lesion.patient.subject],
            "patient": [lesion.patient.code],
            "lesion": [lesion.code],
        }
    )

    asked += [f"/reading/cases/{case.code}/{tail}" for tail in QUERIES]
    drawn = start(world, "delineator1", task="outline").assignments.get(position=1)
    heat(drawn.lesion.spect_series)
    place = ",".join(str(v) for v in drawn.lesion.world_mm)
    sphere = f"threshold?centre_mm={place}&radius_mm=20&fraction=0.42"
    asked += [f"/reading/cases/{drawn.code}/{tail}" for tail in ("document", sphere)]
    met: set[str] = set()

    def answers(prefix: str = "/") -> list[tuple]:
        """What each blind member gets; the own case is asked for once before, for opening it is an act of its own."""
        if prefix not in met:
            met.add(prefix)
            for name, code in (("expert1", case.code), ("delineator1", drawn.code)):
                opener = Client()
                opener.force_login(make_user(name))
                for address in (a for a in asked if code in a and a.startswith(prefix)):
                    opener.get(address)
        seen = []
        for name in BLIND:
            client = Client()
            client.force_login(make_user(name))
            for address in filter(lambda a: a.startswith(prefix), asked):
                answer = client.get(address)
                body = TOKENS.sub(b"", b"".join(answer) if answer.streaming else answer.content)
                seen.append(
                    (name, address, answer.status_code, sorted(answer.headers.items()), body)
                )
        return seen

    return answers


def image_addresses(case: Assignment) -> list[str]:
    """Every kind of DICOMweb resource of the reader's own case."""
    image = case_images(case)[0]
    study, series, instance = image.key
    root = f"studies/{study}"
    own = f"{root}/series/{series}/instances/{instance}"
    tails = ("", "/metadata", "/frames/1", "/rendered", "/thumbnail", "/bulkdata/7FE00010")
    return [root, f"{root}/metadata", f"{root}/series/{series}", *(own + tail for tail in tails)]


def flip_diagnoses(study: Study) -> None:
    ReferenceStandard.objects.update(diagnosis="metastasis", subtype="lung")


def flip_others_work(study: Study) -> None:
    others = Read.objects.filter(assignment__session__reader__username="expert2")
    said = {"call": "metastasis", "confidence": 5}
    others.update(call="metastasis", confidence=5, score=10, document={"answers": said})


def flip_models(study: Study) -> None:
    Prediction.objects.update(probability=0.875)
    SplitPart.objects.update(part="validation")


def changed(before: list[tuple], after: list[tuple]) -> list[str]:
    return [f"{a[0]} {a[1]}" for a, b in zip(before, after, strict=True) if a != b]


def test_what_lies_behind_the_wall_changes_no_byte(world, visit):
    """Status, headers and bytes of every address, after each flip: truth, others' work, models and parts."""
    before = visit()
    triggers.drop(connection)
    for flip in (flip_diagnoses, flip_others_work, flip_models):
        flip(world)
        assert changed(before, visit()) == [], flip.__name__


def test_the_visit_meets_the_desk_and_is_refused_elsewhere(world, visit):
    by_status: dict[int, set[str]] = {}
    for _, address, status, _, _ in visit():
        by_status.setdefault(status, set()).add(address)
    assert any(a.endswith("/document") for a in by_status[200])
    for tail in ("/studies", "/metadata", "/frames/1", "/rendered", "/thumbnail", "/7FE00010"):
        assert any("/reading/" in a and a.endswith(tail) for a in by_status[200])
    assert f"/studies/{world.code}/dashboard/" in by_status[404]
    assert f"/studies/{world.code}/truth/" in by_status[404]
    reader_routes = {
        route for route, pattern in routes() if getattr(pattern.callback, "rule", "") == "reader"
    }
    answered = {a for status in (200, 204, 302, 405) for a in by_status.get(status, set())}
    silent = {r for r in reader_routes if not any(matches(r, a) for a in answered)}
    assert silent == set(), "no sample makes these answer"
    assert by_status.pop(503) == {"/healthz"}  # no worker runs here
    assert not any(status >= 500 for status in by_status)


def matches(route: str, address: str) -> bool:
    pattern = re.sub(r"<path:\w+>", ".+", route)
    pattern = re.sub(r"<(?:\w+:)?\w+>", "[^/]+", pattern)
    return re.fullmatch("/" + pattern, address.split("?")[0]) is not None


class TellingMiddleware:
    """A planted leak: a header that counts the metastases."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        with lifted():
            n = ReferenceStandard.objects.filter(diagnosis="metastasis").count()
        response["X-Request-Cost"] = str(n)
        return response


def test_a_leak_planted_in_a_header_is_found(world, visit, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.TellingMiddleware"]
    before = visit("/reading/")
    triggers.drop(connection)
    flip_diagnoses(world)
    assert changed(before, visit("/reading/"))


def test_a_leak_planted_in_the_case_document_is_found(world, visit, monkeypatch):
    plain = BlindCase.to_json

    def telling(self, **arguments):
        document = plain(self, **arguments)
        with lifted():
            worst = Prediction.objects.order_by("-probability").values_list(
                "probability", flat=True
            )[0]
        document["case"]["lesion"]["label"] = f"L{int(8 * worst)}"
        return document

    monkeypatch.setattr(BlindCase, "to_json", telling)
    before = visit("/reading/")
    triggers.drop(connection)
    flip_models(world)
    assert any(address.endswith("/document") for address in changed(before, visit("/reading/")))


def test_every_address_declares_its_rule():
    silent = [
        route
        for route, pattern in routes()
        if not hasattr(pattern.callback, "rule") and route.split("/")[0] not in RULELESS
    ]
    assert silent == []
