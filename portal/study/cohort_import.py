"""The cohort CSV: one row per lesion (or per patient without one), checked whole before a write."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db import transaction

from portal.accounts.models import User
from portal.archive.models import Series
from portal.audit.chain import digest
from portal.errors import Conflict, Invalid
from portal.study.acts import note_act
from portal.study.csv_rows import Column, Problem, csv_text, number, table, whole
from portal.study.models import LEVELS, Lesion, Patient, Study
from portal.study.patients import (
    REGISTERING,
    refuse_series,
    require_state,
    series_uids,
    share_frame,
)

COLUMNS = (
    Column("subject", "code of the patient in this study, 1 to 40 characters; required"),
    Column("sex", "F, M, O or empty"),
    Column("age_years", "whole years, 0 to 120, or empty"),
    Column("primary_tumour", "free text, at most 60 characters, or empty"),
    Column("lesion_number", "1, 2 … within the patient; empty for a patient without a lesion"),
    Column("level", "C1 to S1; required with a lesion"),
    Column("x_mm", "patient coordinate to the left (DICOM LPS) in mm; all three or none"),
    Column("y_mm", "patient coordinate to the back in mm"),
    Column("z_mm", "patient coordinate to the head in mm"),
    Column("longest_diameter_mm", "above 0, or empty"),
    Column("ct_series_uid", "series UID; empty: the one ready CT series of the subject"),
    Column("spect_series_uid", "series UID; empty: the one ready SPECT series of the subject"),
    Column("wb_series_uid", "series UID; empty: the one ready whole-body series of the subject"),
    Column("wb_anterior_column", "pixel column of the lesion on the anterior whole-body view"),
    Column("wb_anterior_row", "pixel row on the anterior view"),
    Column("wb_posterior_column", "pixel column on the posterior view, as stored"),
    Column("wb_posterior_row", "pixel row on the posterior view"),
)
REQUIRED = ("subject",)
EXAMPLES = (
    ["P001", "F", "61", "breast", "1", "L3", "12.5", "70.0", "30.0", "21.0", *[""] * 3, "120", "440", "136", "440"],
    ["P002", "M", "70", "prostate", *[""] * 13],
)  # fmt: skip


@dataclass(frozen=True)
class CohortRow:
    row: int
    subject: str
    sex: str = ""
    age_years: int | None = None
    primary_tumour: str = ""
    lesion_number: int | None = None
    level: str = ""
    x_mm: float | None = None
    y_mm: float | None = None
    z_mm: float | None = None
    longest_diameter_mm: float | None = None
    ct_series_uid: str = ""
    spect_series_uid: str = ""
    wb_series_uid: str = ""
    wb_anterior_column: float | None = None
    wb_anterior_row: float | None = None
    wb_posterior_column: float | None = None
    wb_posterior_row: float | None = None

    @property
    def person(self) -> tuple[str, int | None, str]:
        return (self.sex, self.age_years, self.primary_tumour)

    @property
    def whole_body(self) -> dict[str, list[float]]:
        marks = {
            "anterior": (self.wb_anterior_column, self.wb_anterior_row),
            "posterior": (self.wb_posterior_column, self.wb_posterior_row),
        }
        return {v: [c, r] for v, (c, r) in marks.items() if c is not None and r is not None}

    @property
    def describes_a_lesion(self) -> bool:
        """Beside the level, whose absence has a sentence of its own."""
        numbers = (
            self.x_mm, self.y_mm, self.z_mm, self.longest_diameter_mm, self.wb_anterior_column,
            self.wb_anterior_row, self.wb_posterior_column, self.wb_posterior_row,
        )  # fmt: skip
        series = (self.ct_series_uid, self.spect_series_uid, self.wb_series_uid)
        return any(series) or any(value is not None for value in numbers)


@dataclass(frozen=True)
class CohortPlan:
    """What a file would do: the rows to write, every row's problem, what is new."""

    study: Study
    rows: tuple[CohortRow, ...]
    problems: tuple[Problem, ...]
    new_patients: tuple[str, ...] = ()
    new_lesions: tuple[tuple[str, int], ...] = ()
    series: Mapping[tuple[str, int], Mapping[str, Series]] | None = None
    notices: tuple[Problem, ...] = ()
    digest: str = ""

    @property
    def changes_nothing(self) -> bool:
        return not (self.problems or self.new_patients or self.new_lesions)


