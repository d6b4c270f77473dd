"""Looking for given identifiers everywhere they must not be: files as bytes, every text column of the database."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

from portal.errors import Invalid

CHUNK = 2**20
SHORTEST = 4
# the sealed part, the keys, and what the database scan reads column by column
LEFT_OUT = frozenset({"keys", "identities", "spool", "broker"})
DATABASE = re.compile(r".*\.sqlite3(-wal|-shm|-journal)?\Z")
TEXT = re.compile(r"char|text|json|date|clob", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """Where an identifier of the list stands; the identifier is named by its line, never repeated."""

    line: int
    place: str


@dataclass(frozen=True)
class Wanted:
    """One identifier with the spellings under which it may stand, in lower case."""

    line: int
    spellings: tuple[str, ...]


def spellings(text: str) -> tuple[str, ...]:
    """As given, and a date with and without dashes."""
    found = [text.lower()]
    if re.fullmatch(r"\d{8}", text):
        found.append(f"{text[:4]}-{text[4:6]}-{text[6:]}")
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        found.append(text.replace("-", ""))
    return tuple(dict.fromkeys(found))


def wanted_of(text: str) -> list[Wanted]:
    """Identifiers one a line; empty lines are skipped, short ones refused, for they stand everywhere."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.strip()
        if word and len(word) < SHORTEST:
            raise Invalid(
                f"Line {number} has fewer than {SHORTEST} characters; give longer identifiers."
            )
        if word:
            found.append(Wanted(number, spellings(word)))
    if not found:
        raise Invalid("The list holds no identifier; write one a line.")
    return found


def scan(wanted: Sequence[Wanted], folders: Iterable[Path] = ()) -> list[Finding]:
    """Every place of the archive, the data folder, further folders and the database that holds one."""
    roots = dict.fromkeys(
        p.resolve() for p in (settings.DATA_DIR, Path(settings.ARCHIVE_DIR), *folders)
    )
    found = [f for root in roots for f in in_files(root, wanted)]
    return list(dict.fromkeys([*found, *in_database(wanted)]))


def in_files(root: Path, wanted: Sequence[Wanted]) -> Iterator[Finding]:
    patterns = [(one.line, pattern) for one in wanted for pattern in as_bytes(one)]
    longest = max(len(pattern) for _, pattern in patterns)
    sealed = Path(settings.IDENTITY_DIR).resolve()
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        is_sealed = path.is_relative_to(sealed)
        if is_sealed or inside.parts[0] in LEFT_OUT or DATABASE.match(path.name):
            continue
        name = str(inside).lower()
        yield from (
            Finding(w.line, "a file name") for w in wanted if any(s in name for s in w.spellings)
        )
        if path.is_file() and not path.is_symlink():
            yield from (Finding(line, str(inside)) for line in lines_in(path, patterns, longest))


def as_bytes(one: Wanted) -> list[bytes]:
    """UTF-8, Latin-1 and UTF-16 of each spelling, its ASCII letters small as in the data that is compared."""
    found = []
    for text in one.spellings:
        for form in dict.fromkeys((text, text.upper())):
            found += [form.encode().lower(), form.encode("utf-16-le").lower()]
            if all(ord(c) < 256 for c in form):
                found.append(form.encode("latin-1").lower())
    return list(dict.fromkeys(found))


def lines_in(path: Path, patterns: Sequence[tuple[int, bytes]], longest: int) -> list[int]:
    """Lines of the list that a file holds, read in pieces that overlap; letters compare without case."""
    found: dict[int, None] = {}
    before = b""
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            data = before + chunk.lower()
            found.update({line: None for line, pattern in patterns if pattern in data})
            before = data[-(longest - 1) :]
    return list(found)


def in_database(wanted: Sequence[Wanted]) -> Iterator[Finding]:
    """Text columns of every table outside the sealed ones, row by row."""
    for table, columns in text_columns().items():
        shown = ", ".join(connection.ops.quote_name(c) for c in columns)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {shown} FROM {connection.ops.quote_name(table)}")  # noqa: S608  names of our own schema
            while rows := cursor.fetchmany(1000):
                for row in rows:
                    yield from in_row(table, columns, row, wanted)


def text_columns() -> dict[str, list[str]]:
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith("truth_"):
                continue
            rows = connection.introspection.get_table_description(cursor, table)
            columns = [
                r.name
                for r in rows
                if connection.vendor != "sqlite" or TEXT.search(str(r.type_code))
            ]
            if columns:
                found[table] = columns
    return found


def in_row(
    table: str, columns: Sequence[str], row: Sequence[object], wanted: Sequence[Wanted]
) -> Iterator[Finding]:
    for column, value in zip(columns, row, strict=True):
        text = str(value).lower() if value is not None else ""
        for one in wanted:
            if any(spelling in text for spelling in one.spellings):
                yield Finding(one.line, f"{table}.{column}")
