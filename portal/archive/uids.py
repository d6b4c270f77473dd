"""Keys of the archive and what is derived from them: new UIDs, subject codes, date shifts."""

import hashlib
import hmac
import re
from functools import lru_cache

from portal.archive.limits import is_valid_uid as is_valid_uid
from portal.settings import private_secret

WEEKS = 521


@lru_cache(maxsize=64)
def archive_key(seed: bytes | None = None) -> bytes:
    """The installation's key, or a synthetic study's own, derived from its seed."""
    if seed is not None:
        return hashlib.sha256(b"osteon synthetic archive key " + seed).digest()
    return private_secret("archive_key")


@lru_cache(maxsize=256)
def study_key(study: str) -> bytes:
    """One key per study, made when first used."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", study)
    return private_secret(f"study_{safe}")


@lru_cache(maxsize=64)
def keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod=hashlib.sha256)


def mac(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA-256. `hmac.digest` lets other threads in at each call, which costs more than a short text does."""
    found = keyed(key).copy()
    found.update(text)
    return found.digest()


def keyed_uid(key: bytes, scope: str, uid: str) -> str:
    """`2.25.` + a UUID of version 8 made of the keyed digest of scope and UID."""
    raw = bytearray(mac(key, f"{scope}|{uid}".encode())[:16])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return f"2.25.{int.from_bytes(raw, 'big')}"


@lru_cache(maxsize=4096)
def archive_uid(key: bytes, uid: str) -> str:
    return keyed_uid(key, "archive", uid)


@lru_cache(maxsize=100_000)
def case_uid(study: str, case_code: str, uid: str) -> str:
    """A UID as one case sees it: no two cases, not even of one lesion, share any."""
    return keyed_uid(study_key(study), f"case{case_code}", uid)


@lru_cache(maxsize=512)
def subject_code(key: bytes, patient_id: str) -> str:
    return f"S{mac(key, b'subject|' + patient_id.encode()).hex()[:8]}"


@lru_cache(maxsize=512)
def patient_key(key: bytes, patient_id: str) -> str:
    return mac(key, b"patient|" + patient_id.encode()).hex()


@lru_cache(maxsize=512)
def shift_weeks(key: bytes, scope: str, patient: str) -> int:
    """1 … 521 weeks by which all dates of a patient move back."""
    digest = mac(key, f"date|{scope}|{patient}".encode())
    return 1 + int.from_bytes(digest[:8], "big") % WEEKS


def file_digest(key: bytes, sha256_hex: str) -> str:
    """Digest by which a file is known again, useless to anybody without the key."""
    return mac(key, b"file|" + bytes.fromhex(sha256_hex)).hex()
