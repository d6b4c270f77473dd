"""Tests that walk through the archive are left out while that floor has no pixels."""

from importlib.util import find_spec

NEEDS_PIXELS = [
    "test_api.py",
    "test_design.py",
    "test_pictures.py",
    "test_images.py",
    "test_reading.py",
    "test_triggers.py",
    "test_outlines.py",
    "test_pages.py",
]
collect_ignore = [] if find_spec("portal.archive.pixels") else NEEDS_PIXELS
