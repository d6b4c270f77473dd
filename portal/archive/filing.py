"""A coordinator's decisions on exams and held series: filing from the shelf, releasing with a reason."""

from datetime import datetime

from django.db import transaction

from portal.accounts.models import User
from portal.archive.models import Exam, Series
from portal.archive.refusals import Refusal
from portal.archive.settle import basis_of, settle
from portal.audit.trail import record
from portal.errors import Conflict, Invalid

RELEASABLE = frozenset({"geometry_to_confirm", "patient_conflict"})


def release(series: Series, *, reason: str, actor: User, study: str) -> Series:
    """Make a held series usable, where its reason allows a person to decide."""
    if series.state != Series.State.HELD or series.reason_code not in RELEASABLE:
        raise Conflict("This series cannot be released; ask for the original images.")
    basis = basis_of(series, series.reason_code)
    has_place = bool(series.geometry) or series.reason_code != "geometry_to_confirm"
    if not basis or not has_place:
        raise Conflict("These slices make no volume as they are; ask for the original images.")
    if len(reason.strip()) < 10:
        raise Invalid("Say in at least 10 characters why the series is released.", field="reason")
    with transaction.atomic():
        old = {"state": series.state, "reason_code": series.reason_code}
        series.decisions = {**series.decisions, series.reason_code: basis}
        settle(series)
        record(
            "series.release", obj=f"series:{series.pk}", study=study, role="coordinator",
            actor=f"u:{actor.pk}", old=old, new={"state": series.state}, reason=reason,
        )  # fmt: skip
    return series


def file_exam(
    exam: Exam, *, study_key: str, expects_synthetic: bool, actor: User, now: datetime
) -> Exam:
    """Assign an unfiled exam to a study; synthetic and real never mix."""
    if exam.study_key:
        raise Conflict("This exam belongs to a study already.")
    if exam.is_synthetic != expects_synthetic:
        kinds = {True: "Synthetic", False: "Real"}
        wrong = Refusal(
            "synthetic", kind=kinds[exam.is_synthetic], study=kinds[expects_synthetic].lower()
        )
        raise Conflict(wrong.sentence)
    with transaction.atomic():
        exam.study_key = study_key
        others = Exam.objects.filter(mapped_uid=exam.mapped_uid, study_key=study_key)
        if others.exclude(patient_key=exam.patient_key).exists():
            exam.has_conflict = True
        exam.save(update_fields=["study_key", "has_conflict"])
        for series in Series.objects.filter(exam=exam) if exam.has_conflict else ():
            settle(series)
        record(
            "exam.file", obj=f"exam:{exam.pk}", study=study_key, role="coordinator",
            actor=f"u:{actor.pk}", new={"study": study_key, "at": now},
        )  # fmt: skip
    return exam
