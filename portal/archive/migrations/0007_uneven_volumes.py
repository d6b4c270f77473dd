"""Series that a coordinator had released although their slices are uneven or tilted say so: they are no even grid."""

import math

from django.db import migrations

STEP_TOLERANCE_MM, TILT_COSINE = 0.1, math.cos(math.radians(1.0))


def dot(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def unevenness(geometry):
    """What keeps these positions from being a grid, '' if nothing does."""
    r, c, places = geometry["row_direction"], geometry["column_direction"], geometry["positions_mm"]
    normal = (r[1] * c[2] - r[2] * c[1], r[2] * c[0] - r[0] * c[2], r[0] * c[1] - r[1] * c[0])
    along = [dot(place, normal) for place in places]
    spacing = geometry["slice_spacing_mm"]
    if any(abs(b - a - spacing) > STEP_TOLERANCE_MM for a, b in zip(along, along[1:], strict=False)):
        return "Slices are missing, or their distances differ."
    travel = [b - a for a, b in zip(places[0], places[-1], strict=True)]
    length = math.sqrt(dot(travel, travel))
    is_tilted = length > 0 and abs(dot(travel, normal)) / length < TILT_COSINE
    return "The stack is tilted against its slices." if is_tilted else ""


def mark(apps, schema_editor):
    ready = apps.get_model("archive", "Series").objects.filter(state="ready", is_volume=True, volume_reason="")
    for series in ready.exclude(decisions={}).iterator():
        if "geometry_to_confirm" in series.decisions and series.geometry.get("positions_mm"):
            series.volume_reason = unevenness(series.geometry)
            series.save(update_fields=["volume_reason"])


class Migration(migrations.Migration):
    dependencies = [("archive", "0006_source_view")]
    operations = [migrations.RunPython(mark, migrations.RunPython.noop)]
