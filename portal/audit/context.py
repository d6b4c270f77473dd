"""Who is acting in this request or process: set once at the door, read when an act is recorded."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Context:
    actor: str = "system"
    request: str = ""
    session: str = ""
    ip: str = ""
    clock: str = "ok"


NOBODY = Context()
current: ContextVar[Context] = ContextVar("audit_context", default=NOBODY)
