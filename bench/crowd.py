"""Seeds a data folder with N readers on one lesion of 512 kB slices, signed in; prints who they are as JSON.

OSTEON_DATA_DIR=FOLDER python bench/crowd.py 50 > crowd.json
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.utils import timezone

from portal.accounts.models import User
from portal.study.models import State, Study
from readers import reading
from readers.design import create_design, create_questionnaire, lock_design
from tests.cohort import make_lesion, make_member, make_patient, make_study, make_user
from tests.readers.builders import give_images, give_whole_body, plan

SLICES, SIZE = 20, 512  # 512 x 512 x 2 bytes = 512 kB


def study_of(readers: list[str]) -> Study:
    now = timezone.now()
    study = make_study("crowd", is_synthetic=True)
    for name in readers:
        User.objects.create(username=name)  # no password: they come with a session
        make_member(study, name, "expert")
    lesion = make_lesion(make_patient(study))
    give_images(lesion.ct_series, n=SLICES, size=SIZE, spacing=1.0, step=2.5)
    give_images(lesion.spect_series, n=7, size=32, spacing=4.0, step=4.0)
    give_whole_body(lesion.whole_body_series)
    boss = make_user("coordinator")
    design = create_design(study, scale="confidence", seed=7, actor=boss, now=now)
    lock_design(design, actor=boss, now=now)
    for task in ("read", "outline"):
        create_questionnaire(study, task, scale="confidence", actor=boss, now=now)
    for step in (State.SCREENING, State.READING):
        Study.objects.filter(pk=study.pk).update(state=step)
    study.refresh_from_db()
    return study


def cookie_of(user: User) -> str:
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return str(store.session_key)


def main(n: int) -> None:
    call_command("migrate", verbosity=0)
    names = [f"reader{k:03d}" for k in range(n)]
    sessions = plan(study_of(names), *names)
    people = []
    for session in sessions:
        reader = session.reader
        reading.open_session(session, actor=reader, now=timezone.now())
        case = session.assignments.get()
        people.append({"name": reader.username, "cookie": cookie_of(reader), "case": case.code})
    print(json.dumps(people))


if __name__ == "__main__":
    main(int(sys.argv[1]))
