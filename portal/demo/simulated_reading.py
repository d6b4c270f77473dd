"""Simulated physicians at the desk: they open, answer, submit and close as real ones do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from portal.accounts.models import User
from portal.audit.chain import digest
from portal.demo.clock import Clock
from readers import reading, sessions
from readers.models import Assignment, ReadingSession

PAUSE_SECONDS = 4.0


class Answer(Protocol):
    """What a simulated reader does with one case."""

    @property
    def seconds(self) -> float: ...
    @property
    def blur_seconds(self) -> float: ...
    def document(self, case: Mapping[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ExpertAnswer:
    call: str
    confidence: int
    seconds: float
    blur_seconds: float

    def document(self, case: Mapping[str, Any]) -> dict[str, Any]:
        answers = {"call": self.call, "confidence": self.confidence}
        return {
            "answers": answers,
            "outlines": {"CT": None, "SPECT": None},
            "looks": {},
            "focus": None,
        }


@dataclass(frozen=True)
class OutlineAnswer:
    """Polygons in patient mm per modality; the image of each is the nearest of that series."""

    vertices: Mapping[str, Sequence[Sequence[float]]]
    seconds: float
    blur_seconds: float = 0.0

    def document(self, case: Mapping[str, Any]) -> dict[str, Any]:
        series = {row["role"]: row for row in case["series"]}
        outlines = {role: outline(series[role], self.vertices[role]) for role in ("CT", "SPECT")}
        return {"answers": {}, "outlines": outlines, "looks": {}, "focus": None}


def outline(series: Mapping[str, Any], vertices: Sequence[Sequence[float]]) -> dict[str, Any]:
    """The polygon bound to the image whose plane is nearest, as the desk sends it."""
    z = sum(v[2] for v in vertices) / len(vertices)
    image = min(series["images"], key=lambda i: abs(i["position"][2] - z))
    plane = image["position"][2]
    return {
        "vertices": [[round(x, 4), round(y, 4), round(plane, 4)] for x, y, _ in vertices],
        "sop_instance_uid": image["sop_instance_uid"],
        "frame": image["frame"],
        "frame_of_reference_uid": series["frame_of_reference_uid"],
        "kind": "freehand",
        "copy": None,
    }


def events(answer: Answer) -> list[dict[str, Any]]:
    """The desk's timing events of one case, with the blur as a hidden spell."""
    total = int(1000 * (answer.seconds + answer.blur_seconds))
    rows = [(400, "desk_ready")]
    if answer.blur_seconds:
        half = int(500 * answer.seconds)
        rows += [(half, "hidden"), (half + int(1000 * answer.blur_seconds), "visible")]
    rows.append((total, "submit_pressed"))
    return [
        {"seq": seq, "t_ms": max(t, 400), "kind": kind, "detail": {}}
        for seq, (t, kind) in enumerate(rows)
    ]


def do_case(assignment: Assignment, answer: Answer, *, actor: User, clock: Clock) -> None:
    """Open a case, spend the time, save and submit it."""
    case = reading.open_case(assignment, actor=actor, now=clock.now, simulated=True)
    shown = case.to_json(csrf_token="")
    version = shown["case"]["draft"]["version"]
    name = f"sim-{assignment.code}-{assignment.reads.count()}"
    document = answer.document(shown)
    clock.advance(answer.seconds + answer.blur_seconds)
    reading.record_events(
        assignment, name, events(answer), actor=actor, now=clock.now, simulated=True
    )
    saved = reading.save_draft(
        assignment,
        document,
        base_version=version,
        key=digest([name, document]),
        actor=actor,
        now=clock.now,
        simulated=True,
    )
    reading.submit(assignment, version=saved.version, actor=actor, now=clock.now, simulated=True)
    clock.advance(PAUSE_SECONDS)


def do_session(
    session: ReadingSession,
    answer_of: Callable[[Assignment], Answer],
    *,
    clock: Clock,
    step: Callable[[], None],
) -> None:
    """Work a session through to its signature; cases already submitted are passed over."""
    if session.state == ReadingSession.State.CLOSED:
        return
    actor = session.reader
    if session.state == ReadingSession.State.PLANNED:
        sessions.open_session(session, actor=actor, now=clock.now, simulated=True)
    for assignment in session.assignments.select_related("lesion__patient").order_by("position"):
        if assignment.state in (Assignment.State.ASSIGNED, Assignment.State.DRAFT):
            do_case(assignment, answer_of(assignment), actor=actor, clock=clock)
        step()
