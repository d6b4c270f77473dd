"""Indexing one read file: same thing twice, exam and series rows, packs, sealed identity."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.accounts.models import User
from portal.archive import packs, uids
from portal.archive.classify import HELD, NM
from portal.archive.decode import LITTLE_ENDIAN
from portal.archive.deidentify import shifted
from portal.archive.models import Exam, Identity, ImportFile, Instance, Series, SourceUid
from portal.archive.refusals import Refusal
from portal.audit.chain import digest


@dataclass(frozen=True)
class Context:
    """What is the same for all files of an import."""

    key: bytes
    study_key: str
    actor: User | None
    expects_synthetic: bool | None
    keeps_subject: bool


@dataclass(frozen=True)
class Outcome:
    """Ready, held, refused, skipped or already here, with reason and sentence."""

    outcome: str
    reason_code: str = ""
    sentence: str = ""
    series: Series | None = None


def known_outcome(context: Context, answer: dict[str, Any]) -> Outcome | None:
    """Already here by file digest, or by UID with the same content; another content is a conflict."""
    if Instance.objects.filter(
        file_digest=uids.file_digest(context.key, answer["sha256"])
    ).exists():
        return Outcome(ImportFile.Outcome.ALREADY_HERE)
    uid = uids.archive_uid(context.key, answer["source"]["SOPInstanceUID"])
    stored = Instance.objects.filter(uid=uid).first()
    if stored is None:
        return None
    if stored.content_digest == content_digest(answer):
        return Outcome(ImportFile.Outcome.ALREADY_HERE)
    refusal = Refusal("conflict")
    return Outcome(ImportFile.Outcome.REFUSED, refusal.code, refusal.sentence)


def content_digest(answer: dict[str, Any]) -> str:
    """Digest of what counts: native frames and the allow-listed header, however they were encoded."""
    header = {k: v for k, v in answer["facts"].items() if k != "LossyImageCompressionRatio"}
    place = [answer.get("plane"), answer.get("geometry")]
    return digest([[f[2] for f in answer["frames"]], header, place])


def refuse_other_kind(context: Context, answer: dict[str, Any]) -> None:
    """Synthetic images never enter a real study, nor real ones a synthetic."""
    if context.expects_synthetic is None:
        return
    is_synthetic = answer["facts"]["SyntheticData"] == "YES"
    if is_synthetic != context.expects_synthetic:
        words = {True: ("Synthetic", "synthetic"), False: ("Real", "real")}
        raise Refusal(
            "synthetic", kind=words[is_synthetic][0], study=words[context.expects_synthetic][1]
        )


def store(
    context: Context, answer: dict[str, Any], frames: Sequence[bytes], stored: Sequence[bytes]
) -> Outcome:
    """Pack the frames and write the rows of one file; unique constraints decide races."""
    refuse_other_kind(context, answer)
    try:
        with transaction.atomic():
            exam, conflict = exam_of(context, answer)
            series = series_of(context, answer, exam)
            if conflict:
                hold(series, "patient_conflict")
            instance_of(context, answer, series, frames, stored)
    except IntegrityError:
        return known_outcome(context, answer) or Outcome(
            ImportFile.Outcome.REFUSED, "conflict", Refusal("conflict").sentence
        )
    is_held = bool(answer["reason_code"]) or conflict
    outcome = ImportFile.Outcome.HELD if is_held else ImportFile.Outcome.READY
    sentence = series.sentence if conflict else answer["sentence"] or answer["warning"]
    return Outcome(outcome, series.reason_code if is_held else "", sentence, series)


def hold(series: Series, reason: str) -> None:
    series.state, series.reason_code, series.sentence = Series.State.HELD, reason, HELD[reason]
    series.save(update_fields=["state", "reason_code", "sentence"])


def exam_of(context: Context, answer: dict[str, Any]) -> tuple[Exam, bool]:
    """The exam's row, and whether it belongs to another patient already."""
    source, key = answer["source"], context.key
    person = uids.patient_key(key, source["PatientID"] + "|" + source["PatientBirthDate"])
    uid = uids.archive_uid(key, source["StudyInstanceUID"])
    found = Exam.objects.filter(uid=uid).first()
    if found is not None:
        return found, found.patient_key != person
    is_synthetic = answer["facts"]["SyntheticData"] == "YES"
    subject = (
        source["PatientID"]
        if context.keeps_subject
        else uids.subject_code(key, source["PatientID"])
    )
    exam = Exam.objects.create(
        uid=uid,
        study_key=context.study_key,
        subject=subject[:40],
        patient_key=person,
        importer=context.actor,
        shifted_date=shifted_date(key, source),
        time=answer["facts"]["times"].get("StudyTime", ""),
        sex=answer["facts"]["PatientSex"],
        age=answer["facts"]["PatientAge"],
        is_synthetic=is_synthetic,
        created_at=timezone.now(),
    )
    seal(exam, source)
    return exam, False


