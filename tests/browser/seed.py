"""The reference study of the browser tests, made through the portal's own verbs; run as a program.

Geometry and content follow viewer.md 15.3: a CT of 256 x 256 x 60, a SPECT of 128 x 128 x 80 stored head to
foot, a lesion of 650 HU and 1,500 counts at (18, 70, 30), and a whole-body scan in its own frame.
"""

import sys
import tempfile
from datetime import UTC, date, datetime, time
from pathlib import Path

import django
import numpy as np
import numpy.typing as npt
from django.core.management import call_command

django.setup()

from portal.accounts.models import User  # noqa: E402
from portal.archive.commit import counts  # noqa: E402
from portal.archive.headers import Subject  # noqa: E402
from portal.archive.ingest import import_paths  # noqa: E402
from portal.archive.models import Import, Series  # noqa: E402
from portal.archive.pool import close_all  # noqa: E402
from portal.archive.writer import (  # noqa: E402
    CtSeries,
    SpectSeries,
    WholeBody,
    write_ct,
    write_spect,
    write_whole_body,
)
from portal.study import life, members, patients, protocol, screening, splitting  # noqa: E402
from portal.study.models import Lesion, State, Study  # noqa: E402
from portal.truth.entry import enter  # noqa: E402
from portal.truth.strata import patient_strata  # noqa: E402
from radiomics.phantom.pictures import PatientImages  # noqa: E402
from radiomics.phantom.plan import make_plan  # noqa: E402
from radiomics.phantom.render import render_patient  # noqa: E402
from readers.design import (  # noqa: E402
    create_design,
    create_questionnaire,
    lock_design,
    plan_sessions,
)

PASSWORD = "correct horse battery"
CAST = {
    "coordinator": "coordinator",
    "analyst": "analyst",
    "expert1": "expert",
    "delineator1": "delineator",
}
LESION = (18.0, 70.0, 30.0)
SECOND = (-24.0, 62.0, -10.0)
CT_ORIGIN, CT_SPACING, CT_STEP = (-249.0234375, -249.0234375, -45.0), 1.953125, 2.5
SPECT_SPACING, SPECT_FIRST, SPECT_FRAMES, SPECT_SIZE = 4.4179, 199.0141, 80, 128
TOLD = "Each lesion is either a metastasis or a benign lesion. You get no clinical data."
DRAW = "Outline the lesion where its cross-section is largest, on SPECT and on CT."
NOW = datetime.now(UTC)
SPOTS = {"anterior": (120.0, 480.0), "posterior": (135.0, 480.0)}
Floats = npt.NDArray[np.float64]
Place = tuple[float, float, float]


def grid(origin: tuple[float, float, float], spacing: float, step: float, shape: tuple[int, ...]):
    """Patient coordinates of the voxel centres, broadcast as (z, y, x)."""
    x = origin[0] + spacing * np.arange(shape[2])
    y = origin[1] + spacing * np.arange(shape[1])
    z = origin[2] + step * np.arange(shape[0])
    return z[:, None, None], y[None, :, None], x[None, None, :]


