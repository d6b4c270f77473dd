"""Watches every request of every test: a write that succeeds leaves exactly one row of the audit trail."""

from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver

from portal.audit.context import current
from portal.audit.models import AuditEvent

SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
ROWS = {
    # nothing changes: a preview, a dry run, the same again
    "truth:api_split_preview": {0},
    "study:cohort": {0, 1},
    "study:api_cohort": {0, 1},
    "truth:import": {0, 1},
    "truth:api_csv": {0, 1},
    "study:save_protocol": {0, 1},
    "study:api_import_end": {0, 1},
    "analysis:api_feature_sets": {0, 1},
    "reading:draft": {0, 1},
    "analysis:extract": {0, 1, 2},  # the default feature set and the extraction; nothing waits
    "analysis:api_extraction": {0, 1, 2},
    "reading:position": {0, 1},
    "reading:plan": {0, 1},
    # several acts in one form: save and submit, or only a move in the images; a design and its two questionnaires
    "reading:answer": {0, 1, 2},
    "reading:design": {3},
}
OURS = ("study", "oversight", "truth", "reading", "analysis", "dashboard", "own")
seen: set[str] = set()


class AuditWatch:
    """Stands inside the request's context, so that rows are told apart by its id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        match = request.resolver_match
        if request.method in SAFE or response.status_code >= 400 or match is None:
            return response
        if match.app_name in OURS:
            seen.add(match.view_name)
            rows = AuditEvent.objects.filter(request=current.get().request).count()
            wanted = ROWS.get(match.view_name, {1})
            assert rows in wanted, f"{match.view_name}: {rows} audit rows, wanted {sorted(wanted)}"
        return response


def writing_routes() -> set[str]:
    """Names of our routes that take an unsafe method, by the address configuration."""
    routes = walk(get_resolver("portal.urls").url_patterns)
    return {name for name, view in routes if name.split(":")[0] in OURS and UNSAFE & methods(view)}


def walk(patterns: list[Any], space: str = "") -> Iterator[tuple[str, Any]]:
    for one in patterns:
        if isinstance(one, URLResolver):
            inner = f"{space}{one.namespace}:" if one.namespace else space
            yield from walk(one.url_patterns, inner)
        elif isinstance(one, URLPattern):
            yield f"{space}{one.name}", one.callback


def methods(view: Any) -> set[str]:
    """What a view lets in: the methods of its class, or those its decorators name."""
    kind = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if kind is not None:
        return {m.upper() for m in kind.http_method_names if hasattr(kind, m)}
    allowed = set(UNSAFE)
    while view is not None:
        names = view.__code__.co_freevars
        for name in ("request_method_list", "methods"):
            if name in names:
                allowed &= set(view.__closure__[names.index(name)].cell_contents)
        view = getattr(view, "__wrapped__", None)
    return allowed
