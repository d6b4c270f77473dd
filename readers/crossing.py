"""Who reads what: every reader every lesion, or blocks of patients shared among the readers; and a look before it is stored."""

from collections.abc import Sequence
from dataclasses import dataclass

from portal.accounts.models import User
from portal.errors import Invalid
from portal.study.models import Lesion
from readers.models import ReadingDesign
from readers.ordering import shuffle


def blocks(design: ReadingDesign, lesions: Sequence[Lesion], n: int) -> list[list[Lesion]]:
    """`n` blocks of patients, equal in number but for one; lesions of a patient stay together."""
    patients = sorted({lesion.patient.subject for lesion in lesions})
    mixed = shuffle(patients, key=f"{design.seed}|blocks|{n}")
    place = {subject: index % n for index, subject in enumerate(mixed)}
    found: list[list[Lesion]] = [[] for _ in range(n)]
    for lesion in lesions:
        found[place[lesion.patient.subject]].append(lesion)
    return found


def shares(
    design: ReadingDesign, lesions: Sequence[Lesion], readers: Sequence[User], *, n_blocks: int
) -> dict[int, list[Lesion]]:
    """Reader id -> lesions. Readers take the blocks in turn, in the order of their user names."""
    if not 1 <= n_blocks <= max(1, len(readers)):
        raise Invalid(
            "There are at least one block and at most as many as readers, so that each is read.",
            field="blocks",
        )
    parts = blocks(design, lesions, n_blocks)
    if not all(parts):
        raise Invalid("There are more blocks than patients; choose fewer.", field="blocks")
    ordered = sorted(readers, key=lambda reader: reader.username)
    return {reader.pk: parts[index % n_blocks] for index, reader in enumerate(ordered)}


@dataclass(frozen=True)
class PreviewRow:
    """One lesion: per reader the sitting and place it would have, '' where the reader does not meet it."""

    lesion: str
    places: tuple[str, ...]

    @property
    def n_readers(self) -> int:
        return sum(bool(place) for place in self.places)


@dataclass(frozen=True)
class Preview:
    readers: tuple[str, ...]
    rows: tuple[PreviewRow, ...]


def preview_of(orders: Sequence[tuple[User, Sequence[Lesion]]], *, sitting: int) -> Preview:
    """The coverage matrix of orders that are not stored yet."""
    places = {
        (reader.pk, lesion.pk): f"{index // sitting + 1}.{index % sitting + 1}"
        for reader, order in orders
        for index, lesion in enumerate(order)
    }
    lesions = {lesion.pk: lesion for _, order in orders for lesion in order}
    listed = sorted(lesions.values(), key=lambda lesion: (lesion.patient.subject, lesion.number))
    rows = (
        PreviewRow(
            f"{lesion.patient.subject}/{lesion.number}",
            tuple(places.get((reader.pk, lesion.pk), "") for reader, _ in orders),
        )
        for lesion in listed
    )
    return Preview(tuple(reader.username for reader, _ in orders), tuple(rows))
