"""All 350 shared samples: each ends as the tables say, and every stored frame is the one pydicom decodes.

`golden/samples.json` lists per outcome the files that have it, checked by hand against section 3.4, 4.4 and 9
of the specification; the slices of the two real CT and PET series that it does not name are ready.
"""

import csv
import io
import json
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.test import Client

from portal.archive.ingest import import_paths
from portal.archive.models import Import, ImportFile, Instance
from portal.archive.refusals import SENTENCES
from portal.archive.uids import archive_key, file_digest
from tests.archive.dicomweb.test_coordinator import client, parts, path_of, whole
from tests.archive.test_import import SHARED, needs_shared
from tests.cohort import make_study

pytestmark = [pytest.mark.django_db, needs_shared]
TABLE = json.loads((Path(__file__).parents[1] / "golden" / "samples.json").read_text())
SERIES = ("petct_STS_044", "ct_CRLM_1004")
STORED = {"ready", "already here"}
HELD = {"geometry", "secondary_capture", "other_class", "not_a_volume", "pixel_encoding"}
FORMS = ("frames", "single", "part 10", "part 10 as stored")


def manifest(*, with_series: bool) -> list[dict[str, str]]:
    with (SHARED / "MANIFEST.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [r for r in rows if with_series or r["file"].split("/")[0] not in SERIES]


def expected(name: str) -> str:
    """Raises LookupError for a file of the manifest that nobody has said anything about."""
    found = [outcome for outcome, names in TABLE.items() if name in names]
    if len(found) > 1 or (not found and name.split("/")[0] not in SERIES):
        raise LookupError(f"{name} has {len(found)} expectations in golden/samples.json")
    return found[0] if found else "ready"


def taken(rows: list[dict[str, str]]) -> Import:
    """One import of all in the order of the manifest, each under its own name."""
    make_study()
    names = {SHARED / r["file"]: r["file"] for r in rows}
    return import_paths(
        list(names), door=Import.Door.COMMAND, actor=None, study_key="bone", names=names
    )


def check_outcomes(row: Import) -> None:
    """Outcome, reason and sentence of each file are those of the table."""
    found = {f.name: f.reason_code or f.outcome for f in row.files.all()}
    wrong = {n: (o, expected(n)) for n, o in found.items() if o != expected(n)}
    assert wrong == {}
    for file in row.files.all():
        if file.outcome == ImportFile.Outcome.REFUSED:
            assert file.sentence.endswith("."), file.name
            assert SENTENCES[file.reason_code][0] in (
                0xC000, 0xA900, 0xA700, 0xC122, 0x0122, 0x0111, 0x0110,
            )  # fmt: skip
        if file.reason_code in HELD:
            assert file.outcome == ImportFile.Outcome.HELD


WHOLE = "application/dicom; transfer-syntax=*"


def decoded(path: Path) -> list[bytes] | None:
    """pydicom's frames as little-endian bytes; None where it reads no pixels, or rearranges colour."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(path)
            pixels = pydicom.pixels.pixel_array(path, raw=True)
        except Exception:  # noqa: BLE001  beyond pydicom's decoders
            return None
    is_colour = int(ds.get("SamplesPerPixel", 1)) > 1
    if int(ds.BitsAllocated) == 1 or (is_colour and int(ds.get("PlanarConfiguration", 0) or 0)):
        return None
    if ds.get("PhotometricInterpretation") == "YBR_FULL_422":
        return None
    n = int(ds.get("NumberOfFrames", 1) or 1)
    little = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<")))
    data = little.tobytes()
    size = len(data) // n
    return [data[k * size : (k + 1) * size] for k in range(n)]


def served(one: Client, instance: Instance) -> dict[str, list[bytes]]:
    """The frames of an instance in each form that /dicomweb/ offers."""
    path, n = path_of(instance), instance.n_frames
    size = instance.native_frames[0][1]
    every = ",".join(str(k + 1) for k in range(n))
    file = read(one, path, "application/dicom")
    stored = read(one, path, "application/dicom; transfer-syntax=*")
    return {
        "frames": parts(one.get(f"{path}/frames/{every}")),
        "single": [
            one.get(f"{path}/frames/{k + 1}", headers={"accept": "application/octet-stream"}).content
            for k in range(n)
        ],
        "part 10": [file.PixelData[k * size : (k + 1) * size] for k in range(n)],
        "part 10 as stored": split(pixels_of(stored), n),
    }  # fmt: skip


def read(one: Client, path: str, accept: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(whole(one.get(path, headers={"accept": accept}))))


def pixels_of(ds: pydicom.Dataset) -> bytes:
    """Decoded by the client itself, as a viewer would."""
    if not ds.file_meta.TransferSyntaxUID.is_compressed:
        return bytes(ds.PixelData)
    pixels = pydicom.pixels.pixel_array(ds, raw=True)
    return np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"))).tobytes()


def split(data: bytes, n: int) -> list[bytes]:
    size = len(data) // n
    return [data[k * size : (k + 1) * size] for k in range(n)]


def compared(rows: list[dict[str, str]]) -> tuple[int, list[str]]:
    """How many files were compared, and what differs in which form."""
    one, n, different = client(), 0, []
    by_digest = {
        i.file_digest: i
        for i in Instance.objects.exclude(native_frames=[]).select_related("series__exam")
    }
    for row in rows:
        instance = by_digest.get(file_digest(archive_key(), row["sha256"]))
        wanted = decoded(SHARED / row["file"]) if instance else None
        if instance is None or wanted is None:
            continue
        n += 1
        different += headers_differ(one, instance, SHARED / row["file"])
        found = served(one, instance)
        different += [f"{row['file']} {form}" for form in FORMS if not alike(found[form], wanted)]
    return n, different


def headers_differ(one: Client, instance: Instance, path: Path) -> list[str]:
    """Tags of the file that do not come back as they are in it; what nobody can read is left out of re-encoded ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sent, found = pydicom.dcmread(path), read(one, path_of(instance), WHOLE)
        is_rewritten = sent.original_encoding != (False, True)
        wrong = []
        for tag in sent.keys():  # noqa: SIM118  a data set
            if tag == 0x7FE00010 or tag.element == 0:
                continue
            try:
                wanted = sent[tag]
            except Exception:  # noqa: BLE001  pydicom raises almost anything on a damaged value
                continue
            if tag not in found and not is_rewritten or tag in found and found[tag] != wanted:
                wrong.append(f"{path.name} {tag}")
    return wrong


def alike(found: list[bytes], wanted: list[bytes]) -> bool:
    """Byte for byte; an odd pixel element carries one padding byte behind its last frame."""
    return len(found) == len(wanted) and all(
        f == w or (f[:-1] == w and f[-1:] == b"\0") for f, w in zip(found, wanted, strict=True)
    )


def test_every_row_of_the_manifest_has_one_expectation_and_no_expectation_is_without_its_row():
    names = [row["file"] for row in manifest(with_series=True)]
    assert len([expected(name) for name in names]) == 350
    assert {name for given in TABLE.values() for name in given} - set(names) == set()
    with pytest.raises(LookupError, match="new/file"):
        expected("new/file.dcm")


@pytest.mark.promise("H1")
@pytest.mark.promise("H5")
def test_each_sample_ends_as_the_tables_say_and_every_stored_frame_is_pydicoms():
    rows = manifest(with_series=False)
    assert len(rows) == 201
    check_outcomes(taken(rows))
    n, different = compared(rows)
    assert (n > 95, different) == (True, [])


@pytest.mark.slow
def test_all_350_samples_with_the_real_series():
    rows = manifest(with_series=True)
    assert len(rows) == 350
    check_outcomes(taken(rows))
    n, different = compared(rows)
    assert (n > 240, different) == (True, [])
