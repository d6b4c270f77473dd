"""STOW-RS: the parts of a request go through the same door as every file; the answer names each of them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portal.accounts.models import User
from portal.archive import packs
from portal.archive.ahead import Prepare, reading_ahead
from portal.archive.context import Context
from portal.archive.dicomweb import source
from portal.archive.dicomweb.header import Elements, put
from portal.archive.dicomweb.incoming import reader
from portal.archive.dicomweb.multipart import Part, parameters, parts, single
from portal.archive.dicomweb.wado import JSON
from portal.archive.frames import BadRequest
from portal.archive.index import prepare
from portal.archive.ingest import import_paths, is_short_of_room
from portal.archive.models import Import, ImportFile, Instance
from portal.archive.pool import pool
from portal.archive.refusals import DAMAGED, SENTENCES
from portal.archive.room import Folder, Room
from portal.archive.spooling import SpoolFolder
from portal.archive.uids import archive_key, archive_uid, is_valid_uid
from portal.archive.unpack import Entry
from portal.archive.zips import begins_zip
from portal.errors import StudyError
from portal.sql.asked import MANY, Asked, of_each, place, some_names, written

DICOM = "application/dicom"
HELD, WARNED, DISCARDED = 0xB0F0, 0xB007, 0xB006
SAID = 5
# stands for a user in a written question
ACTOR = -1


class Unsupported(StudyError):
    status = 415
    code = "unsupported"


@dataclass(frozen=True)
class Door:
    """Who stores, into which study ('' = the shelf), of which exam ('' = any), and how answers are addressed.

    `report` is the address of an import's report but for its code; `shows_source` where answers name the sender's UIDs.
    """

    actor: User
    study_key: str
    expects_synthetic: bool | None
    warning: str
    exam_uid: str
    root: str
    report: str
    shows_source: bool = False


@dataclass(frozen=True)
class Result:
    """What became of one part, with the UIDs that its sender gave it."""

    sop_class: str
    sop_instance: str
    outcome: str
    reason: int
    sentence: str


def store(request: HttpRequest, door: Door) -> HttpResponse:
    """Spool the parts, import them, and answer for each."""
    with (
        packs.refused_when_full(),
        room_for(request) as room,
        reading_ahead(settings.WORKERS, preparing(door)) as ahead,
    ):
        found, good = [], []
        for part in spooled(request, room):
            found.append(part)
            if part.media in (DICOM, "") and not begins_zip(part.start):
                good.append(entry_of(part, len(found)))
                ahead.begin(good[-1])
        if not found:
            raise BadRequest("The request holds no image.")
        if not good and all(p.media not in (DICOM, "") for p in found):
            raise Unsupported("Images are stored as application/dicom.")
        heard: list[dict[str, Any]] = []
        files: list[ImportFile] = []
        row = import_paths(
            good, door=Import.Door.STOW, actor=door.actor, study_key=door.study_key,
            expects_synthetic=door.expects_synthetic, warning=door.warning, heard=heard, files=files,
            exam_uid=door.exam_uid, ahead=ahead,
        )  # fmt: skip
    results = [result(a, f) for a, f in zip(heard, files, strict=True)]
    wrong = Result("", "", ImportFile.Outcome.REFUSED, DAMAGED, SENTENCES["not_dicom"][1])
    return answer(request, door, row, results + [wrong] * (len(found) - len(good)))


@contextmanager
def room_for(request: HttpRequest) -> Iterator[Room]:
    """Where the parts are spooled; nothing of it is left under a name at the end."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    size = int(length) if length.isascii() and length.isdigit() else 0
    with pool(settings.WORKERS).room(size) as found:
        if found is not None:
            yield found
            return
        with SpoolFolder("upload-") as folder:
            yield Folder(Path(folder))


def entry_of(part: Part, number: int) -> Entry:
    place = part.place
    return Entry(place.path, str(number), part.size, offset=place.offset, handle=place.handle)


def preparing(door: Door) -> Prepare:
    """Rows are prepared under the key by which they will be written."""
    context = Context(
        archive_key(), door.study_key, door.actor, door.expects_synthetic, keeps_subject=False
    )
    return partial(prepare, context)


def spooled(request: HttpRequest, room: Room) -> Iterator[Part]:
    """Each part as soon as it is whole."""
    media, given = parameters(request.headers.get("Content-Type", ""))
    into = reader(request)
    if media == "multipart/related" and given.get("type", DICOM).lower() == DICOM:
        yield from parts(into, given.get("boundary", ""), room)
        return
    if media != DICOM:
        raise Unsupported("Images are stored as multipart/related of application/dicom.")
    yield from single(into, DICOM, room)


