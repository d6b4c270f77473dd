"""The screening log and the flow diagram drawn from it."""

from xml.etree import ElementTree as ET

import pytest

from portal.audit.models import AuditEvent
from portal.errors import Conflict, Invalid
from portal.study.flow import Excluded, FlowNumbers, Stage, in_words
from portal.study.models import Criterion, Lesion, Patient, Screening, Study
from portal.study.screening import (
    add_criterion,
    add_default_criteria,
    decide,
    default_criteria,
    flow,
    flow_svg,
    remove_criterion,
)
from tests.cohort import NOW, make_lesion, make_patient, make_study
from tests.study.builders import coordinator

pytestmark = pytest.mark.django_db


def screened_study() -> Study:
    study = make_study(state="SCREENING")
    add_default_criteria(study, actor=coordinator(), now=NOW)
    return study


def criterion(study: Study, code: str) -> Criterion:
    return Criterion.objects.get(study=study, code=code)


def include(thing: Patient | Lesion) -> Screening:
    return decide(thing, "included", None, actor=coordinator(), now=NOW)


def exclude(thing: Patient | Lesion, code: str) -> Screening:
    study = thing.patient.study if isinstance(thing, Lesion) else thing.study
    return decide(thing, "excluded", criterion(study, code), actor=coordinator(), now=NOW)


def test_the_default_criteria_are_the_papers_and_the_cap() -> None:
    kinds = [(c.kind, c.level) for c in default_criteria()]
    assert kinds.count(("include", "patient")) == 4
    assert kinds.count(("exclude", "patient")) == 3
    assert kinds.count(("exclude", "lesion")) == 3


def test_the_default_criteria_are_added_once_and_in_order() -> None:
    study = screened_study()
    assert add_default_criteria(study, actor=coordinator(), now=NOW) == 0
    codes = list(Criterion.objects.filter(study=study).values_list("code", flat=True))
    assert codes == [c.code for c in default_criteria()]
    assert AuditEvent.objects.count() == 1


def test_a_criterion_is_appended_to_the_list() -> None:
    study = screened_study()
    row = add_criterion(
        study, code="age", text="Adults only", kind="include", level="patient",
        actor=coordinator(), now=NOW,
    )  # fmt: skip
    assert row.order == len(default_criteria()) + 1


@pytest.mark.parametrize(
    ("change", "match"),
    [({"code": "a b"}, "code"), ({"code": ""}, "code"), ({"text": " "}, "sentence"),
     ({"kind": "maybe"}, "includes or excludes"), ({"level": "study"}, "level")],
)  # fmt: skip
def test_a_faulty_criterion_is_refused(change: dict[str, str], match: str) -> None:
    fields = {"code": "age", "text": "Adults", "kind": "include", "level": "patient", **change}
    with pytest.raises(Invalid, match=match):
        add_criterion(make_study(), actor=coordinator(), now=NOW, **fields)  # type: ignore[arg-type]


def test_a_criterion_code_is_used_once() -> None:
    with pytest.raises(Conflict, match="criterion lesion-cap already"):
        add_criterion(
            screened_study(), code="lesion-cap", text="Again", kind="exclude", level="lesion",
            actor=coordinator(), now=NOW,
        )  # fmt: skip


def test_a_criterion_can_go_until_a_decision_names_it() -> None:
    study = screened_study()
    remove_criterion(criterion(study, "lesion-cap"), actor=coordinator(), now=NOW)
    assert not Criterion.objects.filter(code="lesion-cap").exists()
    exclude(make_patient(study), "prior-treatment")
    with pytest.raises(Conflict, match="so it stays"):
        remove_criterion(criterion(study, "prior-treatment"), actor=coordinator(), now=NOW)


@pytest.mark.parametrize("state", ["READING", "READS_LOCKED", "UNBLINDED"])
def test_criteria_are_closed_once_reading_has_begun(state: str) -> None:
    with pytest.raises(Conflict, match=state):
        add_default_criteria(make_study(state=state), actor=coordinator(), now=NOW)


def test_a_decision_is_a_row_with_who_and_when_and_one_audit_row() -> None:
    study = screened_study()
    before = AuditEvent.objects.count()
    row = exclude(make_patient(study), "primary-tumour")
    assert (row.decided_by, row.decided_at) == (coordinator(), NOW)
    assert AuditEvent.objects.count() == before + 1
    assert AuditEvent.objects.last().verb == "screening.patient"  # type: ignore[union-attr]


def test_a_later_decision_supersedes_and_the_earlier_one_stays() -> None:
    study = screened_study()
    patient = make_patient(study)
    exclude(patient, "primary-tumour")
    include(patient)
    rows = Screening.objects.filter(patient=patient).values_list("decision", "is_current")
    assert list(rows) == [("excluded", False), ("included", True)]


def test_an_exclusion_names_a_criterion_or_says_why() -> None:
    patient = make_patient(screened_study())
    with pytest.raises(Invalid, match="criterion"):
        decide(patient, "excluded", None, actor=coordinator(), now=NOW)
    decide(patient, "excluded", None, actor=coordinator(), now=NOW, note="withdrew consent")
    assert Screening.objects.get().note == "withdrew consent"


def test_a_decision_is_included_or_excluded() -> None:
    with pytest.raises(Invalid, match="included or excluded"):
        decide(make_patient(screened_study()), "perhaps", None, actor=coordinator(), now=NOW)


def test_a_lesion_criterion_does_not_exclude_a_patient() -> None:
    study = screened_study()
    with pytest.raises(Invalid, match="not one for a patient"):
        exclude(make_patient(study), "lesion-cap")


