"""A study's tables and figures as one folder, and what archiving asks of exports and backups."""

import csv
import hashlib
import json

import pytest
from django.core.management import CommandError, call_command

from portal.audit.models import AuditEvent
from portal.audit.trail import record
from portal.dashboard.bundle import write_folder
from portal.dashboard.exports import EXPORTS
from portal.errors import Conflict, NotFound
from portal.study.life import checklist
from portal.study.models import State
from tests.cohort import make_lesion, make_patient, make_study, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (State.DRAFT, {"audit"}),
        (State.SCREENING, {"audit", "screening"}),
        (
            State.READING,
            {
                "audit",
                "screening",
                "split",
                "rois",
                "features",
                "reliability",
                "robustness",
                "ibsi",
            },
        ),
        (State.UNBLINDED, set(EXPORTS)),
    ],
)
def test_the_folder_holds_the_tables_that_are_open_in_the_state_and_no_other(
    state, wanted, tmp_path
):
    write_folder(make_study(state=state), tmp_path, actor=make_user("coordinator"))
    assert {path.stem for path in tmp_path.glob("*.csv")} == wanted


def test_every_file_is_listed_with_its_digest(tmp_path):
    study = make_study(state=State.UNBLINDED)
    make_lesion(make_patient(study))
    digests = write_folder(study, tmp_path, actor=make_user("analyst"))
    listed = json.loads((tmp_path / "files.json").read_text())
    assert listed == {"study": "bone", "files": digests}
    for name, digest in digests.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_each_table_taken_is_an_act_of_the_one_who_took_it(tmp_path):
    study, user = make_study(state=State.UNBLINDED), make_user("analyst")
    write_folder(study, tmp_path, actor=user)
    acts = AuditEvent.objects.filter(verb="export.take")
    assert {a.obj for a in acts} == {f"export:{key}" for key in EXPORTS}
    assert {(a.actor, a.role, a.study) for a in acts} == {(f"u:{user.pk}", "analyst", "bone")}


@pytest.mark.parametrize("name", ["expert1", "delineator1", "monitor", "outsider"])
def test_only_coordinators_and_analysts_take_the_folder(name, tmp_path):
    study = make_study(state=State.UNBLINDED)
    with pytest.raises(NotFound):
        write_folder(study, tmp_path / "out", actor=make_user(name))
    assert not (tmp_path / "out").exists()
    assert not AuditEvent.objects.filter(verb="export.take").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Conflict, match="is not empty"):
        write_folder(make_study(), tmp_path, actor=make_user("coordinator"))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_writes_the_folder_and_says_how_many(tmp_path, capsys):
    make_study(state=State.UNBLINDED)
    call_command("export", "bone", str(tmp_path / "out"), user="coordinator", json=True)
    said = json.loads(capsys.readouterr().out)
    assert set(said["files"]) == {p.name for p in (tmp_path / "out").iterdir()} - {"files.json"}
    with (tmp_path / "out" / "split.csv").open() as source:
        assert next(csv.reader(source)) == list(EXPORTS["split"].columns)


@pytest.mark.parametrize(
    ("study", "user"), [("none", "coordinator"), ("bone", "nobody"), ("bone", "expert1")]
)
def test_the_command_refuses_with_one_sentence(study, user, tmp_path):
    make_study(state=State.UNBLINDED)
    with pytest.raises(CommandError) as refusal:
        call_command("export", study, str(tmp_path / "out"), user=user)
    assert str(refusal.value).count(".") == 1
    assert not (tmp_path / "out").exists()


def missing(study) -> set[str]:
    return {check.code for check in checklist(study) if not check.is_met}


def test_archiving_asks_for_every_table_and_a_verified_backup(tmp_path):
    study = make_study(state=State.UNBLINDED)
    assert {"exports", "backup"} <= missing(study)
    write_folder(study, tmp_path, actor=make_user("coordinator"))
    assert "exports" not in missing(study)
    record("backup.verify", scope="system")
    assert "backup" not in missing(study)


def test_exports_and_backups_from_before_the_last_step_do_not_count(tmp_path):
    study = make_study(state=State.UNBLINDED)
    write_folder(study, tmp_path, actor=make_user("coordinator"))
    record("backup.verify", scope="system")
    record("study.advance", study=study.code)
    assert {"exports", "backup"} <= missing(study)


def test_the_hint_names_the_tables_that_are_still_missing():
    study = make_study(state=State.UNBLINDED)
    for key in set(EXPORTS) - {"rois", "audit"}:
        record("export.take", study=study.code, obj=f"export:{key}")
    (hint,) = [check.hint for check in checklist(study) if check.code == "exports"]
    assert "audit, rois" in hint


def test_the_export_of_another_study_does_not_count():
    study = make_study(state=State.UNBLINDED)
    for key in EXPORTS:
        record("export.take", study="other", obj=f"export:{key}")
    assert "exports" in missing(study)