def result(heard: dict[str, Any], file: ImportFile) -> Result:
    uids = heard.get("source") or heard.get("uids") or {}
    sop_class = usable(heard.get("sop_class_uid") or uids.get("SOPClassUID", ""))
    sop_instance = usable(uids.get("SOPInstanceUID", ""))
    reason = SENTENCES.get(file.reason_code, (DAMAGED, ""))[0]
    return Result(sop_class, sop_instance, file.outcome, reason, file.sentence)


def usable(uid: str) -> str:
    """A UID that a client can read back; a damaged one is as good as none."""
    return uid if is_valid_uid(uid) else ""


def addresses(results: Sequence[Result], door: Door) -> dict[str, str]:
    """Source UID -> where its sender may retrieve it, asked once for all."""
    names = {archive_uid(archive_key(), r.sop_instance): r.sop_instance for r in results}
    given = {place("study"): door.study_key, ACTOR: door.actor.pk}
    rows = of_each(list(names), partial(shelved, is_shelf=not door.study_key), given)
    found = {
        uid: f"{door.root}/studies/{exam}/series/{series}/instances/{uid}"
        for uid, series, exam in rows
    }
    if door.shows_source:
        found.update(source.addresses(list(found), door.root))
    return {names[uid]: address for uid, address in found.items()}


@lru_cache(maxsize=2 * MANY)
def shelved(n: int, *, is_shelf: bool) -> Asked:
    """So many images, where they lie in the study or on the importer's shelf."""
    mine = Instance.objects.filter(uid__in=some_names(n), series__exam__study_key=place("study"))
    if is_shelf:
        mine = mine.filter(series__exam__importer=ACTOR)
    return written(mine.order_by().values_list("uid", "series__uid", "series__exam__uid"))


def exam_address(found: Iterable[str]) -> str:
    """Where the exam of all these images is retrieved; '' of several exams, and of none."""
    exams = {address.partition("/series/")[0] for address in found}
    return exams.pop() if len(exams) == 1 else ""


def referenced(one: Result, address: str) -> Elements:
    """An image that is here; its address is empty where it lies behind another door."""
    item: Elements = {}
    put(item, "ReferencedSOPClassUID", one.sop_class)
    put(item, "ReferencedSOPInstanceUID", one.sop_instance)
    put(item, "RetrieveURL", address)
    if one.outcome == ImportFile.Outcome.HELD:
        put(item, "WarningReason", HELD)
    elif one.sentence:
        put(item, "WarningReason", WARNED)
    elif settings.IDENTITIES == "none":
        put(item, "WarningReason", DISCARDED)
    return item


def failed(one: Result) -> Elements:
    item: Elements = {}
    if one.sop_instance:
        put(item, "ReferencedSOPClassUID", one.sop_class)
        put(item, "ReferencedSOPInstanceUID", one.sop_instance)
    put(item, "FailureReason", one.reason)
    return item


def answer(
    request: HttpRequest, door: Door, row: Import, results: Sequence[Result]
) -> HttpResponse:
    """The response object; 200 all stored, 202 some, or held or warned, 409 none, 503 on a full disk."""
    bad = (ImportFile.Outcome.REFUSED, ImportFile.Outcome.SKIPPED)
    kept = [r for r in results if r.outcome not in bad]
    lost = [r for r in results if r.outcome in bad]
    body: Elements = {}
    where = addresses(kept, door)
    put(body, "RetrieveURL", exam_address(where.values()))
    for keyword, items in (
        ("ReferencedSOPSequence", [referenced(r, where.get(r.sop_instance, "")) for r in kept]),
        ("FailedSOPSequence", [failed(r) for r in lost if r.sop_instance]),
        ("OtherFailuresSequence", [failed(r) for r in lost if not r.sop_instance]),
    ):
        if items:
            put(body, keyword, *items)
    warned = any(r.sentence or r.outcome == ImportFile.Outcome.HELD for r in kept)
    is_changed = settings.IDENTITIES == "none"  # what was sent cannot be had back
    status = 409 if not kept else 202 if lost or warned or is_changed or row.warning else 200
    if lost and is_short_of_room(row):
        status = 503
    response = HttpResponse(
        json.dumps(dict(sorted(body.items()))), content_type=JSON, status=status
    )
    said = [s for s in [row.warning, *(r.sentence for r in lost[:SAID])] if s]
    if said:
        plain = (s.encode("ascii", "replace").decode().replace('"', "'") for s in said)
        response["Warning"] = ", ".join(f'299 {request.get_host()} "{s}"' for s in plain)
    response["Link"] = f'<{door.report}{row.code}/>; rel="describedby"; type="text/html"'
    if status == 503:
        response["Retry-After"] = "60"
    return response
