"""Indexing one read file: same thing twice, its exam and series, packs and rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DataError, IntegrityError, transaction

from portal.archive import packs, uids
from portal.archive.context import Context
from portal.archive.decode import LITTLE_ENDIAN
from portal.archive.emission import moved_facts
from portal.archive.exams import exam_of, leave_source_view, series_of
from portal.archive.models import ImportFile, Instance, Series
from portal.archive.packs import Spooled
from portal.archive.recent import Recent, named, names_of
from portal.archive.refusals import Refusal
from portal.audit.chain import digest

TRIES = 3
CONFLICT = "patient_conflict"
# how often an image was compressed is no part of what it shows
OF_ENCODING = frozenset({"LossyImageCompressionRatio", "LossyImageCompressionMethod"})
# what a planar image without a pixel spacing was once known by
UNTOLD = {"spacing_mm": [1.0, 1.0]}
ELSEWHERE = "This image is stored already, in another study or on another shelf; ask its importer."


@dataclass(frozen=True)
class Outcome:
    """Ready, held, refused, skipped or already here, with reason and sentence."""

    outcome: str
    reason_code: str = ""
    sentence: str = ""
    series: Series | None = None


def known_outcome(context: Context, answer: dict[str, Any], recent: Recent) -> Outcome | None:
    """Already here by file digest, or by UID with the same content; another content is a conflict."""
    file, uid = names_of(context, answer)
    if recent.is_new(file, uid):
        return None
    recent.write()
    rows = Instance.objects.select_related("series__exam")
    stored = rows.filter(file_digest=file).first()
    if stored is not None:
        return already_here(context, stored)
    stored = rows.filter(uid=uid).first()
    if stored is None:
        return None
    if stored.content_digest == content_digest(context, answer):
        return already_here(context, stored)
    return refused(Refusal("conflict"))


def already_here(context: Context, stored: Instance) -> Outcome:
    """Success; where the image lies in another study or shelf, the report says so."""
    exam = stored.series.exam
    is_mine = exam.study_key == context.study_key and (
        bool(exam.study_key) or exam.importer_id == (context.actor.pk if context.actor else None)
    )
    return Outcome(ImportFile.Outcome.ALREADY_HERE, sentence="" if is_mine else ELSEWHERE)


def refused(refusal: Refusal) -> Outcome:
    return Outcome(ImportFile.Outcome.REFUSED, refusal.code, refusal.sentence)


def prepare(context: Context, answer: dict[str, Any]) -> None:
    """What the rows of an image are made of beside their places, worked out before the writer is asked for."""
    if answer["ok"]:
        answer["names"] = named(context, answer)
        answer["row"] = header_of(context, answer)
        answer["content"] = digested(context, answer)


def content_digest(context: Context, answer: dict[str, Any]) -> str:
    """Digest of what counts: native frames and the whole archive-view header, however they were encoded.

    Of the header as the archive shows it: a digest of dates as received would give them away to whoever tries the weeks.
    """
    found: str = answer.get("content") or digested(context, answer)
    return found


def digested(context: Context, answer: dict[str, Any]) -> str:
    source, key = answer["source"], context.key
    named_ = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
    kept = (answer.get("row") or header_of(context, answer))["facts"]
    header = {k: v for k, v in kept.items() if k not in OF_ENCODING}
    names = (
        "sop_class_uid", "pixel", "plane", "geometry", "order", "views", "slope", "intercept",
        "thickness", "unit", "windows", "acquisition",
    )  # fmt: skip
    shown = {name: answer.get(name) for name in names}
    if "views" in answer:
        shown["geometry"] = answer["geometry"] or UNTOLD
    return digest(
        {
            "frames": [f[2] for f in answer["frames"]],
            "header": header,
            "uids": [uids.archive_uid(key, source[n]) if source[n] else "" for n in named_],
            "subject": uids.subject_code(key, source["PatientID"]),
            **shown,
        }
    )


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
    context: Context,
    answer: dict[str, Any],
    frames: Sequence[Spooled],
    stored: Sequence[Spooled],
    recent: Recent,
) -> Outcome:
    """Pack the frames and write the rows of one file; to be called by the archive's one writer.

    A lost race is looked at again: the winner may have stored this very image, or only its series.
    """
    refuse_other_kind(context, answer)
    for left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                found = indexed(context, answer, frames, stored, recent)
                recent.write()
                recent.appending.wait()  # whoever forgets the next file must not give up this one
                return found
        except DataError:
            recent.forget()
            return refused(Refusal("header"))
        except IntegrityError:
            recent.forget()
            known = known_outcome(context, answer, recent)
            if known is not None:
                return known
            if not left:
                raise
    raise AssertionError("unreachable")


def indexed(
    context: Context,
    answer: dict[str, Any],
    frames: Sequence[Spooled],
    stored: Sequence[Spooled],
    recent: Recent,
) -> Outcome:
    known = known_outcome(context, answer, recent)
    if known is not None:
        return known
    exam = exam_of(context, answer, recent)
    series = series_of(context, answer, exam, recent)
    one = instance_of(context, answer, series, frames, stored, recent)
    recent.add(one)
    if "header" in answer:
        recent.appending.take_room(sum(answer["sealed"]))
        recent.sealing.add(one, series, answer, is_made=recent.is_made(series))
    elif exam.has_source:
        leave_source_view(exam)
    recent.stored(*names_of(context, answer))
    has_conflict = exam.has_conflict and CONFLICT not in series.decisions
    return new_outcome(answer, has_conflict=has_conflict, series=series)


def new_outcome(
    answer: dict[str, Any], *, has_conflict: bool, series: Series | None = None
) -> Outcome:
    """Of an image that was not here: held where its exam is another patient's or its header says why, else ready."""
    if has_conflict:
        conflict = Refusal(CONFLICT)
        return Outcome(ImportFile.Outcome.HELD, conflict.code, conflict.sentence, series)
    outcome = ImportFile.Outcome.HELD if answer["reason_code"] else ImportFile.Outcome.READY
    return Outcome(outcome, answer["reason_code"], answer["sentence"] or answer["warning"], series)


