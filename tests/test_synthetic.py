"""Synthetic data is called so: every page of a synthetic study, to every role, carries the sentence."""

import pytest
from django.test import Client

from portal.study.models import Lesion
from tests.cohort import CAST, make_user
from tests.readers.builders import make_reading_study, start
from tests.test_blinding import addresses

pytestmark = pytest.mark.django_db
SENTENCE = (
    "Synthetic data: computer-made images and simulated readers. "
    "Figures here test the software; they are not medical evidence."
)


def asked(study, session) -> list[str]:
    """Every address below the study, its reading room and the case, with each kind of argument."""
    lesion = Lesion.objects.of_study(study).first()
    case = session.assignments.get(position=1)
    samples = {
        "study": [study.code],
        "code": [case.code, session.code],
        "patient": [lesion.patient.code],
        "lesion": [lesion.code],
    }
    all_of_them = addresses(samples)
    stills = [f"/reading/cases/{case.code}/?view=pictures"]
    return [
        a for a in all_of_them if study.code in a or case.code in a or session.code in a
    ] + stills


def pages(name: str, addresses: list[str]) -> dict[str, str]:
    client = Client()
    client.force_login(make_user(name))
    answers = {address: client.get(address) for address in addresses}
    return {
        address: answer.content.decode()
        for address, answer in answers.items()
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html")
    }


@pytest.mark.parametrize("is_synthetic", [True, False])
def test_every_page_of_a_synthetic_study_says_so_and_no_other_does(is_synthetic):
    study = make_reading_study(parameters={"still_pictures": True}, is_synthetic=is_synthetic)
    session = start(study, "expert1")
    met = 0
    for name in CAST:
        shown = pages(name, asked(study, session))
        met += len(shown)
        wrong = [f"{name} {a}" for a, text in shown.items() if (SENTENCE in text) != is_synthetic]
        assert wrong == []
    assert met > 40
