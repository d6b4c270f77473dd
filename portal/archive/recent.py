"""What the archive's one writer learns during a batch, so that it does not ask the database again for each file."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from portal.archive import uids
from portal.archive.appending import Appending
from portal.archive.context import Context
from portal.archive.identities import Sealing
from portal.archive.models import Exam, Instance, Series
from portal.archive.returning import Returning
from portal.sql import rows
from portal.sql.asked import MANY, Asked, of_each, some_names, written

Place = tuple[object, ...]


@dataclass
class Recent:
    """Valid inside one transaction of the writer; after any failure it forgets, and the rows decide again.

    Rows of images wait here and are written together, before the database is asked about them.
    """

    # file digests and instance UIDs of the batch that the archive does not hold, of those that were asked
    fresh: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    exams: dict[Place, Exam] = field(default_factory=dict)
    series: dict[Place, Series] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    # exams made in this batch that have no series yet
    empty: set[int] = field(default_factory=set)
    # series made in this batch, with every image of each
    images: dict[int, list[Instance]] = field(default_factory=dict)
    waiting: list[Instance] = field(default_factory=list)
    sealing: Sealing = field(default_factory=Sealing)
    appending: Appending = field(default_factory=Appending)
    returning: Returning = field(default_factory=Returning)
    # packs that were looked for: they stay while the writer has the lock
    here: set[tuple[str, str]] = field(default_factory=set)
    grown: dict[int, Series] = field(default_factory=dict)

    def learn(self, context: Context, answers: Iterable[dict[str, Any]]) -> None:
        """Ask once which of these files and UIDs are here already; what was asked before stays as it was."""
        pairs = [names_of(context, one) for one in answers if one["ok"]]
        files, images = ({pair[k] for pair in pairs} - self.asked for k in (0, 1))
        self.fresh |= unheld("file_digest", files) | unheld("uid", images)
        self.asked |= files | images

    def is_new(self, *names: str) -> bool:
        return self.fresh.issuperset(names)

    def stored(self, *names: str) -> None:
        self.fresh.difference_update(names)

    def exam(self, place: Place, find: Callable[[], Exam]) -> Exam:
        if place not in self.exams:
            self.exams[place] = find()
        return self.exams[place]

    def one_series(self, place: Place, find: Callable[[], Series]) -> Series:
        """The series of a place; one object for one row, as it alone knows how far the packs reach."""
        if place not in self.series:
            self.write()
            found = find()
            known = (one for one in self.series.values() if one.pk == found.pk)
            self.series[place] = next(known, found)
        return self.series[place]

    def is_empty(self, exam: Exam) -> bool:
        """Nothing needs to be looked for in it."""
        return exam.pk in self.empty

    def made_exam(self, exam: Exam) -> None:
        self.empty.add(exam.pk)

    def made_series(self, series: Series) -> None:
        self.empty.discard(series.exam_id)
        self.sizes[series.pk], self.images[series.pk] = 0, []

    def next_rank(self, series: Series) -> int:
        if series.pk not in self.sizes:
            self.sizes[series.pk] = Instance.objects.filter(series=series).count()
        self.sizes[series.pk] += 1
        return self.sizes[series.pk]

    def add(self, instance: Instance) -> None:
        """Let a row wait."""
        self.waiting.append(instance)
        self.grown[instance.series.pk] = instance.series
        if instance.series.pk in self.images:
            self.images[instance.series.pk].append(instance)

    def write(self) -> None:
        """Write what waits, and how far the packs of its series reach."""
        rows.insert(self.waiting)
        self.sealing.write()
        for one in self.grown.values():
            rows.update(one, "native_size", "stored_size")
        for done in (self.waiting, self.grown):
            done.clear()

    def is_made(self, series: Series) -> bool:
        """Made in this batch: nothing of it lies anywhere else."""
        return series.pk in self.images

    def check_here(self, folder: str, pack: str, size: int) -> None:
        """Once for each pack: from then on it is shorter than its series says until all is appended."""
        if (folder, pack) not in self.here:
            self.returning.check(folder, pack, size)
            self.here.add((folder, pack))

    def forget(self) -> None:
        for images in self.images.values():
            images.clear()  # others may hold the list, and one of them may be undone
        kept = (
            self.fresh,
            self.asked,
            self.exams,
            self.series,
            self.sizes,
            self.empty,
            self.images,
            self.waiting,
            self.here,
            self.grown,
        )
        for one in kept:
            one.clear()
        self.appending.give_up()
        self.sealing.forget()


def names_of(context: Context, answer: dict[str, Any]) -> tuple[str, str]:
    """By what a file is known again: the digest of its bytes, and its instance UID."""
    found: tuple[str, str] = answer.get("names") or named(context, answer)
    return found


def named(context: Context, answer: dict[str, Any]) -> tuple[str, str]:
    return (
        uids.file_digest(context.key, answer["sha256"]),
        uids.archive_uid(context.key, answer["source"]["SOPInstanceUID"]),
    )


def unheld(column: str, names: set[str]) -> set[str]:
    held = of_each(sorted(names), lambda n: among(column, n))
    return names - {row[0] for row in held}


@lru_cache(maxsize=2 * MANY)
def among(column: str, n: int) -> Asked:
    """Which of so many names stand in a column."""
    rows_ = Instance.objects.filter(**{f"{column}__in": some_names(n)})
    return written(rows_.order_by().values_list(column))
