"""The commands as an administrator meets them: help that says it all, exit status, sentence, JSON for machines."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError
from django.test import Client

from portal.accounts.models import ApiToken, User
from portal.accounts.tokens import user_of
from portal.archive.models import Exam, Import, ImportFile
from portal.audit.models import AuditEvent
from portal.audit.trail import record
from portal.management.commands.import_dicom import NO_LATE_SHELF, NO_SHELF
from portal.study.models import STATE_ORDER, Lesion, Patient
from tests.archive.builders import slices
from tests.cohort import make_lesion, make_patient, make_study, make_user
from tests.study.builders import cohort_csv, lesion_row

OURS = sorted(name for name, app in get_commands().items() if app == "portal")
FOR_MACHINES = (
    "archive_move", "archive_verify", "audit_verify", "backup", "evaluate", "export", "extract", "import_cohort",
    "import_dicom", "perturb", "restore", "scan_identity", "train",
)  # fmt: skip
NEEDED = {
    "archive_move": ["--to"],
    "backup": ["file"],
    "evaluate": ["study", "--user", "--reason"],
    "export": ["study", "folder", "--user"],
    "extract": ["study"],
    "import_cohort": ["path", "--study", "--user"],
    "import_dicom": ["path"],
    "perturb": ["study"],
    "reset_second_factor": ["user", "--reason"],
    "restore": ["file"],
    "scan_identity": ["list"],
    "token": ["user"],
    "train": ["study", "--user", "--seed"],
}


def own_actions(name: str) -> list[Any]:
    """Arguments of a command that are not Django's own."""
    plain = BaseCommand().create_parser("manage.py", name)
    djangos = {a.dest for a in plain._actions}
    parser = load_command_class("portal", name).create_parser("manage.py", name)
    return [a for a in parser._actions if a.dest not in djangos]


