"""Images of a study: upload with a report per file, the shelf of unfiled exams, the held list."""

from collections.abc import Sequence
from pathlib import Path

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal.accounts.models import User
from portal.archive.commit import counts
from portal.archive.filing import Seen, decide_kind, file_exam, release, remove
from portal.archive.ingest import import_paths, is_short_of_room
from portal.archive.kept import kept
from portal.archive.models import Exam, Import, ImportFile, Series
from portal.archive.packs import disk_full
from portal.archive.spooling import SpoolFolder
from portal.errors import Conflict, Invalid, NotFound
from portal.study.access import NO_SUCH_PAGE, member_view
from portal.study.confirming import beside_of
from portal.study.csv_rows import Column, csv_text
from portal.study.late import door_of
from portal.study.models import Membership, Patient, State, Study

PAGE_ROWS, KEPT_ROWS = 50, 10
MAX_FILES = 500
COLUMNS = (
    Column("row", "number in the import"), Column("name", "name as sent"), Column("size", "bytes"),
    Column("outcome", "ready, held, refused, skipped or already here"), Column("reason", "code"),
    Column("sentence", "what to do"),
)  # fmt: skip


def context_of(member: Membership, **more: object) -> dict[str, object]:
    return {"member": member, "study": member.study, **more}


@member_view("coordinate")
@require_safe
def import_page(request: HttpRequest, member: Membership) -> HttpResponse:
    study = member.study
    rows = Import.objects.filter(study_key=study.code)
    shelf = Exam.objects.filter(study_key="", importer=member.user).order_by("-id")[:PAGE_ROWS]
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    context = context_of(
        member, page=page, rows=[(row, counts(row)) for row in page], shelf=shelf, warning=door_of(study)[1],
        max_files=MAX_FILES,
    )  # fmt: skip
    return render(request, "study/import.html", context)


@member_view("coordinate")
@require_POST
def upload(request: HttpRequest, member: Membership) -> HttpResponse:
    """Take files, a folder's files or a zip; every file gets its outcome in the report."""
    files = request.FILES.getlist("files")
    if not files:
        raise Invalid("Choose at least one file, folder or zip.", field="files")
    study_key, warning = door_of(member.study)
    with SpoolFolder("upload-") as folder:
        names = spool(files, Path(folder))
        row = import_paths(
            list(names), door=Import.Door.BROWSER, actor=person(member), study_key=study_key,
            expects_synthetic=member.study.is_synthetic, names=names, warning=warning,
        )  # fmt: skip
    if is_short_of_room(row):
        raise disk_full()
    return redirect("study:import_report", study=member.study.code, code=row.code)


def person(member: Membership) -> User:
    return User.objects.get(pk=member.user_id)


def spool(files: "Sequence[UploadedFile[bytes]]", folder: Path) -> dict[Path, str]:
    """The files under numbers of ours, with the names they came by."""
    names: dict[Path, str] = {}
    for number, file in enumerate(files):
        path = folder / str(number)
        with path.open("wb") as out:
            for chunk in file.chunks():
                out.write(chunk)
        names[path] = file.name or f"file {number + 1}"
    return names


def import_of(member: Membership, code: str) -> Import:
    row = Import.objects.filter(code=code).first()
    if row is None or row.study_key not in {member.study.code, ""}:
        raise NotFound(NO_SUCH_PAGE)
    if not row.study_key and row.actor_id != member.user_id:  # the shelf is one person's
        raise NotFound(NO_SUCH_PAGE)
    return row


@member_view("coordinate")
@require_safe
def import_report(request: HttpRequest, member: Membership, code: str) -> HttpResponse:
    row = import_of(member, code)
    files = row.files.all()
    only = request.GET.get("only", "")
    if only in ImportFile.Outcome.values:
        files = files.filter(outcome=only)
    context = context_of(
        member, row=row, counts=counts(row), only=only, outcomes=ImportFile.Outcome.values,
        page=Paginator(files, PAGE_ROWS).get_page(request.GET.get("page")),
    )  # fmt: skip
    return render(request, "study/import_report.html", context)


