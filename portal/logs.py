"""Plain logs: one JSON line each, with UTC and request id, through one processor that leaves out what people wrote.

Our own sentences stand as they are; of everybody else's only the pattern stands, since a value in it may be a name,
a header or a row of the truth. Of an error stand its class and its places in the code, never its text.
"""

import logging.config
import re
import traceback
from collections.abc import Mapping
from http.client import responses
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from portal.audit.context import current

OURS = {"portal", "readers", "radiomics"}
INNERMOST = 12
# Python writes `file:line: Category: text` as the message itself
WARNING = re.compile(r"(.+?:\d+: \w+): ")


def own_text(pattern: str, args: object) -> str:
    """A sentence of our own; an error in it is named by its class."""
    if not isinstance(args, tuple) or not args:
        return pattern
    return pattern % tuple(type(a).__name__ if isinstance(a, BaseException) else a for a in args)


def foreign_text(record: logging.LogRecord, args: object) -> str:
    """The pattern without its values; a line about an answer names the route, a warning its place and class."""
    if record.name == "django.request" and hasattr(record, "request"):
        return about_answer(getattr(record, "status_code", 0), record.request)
    if record.name == "py.warnings" and (kind := WARNING.match(str(record.msg))):
        return kind[1]
    if isinstance(record.msg, str) and args:
        return record.msg
    return f"a message of {record.module}:{record.lineno}"


def about_answer(status: int, request: Any) -> str:
    """The route and not the path: that may hold a one-time key, or whatever somebody typed."""
    match = getattr(request, "resolver_match", None)
    return (
        f"{responses.get(status, status)}: /{match.route}"
        if match
        else str(responses.get(status, status))
    )


def places(trace: TracebackType | None) -> list[str]:
    """File, line and function of the innermost calls; neither source lines nor values."""
    calls = traceback.extract_tb(trace)[-INNERMOST:]
    return [f"{call.filename}:{call.lineno} {call.name}" for call in calls]


def request_id(record: logging.LogRecord) -> str:
    """Of the request being answered, or of the one the line is about: Django tells of a 404 when all is over."""
    about = getattr(getattr(record, "request", None), "audit_context", None)
    return str((about or current.get()).request)


def redacted(_: WrappedLogger, level: str, event: EventDict) -> EventDict:
    """The one processor of every line: a new line of what is known to be harmless; all else is left behind."""
    record: logging.LogRecord = event["_record"]
    args, error = event.get("positional_args"), event.get("exc_info")
    is_ours = record.name.split(".", 1)[0] in OURS
    text = own_text(str(record.msg), args) if is_ours else foreign_text(record, args)
    line: EventDict = {"level": level, "logger": record.name, "event": text}
    if request := request_id(record):
        line["request"] = request
    if error and error[0] is not None:
        line.update(error=error[0].__name__, places=places(error[2]))
    return line


def configuration(level: str) -> dict[str, Any]:
    """For `logging.config.dictConfig`: everything goes to standard error through the redactor."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [
            redacted,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        "pass_foreign_args": True,
        "use_get_message": False,
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
    }


def start(options: Mapping[str, str]) -> None:
    """What Django calls with `LOGGING`; warnings of libraries quote what they read, so they take the same way."""
    logging.config.dictConfig(configuration(options["level"]))
    logging.captureWarnings(True)
