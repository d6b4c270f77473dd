"""Finds the hashed files of the front-end build through Vite's manifest."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()
BUILD = Path("portal") / "static" / "build"
MISSING = (
    "The viewer has not been built on this machine; run “make setup” in the project folder and "
    "reload this page."
)


@lru_cache(maxsize=4)
def read_manifest(path: Path, _stamp: int) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(path.read_text())
    return manifest


def manifest() -> dict[str, Any]:
    path = settings.BASE_DIR / BUILD / ".vite" / "manifest.json"
    return read_manifest(path, path.stat().st_mtime_ns) if path.exists() else {}


def styles_of(entry: str, chunks: dict[str, Any], seen: set[str]) -> list[str]:
    """Style sheets of an entry and of everything it imports statically."""
    if entry in seen:
        return []
    seen.add(entry)
    chunk = chunks[entry]
    found = list(chunk.get("css", []))
    for imported in chunk.get("imports", []):
        found += styles_of(imported, chunks, seen)
    return found


@register.simple_tag
def vite_entry(name: str, *, optional: bool = False) -> SafeString:
    """Script and style tags of one entry; unbuilt, a sentence that names the command, or nothing."""
    chunks = manifest()
    if name not in chunks and optional:
        return SafeString("")
    if name not in chunks:
        return format_html('<p class="notice notice-warning" role="alert">{}</p>', MISSING)
    links = format_html_join(
        "",
        '<link rel="stylesheet" href="{}">',
        ((static(f"build/{css}"),) for css in styles_of(name, chunks, set())),
    )
    script = format_html(
        '<script type="module" src="{}"></script>', static(f"build/{chunks[name]['file']}")
    )
    return SafeString(links + script)


@register.simple_tag
def built(name: str) -> str:
    """Address of a file with a fixed name in the build, '' while there is no build."""
    path = settings.BASE_DIR / f"{BUILD}/{name}"  # an exact str: pathlib refuses a SafeString
    return static(f"build/{name}") if path.exists() else ""
