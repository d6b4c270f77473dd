"""Canonical JSON and the hashes of the trail (pure functions, no database)."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

GENESIS = bytes(32)
PLAIN = frozenset({str, int, bool, type(None)})


def exact(value: Any) -> Any:
    """The value with floats as decimal strings and times as UTC text, ready for canonical JSON."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is float:
        return repr(value)
    if kind is dict:
        return {str(k): exact(v) for k, v in value.items()}
    if kind is list:
        return [exact(v) for v in value]
    return exact_other(value)


def exact_other(value: Any) -> Any:
    """What is of no plain type of JSON, or of a type made from one."""
    if isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): exact(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [exact(v) for v in value]
    return str(value)


def utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(value: Any) -> bytes:
    text = json.dumps(
        exact(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of any record."""
    return hashlib.sha256(canonical(value)).hexdigest()


def payload_digest(salt: bytes, payload: Any) -> str:
    return hashlib.sha256(salt + canonical(payload)).hexdigest()


def event_hash(previous: bytes, event: Mapping[str, Any]) -> str:
    return hashlib.sha256(previous + canonical(event)).hexdigest()
