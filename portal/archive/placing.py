"""What one image says of its values and of its place: in the patient, or as a view of the whole body."""

from typing import Any

from portal.archive.acquisition import assumed_views, views_of
from portal.archive.classify import CT, HELD, NM, Verdict
from portal.archive.deidentify import number, text_of
from portal.archive.emission import UNITS
from portal.archive.extremes import windows
from portal.archive.geometry import numbers, plane, stack_of_nm
from portal.archive.plain import Readable

UNNUMBERED = "The file does not number its slices; they are taken in the order of its frames."


def placed(found: dict[str, Any], ds: Readable, verdict: Verdict) -> dict[str, Any]:
    """Role, state, and what this instance says of its place."""
    found["role"], found["label"] = verdict.role, verdict.label or verdict.role
    found["reason_code"], found["sentence"] = verdict.reason, verdict.sentence
    found["is_rescaled"] = number(ds.get("RescaleSlope")) is not None
    found["slope"] = number(ds.get("RescaleSlope")) or 1.0
    found["intercept"] = number(ds.get("RescaleIntercept")) or 0.0
    found["thickness"] = number(ds.get("SliceThickness"))
    found["windows"] = windows(ds)
    found["unit"] = "HU" if found["sop_class_uid"] == CT else unit_of(ds)
    if verdict.reason:
        return found
    if verdict.role == "WB":
        return with_views(found, ds)
    if found["sop_class_uid"] == NM:
        return with_nm_stack(found, ds)
    frame = plane(ds)
    if frame is None or len(found["frames"]) != 1:
        found["reason_code"], found["sentence"] = "geometry", HELD["geometry"]
        return found
    found["plane"] = [list(frame.position), list(frame.orientation), list(frame.spacing)]
    return found


def with_views(found: dict[str, Any], ds: Readable) -> dict[str, Any]:
    """Which side each planar frame shows, and the size of its pixels where the file tells it."""
    n, spacing = len(found["frames"]), numbers(ds.get("PixelSpacing"), 2)
    found["views"] = views_of(ds, n)
    found["besides"]["assumed_views"] = assumed_views(ds, n)
    is_told = spacing is not None and min(spacing) > 0
    found["geometry"] = {"spacing_mm": list(map(number, spacing or ()))} if is_told else {}
    return found


def unit_of(ds: Readable) -> str:
    """A unit of the standard; counts where nothing is said, NONE where it is no unit."""
    return (UNITS(ds, "Units") or ["NONE"])[0] if text_of(ds, "Units") else "CNTS"


def with_nm_stack(found: dict[str, Any], ds: Readable) -> dict[str, Any]:
    stack = stack_of_nm(ds, len(found["frames"]))
    found["geometry"], found["order"] = stack.values, list(stack.order)
    if stack.problem:
        found["reason_code"], found["sentence"] = stack.problem, stack.sentence
    elif ds.get("SliceVector") is None:
        found["warning"] = f"{found['warning']} {UNNUMBERED}".strip()
    if stack.tomo:
        found["tomo"] = stack.tomo.to_json()
    return found
