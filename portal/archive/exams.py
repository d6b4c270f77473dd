"""Where a file belongs: the exam of its study or shelf and of its patient, and the series in that exam."""

import itertools
from datetime import date
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils import timezone

from portal.archive import packs, uids
from portal.archive.classify import NM
from portal.archive.context import Context
from portal.archive.decode import LITTLE_ENDIAN
from portal.archive.deidentify import shifted
from portal.archive.emission import STARTED, TRACERS, moved_tracer
from portal.archive.geometry import is_alike
from portal.archive.identities import seal_exam
from portal.archive.models import Exam, Identity, Series
from portal.archive.recent import Recent
from portal.sql import rows
from portal.sql.asked import Asked, place, written


@lru_cache(maxsize=8)
def having(model: type[Model], column: str) -> Asked:
    """Rows with this name in a column."""
    return written(
        model._default_manager.filter(**{column: place("name")}).order_by().values_list("pk")
    )


def free_uid(model: type[Model], key: bytes, source: str) -> str:
    """The mapped UID, or where another study, shelf or patient holds it, the next one derived from it."""
    taken, number = uids.archive_uid(key, source), 0
    while having(model, "uid").rows({place("name"): taken}):
        number += 1
        taken = uids.archive_uid(key, f"{source}|{number}")
    return taken


def person_of(context: Context, source: dict[str, str]) -> str:
    return uids.patient_key(context.key, source["PatientID"] + "|" + source["PatientBirthDate"])


def within_reach(context: Context, mapped_uid: str) -> QuerySet[Exam]:
    """Exams of this UID in the import's study, or on its importer's shelf: nothing else may grow."""
    found = Exam.objects.filter(mapped_uid=mapped_uid, study_key=context.study_key).order_by("pk")
    return found if context.study_key else found.filter(importer=context.actor)


def exam_of(context: Context, answer: dict[str, Any], recent: Recent) -> Exam:
    """The patient's exam in this study or on this shelf, made when it is the first."""
    source, is_synthetic = answer["source"], answer["facts"]["SyntheticData"] == "YES"
    place = (source["StudyInstanceUID"], person_of(context, source), is_synthetic)
    return recent.exam(place, lambda: found_exam(context, answer, recent))


def found_exam(context: Context, answer: dict[str, Any], recent: Recent) -> Exam:
    source = answer["source"]
    mapped = uids.archive_uid(context.key, source["StudyInstanceUID"])
    is_known = bool(having(Exam, "mapped_uid").rows({place("name"): mapped}))
    known = list(within_reach(context, mapped)) if is_known else []
    person, is_synthetic = person_of(context, source), answer["facts"]["SyntheticData"] == "YES"
    for one in known:
        if one.patient_key == person and one.is_synthetic == is_synthetic:
            return one
    has_conflict = any(one.patient_key != person for one in known)
    made = new_exam(context, answer, person=person, has_conflict=has_conflict)
    recent.made_exam(made)
    return made


def new_exam(context: Context, answer: dict[str, Any], *, person: str, has_conflict: bool) -> Exam:
    source, facts, key = answer["source"], answer["facts"], context.key
    code = uids.subject_code(key, source["PatientID"])
    exam = Exam(
        uid=free_uid(Exam, key, source["StudyInstanceUID"]),
        mapped_uid=uids.archive_uid(key, source["StudyInstanceUID"]),
        has_conflict=has_conflict,
        study_key=context.study_key,
        subject=(source["PatientID"] if context.keeps_subject else code)[:40],
        patient_key=person,
        importer=context.actor,
        shifted_date=shifted_date(key, source),
        time=facts["times"].get("StudyTime", "")[:16],
        sex=facts["PatientSex"] if settings.KEEP_SEX else "",
        age=facts["PatientAge"],
        is_synthetic=facts["SyntheticData"] == "YES",
        has_source="header" in answer,
        created_at=timezone.now(),
    )
    rows.insert_one(exam)
    if exam.has_source:
        seal_exam(exam, answer)
    return exam


def shifted_date(key: bytes, source: dict[str, str]) -> date | None:
    moved = shifted(source["StudyDate"], uids.shift_weeks(key, "archive", source["PatientID"]))
    return date(int(moved[:4]), int(moved[4:6]), int(moved[6:])) if moved else None


