"""The wall in time: how long an answer takes tells nothing either (B4).

Each address is asked in pairs, once with each state behind the wall, in random order within the pair. If the state does not
matter, the sign of a pair's difference is a coin toss, so the rank sum of the signed differences is compared with that of
thousands of random sign patterns. A planted delay shows that the comparison can fail.
"""

import random
import time

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from scipy.stats import rankdata

from portal.fence import triggers
from portal.fence.blind import lifted
from portal.study.models import Study
from portal.truth.models import ReferenceStandard
from readers.models import Read
from tests.cohort import make_user
from tests.readers.builders import make_reading_study, read_session, start
from tests.truth.builders import give_standards

pytestmark = [pytest.mark.django_db, pytest.mark.promise("B4")]
PATTERNS = 4999


def permutation_p(first: list[float], second: list[float], *, seed: int = 1) -> float:
    """Two-sided p of paired times by random signs of the ranks of their differences."""
    differences = np.asarray(first) - np.asarray(second)
    ranks = rankdata(np.abs(differences)) * np.sign(differences)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(PATTERNS, len(ranks)))
    extreme = np.abs((signs * np.abs(ranks)).sum(axis=1)) >= abs(ranks.sum()) - 1e-9
    return float((extreme.sum() + 1) / (PATTERNS + 1))


def test_the_p_value_is_that_of_all_sign_patterns():
    # five differences of one sign: 2 of 32 patterns are as extreme
    assert permutation_p([2, 3, 4, 5, 6], [1, 1, 1, 1, 1]) == pytest.approx(2 / 32, abs=0.01)
    # differences 1, -2, 3: rank sums of the 8 patterns are 6 4 2 0 0 -2 -4 -6, ours is 2
    assert permutation_p([1, 0, 3], [0, 2, 0]) == pytest.approx(6 / 8, abs=0.02)
    assert permutation_p([1, 2], [1, 2]) == 1.0


@pytest.fixture
def world() -> Study:
    study = make_reading_study(parameters={"still_pictures": True}, state="SCREENING")
    give_standards(study)
    Study.objects.filter(pk=study.pk).update(state="READING")
    study.refresh_from_db()
    read_session(start(study, "expert2"), actor=make_user("expert2"))
    triggers.drop(connection)
    return study


def set_truth(is_metastasis: bool) -> None:
    with lifted():
        ReferenceStandard.objects.update(diagnosis="metastasis" if is_metastasis else "benign")
    Read.objects.filter(assignment__session__reader__username="expert2").update(
        call="metastasis" if is_metastasis else "benign",
        score=10 if is_metastasis else 1,
        confidence=5,
    )


@pytest.fixture
def classes(world) -> dict[str, str]:
    """One address of each class of routes of the reading room."""
    session = start(world, "expert1")
    code = session.assignments.get(position=1).code
    root = f"/reading/cases/{code}/"
    return {
        "list": "/reading/",
        "session": f"/reading/sessions/{session.code}/",
        "document": f"{root}document",
        "draft": f"{root}draft",
        "picture": f"{root}picture.png?role=CT&slice=3",
        "program": "/api/v1/reading/",
    }


@pytest.fixture
def reader() -> Client:
    client = Client()
    client.force_login(make_user("expert1"))
    return client


def paired_times(
    client: Client, address: str, *, pairs: int, seed: int
) -> tuple[list[float], list[float]]:
    """Seconds with benign and with metastatic lesions behind the wall, pair by pair."""
    coin, times = random.Random(seed), {False: [], True: []}  # noqa: S311
    for _ in range(3):
        assert client.get(address).status_code == 200
    for _ in range(pairs):
        for state in coin.sample([False, True], 2):
            set_truth(state)
            client.get("/reading/help/")  # what the change left behind is not timed
            began = time.perf_counter()
            client.get(address)
            times[state].append(time.perf_counter() - began)
    return times[False], times[True]


def smallest_p(client: Client, classes: dict[str, str], *, pairs: int) -> tuple[float, str]:
    """The smallest p of all classes, corrected for their number, and the class it belongs to."""
    found = []
    for seed, (name, address) in enumerate(classes.items()):
        first, second = paired_times(client, address, pairs=pairs, seed=seed)
        found.append((min(1.0, permutation_p(first, second) * len(classes)), name))
    return min(found)


def test_a_few_answers_take_as_long_whatever_lies_behind_the_wall(reader, classes):
    few = {name: classes[name] for name in ("list", "document")}
    p, where = smallest_p(reader, few, pairs=14)
    assert p > 0.001, where


@pytest.mark.slow
def test_every_class_of_answers_takes_as_long_whatever_lies_behind_the_wall(reader, classes):
    p, where = smallest_p(reader, classes, pairs=200)
    assert p > 0.01, where


class SlowerForMetastases:
    """A planted leak: four milliseconds for each metastasis."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        with lifted():
            n = ReferenceStandard.objects.filter(diagnosis="metastasis").count()
        time.sleep(0.004 * n)
        return self.get_response(request)


def test_a_planted_delay_is_found(reader, classes, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.SlowerForMetastases"]
    client = Client()
    client.force_login(make_user("expert1"))
    first, second = paired_times(client, classes["list"], pairs=16, seed=1)
    assert permutation_p(first, second) < 0.01
