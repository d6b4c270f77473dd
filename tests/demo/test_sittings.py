"""The simulated readers work as real ones do, say what the plan says, and take up their work where it stopped."""

import json
import math
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from portal.audit.models import AuditEvent, Signature
from portal.demo import build, sittings
from portal.demo.clock import START, Clock
from portal.demo.options import Options
from portal.demo.simulated_reading import (
    PAUSE_SECONDS,
    ExpertAnswer,
    OutlineAnswer,
    do_session,
    events,
    outline,
)
from portal.study.models import Lesion
from radiomics.phantom import people as phantom
from radiomics.phantom.plan import make_plan
from readers.models import Assignment, Read, ReadEvent, ReadingSession, Roi
from tests.cohort import make_user
from tests.demo.builders import SMALL, drawn_for, in_reading, ring, silent

PLAN = SMALL.plan
N = sum(len(p.lesions) for p in PLAN.patients)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, settings):
    settings.DATA_DIR = tmp_path


# --- one case at the desk -----------------------------------------------------------------------


@given(st.floats(1, 600), st.one_of(st.just(0.0), st.floats(1, 900)))
def test_events_are_in_order_and_show_exactly_the_time_at_work(seconds, blur):
    """The hidden spell is what the desk takes off the wall time."""
    found = events(ExpertAnswer("benign", 3, seconds, blur))
    times = [e["t_ms"] for e in found]
    assert [e["seq"] for e in found] == list(range(len(found)))
    assert times == sorted(times)
    at = {e["kind"]: e["t_ms"] for e in found}
    hidden = at.get("visible", 0) - at.get("hidden", 0)
    assert abs(at["submit_pressed"] - hidden - max(400, 1000 * seconds)) <= 402
    assert abs(hidden - 1000 * blur) <= 400


@pytest.mark.parametrize(
    ("seconds", "blur", "kinds"),
    [
        (38.0, 0.0, [("desk_ready", 400), ("submit_pressed", 38_000)]),
        (
            20.0, 60.0,
            [("desk_ready", 400), ("hidden", 10_000), ("visible", 70_000), ("submit_pressed", 80_000)],
        ),
        (0.1, 0.0, [("desk_ready", 400), ("submit_pressed", 400)]),
    ],
)  # fmt: skip
def test_events_of_a_case(seconds, blur, kinds):
    found = events(OutlineAnswer({}, seconds, blur))
    assert [(e["kind"], e["t_ms"]) for e in found] == kinds


def images(*heights: float) -> dict:
    rows = [
        {"position": [0, 0, z], "sop_instance_uid": f"2.25.{k}", "frame": k + 1}
        for k, z in enumerate(heights)
    ]
    return {"role": "CT", "images": rows, "frame_of_reference_uid": "2.25.99"}


@pytest.mark.parametrize(
    ("z", "chosen"), [(0.0, 0), (1.2, 0), (1.3, 1), (2.5, 1), (4.9, 2), (-80.0, 0), (99.0, 2)]
)
def test_a_polygon_lies_on_the_nearest_image_and_in_its_plane(z, chosen):
    square = [[1.00004, 2, z], [3, 2, z], [3, 4.00006, z], [1, 4, z]]
    found = outline(images(0.0, 2.5, 5.0), square)
    assert found["sop_instance_uid"] == f"2.25.{chosen}"
    assert found["frame"] == chosen + 1
    plane = [0.0, 2.5, 5.0][chosen]
    assert found["vertices"] == [[1.0, 2, plane], [3, 2, plane], [3, 4.0001, plane], [1, 4, plane]]
    assert (found["kind"], found["copy"]) == ("freehand", None)


def test_images_stored_head_first_change_nothing():
    square = [[0, 0, 1.0], [1, 0, 1.0], [1, 1, 1.0]]
    assert outline(images(5.0, 2.5, 0.0), square)["sop_instance_uid"] == "2.25.2"


