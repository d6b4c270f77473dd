"""The sealed store of headers as received: one append-only pack per series, apart from the archive, and its rows."""

import json
import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from portal.archive import packs
from portal.archive.models import Exam, Identity, Instance, Series, SourceSeries, SourceUid
from portal.archive.packs import Spooled
from portal.errors import Unavailable
from portal.sql import rows

NOT_HERE = "The sealed headers are not here; put the identity folder back from its backup."
PARTS = 5  # before the pixels, behind them, bulk values, their index, JSON
LONGEST_ROW, LONGEST_VALUE = 2**16, 1024
# what all images of an exam, and of a series, have in common beside the patient
OF_EXAM = frozenset(
    {"00080005", "00080020", "00080030", "00080050", "00080080", "00080081", "00080090", "00081030", "00081048",
     "00081060", "00081080", "0020000D", "00200010"}
)  # fmt: skip
OF_SERIES = OF_EXAM | {
    "00080021", "00080031", "00080060", "00080070", "00081010", "0008103E", "00081040", "00081050", "00081070",
    "00081090", "0020000E", "00200011", "00200052", "00200060", "00400244", "00400245", "00400253", "00400254",
}  # fmt: skip
PEOPLE, BODY = ("0010", "0012"), ("0010", "0012", "0018")
Json = dict[str, dict[str, Any]]


def root() -> Path:
    return Path(settings.IDENTITY_DIR)


def path_of(folder: str) -> Path:
    return root() / folder[:2] / folder


def append(folder: str, records: Iterable[Spooled | bytes], *, after: int) -> int:
    """Append behind the last committed byte `after`; what lies beyond is a crash's remainder. The new end."""
    out = packs.made_file(path_of(folder))
    try:
        os.ftruncate(out, after)
        os.lseek(out, after, os.SEEK_SET)
        spoken: list[bytes] = []
        for record in records:
            if isinstance(record, bytes):
                spoken.append(record)
                continue
            packs.write(out, b"".join(spoken))
            spoken.clear()
            packs.copy(record, out)
        packs.write(out, b"".join(spoken))
        return os.lseek(out, 0, os.SEEK_CUR)
    finally:
        os.close(out)


def length_of(record: Spooled | bytes) -> int:
    return len(record) if isinstance(record, bytes) else record.length


