"""A coordinator's decisions on exams and held series: filing from the shelf, releasing with a reason."""

from dataclasses import dataclass
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import ProtectedError
from django.db.models.deletion import Collector

from portal.accounts.models import User
from portal.archive import copies, identities, packs
from portal.archive.classify import KINDS_OF_PT, UNDECIDED
from portal.archive.confirming import NO_VOLUME, TO_CONFIRM, check_seen, option_of, stack_as
from portal.archive.models import Exam, Identity, Instance, Series, SourceSeries, SourceUid
from portal.archive.refusals import Refusal
from portal.archive.remote import DicomwebServer
from portal.archive.settle import basis_of, settle
from portal.archive.shelving import under_way, why_closed
from portal.audit.trail import record
from portal.errors import Conflict, Invalid

CHANGED = "Somebody has decided on this series, or it has changed; look at it again."
REFERRED_TO = "A lesion, an outline or a read refers to this series; it cannot be removed."
RELEASABLE = frozenset({TO_CONFIRM, "patient_conflict"})


@dataclass(frozen=True)
class Seen:
    """What somebody looked at before releasing a series: which stacking of it, beside which series, and its mark."""

    stacking: str = ""
    beside: Series | None = None
    mark: str = ""


def release(
    series: Series, *, reason: str, actor: User, study: str, seen: Seen | None = None
) -> Series:
    """Make a held series usable, where its reason allows a person to decide.

    Where it is its place in the patient that is confirmed, only as it was seen.
    """
    if series.state != Series.State.HELD or series.reason_code not in RELEASABLE:
        raise Conflict("This series cannot be released; ask for the original images.")
    if len(reason.strip()) < 10:
        raise Invalid("Say in at least 10 characters why the series is released.", field="reason")
    code, old = series.reason_code, {"state": series.state, "reason_code": series.reason_code}
    with transaction.atomic():
        locked = Series.objects.select_for_update().get(pk=series.pk)
        if (locked.state, locked.reason_code) != (series.state, code):
            raise Conflict(CHANGED)
        series.refresh_from_db()
        confirmed = confirm_place(series, seen or Seen()) if code == TO_CONFIRM else {}
        basis = basis_of(series, code)
        if not basis:
            raise Conflict(NO_VOLUME)
        series.decisions = {**series.decisions, code: basis}
        series.save(update_fields=["decisions"])
        settle(series)
        record(
            "series.release", obj=f"series:{series.pk}", study=study, role="coordinator",
            actor=f"u:{actor.pk}", old=old, new={"state": series.state, **confirmed}, reason=reason,
        )  # fmt: skip
    return series


def confirm_place(series: Series, seen: Seen) -> dict[str, str]:
    """Stack the series as it was seen; what the trail says of that."""
    option = option_of(series, seen.stacking)
    check_seen(series, option, seen.beside, seen.mark)
    stack_as(series, option)
    return {
        "stacking": option.words or option.code,
        "seen_on": seen.beside.uid if seen.beside else "",
    }


def decide_kind(series: Series, label: str, *, actor: User, study: str) -> Series:
    """A coordinator says whether a volume of the PT class, whose header does not name its nuclide, is SPECT or PET."""
    if label not in KINDS_OF_PT:
        raise Invalid("Choose SPECT or PET.", field="label")
    with transaction.atomic():
        undecided = Series.objects.filter(pk=series.pk, label=UNDECIDED, role=Series.Role.SPECT)
        if not undecided.update(label=label):
            raise Conflict("What this series shows is decided already.")
        series.label = label
        record(
            "series.kind", obj=f"series:{series.pk}", study=study, role="coordinator",
            actor=f"u:{actor.pk}", old={"label": UNDECIDED}, new={"label": label},
        )  # fmt: skip
    return series


def remove(series: Series, *, reason: str, actor: User, study: str) -> None:
    """Take a series out of the archive for good; refused while a lesion, ROI or read refers to it."""
    if len(reason.strip()) < 10:
        raise Invalid("Say in at least 10 characters why the series is removed.", field="reason")
    bring_down(series)
    folder = series.folder
    sealed = list(SourceSeries.objects.filter(pk=series.pk).values_list("folder", flat=True))
    try:
        with transaction.atomic():
            record(
                "series.remove", obj=f"series:{series.pk}", study=study, role="coordinator",
                actor=f"u:{actor.pk}", reason=reason,
                old={"uid": series.uid, "digest": series.digest, "images": series.n_frames},
            )  # fmt: skip
            forget(series)
            transaction.on_commit(lambda: packs.drop(folder))
            for one in sealed:
                transaction.on_commit(lambda gone=one: identities.drop(gone))  # type: ignore[misc]
    except ProtectedError as error:
        raise Conflict(REFERRED_TO) from error


def forget(series: Series) -> None:
    """The rows of a series, and of its exam and person once nothing else is left of it."""
    images = Instance.objects.filter(series=series)
    SourceUid.objects.filter(instance_id__in=images.values("uid")).delete()
    images.delete()
    SourceSeries.objects.filter(pk=series.pk).delete()
    exam = series.exam
    series.delete()
    if not Series.objects.filter(exam=exam).exists():
        Identity.objects.filter(exam=exam).delete()
        exam.delete()


def bring_down(series: Series) -> None:
    """A remote store is asked for the deletion first: while it does not answer, nothing is removed."""
    copy = copies.copy_of(series)
    if copy is not None and not is_referred_to(series):
        DicomwebServer(copies.as_reached(copy)).ask_to_delete(copies.known(series))


def is_referred_to(series: Series) -> bool:
    """Would the database refuse the removal? Asked without changing anything."""
    collector = Collector(using=DEFAULT_DB_ALIAS)
    try:
        collector.collect(Series.objects.filter(pk=series.pk))
    except ProtectedError as error:
        return any(not isinstance(row, Instance) for row in error.protected_objects)
    return False


def refuse_filing(exam: Exam, study_key: str) -> None:
    """As things stand when it is filed: two who file one exam, a cohort locked meanwhile, images still on their way."""
    if Exam.objects.select_for_update().get(pk=exam.pk).study_key:
        raise Conflict("This exam belongs to a study already.")
    why = why_closed(study_key)
    if why:
        raise Conflict(why)
    if under_way("").filter(actor=exam.importer).exists():
        raise Conflict(
            "Images are still coming onto your shelf; file the exam when their import has ended."
        )


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
        refuse_filing(exam, study_key)
        same = list(Exam.objects.filter(mapped_uid=exam.mapped_uid, study_key=study_key))
        parts = [one for one in same if one.patient_key == exam.patient_key]
        exam.study_key = study_key
        exam.has_conflict = exam.has_conflict or len(parts) < len(same)
        exam.has_other_part = bool(parts)
        exam.save(update_fields=["study_key", "has_conflict", "has_other_part"])
        Exam.objects.filter(pk__in=[part.pk for part in parts]).update(has_other_part=True)
        Identity.objects.filter(exam=exam, study_key__isnull=False).update(study_key=study_key)
        touched = [exam, *parts] if exam.has_conflict or parts else []
        for series in Series.objects.filter(exam__in=touched).select_related("exam").order_by("pk"):
            settle(series)
        record(
            "exam.file", obj=f"exam:{exam.pk}", study=study_key, role="coordinator",
            actor=f"u:{actor.pk}", new={"study": study_key, "at": now},
        )  # fmt: skip
    return exam
