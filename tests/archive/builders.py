"""CT slices written one by one, so that a test can change a single element of one of them."""

import fcntl
from collections.abc import Callable
from datetime import date, time
from pathlib import Path

import numpy as np
import pydicom
from django.conf import settings

from portal.archive.confirming import mark_of, options
from portal.archive.filing import Seen
from portal.archive.headers import Subject
from portal.archive.ingest import import_paths
from portal.archive.models import Import, Series
from portal.archive.writer import CtSeries, write_ct

EXAM = "2.25.700"


def person(name: str = "SYN0001", exam: str = EXAM) -> Subject:
    return Subject(name, "F", 63, exam, date(2019, 3, 4), time(9))


def slices(
    folder: Path, *, n: int = 4, first: int = 0, who: Subject | None = None, series: str = "2.25.71"
) -> list[Path]:
    """`n` raw CT slices 2.5 mm apart, numbered from `first`: UID, place and values follow the number."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(first, first + n)
    hu = np.stack([np.full((6, 5), 10 * k, dtype=np.int16) for k in numbers])
    uids = tuple(f"{series}.{k + 1}" for k in numbers)
    origin = (-5.0, -6.0, -7.0 + 2.5 * first)
    one = CtSeries(who or person(), series, uids, "2.25.9", hu, origin, (0.9, 0.8), 2.5, time(9))
    return write_ct(folder, one, encoding="raw")


def change(path: Path, edit: Callable[[pydicom.Dataset], None]) -> None:
    """Write the file again with an edited header."""
    ds = pydicom.dcmread(path)
    edit(ds)
    ds.save_as(path)


def take(*paths: Path, **more) -> Import:
    return import_paths(paths, door=Import.Door.COMMAND, actor=None, **more)


def report(row: Import) -> list[str]:
    """Per file the reason code, or the outcome where there is none."""
    return [f.reason_code or f.outcome for f in row.files.all()]


def is_writer_free() -> bool:
    """Could another import begin to write now?"""
    settings.ARCHIVE_DIR.mkdir(parents=True, exist_ok=True)
    with (settings.ARCHIVE_DIR / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def look(series: Series, stacking: str = "", beside: Series | None = None) -> Seen:
    """What a coordinator has seen who opened the page on which the place of a held series is confirmed."""
    found = next((o for o in options(series) if o.code == stacking), None)
    return Seen(stacking, beside, mark_of(series, found, beside) if found else "")


def fingerprint(series: Series) -> tuple[object, ...]:
    """Everything of a series that reads and features rest on."""
    series = Series.objects.get(pk=series.pk)
    images = series.instances.order_by("rank").values_list("uid", "rank", "content_digest")
    return (series.digest, series.state, series.n_frames, str(series.geometry), tuple(images))


PET = "1.2.840.10008.5.1.4.1.1.128"


def pet(folder: Path, *, n: int = 3, who: Subject | None = None) -> list[Path]:
    """Slices of the PET class with a fluorine tracer, at the places of the CT slices."""
    paths = slices(folder, n=n, who=who, series="2.25.72")
    for path in paths:
        change(path, into_pet)
    return paths


def into_pet(ds: pydicom.Dataset) -> None:
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = PET
    ds.Modality, ds.Units, ds.SeriesType = "PT", "BQML", ["WHOLE BODY", "IMAGE"]
    ds.RescaleIntercept = 0
    for keyword in ("RescaleType", "PixelPaddingValue", "WindowCenter", "WindowWidth"):
        delattr(ds, keyword)
    drug, code = pydicom.Dataset(), pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = (
        "77004003",
        "SCT",
        "^18^Fluorine",
    )
    drug.RadionuclideCodeSequence = [code]
    ds.RadiopharmaceuticalInformationSequence = [drug]