def away(where, place: tuple[float, float, float]) -> Floats:
    z, y, x = where
    return np.sqrt((x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2)


def draw_ct(lesions: list[Place]) -> npt.NDArray[np.int16]:
    """Air, an ellipse of soft tissue, a column of bone, spheres of 10 mm radius at 650 HU."""
    where = grid(CT_ORIGIN, CT_SPACING, CT_STEP, (60, 256, 256))
    _, y, x = where
    hu = np.full((60, 256, 256), -1000, dtype=np.int16)
    hu[:, ((x / 170) ** 2 + (y / 120) ** 2 < 1)[0]] = 40
    hu[:, (np.hypot(x, y - 62) < 32)[0]] = 250
    for place in lesions:
        hu[away(where, place) <= 10] = 650
    return hu


def spect_origin() -> tuple[float, float, float]:
    corner = -SPECT_SPACING * (SPECT_SIZE - 1) / 2
    return corner, corner, SPECT_FIRST - SPECT_SPACING * (SPECT_FRAMES - 1)


def draw_spect(lesions: list[Place]) -> npt.NDArray[np.uint16]:
    """A faint body and column, Gaussians of 9 mm sigma with amplitude 1,500."""
    shape = (SPECT_FRAMES, SPECT_SIZE, SPECT_SIZE)
    where = grid(spect_origin(), SPECT_SPACING, SPECT_SPACING, shape)
    _, y, x = where
    counted = np.zeros(shape)
    counted[:, ((x / 170) ** 2 + (y / 120) ** 2 < 1)[0]] = 30
    counted[:, (np.hypot(x, y - 62) < 32)[0]] = 140
    for place in lesions:
        counted += 1500 * np.exp(-(away(where, place) ** 2) / (2 * 9.0**2))
    return counted.round().astype(np.uint16)


def draw_whole_body() -> npt.NDArray[np.uint16]:
    row, column = np.mgrid[:1024, :256]
    body = 20 * (np.hypot((row - 512) / 470, (column - 128) / 90) < 1)
    column_of_bone = 60 * ((abs(column - 128) < 12) & (row > 120) & (row < 620))
    spot = 400 * np.exp(-((row - 480) ** 2 + (column - 120) ** 2) / (2 * 6.0**2))
    anterior = (body + column_of_bone + spot).astype(np.uint16)
    return np.stack([anterior, anterior[:, ::-1]])


def uid(*parts: object) -> str:
    number = sum(ord(c) * 131**k for k, c in enumerate("|".join(map(str, parts))))
    return f"2.25.{900000 + number}"[:60]


def reference_pictures(lesions: list[Place]) -> PatientImages:
    return PatientImages(
        draw_ct(lesions), draw_spect(lesions), draw_whole_body(), CT_ORIGIN, (CT_SPACING, CT_SPACING, CT_STEP),
        spect_origin(), (SPECT_SPACING, SPECT_SPACING, SPECT_SPACING), (),
    )  # fmt: skip


def write_exam(folder: Path, subject: str, shown: PatientImages) -> None:
    who = Subject(subject, "F", 61, uid(subject), date(2024, 3, 5), time(9, 0))
    frame = uid(subject, "frame")
    uids = tuple(uid(subject, "ct", k) for k in range(len(shown.ct_hu)))
    row, column, step = shown.ct_spacing_mm
    write_ct(
        folder,
        CtSeries(
            who, uid(subject, "ct"), uids, frame, shown.ct_hu, shown.ct_origin_mm, (row, column), step, time(9, 40)
        ),
        encoding="raw",
    )  # fmt: skip
    row, column, step = shown.spect_spacing_mm
    write_spect(
        folder,
        SpectSeries(
            who, uid(subject, "nm"), uid(subject, "nm", 1), frame, shown.spect_counts, shown.spect_origin_mm,
            (row, column), step, time(9, 20), 740.0, is_negative=True,
        ),
        encoding="raw",
    )  # fmt: skip
    write_whole_body(
        folder,
        WholeBody(
            who, uid(subject, "wb"), uid(subject, "wb", 1), shown.whole_body, (2.0, 2.0), time(9, 0), 740.0
        ),
        encoding="raw",
    )  # fmt: skip


def found(study: Study, people: dict[str, User]) -> None:
    boss = people["coordinator"]
    for name, role in CAST.items():
        if name != "coordinator":
            members.add_member(study, people[name], role, actor=boss, now=NOW)
    protocol.write_protocol(
        study, protocol="Read and outline.", analysis_plan={"models": ["ct"]}, actor=boss, now=NOW
    )
    screening.add_default_criteria(study, actor=boss, now=NOW)


def bring_in(study: Study, subject: str, shown: PatientImages, boss: User) -> dict[str, Series]:
    with tempfile.TemporaryDirectory() as folder:
        write_exam(Path(folder), subject, shown)
        row = import_paths(
            [Path(folder)], door=Import.Door.COMMAND, actor=boss, study_key=study.code,
            expects_synthetic=True, archive_seed=study.code.encode(),
        )  # fmt: skip
    if counts(row) != {"ready": len(shown.ct_hu) + 2}:
        raise SystemExit(f"the images of {subject} did not all arrive: {counts(row)}")
    return {s.role: s for s in Series.objects.filter(exam__subject=subject)}


def register(
    study: Study,
    subject: str,
    shown: PatientImages,
    places: list[Place],
    boss: User,
    *,
    whole_body: dict[str, tuple[float, float]] = SPOTS,
) -> None:
    series = bring_in(study, subject, shown, boss)
    patient = patients.register_patient(
        study, subject=subject, sex="F", age_years=61, actor=boss, now=NOW
    )
    screening.decide(patient, "included", None, actor=boss, now=NOW)
    for number, (x, y, z) in enumerate(places, start=1):
        lesion = patients.register_lesion(
            patient, number=number, level="L3", x_mm=x, y_mm=y, z_mm=z, longest_diameter_mm=20.0,
            ct_series=series["CT"], spect_series=series["SPECT"], whole_body_series=series["WB"],
            whole_body=whole_body, actor=boss, now=NOW,
        )  # fmt: skip
        screening.decide(lesion, "included", None, actor=boss, now=NOW)


def enter_truth(study: Study, boss: User) -> None:
    diagnoses = ("metastasis", "benign", "benign")
    lesions = Lesion.objects.of_study(study).included().order_by("pk")
    for lesion, diagnosis in zip(lesions, diagnoses, strict=False):
        enter(
            lesion, diagnosis=diagnosis, subtype="", method="pathology", determined_on=None, actor=boss, now=NOW
        )  # fmt: skip


def plan(study: Study, people: dict[str, User]) -> None:
    boss = people["coordinator"]
    design = study.designs.get()
    lock_design(design, actor=boss, now=NOW)
    lesions = list(Lesion.objects.of_study(study).included().select_related("patient"))
    for task, name in (("read", "expert1"), ("outline", "delineator1")):
        plan_sessions(
            design, kind="main", task=task, readers=[people[name]], lesions=lesions, actor=boss, now=NOW
        )  # fmt: skip


def begin(code: str, name: str, people: dict[str, User]) -> Study:
    """A synthetic study in SCREENING with its members, design and questionnaires."""
    boss = people["coordinator"]
    study = life.create_study(
        code=code, name=name, actor=boss, now=NOW, is_synthetic=True,
        generator={"name": "browser tests"}, needs_second_confirmation=False,
    )  # fmt: skip
    found(study, people)
    create_design(study, seed=7, patient_gap=1, n_repeats=0, actor=boss, now=NOW)
    create_questionnaire(study, "read", instructions=TOLD, actor=boss, now=NOW)
    create_questionnaire(study, "outline", instructions=DRAW, actor=boss, now=NOW)
    return life.advance(study, to=State.SCREENING, actor=boss, reason="begin", now=NOW)


def start_reading(study: Study, people: dict[str, User]) -> None:
    boss = people["coordinator"]
    enter_truth(study, boss)
    proposal = splitting.propose(study, strata=patient_strata(study), ratio=0.7, seed=7)
    splitting.lock(splitting.save(proposal, actor=boss, now=NOW), actor=boss, now=NOW)
    plan(study, people)
    life.advance(study, to=State.READING, actor=boss, reason="begin", now=NOW)


def reference() -> None:
    """Two patients, three lesions, every pixel known."""
    call_command("migrate", verbosity=0)
    preferences = {"backend": "cpu"}
    people = {
        n: User.objects.create_user(n, password=PASSWORD, preferences=preferences) for n in CAST
    }
    study = begin("reference", "Reference study", people)
    boss = people["coordinator"]
    register(study, "REF-1", reference_pictures([LESION, SECOND]), [LESION, SECOND], boss)
    register(study, "REF-2", reference_pictures([LESION]), [LESION], boss)
    start_reading(study, people)


def synthetic_patient() -> None:
    """A study of one patient of the synthetic cohort, beside the reference study, to look at."""
    people = {n: User.objects.get(username=n) for n in CAST}
    study = begin("bone", "Bone SPECT/CT", people)
    shown = render_patient(make_plan(seed=2022, n_patients=8), 0)
    lesion = shown.lesions[0]
    place = tuple(round(float(v), 3) for v in lesion.centroid_mm)
    spots = {k: tuple(map(float, v)) for k, v in lesion.whole_body.items()}
    register(study, "SYN-1", shown, [place], people["coordinator"], whole_body=spots)
    start_reading(study, people)


if __name__ == "__main__":
    try:
        synthetic_patient() if sys.argv[1:] == ["synthetic"] else reference()
    finally:
        close_all()