def run(name: str, *arguments: str) -> tuple[int, str, str]:
    """Exit status as `manage.py` would end with, what was said, and the sentence of the refusal."""
    out = io.StringIO()
    try:
        call_command(name, *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    except SystemExit as ending:
        return int(ending.code or 0), out.getvalue(), ""
    return 0, out.getvalue(), ""


def last_json(said: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(said.splitlines()[-1])
    return body


def test_every_command_that_is_promised_is_there() -> None:
    promised = {*FOR_MACHINES, "api_types", "demo", "token", "up"}
    assert promised <= set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_the_help_of_a_command_says_what_it_does_and_what_each_argument_is(name: str) -> None:
    command = load_command_class("portal", name)
    assert len(command.help.split()) >= 4
    assert [a.dest for a in own_actions(name) if not a.help] == []


@pytest.mark.parametrize("name", OURS)
def test_the_help_can_be_printed(name: str) -> None:
    """A lone per cent sign in a help text would end it with an error."""
    text = load_command_class("portal", name).create_parser("manage.py", name).format_help()
    for action in own_actions(name):
        assert (action.option_strings or [action.dest])[0] in text


@pytest.mark.parametrize("name", FOR_MACHINES)
def test_a_command_answers_machines_in_json(name: str) -> None:
    assert "--json" in {o for a in own_actions(name) for o in a.option_strings}


@pytest.mark.parametrize("name", NEEDED)
def test_what_a_command_cannot_do_without_is_asked_for(name: str) -> None:
    required = [a.option_strings[0] if a.option_strings else a.dest for a in own_actions(name) if a.required]  # fmt: skip
    assert required == NEEDED[name]
    with pytest.raises(CommandError, match="the following arguments are required") as refusal:
        call_command(name)
    assert all(each in str(refusal.value) for each in NEEDED[name])


@pytest.mark.parametrize("name", OURS)
def test_an_unknown_option_is_an_error(name: str) -> None:
    given = [part for word in NEEDED.get(name, []) for part in ((word, "1") if word[0] == "-" else ("1",))]  # fmt: skip
    parser = load_command_class("portal", name).create_parser("manage.py", name)
    with pytest.raises(CommandError) as refusal:
        parser.parse_args([*given, "--no-such-option"])
    assert str(refusal.value) == "Error: unrecognized arguments: --no-such-option"


NO_STUDY = "There is no study nowhere."
WRONG = [
    ("extract", ["nowhere"], 1, NO_STUDY),
    ("perturb", ["nowhere"], 1, NO_STUDY),
    ("perturb", ["bone"], 1, "Extract features before their robustness is measured."),
    ("train", ["nowhere", "--user", "analyst", "--seed", "1"], 1, "There is no such study or user."),
    ("train", ["bone", "--user", "nobody", "--seed", "1"], 1, "There is no such study or user."),
    ("train", ["bone", "--user", "monitor", "--seed", "1"], 1, "monitor does not analyse study bone."),
    ("train", ["bone", "--user", "delineator1", "--seed", "1"], 1, "delineator1 does not analyse study bone."),
    ("train", ["bone", "--user", "analyst", "--seed", "1"], 1, "Lock a split and extract features before a model is trained."),
    ("evaluate", ["nowhere", "--user", "analyst", "--reason", "planned look"], 1, "There is no such study or user."),
    ("evaluate", ["bone", "--user", "monitor", "--reason", "planned look"], 1, "monitor does not analyse study bone."),
    ("evaluate", ["bone", "--user", "analyst", "--reason", "   short   "], 1, "Say in at least 10 characters why the validation part is looked at."),
    ("export", ["nowhere", "{tmp}/out", "--user", "coordinator"], 1, "There is no such study or user."),
    ("export", ["bone", "{tmp}/out", "--user", "nobody"], 1, "There is no such study or user."),
    ("export", ["bone", "{tmp}/out", "--user", "monitor"], 1, "There is no such page, or it is not yours to see."),
    ("export", ["bone", "{tmp}/out", "--user", "outsider"], 1, "There is no such page, or it is not yours to see."),
    ("export", ["bone", "{tmp}/full", "--user", "coordinator"], 1, "{tmp}/full is not empty; choose another folder."),
    ("export", ["bone", "{tmp}/full/file", "--user", "coordinator"], 1, "The files could not be written: File exists."),
    ("token", ["nobody"], 1, "There is no user nobody."),
    ("token", ["analyst", "--days", "0"], 1, "A token lives 1 to 90 days; ask for that many."),
    ("token", ["analyst", "--days", "91"], 1, "A token lives 1 to 90 days; ask for that many."),
    ("token", ["nobody", "--revoke"], 1, "There is no user nobody."),
    ("import_dicom", ["{tmp}/missing.dcm"], 2, "There is no missing.dcm; give a file, folder or zip."),
    ("import_dicom", ["{tmp}", "--study", "nowhere"], 2, NO_STUDY),
    ("import_dicom", ["{tmp}"], 2, NO_SHELF),
    ("import_dicom", ["{tmp}", "--user", "nobody"], 2, "nobody coordinates no study."),
    ("import_dicom", ["{tmp}", "--user", "analyst"], 2, "analyst coordinates no study."),
    ("import_dicom", ["{tmp}", "--study", "bone", "--user", "analyst"], 2, "analyst does not coordinate study bone."),
    ("import_cohort", ["{tmp}/full/file", "--study", "nowhere", "--user", "coordinator"], 1, NO_STUDY),
    ("import_cohort", ["{tmp}/full/file", "--study", "bone", "--user", "analyst"], 1, "The first line must name the columns; subject is missing."),
    ("scan_identity", ["{tmp}/missing.txt"], 2, "The list cannot be read as UTF-8 text."),
    ("backup", ["{tmp}/full/file"], 1, "{tmp}/full/file exists already; choose another name."),
    ("audit_verify", ["--acknowledge", "because"], 2, "Give the reason in at least 10 characters."),
    ("audit_verify", ["--acknowledge", "          "], 2, "Give the reason in at least 10 characters."),
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "arguments", "status", "sentence"), WRONG)
def test_a_wrong_call_ends_with_its_sentence_and_changes_nothing(
    name: str, arguments: list[str], status: int, sentence: str, tmp_path: Path
) -> None:
    make_study(state="SCREENING")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("kept")
    code, said, refusal = run(name, *(a.replace("{tmp}", str(tmp_path)) for a in arguments))
    assert (code, said, refusal) == (status, "", sentence.replace("{tmp}", str(tmp_path)))
    assert (tmp_path / "full" / "file").read_text() == "kept"
    assert not AuditEvent.objects.exists()
    assert not ApiToken.objects.exists()
    assert not Import.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("state", STATE_ORDER[:-2])
def test_no_part_is_evaluated_before_the_unblinding(state: str) -> None:
    make_study(state=state)
    code, said, refusal = run("evaluate", "bone", "--user", "analyst", "--reason", "just a quick look")  # fmt: skip
    assert (code, said) == (1, "")
    assert "not unblinded" in refusal


@pytest.mark.django_db
def test_the_last_line_of_a_token_is_the_token_and_signs_its_user_in() -> None:
    make_user("analyst")
    code, said, _ = run("token", "analyst", "--label", "nightly", "--days", "30")
    text = said.splitlines()[-1]
    assert code == 0
    assert user_of(text) == User.objects.get(username="analyst")
    row, act = ApiToken.objects.get(), AuditEvent.objects.get()
    assert (row.label, (row.expires_at - row.created_at).days) == ("nightly", 30)
    assert act.verb == "token.issue"
    assert text not in act.values.body


@pytest.mark.django_db
def test_revoking_ends_every_token_of_the_user_and_of_no_other() -> None:
    for name in ("analyst", "analyst", "monitor"):
        make_user(name)
        run("token", name)
    assert run("token", "analyst", "--revoke") == (0, "2 tokens revoked.\n", "")
    assert run("token", "analyst", "--revoke") == (0, "0 tokens revoked.\n", "")
    assert ApiToken.objects.filter(revoked_at__isnull=True).count() == 1


@pytest.mark.django_db
def test_an_intact_trail_is_told_with_its_head() -> None:
    for _ in range(3):
        record("test.act", obj="thing:1")
    code, said, _ = run("audit_verify", "--json")
    body = last_json(said)
    assert (code, body["intact"], body["events"]) == (0, True, 3)
    assert run("audit_verify") == (0, f"{body['sentence']} Head {body['head']}\n", "")
    assert re.fullmatch(r"[0-9a-f]{64}", body["head"])


@pytest.mark.django_db
def test_an_empty_archive_is_in_order() -> None:
    assert run("archive_verify") == (0, "0 frames checked, 0 images damaged.\n", "")
    assert last_json(run("archive_verify", "--json")[1]) == {
        "checked": 0,
        "damaged": [],
        "headers": [],
    }


@pytest.mark.django_db
def test_a_cohort_file_is_all_or_nothing_for_machines(tmp_path: Path) -> None:
    make_study()
    file = tmp_path / "cohort.csv"
    file.write_text(cohort_csv(lesion_row("P1"), lesion_row("P2", sex="X")))
    call = ("import_cohort", str(file), "--study", "bone", "--user", "coordinator", "--json")
    code, said, refusal = run(*call)
    assert (code, refusal) == (1, "1 problems; nothing was written.")
    assert last_json(said) == {
        "patients": 2, "lesions": 2,
        "problems": [{"row": 3, "column": "sex", "sentence": "Sex is F, M, O or empty."}],
    }  # fmt: skip
    assert not Patient.objects.exists()
    file.write_text(cohort_csv(lesion_row("P1"), lesion_row("P2")))
    assert last_json(run(*call)[1]) == {"patients": 2, "lesions": 2, "problems": []}
    assert last_json(run(*call)[1]) == {"patients": 0, "lesions": 0, "problems": []}
    assert (Lesion.objects.count(), AuditEvent.objects.count()) == (2, 1)


@pytest.mark.django_db
def test_images_are_imported_once_and_a_second_time_change_nothing(tmp_path: Path) -> None:
    make_study(is_synthetic=True)
    slices(tmp_path, n=3)
    code, said, _ = run("import_dicom", str(tmp_path), "--study", "bone", "--workers", "1", "--json")  # fmt: skip
    first = last_json(said)
    assert (code, first["outcomes"], first["warning"]) == (0, {"ready": 3}, "")
    assert Exam.objects.get().study_key == "bone"
    again = last_json(run("import_dicom", str(tmp_path), "--study", "bone", "--workers", "1", "--json")[1])  # fmt: skip
    assert again["outcomes"] == {"already here": 3}
    assert Exam.objects.count() == 1


@pytest.mark.django_db
def test_a_refused_file_is_named_with_its_sentence_and_the_command_ends_with_1(tmp_path: Path) -> None:  # fmt: skip
    (tmp_path / "notes.dcm").write_text("not DICOM")
    make_study()
    code, said, _ = run("import_dicom", str(tmp_path / "notes.dcm"), "--user", "coordinator", "--workers", "1")  # fmt: skip
    file = ImportFile.objects.get()
    assert code == 1
    assert said.splitlines() == [f"{file.name}: {file.sentence}", "1 refused. "]


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["READING", "READS_LOCKED"])
def test_images_for_a_locked_cohort_wait_on_the_shelf(state: str, tmp_path: Path) -> None:
    make_study(state=state, is_synthetic=True)
    slices(tmp_path, n=2)
    call = ("import_dicom", str(tmp_path), "--study", "bone", "--workers", "1", "--json")
    assert run(*call) == (2, "", NO_LATE_SHELF.format(study="bone"))
    assert not Import.objects.exists()
    body = last_json(run(*call, "--user", "coordinator")[1])
    assert body["warning"] == "The cohort of bone is locked; the images wait on your shelf."
    exam = Exam.objects.get()
    assert (exam.study_key, exam.importer) == ("", make_user("coordinator"))