def test_a_criterion_of_another_study_is_refused() -> None:
    other = make_study("other", state="SCREENING", cast=False)
    add_default_criteria(other, actor=coordinator(), now=NOW)
    foreign = criterion(other, "primary-tumour")
    with pytest.raises(Invalid, match="another study"):
        decide(make_patient(screened_study()), "excluded", foreign, actor=coordinator(), now=NOW)


@pytest.mark.parametrize("state", ["DRAFT", "READING", "READS_LOCKED", "UNBLINDED", "ARCHIVED"])
def test_decisions_are_made_while_screening_only(state: str) -> None:
    with pytest.raises(Conflict, match=state):
        include(make_patient(make_study(state=state)))


def test_including_a_lesion_gives_it_a_slot() -> None:
    lesion = make_lesion(make_patient(screened_study()), included=False)
    include(lesion)
    lesion.refresh_from_db()
    assert (lesion.is_included, lesion.slot) == (True, 1)


def test_excluding_a_lesion_frees_its_slot() -> None:
    lesion = make_lesion(make_patient(screened_study()))
    exclude(lesion, "lesion-inconclusive")
    lesion.refresh_from_db()
    assert (lesion.is_included, lesion.slot) == (False, None)


def test_excluding_a_patient_takes_its_lesions_out_of_the_cohort() -> None:
    patient = make_patient(screened_study())
    make_lesion(patient)
    exclude(patient, "no-ct-lesion")
    assert not Lesion.objects.included().exists()


def test_a_refused_inclusion_logs_nothing() -> None:
    lesion = make_lesion(make_patient(screened_study()), included=False)
    Lesion.objects.update(ct_series=None)
    lesion.refresh_from_db()
    before = AuditEvent.objects.count()
    with pytest.raises(Conflict):
        include(lesion)
    assert not Screening.objects.exists()
    assert AuditEvent.objects.count() == before


def screen_six(study: Study) -> None:
    """Six patients: two included with 1 + 3 lesions, three excluded, one undecided."""
    a, b, c, d, e, _ = (make_patient(study) for _ in range(6))
    for patient in (a, b):
        include(patient)
    include(make_lesion(a, included=False))
    lesions = [make_lesion(b, number=n, included=False) for n in (1, 2, 3)]
    include(lesions[0])
    include(lesions[1])
    exclude(lesions[2], "lesion-cap")
    exclude(c, "primary-tumour")
    exclude(d, "primary-tumour")
    exclude(e, "prior-treatment")
    make_lesion(e, included=False)


def test_the_flow_counts_patients_then_the_lesions_of_included_patients() -> None:
    study = screened_study()
    screen_six(study)
    numbers = flow(study)
    assert (numbers.patients.screened, numbers.patients.included) == (6, 2)
    assert [e.count for e in numbers.patients.excluded] == [2, 1]
    assert (numbers.lesions.screened, numbers.lesions.included) == (4, 3)
    assert numbers.lesions.excluded == (Excluded("Beyond the number of lesions per patient", 1),)


def test_the_undecided_show_as_a_difference() -> None:
    study = screened_study()
    screen_six(study)
    numbers = flow(study)
    assert (numbers.patients.difference, numbers.lesions.difference) == (1, 0)
    assert not numbers.adds_up


def test_a_superseded_exclusion_no_longer_counts() -> None:
    study = screened_study()
    patient = make_patient(study)
    exclude(patient, "primary-tumour")
    include(patient)
    assert flow(study).patients == Stage(1, 1, ())


def test_an_exclusion_in_words_counts_as_another_reason() -> None:
    study = screened_study()
    decide(make_patient(study), "excluded", None, actor=coordinator(), now=NOW, note="withdrew")
    assert flow(study).patients.excluded == (Excluded("Other reason", 1),)


def texts(svg: str) -> list[str]:
    return [t.text or "" for t in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


NUMBERS = FlowNumbers(
    Stage(171, 132, (Excluded("No primary tumour", 39),)), Stage(205, 192, (Excluded("Cap", 13),))
)


def test_the_diagram_is_well_formed_and_says_every_number() -> None:
    written = " ".join(texts(flow_svg(NUMBERS)))
    for phrase in ("screened (n = 171)", "39  No primary tumour", "included (n = 132)",
                   "screened (n = 205)", "included (n = 192)"):  # fmt: skip
        assert phrase in written
    assert "Not decided" not in written


def test_the_diagram_shows_a_difference_in_red() -> None:
    svg = flow_svg(FlowNumbers(Stage(3, 1, ()), Stage(1, 1, ())))
    red = [
        t.text for t in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
        if t.get("fill") == "#a3231b"
    ]  # fmt: skip
    assert red == ["Not decided: 2"]


def test_a_criterion_with_markup_stays_text() -> None:
    svg = flow_svg(FlowNumbers(Stage(1, 0, (Excluded("<script>&", 1),)), Stage(0, 0, ())))
    assert "<script>" not in svg
    assert "1  <script>&" in texts(svg)


def test_the_diagram_needs_no_style_sheet() -> None:
    svg = flow_svg(NUMBERS)
    assert "style=" not in svg
    assert "class=" not in svg


def test_the_diagram_speaks_to_those_who_do_not_see_it() -> None:
    assert "171 patients screened, 39 excluded, 132 included" in in_words(NUMBERS)
    assert ET.fromstring(flow_svg(NUMBERS)).get("aria-label") == in_words(NUMBERS)


def test_the_log_of_a_synthetic_study_says_it_is_invented() -> None:
    study = Study.objects.create(code="syn", name="Syn", is_synthetic=True, created_at=NOW)
    assert "invented" in flow_svg(flow(study))