def leave_source_view(exam: Exam) -> None:
    """An image without a sealed header came to it: all of it is shown in the archive view from now on."""
    exam.has_source = False
    exam.save(update_fields=["has_source"])
    Identity.objects.filter(exam=exam).update(study_key=None)


def series_name(answer: dict[str, Any]) -> str:
    """A multi-frame NM volume is a series of its own; so is each other object; slices held alike share one."""
    source: dict[str, str] = answer["source"]
    if answer["sop_class_uid"] == NM or answer["role"] == "OTHER":
        return source["SeriesInstanceUID"] + "|" + source["SOPInstanceUID"]
    held = answer["reason_code"]
    return source["SeriesInstanceUID"] + ("|" + held if held else "")


def series_of(context: Context, answer: dict[str, Any], exam: Exam, recent: Recent) -> Series:
    """The series of this name in the exam; slices of another orientation are a series of their own beside it."""
    name, turned = series_name(answer), orientation_of(answer)

    def made(called: str) -> Series:
        new = new_series(context, answer, exam, called)
        recent.made_series(new)
        return new

    def find() -> Series:
        for number in itertools.count():
            called = f"{name}|turned{number}" if number else name
            mapped = uids.archive_uid(context.key, called)
            if recent.is_empty(exam):
                return made(called)
            known = Series.objects.filter(exam=exam, mapped_uid=mapped, role=answer["role"])
            found = known.select_related("exam").order_by("pk").first()
            if found is None:
                return made(called)
            if not turned or is_alike(turned, first_orientation(found)):
                return found
        raise AssertionError("unreachable")

    return recent.one_series((exam.pk, name, answer["role"], turned), find)


def orientation_of(answer: dict[str, Any]) -> tuple[float, ...]:
    """Directions of rows and columns of a slice; () where it is none."""
    return tuple(answer["plane"][1]) if "plane" in answer else ()


def first_orientation(series: Series) -> tuple[float, ...]:
    headers = series.instances.order_by("pk").values_list("header", flat=True)
    return orientation_of(headers.first() or {})


def acquired(context: Context, answer: dict[str, Any]) -> dict[str, Any]:
    """The typed values of a header; the date of the injection moves with all others."""
    weeks = uids.shift_weeks(context.key, "archive", answer["source"]["PatientID"])
    drug = moved_tracer(next(iter(answer["facts"]["emission"].get(TRACERS, [])), {}), weeks)
    injected = drug.get(STARTED) or drug.get("RadiopharmaceuticalStartTime")
    own = {"injected_at": injected} if injected else {}
    return {**answer["acquisition"], **answer["besides"], **own}


def new_series(context: Context, answer: dict[str, Any], exam: Exam, name: str) -> Series:
    reference, reason = answer["source"]["FrameOfReferenceUID"], answer["reason_code"]
    geometry = answer.get("geometry") or {}
    series = Series(
        exam=exam,
        uid=free_uid(Series, context.key, name),
        mapped_uid=uids.archive_uid(context.key, name),
        sender_uid=uids.archive_uid(context.key, answer["source"]["SeriesInstanceUID"]),
        role=answer["role"],
        label=answer["label"][:8],
        state=Series.State.HELD if reason else Series.State.READY,
        reason_code=reason,
        sentence=answer["sentence"],
        folder=packs.new_folder(),
        frame_of_reference_uid=uids.archive_uid(context.key, reference) if reference else "",
        is_volume=answer["role"] == "SPECT" and bool(geometry) and not reason,
        volume_reason="" if answer["role"] in ("CT", "SPECT") else "Planar images have no depth.",
        geometry=geometry,
        pixel=answer["pixel"],
        values={**answer["values"], "windows": answer["windows"]},
        unit=answer["unit"],
        transfer_syntax_uid=answer["transfer_syntax_uid"] if answer["stored"] else LITTLE_ENDIAN,
        views=answer.get("views", []),
        acquisition=acquired(context, answer),
        created_at=timezone.now(),
    )
    rows.insert_one(series)
    return series
