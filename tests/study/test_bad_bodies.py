"""Every resource that is written to: a body with one fault is refused by its field, and nothing changes."""

from typing import Any

import pytest

from portal.audit.models import AuditEvent
from portal.study.models import Criterion, Lesion, Membership, Patient, Screening, Split, Study
from portal.study.screening import add_default_criteria
from portal.truth.models import ReferenceStandard
from tests.cohort import NOW, make_exam, make_lesion, make_patient, make_series, make_study
from tests.study.builders import coordinator
from tests.study.test_pages import sign_in

pytestmark = pytest.mark.django_db
REQUIRED = "This field is required."
BLANK = "This field may not be blank."
NULL = "This field may not be null."
NUMBER = "A valid number is required."
INTEGER = "A valid integer is required."
STRING = "Not a valid string."
GONE = "There is no such page, or it is not yours to see."


def choice(value: str) -> str:
    return f'"{value}" is not a valid choice.'


def longest(n: int) -> str:
    return f"Ensure this field has no more than {n} characters."


# resource, a body that is taken but for one field, the field's fault, status, and the sentence
PATIENT = {"subject": "P9"}
LESION = {"patient": "{patient}", "number": 2, "level": "L3"}
CRITERION = {"code": "new", "text": "A sentence.", "kind": "exclude", "level": "patient"}
DECISION = {"patient": "{patient}", "decision": "included"}
STANDARD = {"lesion": "{lesion}", "diagnosis": "benign", "method": "pathology"}
SPLIT = {"ratio": 0.7, "seed": 1}
MEMBER = {"username": "outsider", "role": "monitor"}
STEP = {"to": "READING", "reason": "all is there"}
NOTHING = object()
FAULTS: list[tuple[str, str, dict[str, Any], str, Any, int, str]] = [
    ("post", "patients/", PATIENT, "subject", NOTHING, 400, REQUIRED),
    ("post", "patients/", PATIENT, "subject", "", 400, BLANK),
    ("post", "patients/", PATIENT, "subject", None, 400, NULL),
    ("post", "patients/", PATIENT, "subject", ["P9"], 400, STRING),
    ("post", "patients/", PATIENT, "subject", "x" * 41, 400, longest(40)),
    ("post", "patients/", PATIENT, "subject", "P\u202e9", 422, "A subject code has 1 to 40 printable characters."),
    ("post", "patients/", PATIENT, "subject", "P1", 409, "Subject P1 is registered already."),
    ("post", "patients/", PATIENT, "sex", "female", 400, choice("female")),
    ("post", "patients/", PATIENT, "age_years", 121, 400, "Ensure this value is less than or equal to 120."),
    ("post", "patients/", PATIENT, "age_years", -1, 400, "Ensure this value is greater than or equal to 0."),
    ("post", "patients/", PATIENT, "age_years", "sixty", 400, INTEGER),
    ("post", "patients/", PATIENT, "age_years", 60.5, 400, INTEGER),
    ("post", "patients/", PATIENT, "primary_tumour", "x" * 61, 400, longest(60)),
    ("post", "lesions/", LESION, "patient", NOTHING, 400, REQUIRED),
    ("post", "lesions/", LESION, "patient", "unknown", 404, GONE),
    ("post", "lesions/", LESION, "number", 0, 400, "Ensure this value is greater than or equal to 1."),
    ("post", "lesions/", LESION, "number", 1001, 400, "Ensure this value is less than or equal to 1000."),
    ("post", "lesions/", LESION, "number", 1, 409, "Patient P1 has a lesion 1 already."),
    ("post", "lesions/", LESION, "level", "L6", 400, choice("L6")),
    ("post", "lesions/", LESION, "level", "", 400, choice("")),
    ("post", "lesions/", LESION, "x_mm", "nan", 400, NUMBER),
    ("post", "lesions/", LESION, "x_mm", "left", 400, NUMBER),
    ("post", "lesions/", LESION, "x_mm", 1.0, 422, "Give x_mm, y_mm and z_mm, or none of them."),
    ("post", "lesions/", LESION, "longest_diameter_mm", 0, 422, "The longest diameter is above 0 and at most 500 mm."),
    ("post", "lesions/", LESION, "longest_diameter_mm", "inf", 400, NUMBER),
    ("post", "lesions/", LESION, "whole_body", {"lateral": [1, 2]}, 422, "A whole-body mark is a column and a row, anterior, posterior or both."),
    ("post", "lesions/", LESION, "whole_body", {"anterior": [1]}, 400, "Ensure this field has at least 2 elements."),
    ("post", "lesions/", LESION, "whole_body", {"anterior": [1, 2, 3]}, 400, "Ensure this field has no more than 2 elements."),
    ("put", "lesions/{lesion}/series/", {"ct_series_uid": "{ct}", "spect_series_uid": "{spect}"}, "ct_series_uid", "2.25.404", 404, "There is no such series in this study."),
    ("put", "lesions/{lesion}/series/", {"ct_series_uid": "{ct}", "spect_series_uid": "{spect}"}, "ct_series_uid", "{foreign}", 422, "That CT series is not filed under patient P1."),
    ("put", "lesions/{lesion}/series/", {"ct_series_uid": "{ct}", "spect_series_uid": "{spect}"}, "spect_series_uid", "{ct}", 422, "Choose a SPECT series that is ready; this one is CT, ready."),
    ("put", "lesions/{lesion}/series/", {"ct_series_uid": "{ct}", "spect_series_uid": "{spect}"}, "spect_series_uid", "", 409, "Choose a CT and a SPECT series for this lesion."),
    ("put", "lesions/{lesion}/series/", {"ct_series_uid": "{ct}", "spect_series_uid": "{spect}"}, "wb_series_uid", "9" * 65, 400, longest(64)),
    ("post", "lesions/{lesion}/include/", {}, "slot", 0, 400, "Ensure this value is greater than or equal to 1."),
    ("post", "lesions/{lesion}/include/", {}, "slot", 3, 422, "The slot lies between 1 and the study's cap, 2."),
    ("post", "lesions/{lesion}/include/", {}, "slot", "first", 400, INTEGER),
    ("post", "criteria/", CRITERION, "code", "not a slug", 400, "Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens."),
    ("post", "criteria/", CRITERION, "code", "no-ct-lesion", 409, "There is a criterion no-ct-lesion already."),
    ("post", "criteria/", CRITERION, "text", "", 400, BLANK),
    ("post", "criteria/", CRITERION, "text", "x" * 301, 400, longest(300)),
    ("post", "criteria/", CRITERION, "kind", "maybe", 400, choice("maybe")),
    ("post", "criteria/", CRITERION, "level", "study", 400, choice("study")),
    ("post", "screening/", DECISION, "patient", "", 422, "Name the patient or the lesion that is decided on."),
    ("post", "screening/", DECISION, "lesion", "{lesion}", 422, "Name the patient or the lesion that is decided on."),
    ("post", "screening/", DECISION, "patient", "unknown", 404, GONE),
    ("post", "screening/", DECISION, "decision", "postponed", 400, choice("postponed")),
    ("post", "screening/", DECISION, "decision", "excluded", 422, "An exclusion names its criterion, or says why."),
    ("post", "screening/", DECISION, "criterion", "unknown", 404, GONE),
    ("post", "screening/", DECISION, "criterion", "lesion-cap", 422, "Criterion lesion-cap is not one for a patient."),
    ("post", "screening/", DECISION, "note", "x" * 301, 400, longest(300)),
    ("post", "reference-standards/", STANDARD, "lesion", "unknown", 404, GONE),
    ("post", "reference-standards/", STANDARD, "diagnosis", "cancer", 400, choice("cancer")),
    ("post", "reference-standards/", STANDARD, "method", "hunch", 400, choice("hunch")),
    ("post", "reference-standards/", STANDARD, "subtype", "x" * 61, 400, longest(60)),
    ("post", "reference-standards/", STANDARD, "determined_on", "14.5.2020", 400, "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."),
    ("post", "reference-standards/", STANDARD, "determined_on", "2999-01-01", 422, "The standard cannot be dated in the future."),
    ("post", "splits/", SPLIT, "ratio", 0, 400, "Ensure this value is greater than or equal to 0.01."),
    ("post", "splits/", SPLIT, "ratio", 1, 400, "Ensure this value is less than or equal to 0.99."),
    ("post", "splits/", SPLIT, "ratio", "nan", 400, NUMBER),
    ("post", "splits/", SPLIT, "seed", -1, 400, "Ensure this value is greater than or equal to 0."),
    ("post", "splits/", SPLIT, "seed", 2**63, 400, f"Ensure this value is less than or equal to {2**63 - 1}."),
    ("post", "splits/", SPLIT, "seed", 1.5, 400, INTEGER),
    ("post", "splits/", SPLIT, "factors", ["diagnosis"], 400, choice("diagnosis")),
    ("post", "splits/", SPLIT, "factors", "sex", 400, "Expected a list of items but got type \"str\"."),
    ("post", "splits/preview/", SPLIT, "ratio", 2, 400, "Ensure this value is less than or equal to 0.99."),
    ("post", "members/", MEMBER, "username", "nobody", 422, "There is no open account of that name."),
    ("post", "members/", MEMBER, "username", "coordinator", 403, "Nobody grants a role to oneself; ask another coordinator."),
    ("post", "members/", MEMBER, "username", "analyst", 409, "analyst is a member already; change the role instead."),
    ("post", "members/", MEMBER, "role", "reader", 400, choice("reader")),
    ("post", "advance/", STEP, "to", "READING", 403, "This step carries a signature; take it on the study's home page."),
    ("post", "advance/", STEP, "to", "UNBLINDED", 409, "The study is in SCREENING; the only next step is READING."),
    ("post", "advance/", STEP, "reason", "", 400, BLANK),
    ("post", "advance/", STEP, "reason", "x" * 501, 400, longest(500)),
    ("put", "protocol/", {"protocol": "x", "analysis_plan": {}}, "protocol", "x" * 100_001, 400, longest(100_000)),
    ("put", "protocol/", {"protocol": "x", "analysis_plan": {}}, "analysis_plan", "text", 400, "Expected a dictionary of items but got type \"str\"."),
    ("post", "cohort/", {"csv": "subject\nP9\n"}, "csv", "", 400, BLANK),
    ("post", "cohort/", {"csv": "subject\nP9\n"}, "csv", "level\nL3\n", 422, "The first line must name the columns; subject is missing."),
    ("post", "cohort/", {"csv": "subject\nP9\n"}, "csv", "subject,colour\nP9,red\n", 422, "The first line holds colour; use the columns of the template."),
    ("post", "cohort/", {"csv": "subject\nP9\n"}, "csv", "subject\nP\x009\n", 400, "Null characters are not allowed."),
    ("post", "cohort/", {"csv": "subject\nP9\n"}, "dry_run", "perhaps", 400, "Must be a valid boolean."),
    ("post", "reference-standards/csv/", {"csv": "subject\n"}, "csv", "subject\nP1\n", 422, "The first line must name the columns; lesion_number, diagnosis, method is missing."),
]  # fmt: skip


