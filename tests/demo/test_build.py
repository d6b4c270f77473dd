"""Building the demo: each step is taken once, by the doors of a real study, and a second run finds it taken."""

import pytest

from portal.accounts.models import User
from portal.analysis.models import Evaluation
from portal.audit.models import AuditEvent
from portal.audit.verify import verify
from portal.demo import build, cast, images
from portal.demo.options import Options
from portal.errors import Conflict
from portal.roles import ROLES
from portal.study.models import Criterion, Lesion, Membership, State, Study
from readers.models import Assignment, ReadingSession
from tests.cohort import make_exam
from tests.demo.builders import SMALL, drawn_for, founded, in_reading
from tests.study.builders import carry_to

pytestmark = pytest.mark.django_db
PRACTICE = Options(patients=12, is_practice=True)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, settings):
    settings.DATA_DIR = tmp_path


def state_of_all() -> dict[str, int]:
    kinds = (Study, Membership, User, Criterion, Lesion, ReadingSession, Assignment, AuditEvent)
    return {kind.__name__: kind.objects.count() for kind in kinds}


# --- the study and its people -------------------------------------------------------------------


def test_the_study_is_marked_as_synthetic_with_what_generated_it():
    study, _ = founded()
    assert (study.code, study.is_synthetic) == (SMALL.code, True)
    assert study.generator == SMALL.generator
    assert study.name == "Bone SPECT/CT demo"
    assert "synthetic cohort" in study.protocol


def test_everybody_has_the_rights_of_one_role_and_nobody_both_reads_and_knows():
    study, _ = founded()
    rows = Membership.objects.filter(study=study).select_related("user")
    assert {m.user.username: m.role for m in rows} == dict(cast.PEOPLE)
    for m in rows:
        rights = ROLES[m.role]
        assert (m.can_read, m.can_draw) == ("read" in rights, "draw" in rights)
        assert (m.sees_truth, m.can_coordinate) == ("see_truth" in rights, "coordinate" in rights)
        assert not ((m.can_read or m.can_draw) and (m.sees_truth or m.can_analyse))


def test_founding_again_changes_nothing():
    founded()
    before = state_of_all()
    founded()
    assert state_of_all() == before


def test_a_member_who_is_missing_is_added_and_the_others_left():
    study, people = founded()
    Membership.objects.filter(study=study, user=people.users["monitor"]).delete()
    others = set(Membership.objects.filter(study=study).values_list("pk", flat=True))
    build.found(SMALL, people.users["coordinator"], people)
    rows = Membership.objects.filter(study=study)
    assert others < set(rows.values_list("pk", flat=True))
    assert rows.count() == len(cast.PEOPLE)


def test_two_wishes_are_two_studies_of_the_same_people():
    founded()
    founded(Options(patients=8, seed=9))
    assert set(Study.objects.values_list("code", flat=True)) == {"demo-n8-s2022", "demo-n8-s9"}
    assert User.objects.count() == len(cast.PEOPLE)


# --- its steps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.SCREENING, State.READING, State.UNBLINDED])
def test_a_step_that_was_taken_is_not_taken_again(state):
    study, people = founded()
    carry_to(study, state)
    acts = AuditEvent.objects.count()
    for to in (State.SCREENING, state):
        build.step(study, to, people.users["coordinator"])
    study.refresh_from_db()
    assert (study.state, AuditEvent.objects.count()) == (state, acts)


def test_the_demo_takes_no_step_that_a_study_would_be_refused():
    """The checklist of READING holds for the demo, too: without truth and split it stays where it is."""
    study, people = founded()
    with pytest.raises(Conflict):
        build.step(study, State.READING, people.users["coordinator"])
    study.refresh_from_db()
    assert study.state == State.SCREENING


def test_registering_leads_to_reading_and_a_second_time_to_nothing():
    study, people = in_reading()
    assert study.state == State.READING
    before = state_of_all()
    build.register(
        study, SMALL.plan, SMALL, drawn_for(SMALL.plan), people, people.users["coordinator"]
    )
    assert state_of_all() == before
    assert verify().is_intact


def test_every_included_lesion_has_both_readers_and_both_delineators():
    study, _ = in_reading()
    n = Lesion.objects.of_study(study).included().count()
    assert n == sum(len(p.lesions) for p in SMALL.plan.patients)
    cases = Assignment.objects.of_study(study).main()
    assert cases.filter(session__task="read").count() == 2 * n
    assert cases.filter(session__task="outline").count() == 2 * n


def test_the_practice_study_is_in_reading_with_nothing_read():
    study, people = in_reading(PRACTICE)
    assert (study.code, study.name) == ("practice", "Practice: read and draw here")
    assert study.generator["reproduces"] == ""
    states = Assignment.objects.of_study(study).values_list("state", flat=True)
    assert set(states) == {"assigned"}
    before = state_of_all()
    assert build.build_practice(people, seed=SMALL.seed) == study
    assert state_of_all() == before


def test_a_finished_demo_is_found_and_not_built_again(monkeypatch):
    """Unblinded without a locked run there is nothing to evaluate; the second run only tells what is there.

    Nobody has read here, so the count of reads is left out; `test_plan_counts.py` holds it.
    """
    monkeypatch.setattr(build, "assert_counts", lambda study, plan: None)
    study, _ = in_reading()
    carry_to(study, State.UNBLINDED)
    in_reading(PRACTICE)
    before = state_of_all()
    for _ in range(2):
        built = build.build(SMALL)
        assert built.study == study
        assert built.new_passwords == {}
        assert built.summary["study"] == SMALL.code
    assert state_of_all() == before
    assert not Evaluation.objects.exists()


# --- what is rendered and what is only looked at again ------------------------------------------


def test_one_errand_for_each_patient_with_images(tmp_path):
    study, _ = founded()
    plan = SMALL.plan
    todo = images.errands(SMALL, plan, study, tmp_path)
    included = [e for e in todo if not e.is_excluded]
    assert [e.index for e in included] == [p.index for p in plan.patients]
    assert all(e.writes for e in todo)
    shown = [p.index for p in plan.excluded if p.has_images]
    assert [e.index for e in todo if e.is_excluded] == shown
    assert len({e.folder for e in todo}) == len(todo)


def test_images_in_the_archive_are_rendered_for_the_readers_but_not_written_again(tmp_path):
    options = Options(patients=24)
    study, _ = founded(options)
    plan = options.plan
    shown = [p for p in plan.excluded if p.has_images]
    make_exam(study, plan.patients[2].subject)
    make_exam(study, shown[0].subject)
    make_exam(None, plan.patients[3].subject)  # of no study: not ours
    todo = images.errands(options, plan, study, tmp_path)
    assert [e.index for e in todo if not e.is_excluded and not e.writes] == [2]
    assert [e.index for e in todo if e.is_excluded] == [p.index for p in shown[1:]]
