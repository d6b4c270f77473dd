"""Fills a data folder of the portal: `seed.py DATA_FOLDER READERS` prints who may fetch what as JSON.

Run by bench/dicomweb.py in a process of its own, with OSTEON_DATA_DIR set.
"""

import json
import sys
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).parents[2]))
django.setup()

from django.utils import timezone

from portal.accounts.tokens import issue
from portal.archive.ingest import counts, import_paths
from portal.archive.models import Exam, Series
from portal.archive.pool import close_all
from portal.archive.uids import archive_key, archive_uid, case_uid
from portal.study.models import Lesion, Study
from readers import reading
from readers.design import create_design, create_questionnaire, lock_design
from tests.cohort import make_member, make_patient, make_study, make_user
from tests.readers.builders import plan

KEY = b"bench"
ZERO = {"x_mm": 0.0, "y_mm": 0.0, "z_mm": 0.0, "longest_diameter_mm": 20.0}


def filled(folder: Path) -> Study:
    study = make_study("bench", is_synthetic=True)
    row = import_paths(
        [folder], door="command", actor=None, study_key="bench", expects_synthetic=True, archive_seed=KEY,
    )  # fmt: skip
    close_all()
    found = counts(row)
    if set(found) != {"ready"}:
        raise SystemExit(f"the portal did not take every image: {found}")
    return study


def lesion_of(study: Study, exam: Exam) -> Lesion:
    ct, nm = (Series.objects.get(exam=exam, role=role) for role in ("CT", "SPECT"))
    patient = make_patient(study, exam.subject)
    return Lesion.objects.create(
        patient=patient, number=1, level="L3", ct_series=ct, spect_series=nm, is_included=True, slot=1,
        **ZERO,
    )  # fmt: skip


def on_desk(study: Study, lesion: Lesion, name: str) -> dict[str, object]:
    """A reader with this lesion on the desk: token, address, and each archive UID in the case's words."""
    user = make_user(name)
    (session,) = plan(study, name, lesions=[lesion])
    case = reading.open_session(session, actor=user, now=timezone.now()).assignments.get()
    words = {lesion.ct_series.exam.uid: ""} | {
        uid: "" for s in (lesion.ct_series, lesion.spect_series)
        for uid in [s.uid, *s.instances.values_list("uid", flat=True)]
    }  # fmt: skip
    return {
        "token": issue(user, label="bench", days=1).text,
        "base": f"/reading/cases/{case.code}/dicomweb",
        "exam": lesion.ct_series.exam.subject,
        "words": {uid: case_uid(study.code, case.code, uid) for uid in words},
    }


def main() -> None:
    study, n_readers = filled(Path(sys.argv[1])), int(sys.argv[2])
    boss = make_user("coordinator")
    exams = list(Exam.objects.filter(series__role="SPECT").order_by("subject")[:n_readers])
    lesions = [lesion_of(study, exam) for exam in exams]
    names = [f"speed{k}" for k in range(len(exams))]
    for name in names:
        make_member(study, name, "expert")
    design = create_design(study, scale="confidence", seed=7, actor=boss, now=timezone.now())
    lock_design(design, actor=boss, now=timezone.now())
    create_questionnaire(study, "read", scale="confidence", actor=boss, now=timezone.now())
    for step in ("SCREENING", "READING"):
        Study.objects.filter(pk=study.pk).update(state=step)
    study.refresh_from_db()
    desks = [on_desk(study, le, name) for le, name in zip(lesions, names, strict=True)]
    series = {s.mapped_uid: s.uid for s in Series.objects.all()}
    found = {
        "coordinator": issue(boss, label="bench", days=1).text,
        "desks": desks,
        "series": series,
    }
    sys.stdout.write(json.dumps(found))


def mapped(uid: str) -> str:
    """The archive's word for a source UID."""
    return archive_uid(archive_key(KEY), uid)


if __name__ == "__main__":
    main()