def world() -> dict[str, str]:
    study = make_study(state="SCREENING")
    add_default_criteria(study, actor=coordinator(), now=NOW)
    patient = make_patient(study, "P1")
    lesion = make_lesion(patient)
    other = make_series(make_exam(study, "P2"), "CT")
    return {
        "patient": patient.code, "lesion": lesion.code, "ct": lesion.ct_series.uid,
        "spect": lesion.spect_series.uid, "foreign": other.uid,
    }  # fmt: skip


def counts() -> tuple[int, ...]:
    tables = (Patient, Lesion, Criterion, Screening, ReferenceStandard, Split, Membership)
    acts = AuditEvent.objects.exclude(verb="refused").count()
    return (*(t.objects.count() for t in tables), acts, Study.objects.filter(state="SCREENING").count())  # fmt: skip


def filled(value: Any, words: dict[str, str]) -> Any:
    is_word = isinstance(value, str) and value.startswith("{") and value.endswith("}")
    return value.format(**words) if is_word else value


@pytest.mark.parametrize(("method", "path", "body", "field", "fault", "status", "sentence"), FAULTS)
def test_a_body_with_one_fault_is_refused_and_changes_nothing(
    method: str, path: str, body: dict[str, Any], field: str, fault: Any, status: int, sentence: str
) -> None:  # fmt: skip
    words = world()
    sent = {k: filled(v, words) for k, v in {**body, field: fault}.items() if v is not NOTHING}
    before, client = counts(), sign_in("coordinator")
    address = f"/api/v1/studies/bone/{path.format(**words)}"
    answer = getattr(client, method)(address, sent, content_type="application/json")
    assert (answer.status_code, sentence in plain(answer.json())) == (status, True), answer.json()
    assert counts() == before


def plain(answer: Any) -> str:
    """Every sentence of an answer."""
    if isinstance(answer, dict):
        return " ".join(plain(v) for v in answer.values())
    if isinstance(answer, list):
        return " ".join(plain(v) for v in answer)
    return str(answer)
