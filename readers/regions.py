"""Threshold regions: what the server computes from a sphere and a share of the maximum, and whether an outline is that."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from portal.archive.models import Series
from portal.archive.pixels import slab
from portal.errors import Invalid, NotFound
from radiomics.image import FloatArray, vector
from radiomics.volume_region import Section, Sphere, same_outlines, threshold_region
from readers.documents import THRESHOLD, check_sphere
from readers.exam import images_of, uid_of
from readers.models import Assignment, ReadingDesign, ReadingSession
from readers.sessions import NOT_YOURS

TOLERANCE_MM = 0.01
DECIMALS = 4
NO_SPECT = "This case has no SPECT volume to look for a region in."


def has_regions(design: ReadingDesign) -> bool:
    """Whether the design takes one outline per slice; ordinary designs take one per modality."""
    return design.parameters.get("regions_3d") is True


def sphere_from(said: Mapping[str, Any]) -> Sphere:
    return Sphere(vector(said["centre_mm"]), float(said["radius_mm"]), float(said["fraction"]))


def sphere_of(outline: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a ROI row that tell where a threshold region came from."""
    if outline["kind"] != THRESHOLD:
        return {}
    sphere = sphere_from(outline["sphere"])
    return {
        "sphere_centre_mm": list(sphere.centre_mm),
        "sphere_radius_mm": sphere.radius_mm,
        "threshold_fraction": sphere.fraction,
    }


def computed(series: Series, sphere: Sphere) -> tuple[Section, ...]:
    """Outlines by their index in the series; only the slices that the sphere meets are read.

    Raises ValueError where the sphere holds nothing of which a share could be taken.
    """
    first, last = met(series, sphere)
    found = threshold_region(slab(series, first, last), sphere)
    return tuple(Section(first + s.index, s.vertices_mm) for s in found.sections)


def met(series: Series, sphere: Sphere) -> tuple[int, int]:
    """The first and last slice whose plane the sphere meets."""
    geometry = series.geometry
    normal = np.cross(geometry["row_direction"], geometry["column_direction"])
    away = (np.asarray(geometry["positions_mm"]) - np.asarray(sphere.centre_mm)) @ normal
    near = np.flatnonzero(np.abs(away) <= sphere.radius_mm)
    if not near.size:
        raise ValueError("the sphere holds no voxel; place it on the images")
    return int(near[0]), int(near[-1])


def is_threshold_region(
    series: Series, drawn: Sequence[Mapping[str, Any]], found: Mapping[int, FloatArray]
) -> bool:
    """Whether every outline comes from one sphere, and together they are what the server computes from it."""
    spheres = [outline.get("sphere") for outline in drawn]
    if spheres[0] is None or any(sphere != spheres[0] for sphere in spheres):
        return False
    try:
        wanted = computed(series, sphere_from(spheres[0]))
    except ValueError:
        return False
    mine = [Section(index, vertices) for index, vertices in found.items()]
    return same_outlines(mine, wanted, tolerance_mm=TOLERANCE_MM)


def propose(case: Assignment, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The outlines of a threshold region as the desk sends them back, for the reader to confirm by submitting.

    Raises NotFound where the design has no regions, Invalid for a sphere that gives none.
    """
    if case.session.task != ReadingSession.Task.OUTLINE or not has_regions(case.session.design):
        raise NotFound(NOT_YOURS)
    sphere = {name: said[name] for name in ("centre_mm", "radius_mm", "fraction")}
    check_sphere(sphere, "sphere")
    series = case.lesion.spect_series
    if series is None or not series.is_regular:
        raise Invalid(NO_SPECT, field="sphere")
    try:
        found = computed(series, sphere_from(sphere))
    except ValueError as error:
        sentence = str(error)
        raise Invalid(f"{sentence[0].upper()}{sentence[1:]}.", field="sphere") from error
    images, reference = images_of(series), series.frame_of_reference_uid
    return [
        {
            "vertices": section.vertices_mm.round(DECIMALS).tolist(),
            "sop_instance_uid": uid_of(case, images[section.index].sop_instance_uid),
            "frame": images[section.index].frame,
            "frame_of_reference_uid": uid_of(case, reference) if reference else None,
            "kind": THRESHOLD,
            "copy": None,
            "sphere": sphere,
        }
        for section in found
    ]