def test_an_expert_draws_nothing_and_a_delineator_answers_nothing():
    said = ExpertAnswer("metastasis", 4, 30.0, 0.0).document({})
    assert said["outlines"] == {"CT": None, "SPECT": None}
    assert said["answers"] == {"call": "metastasis", "confidence": 4}
    case = {"series": [images(0.0), {**images(0.0), "role": "SPECT"}]}
    square = [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert OutlineAnswer({"CT": square, "SPECT": square}, 9.0).document(case)["answers"] == {}


# --- design and plan ----------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(("patients", "gap"), [(8, 1), (39, 1), (40, 3)], ids=["8", "39", "40"])
def test_a_small_cohort_asks_for_a_smaller_gap_between_a_patients_lesions(patients, gap):
    options = Options(patients=patients)
    boss = make_user("coordinator")
    people = type("People", (), {"users": {n: make_user(n) for n in build.cast.PEOPLE}})()
    study = build.found(options, boss, people)
    plan = options.plan
    design = sittings.make_design(study, plan, options, actor=boss, now=START)
    assert (design.patient_gap, design.seed) == (gap, options.seed)
    again = sittings.make_design(study, make_plan(seed=3), options, actor=boss, now=START)
    assert again == design
    assert study.designs.count() == 1


@pytest.mark.django_db
def test_every_included_lesion_is_planned_for_every_reader_once_and_the_repeats_later():
    study, people = in_reading()
    sessions = ReadingSession.objects.filter(study=study)
    for names, task, kind, wanted in [
        (sittings.EXPERTS, "read", "main", {(x.patient, x.slot) for p in PLAN.patients for x in p.lesions}),
        (sittings.DELINEATORS, "outline", "main", {(x.patient, x.slot) for p in PLAN.patients for x in p.lesions}),
        (sittings.DELINEATORS, "outline", "repeat", set(PLAN.repeats)),
    ]:  # fmt: skip
        for name in names:
            mine = sessions.filter(reader=people.users[name], task=task, kind=kind)
            cases = Assignment.objects.filter(session__in=mine).select_related("lesion__patient")
            places = [sittings.place_of(c.lesion, PLAN) for c in cases]
            assert sorted(places) == sorted(wanted)
    design = study.designs.get()
    repeats = sessions.filter(kind="repeat")
    first_day = START + timedelta(days=design.washout_days + 60)
    assert set(repeats.values_list("not_before", flat=True)) == {first_day}
    count = sessions.count()
    sittings.plan_all(
        study, PLAN, design, people.users, actor=people.users["coordinator"], now=START
    )
    assert sessions.count() == count


@pytest.mark.django_db
def test_a_visitors_repeats_wait_from_today_and_not_from_the_simulated_years():
    options = Options(patients=12, is_practice=True)
    study, _ = in_reading(options)
    repeats = ReadingSession.objects.filter(study=study, kind="repeat")
    assert all(s.not_before > timezone.now() + timedelta(days=60) for s in repeats)
    assert not Read.objects.filter(assignment__session__study=study).exists()


# --- the months of reading ----------------------------------------------------------------------


def said(study) -> dict:
    """The current answer and the revision of each expert's case, by place."""
    rows = Read.objects.current().filter(
        assignment__session__study=study, assignment__session__task="read"
    )
    return {
        (r.assignment.session.reader.username, *sittings.place_of(r.assignment.lesion, PLAN)):
            (r.call, r.confidence, r.revision, r.state)
        for r in rows.select_related("assignment__session__reader", "assignment__lesion__patient")
    }  # fmt: skip


def planned() -> dict:
    found = {}
    for number, name in enumerate(sittings.EXPERTS):
        for place, a in phantom.expert_answers(PLAN, number).items():
            call = a.changed_call or a.call if a.reopen else a.call
            found[(name, *place)] = (call, a.confidence, 2 if a.reopen else 1, "locked")
    return found


@pytest.mark.django_db
def test_the_experts_say_what_is_planned_change_their_mind_and_sign():
    study, people = in_reading()
    bar = silent(2 * N)
    sittings.read_all(study, PLAN, people.users, bar)
    assert said(study) == planned()
    assert bar.done == 2 * N
    sessions = ReadingSession.objects.filter(study=study, task="read")
    assert set(sessions.values_list("state", flat=True)) == {"closed"}
    assert Signature.objects.filter(obj__startswith="read:", kind="signed").count() == 2 * N
    days = [s.opened_day for s in sittings.of_reader(study, people.users["expert1"], kind="main")]
    assert len(set(days)) == len(days)
    first = ReadingSession.objects.filter(study=study, task="read").earliest("opened_at")
    assert first.opened_at == START + timedelta(days=1)
    reads = Read.objects.filter(assignment__session__study=study)
    assert not reads.filter(is_simulated=False).exists()
    acts = AuditEvent.objects.filter(
        study=study.code, verb__in=["read.submit", "read.save", "case.open"]
    )
    assert set(acts.values_list("clock", flat=True)) == {"simulated"}


@pytest.mark.django_db
def test_reading_again_what_is_read_changes_nothing():
    study, people = in_reading()
    sittings.read_all(study, PLAN, people.users, silent())
    before, acts = said(study), AuditEvent.objects.count()
    bar = silent(2 * N)
    sittings.read_all(study, PLAN, people.users, bar)
    assert (said(study), AuditEvent.objects.count(), bar.done) == (before, acts, 2 * N)


class Interrupted(Exception):
    pass


@pytest.mark.django_db
@pytest.mark.parametrize("where", [1, N // 2, N + 1])
def test_a_demo_that_was_interrupted_reads_on_to_the_same_answers(where, monkeypatch):
    study, people = in_reading()
    bar = silent()

    def stop_at(self, n: int = 1) -> None:
        self.done += n
        if self.done == where:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(type(bar), "step", stop_at)
        with pytest.raises(Interrupted):
            sittings.read_all(study, PLAN, people.users, bar)
    sittings.read_all(study, PLAN, people.users, silent())
    assert said(study) == planned()


@pytest.mark.django_db
@pytest.mark.parametrize("after", ["reopening", "second thoughts"])
def test_second_thoughts_are_had_once_though_the_demo_stopped_before_the_signature(
    after, monkeypatch
):
    study, people = in_reading()
    name = {"reopening": "do_session", "second thoughts": "close"}[after]
    calls, real = [], getattr(sittings, name)

    def stop(*args, **more):
        calls.append(1)
        if len(calls) == (2 if after == "reopening" else 1):
            raise Interrupted
        return real(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(sittings, name, stop)
        with pytest.raises(Interrupted):
            sittings.read_all(study, PLAN, people.users, silent())
    sittings.read_all(study, PLAN, people.users, silent())
    assert said(study) == planned()


@pytest.mark.django_db
def test_the_time_at_the_desk_is_the_planned_one_without_the_blur():
    study, people = in_reading()
    sittings.read_all(study, PLAN, people.users, silent())
    for number, name in enumerate(sittings.EXPERTS):
        answers = phantom.expert_answers(PLAN, number)
        rows = Read.objects.filter(assignment__session__reader=people.users[name], revision=1)
        for row in rows.select_related("assignment__lesion__patient"):
            one = answers[sittings.place_of(row.assignment.lesion, PLAN)]
            assert row.wall_seconds == pytest.approx(one.seconds + one.blur_seconds, abs=0.01)
            assert row.active_seconds == pytest.approx(one.seconds, abs=0.5)


@pytest.mark.django_db
def test_the_outlines_are_the_drawn_ones_in_both_series_on_each_occasion():
    study, people = in_reading()
    drawn, bar = drawn_for(PLAN), silent()
    sittings.draw_all(study, PLAN, people.users, drawn, bar)
    assert bar.done == 2 * (N + len(PLAN.repeats))
    rois = Roi.objects.filter(read__assignment__session__study=study)
    assert rois.count() == 2 * bar.done
    for roi in rois.select_related("read__assignment__session__reader", "read__assignment__lesion"):
        who = sittings.DELINEATORS.index(roi.read.assignment.session.reader.username)
        occasion = roi.read.assignment.occasion
        radius = 9.0 + who if roi.modality == "CT" else 11.0 + occasion
        polygon = 36 / 2 * radius**2 * math.sin(2 * math.pi / 36)
        assert roi.area_mm2 == pytest.approx(polygon, rel=1e-4)
    first = ReadingSession.objects.filter(study=study, kind="repeat").earliest("opened_at")
    assert first.opened_at >= first.not_before


@pytest.mark.django_db
def test_drawing_again_what_is_drawn_changes_nothing():
    study, people = in_reading()
    found = []
    for _ in range(2):
        bar = silent()
        sittings.draw_all(study, PLAN, people.users, drawn_for(PLAN), bar)
        found.append((Roi.objects.count(), AuditEvent.objects.count(), bar.done))
    assert found[0] == found[1]


@pytest.mark.django_db
def test_a_session_takes_the_seconds_of_its_cases_and_a_pause_after_each():
    study, people = in_reading()
    session = sittings.of_reader(study, people.users["expert1"], kind="main")[0]
    clock, steps = Clock(), []
    do_session(
        session,
        lambda _: ExpertAnswer("benign", 2, 10.0, 5.0),
        clock=clock,
        step=lambda: steps.append(1),
    )
    n = session.assignments.count()
    assert clock.now == START + timedelta(seconds=n * (15.0 + PAUSE_SECONDS))
    assert len(steps) == n
    assert ReadEvent.objects.filter(assignment__session=session, kind="hidden").count() == n
    sittings.close(session, clock)
    session.refresh_from_db()
    do_session(session, lambda _: pytest.fail("closed"), clock=clock, step=lambda: steps.append(1))
    assert len(steps) == n


@pytest.mark.django_db
def test_a_place_is_found_from_the_lesion():
    study, _ = in_reading()
    places = {sittings.place_of(x, PLAN) for x in Lesion.objects.of_study(study).included()}
    assert places == {(x.patient, x.slot) for p in PLAN.patients for x in p.lesions}


def test_nothing_of_a_drawing_tells_more_than_its_polygon():
    """The document of a case is what a browser sends: no slot, no truth, no name."""
    case = {"series": [images(0.0), {**images(0.0), "role": "SPECT"}]}
    polygon = ring([0.0, 0.0, 0.0], 5.0).tolist()
    text = json.dumps(OutlineAnswer({"CT": polygon, "SPECT": polygon}, 9.0).document(case))
    assert set(json.loads(text)) == {"answers", "outlines", "looks", "focus"}
    assert set(json.loads(text)["outlines"]["CT"]) == {
        "vertices", "sop_instance_uid", "frame", "frame_of_reference_uid", "kind", "copy"
    }  # fmt: skip