@pytest.mark.django_db
def test_images_without_a_study_are_on_the_shelf_of_their_importer_and_can_be_filed(tmp_path: Path) -> None:  # fmt: skip
    make_study(is_synthetic=True)
    slices(tmp_path, n=2)
    said = run("import_dicom", str(tmp_path), "--user", "coordinator", "--workers", "1")
    assert said == (0, "2 ready. \n", "")
    page, exam = Client(), Exam.objects.get()
    page.force_login(make_user("coordinator"))
    assert list(page.get("/studies/bone/import/").context["shelf"]) == [exam]
    code = Import.objects.get().code
    assert page.get(f"/studies/bone/imports/{code}/").status_code == 200
    assert page.post(f"/studies/bone/shelf/{exam.pk}/file/").status_code == 302
    exam.refresh_from_db()
    assert exam.study_key == "bone"


@pytest.mark.django_db
def test_images_of_a_study_need_no_importer_and_know_one_that_is_named(tmp_path: Path) -> None:
    make_study(is_synthetic=True)
    slices(tmp_path, n=2)
    call = ("import_dicom", str(tmp_path), "--study", "bone", "--workers", "1")
    run(*call)
    run(*call, "--user", "coordinator")
    actors = Import.objects.order_by("pk").values_list("actor__username", flat=True)
    assert list(actors) == [None, "coordinator"]


@pytest.mark.django_db
def test_an_identity_in_a_text_column_is_found_and_not_repeated(tmp_path: Path) -> None:
    make_lesion(make_patient(make_study(), "Erika Mustermann"))
    names = tmp_path / "names.txt"
    names.write_text("Max Beispiel\nErika Mustermann\n")
    code, said, _ = run("scan_identity", str(names))
    assert code == 1
    assert "Line 2 of the list stands in" in said
    assert "Mustermann" not in said
    names.write_text("Max Beispiel\n")
    assert run("scan_identity", str(names)) == (0, "1 identifiers, 0 findings.\n", "")
