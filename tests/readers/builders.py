"""A study being read: one exam shared by the lesions of a patient, with geometry but without pixels."""

import math
import uuid
from datetime import timedelta

import numpy as np

from portal.accounts.models import User
from portal.archive import packs
from portal.archive.dicomweb.baked import images_of
from portal.archive.dicomweb.header import Image
from portal.archive.models import Instance, Series
from portal.study.models import Lesion, State, Study
from readers import reading
from readers.design import create_design, create_questionnaire, lock_design, plan_sessions
from readers.grants import Grant, case_series, view_of
from tests.cohort import NOW, make_lesion, make_patient, make_study, make_user

PIXEL = {
    "bits_allocated": 16,
    "bits_stored": 16,
    "high_bit": 15,
    "signed": False,
    "samples": 1,
    "photometric": "MONOCHROME2",
}
AXIAL = {"row_direction": [1.0, 0.0, 0.0], "column_direction": [0.0, 1.0, 0.0]}


def give_images(series: Series, *, n: int, size: int, spacing: float, step: float) -> Series:
    """Geometry centred on (18, 70, 30), the place of the cast's lesion, and index rows of instances."""
    corner = [18.0 - spacing * (size - 1) / 2, 70.0 - spacing * (size - 1) / 2]
    positions = [[*corner, 30.0 + step * (k - n // 2)] for k in range(n)]
    series.geometry = {
        **AXIAL,
        "origin_mm": positions[0],
        "spacing_mm": [spacing, spacing],
        "slice_spacing_mm": step,
        "thickness_mm": step,
        "positions_mm": positions,
    }
    series.pixel = {**PIXEL, "rows": size, "columns": size}
    series.values = {"maximum": 900.0, "minimum": 0.0, "p999_positive": 700.0}
    series.n_frames = n
    series.digest = uuid.uuid4().hex * 2
    series.save()
    add_instances(series, n=n)
    return series


def pack(series: Series, *, n: int) -> list[list[int]]:
    """Frames on disk, frame k holding 100 k and at its middle 500 + k; returns their extents."""
    folder = packs.folder_of(series.folder)
    folder.mkdir(parents=True, exist_ok=True)
    head, tail = packs.head(series.transfer_syntax_uid), packs.tail()
    rows, columns = series.pixel["rows"], series.pixel["columns"]
    extents, content = [], b""
    for k in range(n):
        pixels = np.full((rows, columns), 100 * k, dtype="<u2")
        pixels[rows // 2, columns // 2] = 500 + k
        extents.append([len(content) + len(head), pixels.nbytes])
        content += head + pixels.tobytes() + tail
    for name in (packs.NATIVE, packs.STORED):
        (folder / name).write_bytes(content)
    return extents


def add_instances(series: Series, *, n: int) -> None:
    many = series.role == "CT"
    extents = pack(series, n=n)
    for rank in range(n if many else 1):
        uid = f"2.25.{uuid.uuid4().int}"
        Instance.objects.create(
            series=series,
            uid=uid,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2" if many else "1.2.840.10008.5.1.4.1.1.20",
            rank=rank + 1,
            n_frames=1 if many else n,
            intercept=-1024.0 if many else 0.0,
            native_frames=extents[rank : rank + 1] if many else extents,
            stored_frames=extents[rank : rank + 1] if many else extents,
            file_digest=uuid.uuid4().hex * 2,
            content_digest=uuid.uuid4().hex * 2,
        )


def give_whole_body(series: Series) -> Series:
    series.pixel = {**PIXEL, "rows": 64, "columns": 32}
    series.values = {"maximum": 300.0, "p999_positive": 200.0}
    series.geometry = {"spacing_mm": [2.0, 2.0]}
    series.views = ["ANT", "POST"]
    series.save()
    add_instances(series, n=2)
    return series


def make_read_lesion(study: Study, *, number: int = 1, patient=None):
    lesion = make_lesion(patient or make_patient(study), number=number)
    give_images(lesion.ct_series, n=5, size=64, spacing=1.0, step=2.5)
    give_images(lesion.spect_series, n=7, size=32, spacing=4.0, step=4.0)
    give_whole_body(lesion.whole_body_series)
    return lesion


def make_reading_study(
    code: str = "bone",
    *,
    n_lesions: int = 3,
    scale: str = "confidence",
    state: str = "READING",
    parameters=None,
    is_synthetic: bool = False,
) -> Study:
    """A study in READING with a locked design, both questionnaires and included lesions."""
    study = make_study(code, is_synthetic=is_synthetic)
    boss = make_user("coordinator")
    for _ in range(n_lesions):
        make_read_lesion(study)
    design = create_design(study, scale=scale, seed=7, parameters=parameters, actor=boss, now=NOW)
    lock_design(design, actor=boss, now=NOW)
    for task in ("read", "outline"):
        create_questionnaire(study, task, scale=scale, actor=boss, now=NOW)
    for step in (State.SCREENING, State.READING):
        if not study.has_reached(state):
            Study.objects.filter(pk=study.pk).update(state=step)
            study.refresh_from_db()
    study.refresh_from_db()
    return study


def plan(study: Study, *names: str, task: str = "read", kind: str = "main", **options):
    """Sessions of the named readers over every lesion of the study."""
    lesions = list(Lesion.objects.of_study(study).select_related("patient"))
    lesions = options.pop("lesions", lesions)
    return plan_sessions(
        study.designs.get(),
        kind=kind,
        task=task,
        readers=[make_user(n) for n in names],
        lesions=lesions,
        actor=make_user("coordinator"),
        now=NOW,
        **options,
    )


def start(study: Study, name: str = "expert1", *, task: str = "read", **options):
    """The first session of a reader, planned and open."""
    (session, *_) = plan(study, name, task=task, **options)
    return reading.open_session(session, actor=make_user(name), now=NOW)


def answers(call: str = "benign", confidence: int = 3, **more) -> dict:
    return {"call": call, "confidence": confidence, **more}


def draft(said: dict | None = None, **outlines) -> dict:
    return {
        "answers": answers() if said is None else said,
        "outlines": {"CT": outlines.get("CT"), "SPECT": outlines.get("SPECT")},
        "looks": {},
        "focus": None,
    }


def circle(document: dict, role: str, *, radius_mm: float = 10.0, image: int | None = None) -> dict:
    """A 24-gon about the lesion on the series of this role, as the browser sends it."""
    series = next(s for s in document["series"] if s["role"] == role)
    chosen = series["images"][len(series["images"]) // 2 if image is None else image]
    z = chosen["position"][2]
    around = [2 * math.pi * k / 24 for k in range(24)]
    return {
        "vertices": [
            [18.0 + radius_mm * math.cos(t), 70.0 + radius_mm * math.sin(t), z] for t in around
        ],
        "sop_instance_uid": chosen["sop_instance_uid"],
        "frame": chosen["frame"],
        "frame_of_reference_uid": series["frame_of_reference_uid"],
        "kind": "points",
        "copy": None,
    }


def read_case(case, *, said: dict | None = None, actor: User, now=NOW, seconds: float = 40.0):
    """Open, save and submit one reading case."""
    opened = reading.open_case(case, actor=actor, now=now)
    end = now + timedelta(seconds=seconds)
    saved = reading.save_draft(
        case,
        draft(said),
        base_version=opened.draft_version,
        key=uuid.uuid4().hex,
        actor=actor,
        now=end,
    )
    return reading.submit(case, version=saved.version, actor=actor, now=end)


def read_session(session, *, actor: User, now=NOW) -> None:
    for case in session.assignments.order_by("position"):
        read_case(case, actor=actor, now=now)


def case_images(case) -> list[Image]:
    """The headers of a case as its reader sees them."""
    return images_of(case_series(case), Grant(view_of(case), 0.0, case).names)
