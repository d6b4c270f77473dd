"""The flow diagram (STARD style) and its numbers: a query of the screening log."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Q
from django.utils.html import escape

from portal.study.models import Criterion, Lesion, Patient, Screening, Study

OTHER = "Other reason"
WIDTH, BOX, GAP, LINE, SIDE = 760, 330, 46, 18, 380


@dataclass(frozen=True)
class Excluded:
    """How many were excluded for one reason."""

    reason: str
    count: int


@dataclass(frozen=True)
class Stage:
    """One row of the diagram: what was screened, excluded by reason, and included."""

    screened: int
    included: int
    excluded: tuple[Excluded, ...]

    @property
    def n_excluded(self) -> int:
        return sum(e.count for e in self.excluded)

    @property
    def difference(self) -> int:
        """Screened minus decided: 0 when the log is complete."""
        return self.screened - self.included - self.n_excluded


@dataclass(frozen=True)
class FlowNumbers:
    patients: Stage
    lesions: Stage
    note: str = ""

    @property
    def adds_up(self) -> bool:
        return self.patients.difference == 0 and self.lesions.difference == 0


def why(criterion: Criterion) -> str:
    """The criterion as a reason: one for inclusion excludes by not being met."""
    is_lack = criterion.kind == Criterion.Kind.INCLUDE
    return f"Not met: {criterion.text}" if is_lack else criterion.text


def stage(
    screened: int, rows: list[tuple[str, int | None]], criteria: dict[int, Criterion]
) -> Stage:
    included = sum(decision == Screening.Decision.INCLUDED for decision, _ in rows)
    counts = Counter(c for decision, c in rows if decision == Screening.Decision.EXCLUDED)
    reasons = [Excluded(why(criteria[c]), counts[c]) for c in criteria if counts[c]]
    if counts[None]:
        reasons.append(Excluded(OTHER, counts[None]))
    return Stage(screened, included, tuple(reasons))


def flow(study: Study) -> FlowNumbers:
    """Patients first, then the lesions of the included patients."""
    criteria = {c.pk: c for c in Criterion.objects.filter(study=study).order_by("order", "code")}
    current = Screening.objects.filter(study=study, is_current=True)
    patients = current.filter(lesion__isnull=True)
    included = patients.filter(decision=Screening.Decision.INCLUDED).values("patient")
    lesions = Lesion.objects.filter(patient__in=included)
    # a lesion that left with its patient and did not come back waits for a new decision
    left = Q(decision=Screening.Decision.INCLUDED, lesion__is_included=False)
    of_lesions = current.filter(lesion__in=lesions).exclude(left)
    note = (
        "The numbers of this synthetic study's screening log are invented."
        if study.is_synthetic
        else ""
    )
    return FlowNumbers(
        stage(
            Patient.objects.filter(study=study).count(),
            list(patients.values_list("decision", "criterion_id")),
            criteria,
        ),
        stage(lesions.count(), list(of_lesions.values_list("decision", "criterion_id")), criteria),
        note,
    )


def box(x: int, y: int, lines: list[str], *, width: int = BOX, css: str = "box") -> str:
    height = LINE * len(lines) + 16
    text = "".join(
        f'<text x="{x + 12}" y="{y + 22 + i * LINE}" class="{"head" if i == 0 else "line"}">'
        f"{escape(line)}</text>"
        for i, line in enumerate(lines)
    )
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" class="{css}"/>' + text


def arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="arrow" marker-end="url(#tip)"/>'


def stage_svg(y: int, noun: str, numbers: Stage) -> tuple[str, int]:
    """One stage from `y` down: screened, its exclusions to the right, where the next box begins."""
    lines = [
        f"Excluded {noun} (n = {numbers.n_excluded})",
        *(f"{e.count}  {e.reason}" for e in numbers.excluded),
    ]
    side_y = y + 42
    parts = [
        box(10, y, [f"{noun.capitalize()} screened (n = {numbers.screened})"]),
        box(SIDE, side_y, lines, width=WIDTH - SIDE - 10),
        arrow(10 + BOX // 2, y + 34, 10 + BOX // 2, y + bottom(numbers)),
        arrow(10 + BOX // 2, side_y + 17, SIDE, side_y + 17),
    ]
    if numbers.difference:
        sentence = f"Not decided: {numbers.difference}"
        parts.append(
            f'<text x="{SIDE}" y="{side_y - 12}" class="difference">{escape(sentence)}</text>'
        )
    return "".join(parts), y + bottom(numbers)


def bottom(numbers: Stage) -> int:
    return 42 + LINE * (1 + len(numbers.excluded)) + 16 + GAP


def flow_svg(numbers: FlowNumbers) -> str:
    """The diagram as a stand-alone SVG; colours are attributes, so no page style is needed."""
    first, y = stage_svg(10, "patients", numbers.patients)
    middle = box(10, y, [f"Patients included (n = {numbers.patients.included})"])
    join = arrow(10 + BOX // 2, y + 34, 10 + BOX // 2, y + 60)
    second, end = stage_svg(y + 60, "lesions", numbers.lesions)
    last = box(10, end, [f"Lesions included (n = {numbers.lesions.included})"], css="box end")
    note = (
        f'<text x="10" y="{end + 60}" class="line">{escape(numbers.note)}</text>'
        if numbers.note
        else ""
    )
    height = end + 74
    return styled(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="{escape(in_words(numbers))}">'
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#17252a"/></marker></defs>'
        f"{first}{middle}{join}{second}{last}{note}</svg>"
    )


PAINT = {
    'class="box"': 'fill="#ffffff" stroke="#17252a"',
    'class="box end"': 'fill="#e5f4ea" stroke="#1c5f34"',
    'class="head"': 'font-family="sans-serif" font-size="14" font-weight="700" fill="#17252a"',
    'class="line"': 'font-family="sans-serif" font-size="13" fill="#17252a"',
    'class="arrow"': 'stroke="#17252a" stroke-width="1.4"',
    'class="difference"': 'font-family="sans-serif" font-size="14" font-weight="700" fill="#a3231b"',
}


def styled(svg: str) -> str:
    """Presentation attributes instead of a style sheet, which the page's policy would refuse."""
    for name, attributes in PAINT.items():
        svg = svg.replace(name, attributes)
    return svg


def in_words(numbers: FlowNumbers) -> str:
    p, n = numbers.patients, numbers.lesions
    return (
        f"{p.screened} patients screened, {p.n_excluded} excluded, {p.included} included; "
        f"{n.screened} lesions screened, {n.n_excluded} excluded, {n.included} included."
    )