def template_csv() -> str:
    """The header line and two example rows."""
    return csv_text(COLUMNS, EXAMPLES)


PARSERS: dict[str, tuple[Callable[[str], Any], str]] = {
    **dict.fromkeys(("age_years", "lesion_number"), (whole, "a whole number")),
    **dict.fromkeys(
        (
            "x_mm", "y_mm", "z_mm", "longest_diameter_mm", "wb_anterior_column",
            "wb_anterior_row", "wb_posterior_column", "wb_posterior_row",
        ),
        (number, "a number with a point, such as 12.5"),
    ),
}  # fmt: skip


def parse_row(row: int, cells: Mapping[str, str]) -> tuple[CohortRow, list[Problem]]:
    values: dict[str, Any] = {}
    problems = []
    for name, text in cells.items():
        if name not in PARSERS:
            values[name] = text
            continue
        parse, wanted = PARSERS[name]
        try:
            values[name] = parse(text) if text else None
        except ValueError:
            problems.append(Problem(row, name, f"“{text[:40]}” is not {wanted}."))
    return CohortRow(row=row, **values), problems


RULES: tuple[tuple[str, Callable[[CohortRow], bool], str], ...] = (
    ("subject", lambda r: 0 < len(r.subject) <= 40 and r.subject.isprintable(),
     "A subject code has 1 to 40 printable characters."),
    ("sex", lambda r: r.sex in {"", "F", "M", "O"}, "Sex is F, M, O or empty."),
    ("age_years", lambda r: r.age_years is None or 0 <= r.age_years <= 120,
     "Age lies between 0 and 120."),
    ("primary_tumour", lambda r: len(r.primary_tumour) <= 60 and r.primary_tumour.isprintable(),
     "At most 60 printable characters."),
    ("lesion_number", lambda r: r.lesion_number is None or 1 <= r.lesion_number <= 1000,
     "Lesions count from 1."),
    ("lesion_number", lambda r: r.lesion_number is not None or not r.describes_a_lesion,
     "This row describes a lesion; give it its number."),
    ("level", lambda r: (r.level in LEVELS) if r.lesion_number is not None else not r.level,
     "A lesion has a level C1 to S1, and a patient without a lesion has none."),
    ("x_mm", lambda r: len({v is None for v in (r.x_mm, r.y_mm, r.z_mm)}) == 1,
     "Give x_mm, y_mm and z_mm, or none of them."),
    ("longest_diameter_mm",
     lambda r: r.longest_diameter_mm is None or 0 < r.longest_diameter_mm <= 500,
     "The diameter is above 0 and at most 500 mm."),
    ("wb_anterior_column", lambda r: (r.wb_anterior_column is None) == (r.wb_anterior_row is None),
     "Give column and row, or neither."),
    ("wb_posterior_column",
     lambda r: (r.wb_posterior_column is None) == (r.wb_posterior_row is None),
     "Give column and row, or neither."),
)  # fmt: skip


def break_rules(row: CohortRow) -> list[Problem]:
    return [Problem(row.row, column, text) for column, holds, text in RULES if not holds(row)]


def inside_file(rows: Iterable[CohortRow]) -> list[Problem]:
    """One lesion once, and one patient described in one way."""
    problems, people, seen = [], dict[str, CohortRow](), set[tuple[str, int | None]]()
    for row in rows:
        first = people.setdefault(row.subject, row)
        if first.person != row.person:
            problems.append(Problem(row.row, "sex", f"Row {first.row} describes this patient otherwise."))  # fmt: skip
        if (row.subject, row.lesion_number) in seen:
            problems.append(Problem(row.row, "lesion_number", "This row is in the file twice."))
        seen.add((row.subject, row.lesion_number))
    return problems


