"""Named files as one zip whose bytes depend on nothing but its files."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable

Named = tuple[str, bytes]
# the earliest date a zip can hold: no clock, so the same files give the same bytes
NEVER = (1980, 1, 1, 0, 0, 0)
LIST = "files.json"


def zipped(files: Iterable[Named]) -> bytes:
    """A zip of the files, and of the list of their SHA-256 digests."""
    out, digests = io.BytesIO(), {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files:
            digests[name] = hashlib.sha256(body).hexdigest()
            add(archive, name, body)
        add(archive, LIST, json.dumps(digests, indent=1, sort_keys=True).encode())
    return out.getvalue()


def add(archive: zipfile.ZipFile, name: str, body: bytes) -> None:
    entry = zipfile.ZipInfo(name, NEVER)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, body)
