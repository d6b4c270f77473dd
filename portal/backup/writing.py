"""Writing a backup: the database first, then the files it speaks of, then the list of what was written."""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from portal import __version__
from portal.audit.models import AuditEvent
from portal.audit.trail import record
from portal.audit.verify import side_file_of_installation
from portal.backup import databases
from portal.errors import Conflict, Unavailable

FORMAT, VERSION = "osteon-backup", 1
MANIFEST, HEADS = "manifest.json", "audit-heads.txt"
CHUNK = 2**20


@dataclass(frozen=True)
class Written:
    """A finished backup: its file, how many members and bytes, and its SHA-256."""

    path: Path
    n_files: int
    n_bytes: int
    sha256: str


class Hashing:
    """A readable file that knows the SHA-256 of what was read from it."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(size)
        self.digest.update(data)
        return data


def write_backup(to: Path, *, now: datetime, actor: str = "") -> Written:
    """Write the installation into one tar file with mode 0600 while the portal works.

    Raises Conflict if the file exists, Unavailable if there is no room for it.
    """
    if to.exists():
        raise Conflict(f"{to} exists already; choose another name.")
    part = to.with_name(f"{to.name}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            files = write_members(out, now)
            out.flush()
            os.fsync(out.fileno())
        part.rename(to)
    except OSError as error:
        raise Unavailable(f"The backup could not be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    with to.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    size = sum(entry["bytes"] for entry in files)
    record("backup.make", scope="system", actor=actor, new={"sha256": digest, "files": len(files)})
    return Written(to, len(files), size, digest)


def write_members(out: IO[bytes], now: datetime) -> list[dict[str, Any]]:
    """All members and, last, the manifest with the SHA-256 of each."""
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as scratch:
        copy = Path(scratch) / databases.member_name()
        head = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
        databases.copy_out(copy)
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            files = [add_file(tar, copy, copy.name)]
            files.append(add_bytes(tar, HEADS, heads_up_to(head)))
            files += [add_file(tar, path, name) for path, name in files_of_installation()]
            manifest = {
                "format": FORMAT,
                "version": VERSION,
                "app": __version__,
                "made_at": now.isoformat(),
                "files": files,
            }
            add_bytes(tar, MANIFEST, json.dumps(manifest, sort_keys=True).encode())
    return files


def heads_up_to(seq: int) -> bytes:
    """The side file as far as the copied database surely goes: it grows while the copy is made."""
    path = side_file_of_installation()
    lines = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in lines if int(line.split(" ", 1)[0]) <= seq]
    return "".join(f"{line}\n" for line in kept).encode()


def files_of_installation() -> Iterator[tuple[Path, str]]:
    """Pixels, keys and the passwords of the demo; not logs, broker, spool, locks and what is being fetched."""
    unfinished = Path(settings.ARCHIVE_DIR) / "fetching"
    for folder, name in (
        (Path(settings.ARCHIVE_DIR), "archive"),
        (settings.DATA_DIR / "keys", "keys"),
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and unfinished not in path.parents:
                yield path, f"{name}/{path.relative_to(folder).as_posix()}"
    for path in sorted(settings.DATA_DIR.glob("*.json")):
        yield path, path.name


def add_file(tar: tarfile.TarFile, path: Path, name: str) -> dict[str, Any]:
    """One file as far as it reaches now; a pack may grow while it is read, but never changes before its end."""
    info = tarfile.TarInfo(name)
    with path.open("rb") as source:
        info.size, info.mode = os.fstat(source.fileno()).st_size, 0o600
        hashing = Hashing(source)
        tar.addfile(info, hashing)
    return {"name": name, "bytes": info.size, "sha256": hashing.digest.hexdigest()}


def add_bytes(tar: tarfile.TarFile, name: str, body: bytes) -> dict[str, Any]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(body), 0o600
    tar.addfile(info, io.BytesIO(body))
    return {"name": name, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