def shifted_date(key: bytes, source: dict[str, str]) -> date | None:
    moved = shifted(source["StudyDate"], uids.shift_weeks(key, "archive", source["PatientID"]))
    return date(int(moved[:4]), int(moved[4:6]), int(moved[6:])) if moved else None


def seal(exam: Exam, source: dict[str, str]) -> None:
    """The link to the person, in a table that the fence keeps from readers."""
    Identity.objects.create(
        exam=exam,
        source_uid=source["StudyInstanceUID"],
        patient_id=source["PatientID"][:200],
        patient_name=source["PatientName"][:400],
        birth_date=source["PatientBirthDate"][:16],
        study_date=source["StudyDate"][:16],
        accession_number=source["AccessionNumber"][:100],
        search={"StudyDescription": source["StudyDescription"], "StudyID": source["StudyID"]},
    )


def series_uid(context: Context, answer: dict[str, Any]) -> str:
    """A multi-frame NM volume is a series of its own; so is each held object."""
    source = answer["source"]
    alone = answer["sop_class_uid"] == NM or answer["role"] == "OTHER"
    name = source["SeriesInstanceUID"] + ("|" + source["SOPInstanceUID"] if alone else "")
    return uids.archive_uid(context.key, name)


def series_of(context: Context, answer: dict[str, Any], exam: Exam) -> Series:
    uid = series_uid(context, answer)
    found = Series.objects.filter(uid=uid).first()
    if found is not None:
        return found
    reference = answer["source"]["FrameOfReferenceUID"]
    reason = answer["reason_code"]
    geometry = answer.get("geometry") or {}
    return Series.objects.create(
        exam=exam,
        uid=uid,
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
        acquisition=answer["acquisition"],
        created_at=timezone.now(),
    )


def canonical(answer: dict[str, Any], rows: Sequence[Any]) -> list[Any]:
    """Frames in ascending order along the normal."""
    order = answer.get("order")
    return [rows[i] for i in order] if order else list(rows)


def instance_of(
    context: Context,
    answer: dict[str, Any],
    series: Series,
    frames: Sequence[bytes],
    stored: Sequence[bytes],
) -> Instance:
    """Append the frames to the series' packs and write the row."""
    with packs.writing(series.folder) as folder:
        native = pack(folder, packs.NATIVE, canonical(answer, frames), LITTLE_ENDIAN, series)
        syntax = answer["transfer_syntax_uid"]
        kept = (
            pack(folder, packs.STORED, canonical(answer, stored), syntax, series) if stored else []
        )
        source_uid = answer["source"]["SOPInstanceUID"]
        instance = Instance.objects.create(
            series=series,
            uid=uids.archive_uid(context.key, source_uid),
            sop_class_uid=answer["sop_class_uid"],
            rank=Instance.objects.filter(series=series).count() + 1,
            n_frames=len(frames),
            is_reversed=bool(answer.get("order")) and answer["order"] != sorted(answer["order"]),
            slope=answer["slope"],
            intercept=answer["intercept"],
            file_digest=uids.file_digest(context.key, answer["sha256"]),
            content_digest=content_digest(answer),
            native_frames=native,
            stored_frames=kept,
            frame_digests=canonical(answer, [f[2] for f in answer["frames"]]),
            header=header_of(answer),
        )
    SourceUid.objects.create(archive_uid=instance.uid, source_uid=source_uid)
    return instance


def header_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Allow-listed facts without dates (they stand shifted on the exam), and what settling needs."""
    facts = {k: v for k, v in answer["facts"].items() if k != "dates"}
    names = ("plane", "thickness", "values", "windows", "transfer_syntax_uid")
    return {"facts": facts, **{n: answer[n] for n in names if n in answer}}


def pack(
    folder: Any, name: str, frames: Sequence[bytes], syntax: str, series: Series
) -> list[list[int]]:
    column = "native_frames" if name == packs.NATIVE else "stored_frames"
    after = 0
    for extents in Instance.objects.filter(series=series).values_list(column, flat=True):
        after = max([after, *(packs.end_of(packs.Extent(*e)) for e in extents)])
    return [[e.offset, e.length] for e in packs.append(folder, name, frames, syntax, after=after)]
