"""Every form of the study and truth pages: with one fault it comes back with its sentence, and nothing changes."""

import html
from typing import Any

import pytest

from portal.audit.models import AuditEvent
from portal.study.models import Criterion, Lesion, Membership, Patient, Screening, Split, Study
from portal.study.screening import add_default_criteria
from portal.truth.models import ReferenceStandard
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import coordinator
from tests.study.test_pages import sign_in
from tests.truth.builders import make_standard

pytestmark = pytest.mark.django_db
REQUIRED = "This field is required."
DECIDE = "A decision is included or excluded."
WHOLE = "Enter a whole number."
NUMBER = "Enter a number."
SLUG = "Enter a valid “slug” consisting of letters, numbers, underscores or hyphens."


def choice(value: str) -> str:
    return f"Select a valid choice. {value} is not one of the available choices."


def longest(n: int, has: int) -> str:
    return f"Ensure this value has at most {n} characters (it has {has})."


def at_least(n: float) -> str:
    return f"Ensure this value is greater than or equal to {n}."


def at_most(n: float) -> str:
    return f"Ensure this value is less than or equal to {n}."


# address, what is taken but for one field; a file that is checked only is not written
STUDY = ("new-study/", {"code": "knee", "name": "Knee"})
PATIENT = (
    "studies/bone/new-patient/",
    {"subject": "P9", "sex": "F", "age_years": "60", "primary_tumour": "breast"},
)
LESION = (
    "studies/bone/patients/{patient}/new-lesion/",
    {"number": "2", "level": "L3", "x_mm": "1", "y_mm": "2", "z_mm": "3"},
)
PATIENT_AGAIN = ("studies/bone/patients/{patient}/amend/", {"sex": "F", "reason": "typing error"})
LESION_AGAIN = (
    "studies/bone/lesions/{lesion}/amend/",
    {"level": "L4", "x_mm": "1", "y_mm": "2", "z_mm": "3", "reason": "typing error"},
)
CRITERION = (
    "studies/bone/criteria/",
    {"code": "new", "text": "A sentence.", "kind": "exclude", "level": "patient"},
)
DECISION = ("studies/bone/patients/{patient}/decide/", {"decision": "included"})
ON_LESION = ("studies/bone/lesions/{lesion}/decide/", {"decision": "included"})
SETTINGS = ("studies/bone/settings/", {"name": "Bone", "lesion_cap": "3"})
MEMBER = ("studies/bone/members/add/", {"username": "outsider", "role": "monitor"})
STANDARD = (
    "studies/bone/truth/{lesion}/",
    {"diagnosis": "metastasis", "method": "pathology", "reason": "biopsy"},
)
COHORT = ("studies/bone/cohort/", {"text": "subject\nP9\n", "write": "1"})
FORMS = (
    STUDY,
    PATIENT,
    LESION,
    PATIENT_AGAIN,
    LESION_AGAIN,
    CRITERION,
    DECISION,
    SETTINGS,
    MEMBER,
    STANDARD,
    COHORT,
)
FAULTS: list[tuple[tuple[str, dict[str, str]], str, str | None, str]] = [
    (STUDY, "code", None, REQUIRED),
    (STUDY, "code", "two words", SLUG),
    (STUDY, "code", "k" * 41, longest(40, 41)),
    (STUDY, "code", "bone", "There is a study “bone” already; choose another code."),
    (STUDY, "name", None, REQUIRED),
    (STUDY, "name", "   ", REQUIRED),
    (STUDY, "name", "x" * 201, longest(200, 201)),
    (PATIENT, "subject", None, REQUIRED),
    (PATIENT, "subject", "x" * 41, longest(40, 41)),
    (PATIENT, "subject", "P1", "Subject P1 is registered already."),
    (PATIENT, "subject", "P\u202e9", "A subject code has 1 to 40 printable characters."),
    (PATIENT, "subject", "P\x009", "Null characters are not allowed."),
    (PATIENT, "sex", "female", choice("female")),
    (PATIENT, "age_years", "-1", at_least(0)),
    (PATIENT, "age_years", "121", at_most(120)),
    (PATIENT, "age_years", "60.5", WHOLE),
    (PATIENT, "age_years", "sixty", WHOLE),
    (PATIENT, "primary_tumour", "x" * 61, longest(60, 61)),
    (LESION, "number", None, REQUIRED),
    (LESION, "number", "0", at_least(1)),
    (LESION, "number", "1001", at_most(1000)),
    (LESION, "number", "1", "Patient P1 has a lesion 1 already."),
    (LESION, "level", "L6", choice("L6")),
    (LESION, "level", None, REQUIRED),
    (LESION, "x_mm", "left", NUMBER),
    (LESION, "x_mm", "nan", NUMBER),
    (LESION, "y_mm", "inf", NUMBER),
    (LESION, "z_mm", None, "Give x_mm, y_mm and z_mm, or none of them."),
    (LESION, "longest_diameter_mm", "0", "The longest diameter is above 0 and at most 500 mm."),
    (LESION, "longest_diameter_mm", "501", "The longest diameter is above 0 and at most 500 mm."),
    (PATIENT_AGAIN, "reason", None, REQUIRED),
    (PATIENT_AGAIN, "reason", "  ", REQUIRED),
    (PATIENT_AGAIN, "reason", "x" * 301, longest(300, 301)),
    (PATIENT_AGAIN, "age_years", "121", at_most(120)),
    (PATIENT_AGAIN, "sex", "female", choice("female")),
    (LESION_AGAIN, "reason", None, REQUIRED),
    (LESION_AGAIN, "reason", "x" * 301, longest(300, 301)),
    (LESION_AGAIN, "level", "C8", choice("C8")),
    (LESION_AGAIN, "x_mm", None, "An included lesion keeps its position; exclude it first."),
    (LESION_AGAIN, "longest_diameter_mm", "-3", "The longest diameter is above 0 and at most 500 mm."),
    (CRITERION, "code", "not a slug", SLUG),
    (CRITERION, "code", "no-ct-lesion", "There is a criterion no-ct-lesion already."),
    (CRITERION, "text", None, REQUIRED),
    (CRITERION, "text", "x" * 301, longest(300, 301)),
    (CRITERION, "kind", "maybe", choice("maybe")),
    (CRITERION, "level", "study", choice("study")),
    (DECISION, "decision", None, DECIDE),
    (DECISION, "decision", "postponed", DECIDE),
    (DECISION, "note", "x" * 301, "A note has at most 300 characters."),
    (ON_LESION, "note", "x" * 301, "A note has at most 300 characters."),
    (DECISION, "decision", "excluded", "An exclusion names its criterion, or says why."),
    (ON_LESION, "decision", "excluded", "An exclusion names its criterion, or says why."),
    (SETTINGS, "name", None, REQUIRED),
    (SETTINGS, "name", "x" * 201, longest(200, 201)),
    (SETTINGS, "lesion_cap", "0", at_least(1)),
    (SETTINGS, "lesion_cap", "25", at_most(24)),
    (SETTINGS, "lesion_cap", "two", WHOLE),
    (STANDARD, "diagnosis", "cancer", choice("cancer")),
    (STANDARD, "diagnosis", None, REQUIRED),
    (STANDARD, "method", "hunch", choice("hunch")),
    (STANDARD, "method", None, REQUIRED),
    (STANDARD, "subtype", "x" * 61, longest(60, 61)),
    (STANDARD, "determined_on", "yesterday", "Enter a valid date."),
    (STANDARD, "determined_on", "2999-01-01", "The standard cannot be dated in the future."),
    (STANDARD, "reason", None, "This lesion has a reference standard; say why it changes."),
    (STANDARD, "reason", "   ", "This lesion has a reference standard; say why it changes."),
    (COHORT, "text", None, "Choose a CSV file."),
    (COHORT, "text", "level\nL3\n", "The first line must name the columns; subject is missing."),
    (COHORT, "text", "subject,colour\nP9,red\n", "The first line holds colour; use the columns of the template."),
    (COHORT, "text", "subject\nP9,P10\n", "Row 2 has more cells than the first line has names"),
    (COHORT, "text", 'subject\n"P9\n', "This is not a readable CSV file"),
]  # fmt: skip