def canonical(answer: dict[str, Any], rows: Sequence[Any]) -> list[Any]:
    """Frames in ascending order along the normal."""
    order = answer.get("order")
    return [rows[i] for i in order] if order else list(rows)


def instance_of(
    context: Context,
    answer: dict[str, Any],
    series: Series,
    frames: Sequence[Spooled],
    stored: Sequence[Spooled],
    recent: Recent,
) -> Instance:
    """Begin to append the frames to the series' packs; the row, not yet written."""
    syntax, (file, uid) = answer["transfer_syntax_uid"], names_of(context, answer)
    native = pack(packs.NATIVE, canonical(answer, frames), LITTLE_ENDIAN, series, recent)
    kept = pack(packs.STORED, canonical(answer, stored), syntax, series, recent) if stored else []
    return Instance(
        series=series,
        uid=uid,
        sop_class_uid=answer["sop_class_uid"],
        rank=recent.next_rank(series),
        n_frames=len(frames),
        is_reversed=bool(answer.get("order")) and answer["order"] != sorted(answer["order"]),
        slope=answer["slope"],
        intercept=answer["intercept"],
        file_digest=file,
        content_digest=content_digest(context, answer),
        native_frames=native,
        stored_frames=kept,
        frame_digests=canonical(answer, [f[2] for f in answer["frames"]]),
        stored_digests=canonical(answer, [f[2] for f in answer["stored"]]) if stored else [],
        stored_syntax_uid=syntax if stored else "",
        header=answer.get("row") or header_of(context, answer),
    )


def header_of(context: Context, answer: dict[str, Any]) -> dict[str, Any]:
    """Allow-listed facts with the dates moved, and what settling needs."""
    names = (
        "plane",
        "thickness",
        "values",
        "windows",
        "transfer_syntax_uid",
        "pixel",
        "unit",
        "came",
        "decoder",
        "tomo",
        "suv",
        "is_rescaled",
    )
    weeks = uids.shift_weeks(context.key, "archive", answer["source"]["PatientID"])
    untold = {} if settings.KEEP_SEX else {"PatientSex": ""}
    found = {
        "facts": {**moved_facts(answer["facts"], weeks, answer.get("order")), **untold},
        **{n: answer[n] for n in names if n in answer},
    }
    reference = answer["source"]["FrameOfReferenceUID"]
    if reference:
        found["reference"] = uids.archive_uid(context.key, reference)
    return {**found, "held": [answer["reason_code"], answer["sentence"]]}


def pack(
    name: str, frames: Sequence[Spooled], syntax: str, series: Series, recent: Recent
) -> list[list[int]]:
    """Append behind what is committed, or was written before in this transaction, and note the new end.

    Raises Away where only a remote store has what is committed.
    """
    column = "native_size" if name == packs.NATIVE else "stored_size"
    after = getattr(series, column)
    if after and not recent.is_made(series):
        recent.check_here(series.folder, name, after)
    extents = recent.appending.begin(series.folder, name, frames, syntax, after=after)
    if extents:
        setattr(series, column, packs.end_of(extents[-1]))
    return [[e.offset, e.length] for e in extents]