def sync(folder: str) -> None:
    """Bring a pack to the disk, before the rows that point into it are committed."""
    with suppress(FileNotFoundError):
        handle = os.open(path_of(folder), os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read(folder: str, places: Sequence[tuple[int, int]]) -> list[bytes]:
    """Bytes at these offsets and of these lengths. Raises Unavailable where the pack is not here."""
    try:
        handle = os.open(path_of(folder), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Unavailable(NOT_HERE) from None
    try:
        found = [os.pread(handle, length, offset) for offset, length in places]
    finally:
        os.close(handle)
    if any(len(one) != length for one, (_, length) in zip(found, places, strict=True)):
        raise Unavailable(NOT_HERE)
    return found


def drop(folder: str) -> None:
    path_of(folder).unlink(missing_ok=True)


@dataclass(frozen=True)
class Record:
    """Where the header of one image lies, part by part."""

    folder: str
    offset: int
    lengths: tuple[int, ...]

    def part(self, number: int) -> tuple[int, int]:
        return self.offset + sum(self.lengths[:number]), self.lengths[number]

    @property
    def before(self) -> tuple[int, int]:
        return self.part(0)

    @property
    def behind(self) -> tuple[int, int]:
        return self.part(1)

    @property
    def json(self) -> tuple[int, int]:
        return self.part(4)

    def bulk(self, path: str) -> tuple[int, int] | None:
        """Where a bulk value lies, by the path of its tags; None where there is none of that path."""
        if not self.lengths[3]:
            return None
        (index,) = read(self.folder, [self.part(3)])
        place: list[int] | None = json.loads(index).get(path)
        return (self.part(2)[0] + place[0], place[1]) if place else None


def record_of(row: SourceUid, folder: str) -> Record:
    offset, *lengths = row.place
    return Record(folder, offset, tuple(lengths))


def said_by(answer: dict[str, Any]) -> Json:
    """What a child says of a header as JSON, read from the spool once."""
    if "said" not in answer:
        start, header = sum(answer["sealed"][:-1]), answer["header"]
        answer["said"] = json.loads(
            header[start:] if isinstance(header, bytes) else header.path.read_bytes()[start:]
        )
    found: Json = answer["said"]
    return found


def in_common(said: Json, named: frozenset[str], groups: Sequence[str]) -> str:
    """The elements that a row of a search is made of, as JSON; long values and addresses stay out."""
    kept: Json = {}
    room = LONGEST_ROW
    for tag, one in said.items():
        if tag in named or tag[:4] in groups and "BulkDataURI" not in one:
            size = len(repr(one))
            if size <= LONGEST_VALUE and size <= room:
                kept[tag], room = one, room - size
    return json.dumps(kept, separators=(",", ":"))


def first(said: Json, tag: str) -> Any:
    values = said.get(tag, {}).get("Value") or [None]
    return values[0]


def text(said: Json, tag: str, most: int) -> str:
    """The values of an element as one text, a name with all its forms."""
    found = []
    for value in said.get(tag, {}).get("Value") or []:
        if isinstance(value, dict):
            forms = [str(value.get(k, "")) for k in ("Alphabetic", "Ideographic", "Phonetic")]
            found.append("=".join(forms).rstrip("="))
        else:
            found.append("" if value is None else str(value))
    whole = "\\".join(found).replace("\0", "").encode("utf-8", "replace").decode()
    return whole[:most]


def whole(said: Json, tag: str) -> int | None:
    value = first(said, tag)
    return value if isinstance(value, int) and abs(value) < 2**31 else None


def seal_exam(exam: Exam, answer: dict[str, Any]) -> None:
    """The link to the person, and what the source view searches by, in a table that the fence keeps from readers."""
    said = said_by(answer)
    row = Identity(
        exam=exam,
        study_key=exam.study_key,
        importer=exam.importer,
        source_uid=answer["source"]["StudyInstanceUID"],
        patient_id=text(said, "00100020", 200),
        patient_name=text(said, "00100010", 400),
        birth_date=text(said, "00100030", 16),
        study_date=text(said, "00080020", 16),
        study_time=text(said, "00080030", 16),
        accession_number=text(said, "00080050", 100),
        study_id=text(said, "00200010", 100),
        study_description=text(said, "00081030", 400),
        referring_physician=text(said, "00080090", 400),
        row=in_common(said, OF_EXAM, PEOPLE),
    )
    rows.insert([row])


def sealed_series(series: Series, answer: dict[str, Any]) -> SourceSeries:
    """What the source view says of a series, not yet written."""
    said = said_by(answer)
    return SourceSeries(
        series_id=series.pk,
        identity_id=series.exam_id,
        source_uid=answer["source"]["SeriesInstanceUID"],
        modality=text(said, "00080060", 16),
        number=whole(said, "00200011"),
        description=text(said, "0008103E", 400),
        folder=secrets.token_hex(16),
        row=in_common(said, OF_SERIES, BODY),
    )


@dataclass
class Sealing:
    """Headers of a batch that wait for their one writing; after a failure it forgets."""

    series: dict[int, SourceSeries] = field(default_factory=dict)
    fresh: set[int] = field(default_factory=set)
    waiting: list[tuple[SourceUid, Spooled | bytes]] = field(default_factory=list)
    bare: list[SourceUid] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    has_failed: bool = False

    def add(
        self, instance: Instance, series: Series, answer: dict[str, Any], *, is_made: bool
    ) -> None:
        """Let the header of an image wait; of an exam outside the source view its UID alone.

        `is_made` where the series is of this batch: nothing is sealed of it yet.
        """
        row = SourceUid(instance_id=instance.uid, source_uid=answer["source"]["SOPInstanceUID"])
        if not series.exam.has_source:
            self.bare.append(row)
            return
        if series.pk not in self.series:
            known = None if is_made else SourceSeries.objects.filter(pk=series.pk).first()
            self.series[series.pk] = known or sealed_series(series, answer)
            if known is None:
                self.fresh.add(series.pk)
        row.series_id, row.number = series.pk, number_of(answer)
        row.place, row.digest = answer["sealed"], answer["sealed_digest"]
        self.waiting.append((row, answer["header"]))

    def write(self) -> None:
        """Append what waits to the packs, and write its rows."""
        if not self.waiting and not self.bare:
            return
        for key, one in self.series.items():
            self.packed(
                one, [(row, header) for row, header in self.waiting if row.series_id == key]
            )
        rows.insert([self.series[key] for key in sorted(self.fresh)])
        grown = {row.series_id for row, _ in self.waiting if row.series_id is not None}
        for number in grown - self.fresh:
            rows.update(self.series[number], "size", "n_images")
        rows.insert([*self.bare, *(row for row, _ in self.waiting)])
        for done in (self.fresh, self.waiting, self.bare):
            done.clear()

    def packed(self, one: SourceSeries, rows: Sequence[tuple[SourceUid, Spooled | bytes]]) -> None:
        if not rows:
            return
        self.folders.add(one.folder)
        append(one.folder, [header for _, header in rows], after=one.size)
        for row, header in rows:
            row.place = [one.size, *row.place]
            one.size, one.n_images = one.size + length_of(header), one.n_images + 1

    def sync(self) -> None:
        for folder in self.folders:
            sync(folder)

    def give_up(self) -> None:
        """Nothing stays of what was not written: packs without a row go, others end where their rows say."""
        with suppress(DatabaseError):
            self.cut()
        self.has_failed = False

    def cut(self) -> None:
        rows = SourceSeries.objects.filter(folder__in=self.folders)
        known = dict(rows.values_list("folder", "size"))
        for folder in self.folders:
            if folder not in known:
                drop(folder)
            elif path_of(folder).exists():
                os.truncate(path_of(folder), known[folder])

    def forget(self) -> None:
        self.has_failed = True
        for one in (self.series, self.fresh, self.waiting, self.bare):
            one.clear()


def number_of(answer: dict[str, Any]) -> int | None:
    text_ = str(answer["source"].get("InstanceNumber", "")).strip()
    try:
        found = int(text_)
    except ValueError:
        return None
    return found if abs(found) < 2**31 else None
