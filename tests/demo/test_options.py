"""What the demo is asked for: impossible wishes end with one sentence, others name a study of their own."""

import json
import math
import shutil
import stat

import pytest
from django.core.management import CommandError, call_command

from portal.accounts.models import User
from portal.demo import checking
from portal.demo.cast import PEOPLE, accounts_file, assemble
from portal.demo.checking import check
from portal.demo.options import BYTES_PER_PATIENT, Options
from portal.errors import Invalid
from portal.roles import ROLES
from portal.study.models import Study
from radiomics.phantom import GENERATOR_VERSION

WRONG = [
    ({"patients": 7}, "The demo needs 8 to 100,000 patients."),
    ({"patients": 0}, "The demo needs 8 to 100,000 patients."),
    ({"patients": -5}, "The demo needs 8 to 100,000 patients."),
    ({"patients": 100_001}, "The demo needs 8 to 100,000 patients."),
    ({"seed": -1}, "The seed is a whole number from 0 to 4294967295."),
    ({"seed": 2**32}, "The seed is a whole number from 0 to 4294967295."),
    ({"difficulty": -0.1}, "The difficulty lies between 0 and 1."),
    ({"difficulty": 1.01}, "The difficulty lies between 0 and 1."),
    ({"difficulty": math.nan}, "The difficulty lies between 0 and 1."),
    ({"encoding": "jpeg"}, "The encoding is one of raw, rle, jls."),
    ({"encoding": ""}, "The encoding is one of raw, rle, jls."),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("wish", "sentence"), WRONG)
def test_an_impossible_wish_is_one_sentence_exit_2_and_changes_nothing(
    wish, sentence, tmp_path, settings
):
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError) as refusal:
        call_command("demo", no_serve=True, **wish)
    assert (str(refusal.value), refusal.value.returncode) == (sentence, 2)
    assert list(tmp_path.iterdir()) == []
    assert not User.objects.exists()
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    "wish", [{}, {"patients": 8}, {"patients": 100_000}, {"difficulty": 0.0}, {"encoding": "raw"}]
)
def test_what_is_possible_passes(wish, tmp_path, monkeypatch):
    monkeypatch.setattr(
        checking.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 2**50)
    )
    check(Options(**wish), tmp_path)


def test_a_disk_that_is_too_small_is_said_before_anything_is_made(tmp_path, monkeypatch):
    free = 100 * BYTES_PER_PATIENT - 1
    monkeypatch.setattr(
        checking.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, free)
    )
    with pytest.raises(Invalid, match=r"The demo needs 362 MB of free disk; 362 MB are there\."):
        check(Options(patients=100), tmp_path)
    check(Options(patients=99), tmp_path)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (Options(), "demo"),
        (Options(patients=24), "demo-n24-s2022"),
        (Options(seed=7), "demo-n132-s7"),
        (Options(difficulty=0.5), "demo-n132-s2022-d50"),
        (Options(difficulty=0.505), "demo-n132-s2022-d50_5"),
        (Options(is_null=True), "demo-n132-s2022-null"),
        (Options(encoding="rle"), "demo-n132-s2022-rle"),
        (
            Options(patients=24, seed=3, difficulty=0.25, is_null=True, encoding="raw"),
            "demo-n24-s3-d25-null-raw",
        ),
        (Options(is_practice=True), "practice"),
    ],
)
def test_each_wish_is_a_study_of_its_own(options, code):
    assert options.code == code


def test_what_generated_the_study_stands_in_it():
    found = Options(patients=24, seed=3).generator
    assert (found["version"], found["seed"], found["patients"]) == (GENERATOR_VERSION, 3, 24)
    assert "Front. Med." in str(found["reproduces"])
    assert Options(is_practice=True).generator["reproduces"] == ""


def test_the_plan_is_a_function_of_the_options():
    first, again, other = (Options(patients=8, seed=s).plan for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.fixture
def cast_in(tmp_path, settings, db):
    settings.DATA_DIR = tmp_path
    return assemble()


def test_the_cast_has_the_roles_of_the_study_and_words_of_its_own(cast_in):
    assert set(cast_in.users) == set(PEOPLE)
    assert set(PEOPLE.values()) <= set(ROLES)
    assert len(set(cast_in.new_passwords.values())) == len(PEOPLE)
    for name, password in cast_in.new_passwords.items():
        assert len(password) >= 16
        assert cast_in.users[name].check_password(password)


def test_passwords_are_kept_for_the_owner_alone_and_shown_once(cast_in):
    kept = accounts_file()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text()) == dict(cast_in.new_passwords)
    again = assemble()
    assert again.new_passwords == {}
    assert again.users == cast_in.users


def test_a_missing_person_is_made_anew_beside_the_others(cast_in):
    User.objects.filter(username="monitor").delete()
    again = assemble()
    assert set(again.new_passwords) == {"monitor"}
    kept = json.loads(accounts_file().read_text())
    assert kept["expert1"] == cast_in.new_passwords["expert1"]
    assert kept["monitor"] == again.new_passwords["monitor"]