@member_view("coordinate")
@require_safe
def import_csv(request: HttpRequest, member: Membership, code: str) -> HttpResponse:
    row = import_of(member, code)
    files = row.files.all()
    rows = [[str(f.row), f.name, str(f.size), f.outcome, f.reason_code, f.sentence] for f in files]
    response = HttpResponse(csv_text(COLUMNS, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="import-{row.code}.csv"'
    return response


@member_view("coordinate")
@require_safe
def held_page(request: HttpRequest, member: Membership) -> HttpResponse:
    rows = (
        Series.objects.of_study(member.study.code)
        .held()
        .select_related("exam")
        .order_by("exam__subject", "pk")
    )
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))
    return render(request, "study/held.html", context_of(member, page=page))


def series_in(study: Study, pk: int) -> Series:
    row = Series.objects.of_study(study.code).filter(pk=pk).select_related("exam").first()
    if row is None:
        raise NotFound(NO_SUCH_PAGE)
    return row


@member_view("coordinate")
@require_POST
def release_series(request: HttpRequest, member: Membership, series: int) -> HttpResponse:
    """Release a held series after seeing it, where its reason allows that."""
    row = series_in(member.study, series)
    beside = beside_of(row, request.POST) if "mark" in request.POST else None
    seen = Seen(request.POST.get("stacking", ""), beside, request.POST.get("mark", ""))
    release(
        row, reason=request.POST.get("reason", ""), actor=person(member), study=member.study.code, seen=seen
    )  # fmt: skip
    messages.success(request, "The series is released.")
    return redirect("study:held", study=member.study.code)


@member_view("coordinate")
@require_POST
def decide_series_kind(request: HttpRequest, member: Membership, series: int) -> HttpResponse:
    """Say of a volume that may be SPECT or PET which it is."""
    row = series_in(member.study, series)
    decide_kind(row, request.POST.get("label", ""), actor=person(member), study=member.study.code)
    messages.success(request, f"The series is {row.label}.")
    patient = Patient.objects.filter(study=member.study, subject=row.exam.subject).first()
    if patient is None:
        return redirect("study:kept", study=member.study.code)
    return redirect("study:patient", study=member.study.code, patient=patient.code)


@member_view("coordinate")
@require_POST
def remove_series(request: HttpRequest, member: Membership, series: int) -> HttpResponse:
    """Take a series of this study out of the archive for good."""
    if member.study.has_reached(State.READS_LOCKED):
        raise Conflict("The reads are locked; no image can be removed any more.")
    row = series_in(member.study, series)
    remove(
        row, reason=request.POST.get("reason", ""), actor=person(member), study=member.study.code
    )
    messages.success(request, "The series is removed.")
    response = redirect("study:kept", study=member.study.code)
    # other images may come under the UIDs of those that this browser keeps for good
    response["Clear-Site-Data"] = '"cache"'
    return response


@member_view("coordinate")
@require_safe
def kept_page(request: HttpRequest, member: Membership) -> HttpResponse:
    """What the de-identification kept of each series, as the archive view shows it."""
    rows = (
        Series.objects.of_study(member.study.code)
        .select_related("exam")
        .order_by("exam__subject", "pk")
    )
    page = Paginator(rows, KEPT_ROWS).get_page(request.GET.get("page"))
    shown = [(series, kept(series)) for series in page]
    return render(request, "study/kept.html", context_of(member, page=page, shown=shown))


@member_view("coordinate")
@require_POST
def file_from_shelf(request: HttpRequest, member: Membership, exam: int) -> HttpResponse:
    """Move an unfiled exam of one's own into this study."""
    study = member.study
    if study.has_reached(State.READING):
        raise Invalid(door_of(study)[1])
    row = Exam.objects.filter(pk=exam, study_key="", importer=member.user).first()
    if row is None:
        raise NotFound(NO_SUCH_PAGE)
    file_exam(
        row,
        study_key=study.code,
        expects_synthetic=study.is_synthetic,
        actor=person(member),
        now=timezone.now(),
    )
    messages.success(request, f"The exam of {row.subject} is filed.")
    return redirect("study:import", study=study.code)
