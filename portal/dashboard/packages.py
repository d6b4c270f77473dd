"""Exports that are files rather than tables: iMRMC input, DICOM objects, the paper pack; and their page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.analysis.cases import gather
from portal.analysis.comparison import latest
from portal.audit.trail import record
from portal.dashboard.archives import Named, zipped
from portal.dashboard.dicom_files import read_files, roi_files
from portal.dashboard.exports import EXPORTS
from portal.dashboard.formats import SYNTHETIC, footer_of
from portal.dashboard.imrmc import imrmc_text
from portal.dashboard.paper import paper_files
from portal.errors import NotFound
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.models import Membership, State, Study

NOT_EVALUATED = "Nothing has been evaluated yet; open the dashboard and press Evaluate."


@dataclass(frozen=True)
class Package:
    """One file of a study; `opens` is the state from which members may take it."""

    title: str
    opens: str
    name: str
    content_type: str
    make: Callable[[Study], bytes]


def refuse_unevaluated(study: Study) -> None:
    """Answers of the validation part leave only after a counted look."""
    if not latest(study):
        raise NotFound(NOT_EVALUATED)


def imrmc(part: str) -> Callable[[Study], bytes]:
    def make(study: Study) -> bytes:
        refuse_unevaluated(study)
        found = gather(study, part)
        return imrmc_text(found, comments=footer_of(study, found.inputs_digest)).encode()

    return make


def notice(study: Study) -> list[Named]:
    return [("README.txt", f"{SYNTHETIC}\n".encode())] if study.is_synthetic else []


def rois(study: Study) -> bytes:
    return zipped([*notice(study), *roi_files(study)])


def reads(study: Study) -> bytes:
    return zipped([*notice(study), *read_files(study)])


def paper(study: Study) -> bytes:
    refuse_unevaluated(study)
    return zipped(paper_files(study))


ZIP = "application/zip"
PACKAGES: Mapping[str, Package] = {
    "imrmc-train": Package("Scores of the training part for iMRMC", State.UNBLINDED, "train.imrmc", "text/plain; charset=utf-8", imrmc("train")),
    "imrmc-validation": Package("Scores of the validation part for iMRMC", State.UNBLINDED, "validation.imrmc", "text/plain; charset=utf-8", imrmc("validation")),
    "dicom-rois": Package("ROIs as DICOM SEG, RTSTRUCT and SR", State.READING, "rois.zip", ZIP, rois),
    "dicom-reads": Package("Reads as DICOM SR (TID 1500)", State.UNBLINDED, "reads.zip", ZIP, reads),
    "paper": Package("Paper pack: tables, figures, numbers, methods, reporting sheets", State.UNBLINDED, "paper.zip", ZIP, paper),
}  # fmt: skip


def take_package(study: Study, key: str, *, role: str, actor: str = "") -> bytes:
    """A file of the study, and the act of taking it.

    Raises NotFound for one that does not exist, is not open in the study's state, or needs an evaluation first.
    """
    package = PACKAGES.get(key)
    if package is None or not study.has_reached(package.opens):
        raise NotFound(NO_SUCH_PAGE)
    body = package.make(study)
    record(
        "export.take", obj=f"export:{key}", study=study.code, role=role, actor=actor,
        new={"bytes": len(body)},
    )  # fmt: skip
    return body


@member_view("analyse", "coordinate")
@require_safe
def download(request: HttpRequest, member: Membership, key: str) -> HttpResponse:
    """One file; taking it is an act in the trail."""
    body = take_package(member.study, key, role=member.role)
    package = PACKAGES[key]
    response = HttpResponse(body, content_type=package.content_type)
    response["Content-Disposition"] = f'attachment; filename="{member.study.code}-{package.name}"'
    response["Cache-Control"] = "private, no-store"
    return response


@member_view("analyse", "coordinate")
@require_safe
def page(request: HttpRequest, member: Membership) -> HttpResponse:
    """Every table and file with the state that opens it."""
    study = member.study
    context = {
        "member": member,
        "study": study,
        "rows": [(key, e, study.has_reached(e.opens)) for key, e in EXPORTS.items()],
        "packages": [(key, p, study.has_reached(p.opens)) for key, p in PACKAGES.items()],
    }
    return render(request, "dashboard/exports.html", context)
