"""The reference-standard CSV: one row per lesion, checked whole before a write."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from portal.accounts.models import User
from portal.errors import Invalid
from portal.study.acts import note_act
from portal.study.csv_rows import Column, Problem, csv_text, table
from portal.study.models import Lesion, Study
from portal.study.patients import require_state
from portal.truth.entry import ENTERING, Answer, answer_of, refuse_answer, revise
from portal.truth.models import ReferenceStandard

COLUMNS = (
    Column("subject", "code of the patient in this study; required"),
    Column("lesion_number", "number of the lesion within the patient; required"),
    Column("diagnosis", "metastasis, benign or inconclusive; required"),
    Column("subtype", "free text, at most 60 characters, or empty"),
    Column("method", "pathology, follow_up_imaging or clinical_course; required"),
    Column("determined_on", "date as YYYY-MM-DD, or empty"),
    Column("note", "free text, or empty"),
    Column("reason", "why a standard entered earlier changes; required for such rows only"),
)
REQUIRED = ("subject", "lesion_number", "diagnosis", "method")
EXAMPLES = (
    ["P001", "1", "metastasis", "breast", "pathology", "2020-05-14", "", ""],
    ["P002", "1", "benign", "degenerative", "follow_up_imaging", "2020-11-02", "", ""],
)


@dataclass(frozen=True)
class TruthRow:
    row: int
    lesion: Lesion
    answer: Answer
    reason: str


@dataclass(frozen=True)
class TruthPlan:
    """What a file would do; `rows` holds only what is new or changed."""

    study: Study
    rows: tuple[TruthRow, ...]
    problems: tuple[Problem, ...]
    n_unchanged: int

    @property
    def changes_nothing(self) -> bool:
        return not self.problems and not self.rows


def template_csv() -> str:
    return csv_text(COLUMNS, EXAMPLES)


def parse_date(text: str) -> date | None:
    if not text:
        return None
    try:
        value = date.fromisoformat(text)
        if value.isoformat() != text:  # weeks and dates without hyphens are ISO, too
            raise ValueError(text)
        return value
    except ValueError as error:
        sentence = f"“{text[:20]}” is not a date; write it as 2020-05-14."
        raise Invalid(sentence, field="determined_on") from error


def find_lesion(cells: Mapping[str, str], lesions: Mapping[tuple[str, str], Lesion]) -> Lesion:
    lesion = lesions.get((cells["subject"], cells["lesion_number"]))
    if lesion is None:
        raise Invalid(
            f"There is no lesion {cells['lesion_number'][:10]} of {cells['subject'][:40]}; import the cohort first.",
            field="lesion_number",
        )
    return lesion


def read_row(
    index: int, cells: Mapping[str, str], lesions: Mapping[tuple[str, str], Lesion], today: date
) -> TruthRow:
    """One row as an answer; raises Invalid with the column at fault."""
    lesion = find_lesion(cells, lesions)
    answer = Answer(
        cells["diagnosis"].lower(),
        cells.get("subtype", ""),
        cells["method"].lower(),
        parse_date(cells.get("determined_on", "")),
        cells.get("note", ""),
    )
    refuse_answer(answer, today)
    return TruthRow(index, lesion, answer, cells.get("reason", ""))


def read_rows(text: str, study: Study, today: date) -> tuple[list[TruthRow], list[Problem]]:
    of_study = Lesion.objects.of_study(study).select_related("patient__study")
    lesions = {(x.patient.subject, str(x.number)): x for x in of_study}
    rows, problems, seen = list[TruthRow](), list[Problem](), set[int]()
    for index, cells in enumerate(table(text, (c.name for c in COLUMNS), REQUIRED), start=2):
        if not any(cells.values()):
            continue
        try:
            row = read_row(index, cells, lesions, today)
        except Invalid as error:
            problems.append(Problem(index, error.field, error.sentence))
            continue
        if row.lesion.pk in seen:
            problems.append(Problem(index, "lesion_number", "This lesion is in the file twice."))
        seen.add(row.lesion.pk)
        rows.append(row)
    return rows, problems


def read_truth_csv(text: str, study: Study, *, now: datetime) -> TruthPlan:
    """The dry run: every row's problem and what a write would add. Nothing is written."""
    rows, problems = read_rows(text, study, now.date())
    current = {
        s.lesion_id: s
        for s in ReferenceStandard.objects.current().filter(lesion__patient__study=study)
    }
    fresh = []
    for row in rows:
        before = current.get(row.lesion.pk)
        if before is not None and answer_of(before) == row.answer:
            continue
        if before is not None and not row.reason:
            sentence = "This lesion has another reference standard; say why it changes."
            problems.append(Problem(row.row, "reason", sentence))
        fresh.append(row)
    ordered = tuple(sorted(problems, key=lambda p: p.row))
    return TruthPlan(study, tuple(fresh), ordered, len(rows) - len(fresh))


def write(plan: TruthPlan, *, actor: User, now: datetime) -> TruthPlan:
    """Write a plan without problems, whole or not at all."""
    require_state(plan.study, ENTERING, "Reference standards are entered")
    if plan.problems:
        raise Invalid(
            f"{len(plan.problems)} problems are open, the first in row {plan.problems[0].row}; nothing was written."
        )
    if not plan.rows:
        return plan
    with transaction.atomic():
        for row in plan.rows:
            revise(row.lesion, row.answer, actor=actor, now=now, reason=row.reason)
        new = {row.lesion.code: row.answer.diagnosis for row in plan.rows}
        note_act(plan.study, actor, "truth.import", f"study:{plan.study.code}", new=new)
    return plan
