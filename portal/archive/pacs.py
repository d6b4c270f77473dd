"""The bridge to a PACS: search there, choose series, pull each as one job through the same door as every file."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from portal.accounts.models import User
from portal.archive import uids
from portal.archive.batches import context_of
from portal.archive.commit import Work
from portal.archive.dicomweb.multipart import Part
from portal.archive.ingest import add, begun, ended
from portal.archive.limits import is_valid_uid
from portal.archive.models import Connection, Import, Instance, Pull
from portal.archive.peer import Peer, Server, first, pinned_address, server
from portal.archive.spooling import SpoolFolder
from portal.audit.trail import record
from portal.errors import Conflict, Invalid, NotFound, StudyError, Unavailable
from portal.jobs.models import Job
from portal.jobs.queue import enqueue
from portal.jobs.work import progress

KIND = "archive.pull"
# seconds after which what has come so far is stored and counted
MOMENT = 2.0
BATCH, MOST_ROWS, MOST_SERIES = 64, 100, 200
NO_CONNECTION = "There is no PACS of that name; ask an administrator to enter it."


class Incomplete(Unavailable):
    """Fewer images came than the PACS counts; tried again, never silently accepted."""

    code = "incomplete"


@dataclass(frozen=True)
class Wish:
    """What to search for; empty fields match everything."""

    patient: str = ""
    first_day: str = ""
    last_day: str = ""
    modality: str = ""


@dataclass(frozen=True)
class FoundExam:
    uid: str
    patient_id: str
    patient_name: str
    day: str
    description: str
    modalities: str
    n_images: int

    @property
    def date(self) -> str:
        """The day with dashes, or whatever the PACS wrote there."""
        is_day = len(self.day) == 8 and self.day.isdigit()
        return f"{self.day[:4]}-{self.day[4:6]}-{self.day[6:]}" if is_day else self.day


@dataclass(frozen=True)
class FoundSeries:
    exam_uid: str
    uid: str
    modality: str
    description: str
    n_images: int

    @property
    def key(self) -> str:
        return f"{self.exam_uid}|{self.uid}"


@dataclass(frozen=True)
class Target:
    """Where pulled images go at this moment: a study, or the shelf with a warning."""

    study_key: str
    expects_synthetic: bool
    warning: str = ""


def secret_path(name: str) -> Path:
    path: Path = settings.DATA_DIR / "keys" / f"pacs_{name}"
    return path


def from_settings() -> dict[str, Server]:
    """`name=address` pairs of OSTEON_PACS."""
    pairs = (text.partition("=") for text in settings.PACS)
    return {name: server(address) for name, _, address in pairs}


def names() -> list[str]:
    """Every connection, those of the settings first."""
    return [*from_settings(), *Connection.objects.values_list("name", flat=True)]


def server_of(name: str) -> Server:
    """The server of a connection with its credentials; raises NotFound."""
    known = from_settings().get(name)
    if known:
        return known
    row = Connection.objects.filter(name=name).first()
    if row is None:
        raise NotFound(NO_CONNECTION)
    path = secret_path(name)
    return server(row.url, user=row.user, password=path.read_text() if path.exists() else "")


def peer_of(name: str) -> Peer:
    return Peer(server_of(name))


def connect(
    *, name: str, url: str, user: str, password: str, actor: User, now: datetime
) -> Connection:
    """An administrator enters a PACS; its address is looked up and checked before it is kept."""
    found = server(url, user=user, password=password)
    pinned_address(found)
    if name in names():
        raise Conflict("There is a PACS of that name already; remove it first.")
    with transaction.atomic():
        row = Connection.objects.create(
            name=name, url=found.url, user=found.user, created_by=actor, created_at=now
        )
        record(
            "pacs.connect", obj=f"pacs:{name}", role="administrator", scope="system",
            actor=f"u:{actor.pk}", new={"url": found.url},
        )  # fmt: skip
        keep_secret(name, found.password)
    return row


def keep_secret(name: str, password: str) -> None:
    path = secret_path(name)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(password)


def disconnect(row: Connection, *, actor: User) -> None:
    with transaction.atomic():
        record(
            "pacs.disconnect", obj=f"pacs:{row.name}", role="administrator", scope="system",
            actor=f"u:{actor.pk}", old={"url": row.url},
        )  # fmt: skip
        row.delete()
    secret_path(row.name).unlink(missing_ok=True)


def filters(wish: Wish) -> dict[str, str]:
    """QIDO keys of a wish: digits search the patient ID, anything else the name."""
    found = {}
    patient = wish.patient.strip()
    if patient:
        has_digit = any(c.isdigit() for c in patient)
        found["PatientID" if has_digit else "PatientName"] = patient if has_digit else f"{patient}*"
    days = [day.replace("-", "") for day in (wish.first_day, wish.last_day)]
    if any(days):
        found["StudyDate"] = f"{days[0]}-{days[1]}"
    if wish.modality.strip():
        found["ModalitiesInStudy"] = wish.modality.strip().upper()
    return found


def search(name: str, wish: Wish, *, actor: User, study: str) -> list[FoundExam]:
    """Exams at a PACS, at most 100; who searched where is audited, the person searched for is not named."""
    wanted = filters(wish)
    if not wanted:
        raise Invalid("Name a patient, a date or a modality.", field="patient")
    rows = peer_of(name).search("studies", search_filters=wanted, limit=MOST_ROWS)
    found = [exam_from(row) for row in rows if is_valid_uid(first(row, "0020000D"))]
    record(
        "pacs.search", obj=f"pacs:{name}", study=study, role="coordinator", actor=f"u:{actor.pk}",
        new={"found": len(found)},
    )  # fmt: skip
    return found


def exam_from(values: dict[str, Any]) -> FoundExam:
    modalities = (values.get("00080061") or {}).get("Value") or []
    return FoundExam(
        uid=first(values, "0020000D"),
        patient_id=first(values, "00100020"),
        patient_name=first(values, "00100010"),
        day=first(values, "00080020"),
        description=first(values, "00081030"),
        modalities=", ".join(str(m) for m in modalities),
        n_images=number(first(values, "00201208")),
    )


def number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def series_at(name: str, exam_uid: str) -> list[FoundSeries]:
    if not is_valid_uid(exam_uid):
        raise Invalid("This is no exam of the PACS; search again.")
    rows = peer_of(name).search("series", exam_uid, fields=["SeriesDescription"])
    return [
        FoundSeries(
            exam_uid, first(row, "0020000E"), first(row, "00080060"), first(row, "0008103E"),
            number(first(row, "00201209")),
        )
        for row in rows
        if is_valid_uid(first(row, "0020000E"))
    ]  # fmt: skip


def listed(name: str, exam_uid: str, *, actor: User, study: str) -> list[FoundSeries]:
    """The series of a found exam, shown to somebody: audited like the search that found it."""
    found = series_at(name, exam_uid)
    record(
        "pacs.search", obj=f"pacs:{name}", study=study, role="coordinator", actor=f"u:{actor.pk}",
        new={"series": len(found)},
    )  # fmt: skip
    return found


def choose(
    name: str, chosen: Sequence[FoundSeries], *, study: str, actor: User, now: datetime
) -> list[Pull]:
    """One job per series; a series that is on its way already is not queued twice."""
    if not 0 < len(chosen) <= MOST_SERIES:
        raise Invalid(f"Choose 1 to {MOST_SERIES} series at once.", field="series")
    with transaction.atomic():
        rows = [queued(name, one, study=study, actor=actor, now=now) for one in chosen]
        record(
            "pacs.pull", obj=f"pacs:{name}", study=study, role="coordinator",
            actor=f"u:{actor.pk}", new={"series": len(rows)},
        )  # fmt: skip
    return rows


def queued(name: str, one: FoundSeries, *, study: str, actor: User, now: datetime) -> Pull:
    same = {"connection": name, "study_key": study, "actor": actor, "series_uid": one.uid}
    try:
        with transaction.atomic():
            row = Pull.objects.create(
                **same, study_uid=one.exam_uid, label=f"{one.modality} {one.description}"[:200],
                expected=one.n_images, created_at=now,
            )  # fmt: skip
    except IntegrityError:
        row = Pull.objects.get(**same, state__in=[Pull.State.WAITING, Pull.State.PULLING])
    enqueue(KIND, {"pull": row.pk}, study=study, user=actor, total=one.n_images)
    return row


def again(row: Pull, *, actor: User) -> None:
    """Take up a pull that came to nothing or not to all; what is here already is not fetched again."""
    if row.state not in (Pull.State.INCOMPLETE, Pull.State.FAILED) or not row.series_uid:
        raise Conflict("This series is here or on its way; there is nothing to pull again.")
    try:
        with transaction.atomic():
            Pull.objects.filter(pk=row.pk).update(state=Pull.State.WAITING, sentence="")
            record(
                "pacs.pull", obj=f"pacs:{row.connection}", study=row.study_key, role="coordinator",
                actor=f"u:{actor.pk}", new={"series": 1, "again": True},
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict("This series is on its way already.") from error
    enqueue(KIND, {"pull": row.pk}, study=row.study_key, user=actor, total=row.expected)


def pull(job: Job, row: Pull, target: Target) -> None:
    """Pull one series; run again, it fetches only what is not here."""
    Pull.objects.filter(pk=row.pk).update(state=Pull.State.PULLING, sentence="")
    try:
        came, expected = brought(job, row, target)
        if came < expected:
            raise Incomplete(f"{came} of {expected} images came; pull again.")
    except Unavailable as error:
        # back to waiting or given up: the job's attempts decide, the row says why
        state = Pull.State.INCOMPLETE if isinstance(error, Incomplete) else Pull.State.FAILED
        Pull.objects.filter(pk=row.pk).update(state=state, sentence=error.sentence)
        raise
    except StudyError as error:
        Pull.objects.filter(pk=row.pk).update(state=Pull.State.FAILED, sentence=error.sentence)
        raise
    kept = {} if settings.IDENTITIES != "none" else {"study_uid": "", "series_uid": "", "label": ""}
    Pull.objects.filter(pk=row.pk).update(state=Pull.State.DONE, came=came, **kept)


def brought(job: Job, row: Pull, target: Target) -> tuple[int, int]:
    """How many images of the series are here after this pull, and how many the PACS counts."""
    peer = peer_of(row.connection)
    rows = peer.every("instances", row.study_uid, row.series_uid)
    listed = {first(one, "00080018") for one in rows} - {""}
    expected = max(len(listed), row.expected)
    here = already_here(listed, target, row.actor)
    source = source_of(row, target)
    came = len(here)
    with SpoolFolder("unpack-") as name:
        todo = missing_parts(peer, row, listed - here, is_fresh=not here, folder=Path(name))
        while some := arrived(todo):
            came += take(source, some, row, target)
            Pull.objects.filter(pk=row.pk).update(came=came, expected=expected)
            progress(job, min(came, expected), expected)
    ended(source)
    return came, expected


def arrived(todo: Iterator[Part]) -> list[Part]:
    """The next images: as many as make a batch, or as came in a moment, so that a slow PACS is seen to send."""
    found: list[Part] = []
    until = time.monotonic() + MOMENT
    while len(found) < BATCH and (not found or time.monotonic() < until):
        part = next(todo, None)
        if part is None:
            break
        found.append(part)
    return found


def already_here(listed: set[str], target: Target, actor: User) -> set[str]:
    key = uids.archive_key()
    mapped = {uids.archive_uid(key, uid): uid for uid in listed}
    mine = Instance.objects.filter(series__exam__study_key=target.study_key)
    if not target.study_key:
        mine = mine.filter(series__exam__importer=actor)
    known = mine.filter(uid__in=mapped).values_list("uid", flat=True)
    return {mapped[uid] for uid in known}


def missing_parts(
    peer: Peer, row: Pull, missing: set[str], *, is_fresh: bool, folder: Path
) -> Iterator[Part]:
    """The whole series as one stream, or where some of it is here, the missing images one by one."""
    path = f"studies/{row.study_uid}/series/{row.series_uid}"
    if is_fresh:
        yield from peer.series(path, folder)
        return
    yield from peer.images(path, sorted(missing), folder)


def source_of(row: Pull, target: Target) -> Import:
    """The import that a pull reports to, one over all its attempts."""
    if row.source is not None:
        if target.warning and not row.source.warning:  # the cohort was locked between two attempts
            row.source.warning = target.warning
            row.source.save(update_fields=["warning"])
        return row.source
    context = context_of(target.study_key, row.actor, target.expects_synthetic)
    row.source = begun(context, door=Import.Door.PACS, warning=target.warning)
    Pull.objects.filter(pk=row.pk).update(source=row.source)
    return row.source


def take(source: Import, some: Sequence[Part], row: Pull, target: Target) -> int:
    """A batch through the ingest, and how many of it were answered for by what they are.

    Names in the report are ours, for a UID may be an identity. What only took too long has not come.
    """
    last = source.files.aggregate(batch=Max("batch"), row=Max("row"))
    batch, before = (last["batch"] or 0) + 1, last["row"] or 0
    called = {p.path: f"image {before + k}" for k, p in enumerate(some, start=1)}
    context = context_of(target.study_key, row.actor, target.expects_synthetic)
    add(source, context, Work(list(called), called, settings.WORKERS, None, batch=batch))
    for part in some:
        part.path.unlink(missing_ok=True)
    return source.files.filter(batch=batch).exclude(reason_code__in=["stopped", "disk"]).count()