ROLES = {"CT": "ct_series_uid", "SPECT": "spect_series_uid", "WB": "wb_series_uid"}
LESION_FIELDS = ("level", "x_mm", "y_mm", "z_mm", "longest_diameter_mm")


def differing(row: CohortRow, lesion: Lesion) -> list[str]:
    """Columns in which the file says otherwise; series and marks count where the file names them."""
    found = [name for name in LESION_FIELDS if getattr(lesion, name) != getattr(row, name)]
    held = series_uids(lesion)
    found += [c for role, c in ROLES.items() if getattr(row, c) not in {"", held[role]}]
    marks = row.whole_body.items()
    return found + [f"wb_{v}_column" for v, at in marks if lesion.whole_body_pixels.get(v) != at]


def against_study(
    rows: Iterable[CohortRow],
    people: Mapping[str, Patient],
    lesions: Mapping[tuple[str, int], Lesion],
) -> list[Problem]:
    """What is registered already must agree with the file; differences are never written over."""
    problems = []
    for row in rows:
        patient = people.get(row.subject)
        if patient and (patient.sex, patient.age_years, patient.primary_tumour) != row.person:
            problems.append(Problem(row.row, "subject", f"Patient {row.subject} is registered with other details; change them on the patient's page."))  # fmt: skip
        lesion = lesions.get((row.subject, row.lesion_number or 0))
        column = next(iter(differing(row, lesion)), "") if lesion else ""
        if column:
            problems.append(Problem(row.row, column, f"Lesion {row.lesion_number} of {row.subject} is registered with another {column}; change it on the lesion's page."))  # fmt: skip
    return problems


def candidates(study: Study) -> dict[str, list[Series]]:
    """Ready series by subject, in one query."""
    found: dict[str, list[Series]] = {}
    ready = Series.objects.ready().of_study(study.code).select_related("exam").order_by("pk")
    for series in ready.exclude(exam__subject=""):
        found.setdefault(series.exam.subject, []).append(series)
    return found


def only_pair(series: list[Series]) -> dict[str, Series]:
    """The one CT and SPECT that share a frame, else the one of each role; ambiguity gives none."""
    by_role = {role: [s for s in series if s.role == role] for role in ROLES}
    pairs = [(c, s) for c in by_role["CT"] for s in by_role["SPECT"] if share_frame(c, s)]
    chosen = {role: found[0] for role, found in by_role.items() if len(found) == 1}
    if len(pairs) == 1:
        chosen |= {"CT": pairs[0][0], "SPECT": pairs[0][1]}
    return chosen


@dataclass(frozen=True)
class Choice:
    series: dict[str, Series]
    problems: list[Problem]
    notices: list[Problem]


def choose_series(row: CohortRow, study: Study, ready: Mapping[str, list[Series]]) -> Choice:
    here = ready.get(row.subject, [])
    chosen, by_uid = only_pair(here), {s.uid: s for s in here}
    problems, notices = [], []
    for role, column in ROLES.items():
        uid = getattr(row, column)
        if uid and uid not in by_uid:
            problems.append(Problem(row.row, column, f"No ready series {uid[:64]} is filed under {row.subject}."))  # fmt: skip
        elif uid:
            problems += wrong_role(row, column, by_uid[uid], role, study)
            chosen[role] = by_uid[uid]
        elif role not in chosen and here:
            notices.append(Problem(row.row, column, f"{row.subject} has no single {role} series; choose it on the lesion's page."))  # fmt: skip
    return Choice(chosen, problems, notices)


def wrong_role(
    row: CohortRow, column: str, series: Series, role: str, study: Study
) -> list[Problem]:
    try:
        refuse_series(Patient(study=study, subject=row.subject), series, role)
    except Invalid as error:
        return [Problem(row.row, column, error.sentence)]
    return []


