"""Every open table and figure of a study as files of one folder, with the digest of each."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from portal.accounts.models import User
from portal.analysis.comparison import latest, n_looks
from portal.analysis.models import Evaluation, ModelRun
from portal.dashboard.cohort_plots import part_figures
from portal.dashboard.cohort_tables import part_tables
from portal.dashboard.exports import EXPORTS, TYPES, take
from portal.dashboard.formats import footer_of, plot_file, table_csv
from portal.dashboard.layout import plot_of, table_of
from portal.dashboard.model_plots import RUN_FIGURES
from portal.dashboard.plots import Plot
from portal.dashboard.tables import Table
from portal.errors import Conflict
from portal.study.access import membership_of, require
from portal.study.models import State, Study

FORMS = ("csv", "svg")
LIST = "files.json"


def write_folder(study: Study, folder: Path, *, actor: User) -> dict[str, str]:
    """Write all that is open in the study's state; the SHA-256 of each file by its name, also as `files.json`.

    Raises NotFound for someone who neither coordinates nor analyses the study, Conflict if the folder is not empty.
    """
    member = membership_of(actor.pk, study.code)
    require(member, "analyse", "coordinate")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty; choose another folder.")
    digests = {}
    for name, body in files_of(study, role=member.role, actor=f"u:{actor.pk}"):
        (folder / name).write_bytes(body)
        digests[name] = hashlib.sha256(body).hexdigest()
    (folder / LIST).write_text(json.dumps({"study": study.code, "files": digests}, indent=1))
    return digests


def files_of(study: Study, *, role: str, actor: str) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each table and figure that is open now; tables leave their act."""
    for key, export in EXPORTS.items():
        if study.has_reached(export.opens):
            for form in TYPES:
                yield f"{key}.{form}", take(study, key, form, role=role, actor=actor).encode()
    for name, plot, digest in plots_of(study):
        for form in FORMS:
            body = plot_file(plot, form, comments=footer_of(study, digest))
            yield f"figure-{name}.{form}", body
    for name, table, digest in tables_of(study):
        yield f"table-{name}.csv", table_csv(table, comments=footer_of(study, digest)).encode()


def evaluated(study: Study) -> list[Evaluation]:
    """Parts whose figures are open: none before unblinding."""
    rows = latest(study).values() if study.has_reached(State.UNBLINDED) else ()
    return [row for row in rows if "reason" not in row.figures]


def plots_of(study: Study) -> Iterator[tuple[str, Plot, str]]:
    """Name, figure and digest of its inputs: of runs from READING, of both parts once unblinded."""
    for run in ModelRun.objects.filter(study=study).order_by("pk"):
        for key, draw in RUN_FIGURES.items() if run.model else ():
            yield f"{run.kind}-{run.code}-{key}", draw(run.model, run.kind), run.digest
    looks = n_looks(study)
    for row in evaluated(study):
        for key in part_figures(row.figures):
            yield f"{row.part}-{key}", plot_of(row, looks, key), row.inputs_digest


def tables_of(study: Study) -> Iterator[tuple[str, Table, str]]:
    """Name, table and digest of its inputs, of both parts once unblinded."""
    looks = n_looks(study)
    for row in evaluated(study):
        for key in part_tables(row.figures):
            yield f"{row.part}-{key}", table_of(row, looks, key), row.inputs_digest
