"""When CT and SPECT may be laid over each other, when an outline may be copied, and what a case never says."""

from dataclasses import asdict
from math import cos, radians, sin
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.case import (
    INCOMPLETE,
    NOT_PARALLEL,
    ONE_ARM,
    OTHER_FRAME,
    copying,
    normal,
    one_arm,
    registration,
    shares_frame,
    whole_body_pixels,
)
from readers.design import CONDITIONS

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
FINE = {"ok": True, "reason": ""}


def refused(reason):
    return {"ok": False, "reason": reason}


def tilted(degrees):
    a = radians(degrees)
    return ((1.0, 0.0, 0.0), (0.0, cos(a), sin(a)))


def series(*, frame="2.25.9", is_volume=True, reason="", directions=AXIAL):
    geometry = {"row_direction": directions[0], "column_direction": directions[1]}
    return SimpleNamespace(
        frame_of_reference_uid=frame,
        is_volume=is_volume,
        is_regular=is_volume and not reason,
        volume_reason=reason,
        geometry=geometry if directions[0] else {},
    )


def lesion(ct=None, spect=None, *, confirmed=None):
    return SimpleNamespace(ct_series=ct, spect_series=spect, registration_confirmed_at=confirmed)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (lesion(series(), series()), FINE),
        (lesion(None, series()), refused(INCOMPLETE)),
        (lesion(series(), None), refused(INCOMPLETE)),
        (lesion(), refused(INCOMPLETE)),
        (
            lesion(series(is_volume=False, reason="A slice is missing."), series()),
            refused("A slice is missing."),
        ),
        (
            lesion(series(), series(is_volume=False)),
            refused("The slices do not form a volume."),
        ),
        (
            lesion(series(is_volume=False, reason="first"), series(is_volume=False, reason="last")),
            refused("first"),
        ),
        (lesion(series(), series(frame="2.25.8")), refused(OTHER_FRAME)),
        (lesion(series(frame=""), series(frame="")), refused(OTHER_FRAME)),
        (lesion(series(), series(frame="2.25.8"), confirmed="2026-01-05"), FINE),
        (
            lesion(series(is_volume=False, reason="Tilted."), series(), confirmed="2026-01-05"),
            refused("Tilted."),
        ),
        (lesion(series(), series(directions=tilted(20))), FINE),
    ],
)
def test_fused_panes_need_two_volumes_in_one_space_or_a_confirmed_registration(case, expected):
    assert asdict(registration(case)) == expected


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (lesion(series(), series()), FINE),
        (lesion(series(), None), refused(INCOMPLETE)),
        (lesion(series(), series(frame="2.25.8")), refused(OTHER_FRAME)),
        # a confirmed registration moves pictures, not outlines
        (lesion(series(), series(frame="2.25.8"), confirmed="2026-01-05"), refused(OTHER_FRAME)),
        (lesion(series(), series(directions=tilted(20))), refused(NOT_PARALLEL)),
        (lesion(series(), series(directions=((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))), FINE),
        (lesion(series(), series(directions=(None, None))), refused(NOT_PARALLEL)),
        (lesion(series(is_volume=False), series()), FINE),
    ],
)
def test_copying_needs_one_space_and_parallel_slices(case, expected):
    assert asdict(copying(case)) == expected


@pytest.mark.parametrize(
    ("degrees", "ok"), [(0.0, True), (0.5, True), (0.81, True), (0.82, False), (1.0, False)]
)
def test_slices_are_parallel_up_to_the_angle_whose_cosine_is_0_9999(degrees, ok):
    # arccos 0.9999 is 0.8103 degrees
    assert copying(lesion(series(), series(directions=tilted(degrees)))).ok is ok


@given(st.tuples(*[st.floats(-1, 1)] * 3), st.tuples(*[st.floats(-1, 1)] * 3))
def test_the_normal_is_row_times_column(row, column):
    found = normal(series(directions=(row, column)))
    assert np.allclose(found, np.cross(row, column))


@pytest.mark.parametrize(
    ("ct", "spect", "shared"),
    [("a", "a", True), ("a", "b", False), ("", "", False), ("a", "", False), (None, None, False)],
)
def test_a_frame_that_is_not_named_is_shared_with_nothing(ct, spect, shared):
    assert shares_frame(series(frame=ct), series(frame=spect)) is shared


@pytest.mark.parametrize("condition", CONDITIONS)
def test_in_an_arm_of_one_modality_nothing_is_laid_over_anything(condition):
    found = one_arm(SimpleNamespace(condition=condition))
    expected = refused(ONE_ARM) if condition in {"CT", "SPECT"} else None
    assert (found and asdict(found)) == expected


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({}, None),
        (None, None),
        ({"anterior": [3.0, 4.0]}, {"anterior": [3.0, 4.0], "posterior": None}),
        ({"posterior": [1.0, 2.0]}, {"anterior": None, "posterior": [1.0, 2.0]}),
        (
            {"anterior": [3.0, 4.0], "posterior": [1.0, 2.0], "uptake": 5.0},
            {"anterior": [3.0, 4.0], "posterior": [1.0, 2.0]},
        ),
    ],
)
def test_of_the_whole_body_places_only_the_two_sides_are_shown(stored, shown):
    assert whole_body_pixels(SimpleNamespace(whole_body_pixels=stored)) == shown