def registered(study: Study) -> tuple[dict[str, Patient], dict[tuple[str, int], Lesion]]:
    people = {p.subject: p for p in Patient.objects.filter(study=study)}
    lesions = Lesion.objects.of_study(study).select_related(
        "patient", "ct_series", "spect_series", "whole_body_series"
    )
    return people, {(x.patient.subject, x.number): x for x in lesions}


def parse(text: str) -> tuple[list[CohortRow], list[Problem]]:
    rows, problems = [], []
    for index, cells in enumerate(table(text, (c.name for c in COLUMNS), REQUIRED), start=2):
        if not any(cells.values()):
            continue
        row, wrong = parse_row(index, cells)
        rows.append(row)
        bad = {p.column for p in wrong}
        problems += wrong + [p for p in break_rules(row) if p.column not in bad]
    return rows, problems + inside_file(rows)


def read_cohort_csv(text: str, study: Study) -> CohortPlan:
    """The dry run: every row's problem, and what a write would create. Nothing is written."""
    rows, problems = parse(text)
    people, lesions = registered(study)
    problems += against_study(rows, people, lesions)
    ready = candidates(study)
    fresh = [r for r in rows if r.lesion_number and (r.subject, r.lesion_number) not in lesions]
    choices = {(r.subject, r.lesion_number or 0): choose_series(r, study, ready) for r in fresh}
    problems += [p for choice in choices.values() for p in choice.problems]
    return CohortPlan(
        study=study,
        rows=tuple(rows),
        problems=tuple(sorted(problems, key=lambda p: p.row)),
        new_patients=tuple(dict.fromkeys(r.subject for r in rows if r.subject not in people)),
        new_lesions=tuple(choices),
        series={key: choice.series for key, choice in choices.items()},
        notices=tuple(p for choice in choices.values() for p in choice.notices),
        digest=digest([{f.name: getattr(r, f.name) for f in fields(CohortRow)} for r in rows]),
    )


def write(plan: CohortPlan, *, actor: User, now: datetime) -> CohortPlan:
    """Write a plan without problems, whole or not at all; what is registered already is left alone."""
    require_state(plan.study, REGISTERING, "A cohort is imported")
    if plan.problems:
        raise Invalid(f"{len(plan.problems)} problems are open, the first in row {plan.problems[0].row}; nothing was written.")  # fmt: skip
    if plan.changes_nothing:
        return plan
    with transaction.atomic():
        people, lesions = registered(plan.study)
        if set(plan.new_patients) & set(people) or set(plan.new_lesions) & set(lesions):
            raise Conflict("The cohort has changed since this file was checked; check it again.")
        people |= new_people(plan, now)
        Lesion.objects.bulk_create(new_lesion(plan, row, people) for row in lesion_rows(plan))
        counts = {"patients": len(plan.new_patients), "lesions": len(plan.new_lesions), "digest": plan.digest}  # fmt: skip
        note_act(plan.study, actor, "cohort.import", f"study:{plan.study.code}", new=counts)
    return plan


def new_people(plan: CohortPlan, now: datetime) -> dict[str, Patient]:
    first = {row.subject: row for row in reversed(plan.rows)}
    made = Patient.objects.bulk_create(
        Patient(study=plan.study, subject=s, sex=first[s].sex, age_years=first[s].age_years,
                primary_tumour=first[s].primary_tumour, created_at=now)
        for s in plan.new_patients
    )  # fmt: skip
    return {p.subject: p for p in made}


def lesion_rows(plan: CohortPlan) -> list[CohortRow]:
    wanted = set(plan.new_lesions)
    return [r for r in plan.rows if (r.subject, r.lesion_number or 0) in wanted]


def new_lesion(plan: CohortPlan, row: CohortRow, people: Mapping[str, Patient]) -> Lesion:
    series = (plan.series or {}).get((row.subject, row.lesion_number or 0), {})
    return Lesion(
        patient=people[row.subject],
        number=row.lesion_number or 0,
        **{name: getattr(row, name) for name in LESION_FIELDS},
        ct_series=series.get("CT"),
        spect_series=series.get("SPECT"),
        whole_body_series=series.get("WB"),
        whole_body_pixels=row.whole_body,
    )
