"""The sealed headers in a file of their own beside a backup, so that it can be kept by other hands, or not at all."""

import json
import os
import tarfile
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings

from portal.backup.restoring import differences, digest_of, write_privately
from portal.backup.writing import MANIFEST, add_bytes, add_file
from portal.errors import Conflict, Invalid, Unavailable

FORMAT, VERSION, ROOT = "osteon-identities", 1, "identities"


def beside(backup: Path) -> Path:
    """`backup.tar` -> `backup.identities.tar`"""
    return backup.with_name(f"{backup.stem}.identities{backup.suffix}")


def packs() -> list[tuple[Path, str]]:
    folder = Path(settings.IDENTITY_DIR)
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink())
    return [(path, f"{ROOT}/{path.relative_to(folder).as_posix()}") for path in found]


def require_new(backup: Path) -> None:
    if beside(backup).exists():
        raise Conflict(f"{beside(backup)} exists already; choose another name.")


def write(backup: Path, *, now: datetime) -> Path | None:
    """Write the sealed headers beside a backup that is written already; None where there are none.

    After the database: its rows then point at nothing that is not here.
    """
    found, to = packs(), beside(backup)
    if not found:
        return None
    require_new(backup)
    part = to.with_name(f"{to.name}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
                files = [add_file(tar, path, name) for path, name in found]
                said = {"format": FORMAT, "version": VERSION, "made_at": now.isoformat(), "files": files}  # fmt: skip
                add_bytes(tar, MANIFEST, json.dumps(said, sort_keys=True).encode())
            out.flush()
            os.fsync(out.fileno())
        part.rename(to)
    except OSError as error:
        raise Unavailable(f"The sealed headers could not be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    return to


def target_of(name: str) -> Path | None:
    """Where a member belongs; None for one that belongs nowhere."""
    parts = PurePosixPath(name).parts
    if len(parts) < 2 or parts[0] != ROOT or ".." in parts or name.startswith("/"):
        return None
    return Path(settings.IDENTITY_DIR).joinpath(*parts[1:])


def problems(backup: Path) -> list[str]:
    """Sentences that say what is wrong with the file beside a backup; none where there is no such file."""
    path = beside(backup)
    if not path.exists():
        return []
    found: dict[str, str] = {}
    said: dict[str, Any] = {}
    try:
        with tarfile.open(path, mode="r:") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isfile() else None
                if source is None:
                    raise tarfile.TarError(f"{member.name} is no file")
                if member.name == MANIFEST:
                    said = dict(json.loads(source.read()))
                elif target_of(member.name) is None:
                    raise tarfile.TarError(f"{member.name} does not belong here")
                else:
                    found[member.name] = digest_of(source)
        is_ours = (said["format"], said["version"]) == (FORMAT, VERSION)
        wanted = {str(f["name"]): str(f["sha256"]) for f in said["files"]}
        return differences(found, wanted) if is_ours else [f"{path} is of another version."]
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError):
        return [f"{path} holds no sealed headers that were written to their end."]


def put_back(backup: Path) -> bool:
    """The sealed headers into their folder; False where no file lies beside the backup. Raises Invalid if unsound."""
    wrong = problems(backup)
    if wrong:
        raise Invalid(wrong[0])
    if not beside(backup).exists():
        return False
    Path(settings.IDENTITY_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
    with tarfile.open(beside(backup), mode="r:") as tar:
        for member in tar:
            source, target = tar.extractfile(member), target_of(member.name)
            if source and target:
                write_privately(source, target)
    return True
