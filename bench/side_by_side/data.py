"""What both servers hold: exams of a CT and an NM volume, and many exams of one tiny image, from a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path

import numpy as np
import pydicom

from portal.archive.headers import Subject
from portal.archive.writer import CtSeries, SpectSeries, write_ct, write_spect

SEED = 20_240_601
SIDE, SLICES, NM_SIDE, NM_FRAMES, TINY = 512, 100, 128, 100, 16
NAMES = ("alex", "boris", "chloe", "dixie", "emmax", "felix", "greta", "hugo")


@dataclass(frozen=True)
class Sizes:
    """How much is compared."""

    exams: int
    tiny_exams: int
    seconds: float
    stow_requests: int


FULL = Sizes(exams=40, tiny_exams=5000, seconds=3.0, stow_requests=72)
SMALL = Sizes(exams=4, tiny_exams=500, seconds=1.0, stow_requests=24)


def person(number: int) -> Subject:
    """A made-up person; name and ID are the same word, so that both servers can be asked for either."""
    return Subject(
        f"{NAMES[number % len(NAMES)]}{number:05d}", "F", 60, f"2.25.5{number:06d}",
        date(2015, 1, 1) + timedelta(days=number % 1000), time(9), "Speed",
    )  # fmt: skip


def named(path: Path) -> None:
    """Named by the ID, so that one word finds either."""
    ds = pydicom.dcmread(path)
    ds.PatientName = ds.PatientID
    ds.save_as(path)


def exam(folder: Path, number: int) -> None:
    """100 CT slices of 512 x 512 and one NM volume of 100 frames of 128 x 128."""
    rng = np.random.default_rng([SEED, number])
    plane = rng.integers(-1000, 2000, (SIDE, SIDE), dtype=np.int16)
    hu = np.stack([np.roll(plane, 7 * k) for k in range(SLICES)])
    study = f"2.25.5{number:06d}"
    uids = tuple(f"{study}.3.{k + 1}" for k in range(SLICES))
    ct = CtSeries(
        person(number), f"{study}.3", uids, f"{study}.9", hu, (-200.0, -200.0, -100.0), (0.8, 0.8),
        2.5, time(9),
    )  # fmt: skip
    counts = rng.integers(0, 900, (NM_FRAMES, NM_SIDE, NM_SIDE), dtype=np.uint16)
    nm = SpectSeries(
        person(number), f"{study}.2", f"{study}.2.1", f"{study}.9", counts, (-200.0, -200.0, -100.0),
        (3.2, 3.2), 2.5, time(9), 700.0,
    )  # fmt: skip
    folder.mkdir(parents=True)
    for path in [*write_ct(folder, ct, encoding="raw"), write_spect(folder, nm, encoding="raw")]:
        named(path)


def tiny(folder: Path, number: int) -> None:
    """An exam of one slice of 16 x 16."""
    study = f"2.25.5{number:06d}"
    hu = np.full((1, TINY, TINY), number % 900, dtype=np.int16)
    series = CtSeries(
        person(number), f"{study}.3", (f"{study}.3.1",), f"{study}.9", hu, (0.0, 0.0, 0.0), (1.0, 1.0),
        2.5, time(9),
    )  # fmt: skip
    folder.mkdir(parents=True)
    named(write_ct(folder, series, encoding="raw")[0])


def build(folder: Path, sizes: Sizes) -> list[Path]:
    """All files, in the order in which they are stored."""
    for number in range(sizes.exams):
        exam(folder / f"{number:06d}", number)
    for number in range(sizes.exams, sizes.exams + sizes.tiny_exams):
        tiny(folder / f"{number:06d}", number)
    return sorted(folder.rglob("*.dcm"))


def bodies(original: bytes, batch: int, requests: int) -> Iterator[list[bytes]]:
    """New CT images for STOW, ten a request, each of its own UID and pixels; a new series per request."""
    rng = np.random.default_rng([SEED, batch])
    ds = pydicom.dcmread(pydicom.filebase.DicomBytesIO(original))
    for request in range(requests):
        root = f"2.25.7{batch:04d}{request:04d}"
        files = []
        for k in range(10):
            ds.StudyInstanceUID, ds.SeriesInstanceUID = root, f"{root}.1"
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{root}.1.{k + 1}"
            ds.PatientID = ds.PatientName = f"stow{batch:04d}{request:04d}"
            ds.ImagePositionPatient = [-200, -200, 2.5 * k]
            ds.PixelData = rng.integers(0, 3000, (SIDE, SIDE), dtype=np.uint16).tobytes()
            out = pydicom.filebase.DicomBytesIO()
            ds.save_as(out)
            files.append(out.getvalue())
        yield files