def world() -> dict[str, str]:
    study = make_study(state="SCREENING")
    add_default_criteria(study, actor=coordinator(), now=NOW)
    patient = make_patient(study, "P1")
    lesion = make_lesion(patient)
    make_standard(lesion, "benign")
    return {"patient": patient.code, "lesion": lesion.code}


def everything() -> list[Any]:
    """All rows of all tables that the forms write, and how many acts there are."""
    tables = (Study, Patient, Lesion, Criterion, Screening, ReferenceStandard, Split, Membership)
    return [
        *(list(table.objects.order_by("pk").values()) for table in tables),
        AuditEvent.objects.exclude(verb="refused").count(),
    ]


def send(form: tuple[str, dict[str, str]], words: dict[str, str], **change: str | None) -> Any:
    address, body = form
    sent = {name: value for name, value in {**body, **change}.items() if value is not None}
    return sign_in("coordinator").post(f"/{address.format(**words)}", sent)


@pytest.mark.parametrize("form", FORMS, ids=[form[0] for form in FORMS])
def test_the_form_without_a_fault_is_taken(form: tuple[str, dict[str, str]]) -> None:
    words = world()
    before = everything()
    answer = send(form, words)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    assert everything() != before


@pytest.mark.parametrize(("form", "field", "fault", "sentence"), FAULTS)
def test_a_form_with_one_fault_comes_back_with_its_sentence_and_changes_nothing(
    form: tuple[str, dict[str, str]], field: str, fault: str | None, sentence: str
) -> None:
    words = world()
    before = everything()
    answer = send(form, words, **{field: fault})
    assert answer.status_code in {409, 422}
    assert sentence in html.unescape(answer.content.decode())
    assert everything() == before


@pytest.mark.parametrize("form", FORMS, ids=[form[0] for form in FORMS])
@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "outsider"])
def test_nobody_else_can_send_it(form: tuple[str, dict[str, str]], name: str) -> None:
    words = world()
    before, (address, body) = everything(), form
    assert sign_in(name).post(f"/{address.format(**words)}", body).status_code in {403, 404}
    assert everything() == before


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"ratio": "0"}, at_least(0.01)),
        ({"ratio": "1"}, at_most(0.99)),
        ({"ratio": "nan"}, NUMBER),
        ({"seed": "-1"}, at_least(0)),
        ({"seed": str(2**63)}, at_most(2**63 - 1)),
        ({"seed": "1.5"}, WHOLE),
        ({"factors": "diagnosis"}, choice("diagnosis")),
        ({"ratio": ""}, REQUIRED),
        ({"seed": ""}, REQUIRED),
    ],
)
def test_a_preview_of_a_split_with_one_fault_says_so_and_writes_nothing(
    query: dict[str, str], sentence: str
) -> None:
    world()
    before = everything()
    answer = sign_in("coordinator").get(
        "/studies/bone/split/", {"ratio": "0.7", "seed": "1", **query}
    )
    assert sentence in html.unescape(answer.content.decode())
    assert everything() == before
