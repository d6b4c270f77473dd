"""Images as a store knows them, made without a database, their frames in spool files."""

import hashlib
import secrets
from datetime import date
from pathlib import Path

import numpy as np
from pydicom.pixels import get_encoder
from pydicom.uid import RLELossless

from portal.archive import packs
from portal.archive.classify import CT
from portal.archive.decode import LITTLE_ENDIAN
from portal.archive.dicomweb.header import Image, archive_names, header
from portal.archive.frames import location
from portal.archive.models import Exam, Instance, Series
from portal.archive.packs import Spooled
from portal.archive.store import Holding, Incoming

ROWS, COLUMNS = 6, 5
PIXEL = {
    "samples": 1, "photometric": "MONOCHROME2", "rows": ROWS, "columns": COLUMNS, "bits_allocated": 16,
    "bits_stored": 16, "high_bit": 15, "signed": True,
}  # fmt: skip


def new_uid() -> str:
    return f"2.25.{secrets.randbits(100)}"


def some_series(n: int, syntax: str, folder: str | None = None) -> Series:
    exam = Exam(uid=new_uid(), subject="S1234", sex="F", age="060Y", shifted_date=date(2015, 3, 4))
    geometry = {
        "origin_mm": [0.0, 0.0, 0.0], "row_direction": [1.0, 0.0, 0.0], "column_direction": [0.0, 1.0, 0.0],
        "spacing_mm": [0.9, 0.8], "slice_spacing_mm": 2.5, "positions_mm": [[0.0, 0.0, 2.5 * k] for k in range(n)],
    }  # fmt: skip
    return Series(
        exam=exam, uid=new_uid(), role="CT", label="CT", folder=folder or packs.new_folder(), pixel=PIXEL,
        frame_of_reference_uid=new_uid(), geometry=geometry, unit="HU", transfer_syntax_uid=syntax,
    )  # fmt: skip


def encoded(pixels: bytes) -> bytes:
    options = {
        "rows": ROWS, "columns": COLUMNS, "samples_per_pixel": 1, "number_of_frames": 1, "bits_allocated": 16,
        "bits_stored": 16, "pixel_representation": 1, "photometric_interpretation": "MONOCHROME2",
    }  # fmt: skip
    data = get_encoder(RLELossless).encode(pixels, encoding_plugin="pydicom", **options)
    return data + b"\0" * (len(data) % 2)


def laid(frames: list[bytes], syntax: str) -> list[list[int]]:
    """Where frames lie that are appended to an empty pack."""
    rows, at = [], 0
    for frame in frames:
        at += len(packs.head(syntax))
        rows.append([at, len(frame)])
        at += len(frame) + len(packs.tail())
    return rows


def spooled(path: Path, frames: list[bytes]) -> list[Spooled]:
    path.write_bytes(b"".join(frames))
    ends = np.cumsum([0, *map(len, frames)])
    return [Spooled(path, int(ends[k]), len(frame)) for k, frame in enumerate(frames)]


def incoming(
    spool: Path, *, n: int = 4, seed: int = 1, is_compressed: bool = False
) -> list[Incoming]:
    """A CT series of `n` slices of random pixels, native or as RLE with native frames beside it."""
    spool.mkdir(parents=True, exist_ok=True)
    syntax = str(RLELossless) if is_compressed else LITTLE_ENDIAN
    rng = np.random.default_rng(seed)
    native = [rng.integers(-1000, 1000, (ROWS, COLUMNS)).astype("<i2").tobytes() for _ in range(n)]
    stored = [encoded(frame) for frame in native] if is_compressed else []
    series = some_series(n, syntax)
    places = zip(
        laid(native, LITTLE_ENDIAN), laid(stored, syntax) if stored else [None] * n, strict=True
    )
    files = (
        spooled(spool / secrets.token_hex(4), native),
        spooled(spool / secrets.token_hex(4), stored),
    )
    found = []
    for k, (own, kept) in enumerate(places):
        row = Instance(
            series=series, uid=f"{series.uid[:40]}.{k + 1}", sop_class_uid=CT, rank=k + 1, n_frames=1,
            native_frames=[own], stored_frames=[kept] if kept else [],
            stored_syntax_uid=syntax if kept else "", intercept=-1024.0,
        )  # fmt: skip
        key = (series.exam.uid, series.uid, row.uid)
        image = Image(
            key, header(row, series, archive_names(series.exam), k), location(row, series)
        )
        digests = [
            tuple(sha(f[k]) for f in (native, stored) if f is form and f)
            for form in (native, stored)
        ]
        frames = [(f[k],) if f else () for f in files]
        found.append(Incoming(Holding(image, *digests), *frames))
    return found


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pixels_of(one: Incoming, form: str = "native") -> bytes:
    """The first frame as it lies in the spool, read by other means than the store's."""
    frame = one.native[0] if form == "native" else one.stored[0]
    return frame.path.read_bytes()[frame.offset : frame.offset + frame.length]
