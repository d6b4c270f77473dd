"""Images of the synthetic cohort: rendered and written in worker processes, imported by the portal's own door."""

import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from django.conf import settings

from portal.accounts.models import User
from portal.archive.commit import counts
from portal.archive.ingest import import_paths
from portal.archive.models import Exam, Import
from portal.demo.options import Options
from portal.demo.progress import Bar
from portal.demo.rendering import Errand, Rendered, write_patient
from portal.errors import Conflict
from portal.study.models import Study
from radiomics.phantom.plan import Plan

WORKERS = 2
AHEAD = 4
EXPECTED = 42


def errands(options: Options, plan: Plan, study: Study, spool: Path) -> list[Errand]:
    """One per patient with images; those whose images are in the archive are rendered, not written."""
    there = set(Exam.objects.filter(study_key=study.code).values_list("subject", flat=True))
    included = [
        Errand(options, p.index, False, str(spool / p.subject), p.subject not in there)
        for p in plan.patients
    ]
    excluded = [p for p in plan.excluded if p.has_images and p.subject not in there]
    return included + [Errand(options, p.index, True, str(spool / p.subject)) for p in excluded]


def rendered(todo: Sequence[Errand]) -> Iterator[tuple[Errand, Rendered]]:
    """Patients as they are ready, in order, a few rendered ahead of the import."""
    context = get_context("spawn")
    with ProcessPoolExecutor(max_workers=WORKERS, mp_context=context) as workers:
        waiting: deque[tuple[Errand, Future[Rendered]]] = deque()
        for errand in todo:
            waiting.append((errand, workers.submit(write_patient, errand)))
            if len(waiting) > AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def bring_in(
    options: Options, plan: Plan, study: Study, *, actor: User, bar: Bar
) -> dict[int, Rendered]:
    """Import every patient that is missing and tell what was drawn; a refused or held image stops the demo."""
    found: dict[int, Rendered] = {}
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR / "spool", prefix="demo-") as spool:
        for errand, one in rendered(errands(options, plan, study, Path(spool))):
            if not errand.is_excluded:
                found[one.index] = one
            if errand.writes:
                take_in(Path(one.folder), study, actor)
            bar.step()
    return found


def take_in(folder: Path, study: Study, actor: User) -> None:
    row = import_paths(
        [folder], door=Import.Door.COMMAND, actor=actor, study_key=study.code,
        expects_synthetic=True, archive_seed=study.code.encode(),
    )  # fmt: skip
    check(row, folder.name)
    shutil.rmtree(folder)


def check(row: Import, subject: str) -> None:
    found = counts(row)
    ready = found.get("ready", 0) + found.get("already here", 0)
    if ready != EXPECTED or sum(found.values()) != EXPECTED:
        raise Conflict(f"The images of {subject} did not all arrive: {found}.")
