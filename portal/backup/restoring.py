"""Looking at a backup without touching anything, and putting it back into an empty installation."""

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from django.conf import settings

from portal.audit.trail import record
from portal.audit.verify import anchor, side_file_of_installation
from portal.backup import databases
from portal.backup.writing import CHUNK, FORMAT, HEADS, MANIFEST, VERSION, Hashing
from portal.errors import Conflict, Invalid

DATABASES = ("database.sqlite3", "database.pgdump")


@dataclass(frozen=True)
class Looked:
    """What a backup holds; `problems` is empty when all of it could be put back."""

    n_files: int
    n_bytes: int
    made_at: str
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        return not self.problems


def verify_backup(path: Path, *, actor: str = "") -> Looked:
    """Compare every member with its digest, open the database copy and check it; a sound backup is an act."""
    with scratch_folder() as folder:
        found = looked_at(path, folder)
    if found.is_sound:
        with path.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
        record("backup.verify", scope="system", actor=actor, new={"sha256": digest})
    return found


@contextmanager
def scratch_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as name:
        yield Path(name)


def looked_at(path: Path, folder: Path) -> Looked:
    """Check a backup; its database copy and heads lie in the folder afterwards.

    Raises Invalid for a file that is no backup of this version, or was not written to its end.
    """
    try:
        with tarfile.open(path, mode="r:") as tar:
            found = dict(read_member(tar, member, folder) for member in tar)
        manifest = json.loads((folder / MANIFEST).read_text())
        is_ours = (manifest["format"], manifest["version"]) == (FORMAT, VERSION)
        files = [(str(f["name"]), int(f["bytes"]), str(f["sha256"])) for f in manifest["files"]]
        made_at = str(manifest["made_at"])
    except FileNotFoundError as error:
        raise Invalid(f"{path} is not there, or holds no list of its files.") from error
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as error:
        raise Invalid(f"{path} is no backup that was written to its end.") from error
    if not is_ours:
        raise Invalid(f"{path} is a backup of another version; use the Osteon that wrote it.")
    problems = differences(found, {name: digest for name, _, digest in files})
    problems = problems or faults_of_database(folder)
    size = sum(n for _, n, _ in files)
    return Looked(len(files), size, made_at, tuple(problems))


def read_member(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> tuple[str, str]:
    """Name and SHA-256 of a member; what is needed to look at the backup is kept in the folder."""
    source = tar.extractfile(member) if member.isfile() else None
    if source is None or target_of(member.name) is None:
        raise tarfile.TarError(f"{member.name} does not belong into a backup")
    if member.name not in (*DATABASES, HEADS, MANIFEST):
        return member.name, digest_of(source)
    hashing = Hashing(source)
    write_privately(hashing, folder / member.name)
    return member.name, hashing.digest.hexdigest()


def digest_of(source: IO[bytes]) -> str:
    hashing = Hashing(source)
    while hashing.read(CHUNK):
        pass
    return hashing.digest.hexdigest()


def target_of(name: str) -> Path | None:
    """Where a member belongs in this installation; None for one that belongs nowhere."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        return None
    if len(parts) == 1:
        is_known = name in (*DATABASES, HEADS) or name.endswith(".json")
        return settings.DATA_DIR / name if is_known else None
    roots = {"archive": Path(settings.ARCHIVE_DIR), "keys": settings.DATA_DIR / "keys"}
    root = roots.get(parts[0])
    return root.joinpath(*parts[1:]) if root else None


def write_privately(source: Hashing | IO[bytes], target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        shutil.copyfileobj(source, out, CHUNK)


def differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    missing = [f"{name} is missing from the backup." for name in sorted(set(wanted) - set(found))]
    damaged = [
        f"{name} is damaged." for name in sorted(wanted) if found.get(name, "") != wanted[name]
    ]
    return missing or damaged


def faults_of_database(folder: Path) -> list[str]:
    copy = folder / databases.member_name()
    if not copy.exists():
        return ["The backup was made on another kind of database than this installation's."]
    return databases.faults(copy, folder / HEADS)


def restore(path: Path) -> Looked:
    """Put a backup into this installation, which must be empty and not running.

    Raises Conflict if there is a database already, Invalid if the backup is not sound: nothing changed then.
    """
    if not databases.is_empty():
        raise Conflict(
            "This installation has a database already; restore into an empty data folder "
            "(OSTEON_DATA_DIR) or an empty database."
        )
    with scratch_folder() as folder:
        found = looked_at(path, folder)
        if not found.is_sound:
            raise Invalid(found.problems[0])
        put_back(path)
        write_privately((folder / HEADS).open("rb"), side_file_of_installation())
        databases.copy_in(folder / databases.member_name())
    return found


def put_back(path: Path) -> None:
    """The files of a checked backup into their places."""
    with tarfile.open(path, mode="r:") as tar:
        for member in tar:
            source, target = tar.extractfile(member), target_of(member.name)
            if source and target and member.name not in (*DATABASES, HEADS, MANIFEST):
                write_privately(source, target)


def note_restore(found: Looked, *, actor: str = "") -> None:
    """The act of restoring, in the restored trail, and its head in the side file."""
    record("backup.restore", scope="system", actor=actor, new={"made_at": found.made_at})
    anchor()
