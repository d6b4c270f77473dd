"""The shared samples: lossless is exact, lossy stays in its bounds, slices lie where the standard puts them."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest

from portal.archive.models import Series
from portal.archive.reading import read
from portal.archive.refusals import Refusal
from tests.archive.builders import person, slices, take
from tests.archive.test_import import SHARED, needs_shared

BOUNDS = {
    f"{image}_{form}": bound
    for image, irreversible in (("CT1", 352), ("NM1", 101))
    for form, bound in {
        "RLE": 0, "JPLL": 0, "JLSL": 0, "J2KR": 0, "JLSN": 4, "J2KI": irreversible,
    }.items()
}  # fmt: skip


def pixels(path: Path, spool: Path) -> np.ndarray:
    answer = read(path, spool)
    assert len(answer["frames"]) == 1
    return np.frombuffer((spool / "native").read_bytes(), dtype="<i2").astype(np.int64)


@needs_shared
@pytest.mark.parametrize("name", BOUNDS)
def test_a_compressed_sample_decodes_within_its_bound_of_the_plain_one(tmp_path, name):
    folder = SHARED / "nema_wg04"
    plain = pixels(folder / f"{name[:3]}_UNC.dcm", tmp_path)
    assert np.abs(pixels(folder / f"{name}.dcm", tmp_path) - plain).max() <= BOUNDS[name]
    assert len(set(plain.tolist())) > 100


@needs_shared
def test_jpeg_of_twelve_bits_is_refused_by_name(tmp_path):
    with pytest.raises(Refusal, match="JPEG Extended") as refusal:
        read(SHARED / "nema_wg04" / "NM1_JPLY.dcm", tmp_path)
    assert refusal.value.reason == 0xC122


# first and last z, spacing, in mm
STACKS = {
    "nm_xeleris_like_neg_spacing": (-278.33778, 278.33778, 8.83612),
    "nm_xeleris_like_pos_spacing_same_origin": (278.33778, 835.01334, 8.83612),
    "pair_nm_neg": (-50.814, 50.8, None),
    "pair_nm_pos": (-50.8, 50.814, None),
}


@needs_shared
@pytest.mark.parametrize("name", STACKS)
def test_a_spect_stack_lies_where_its_signed_spacing_says(tmp_path, name):
    geometry = read(SHARED / "synthetic" / f"{name}.dcm", tmp_path)["geometry"]
    first, last, spacing = STACKS[name]
    z = [p[2] for p in geometry["positions_mm"]]
    assert (z[0], z[-1]) == pytest.approx((first, last), abs=1e-4)
    steps = np.diff(z)
    assert (steps > 0).all()
    assert geometry["slice_spacing_mm"] == pytest.approx(spacing or steps.mean(), abs=1e-4)


@needs_shared
@pytest.mark.django_db
def test_slices_that_the_file_does_not_number_are_taken_with_a_warning():
    row = take(SHARED / "synthetic" / "nm_no_slice_vector.dcm")
    (file,) = row.files.all()
    said = "The file does not number its slices; they are taken in the order of its frames."
    assert (file.outcome, file.reason_code, file.sentence) == ("ready", "", said)
    series = Series.objects.get()
    assert (series.state, series.sentence, series.is_volume) == ("ready", "", True)
    assert len(series.geometry["positions_mm"]) == 64


@needs_shared
@pytest.mark.django_db
@pytest.mark.parametrize("name", ["nm_xeleris_like_neg_spacing", "nm_no_detector_seq"])
def test_no_other_stack_gets_that_warning(name):
    (file,) = take(SHARED / "synthetic" / f"{name}.dcm").files.all()
    assert "number its slices" not in file.sentence


@needs_shared
def test_the_negative_stack_reversed_is_the_positive_one_byte_for_byte(tmp_path):
    found = []
    for name in ("pair_nm_neg", "pair_nm_pos"):
        answer = read(SHARED / "synthetic" / f"{name}.dcm", tmp_path)
        data = (tmp_path / "native").read_bytes()
        frames = [data[o : o + n] for o, n, _ in answer["frames"]]
        found.append([frames[k] for k in answer["order"]])
    assert found[0] == found[1]


@needs_shared
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("folder", "z", "spacing", "shape"),
    [
        ("CT", (-869.82, -699.78), 0.9766, (216, 234)),
        ("PET", (-869.80, -699.76), 4.6875, (46, 49)),
    ],
)
def test_the_real_pet_and_ct_lie_where_their_headers_say(folder, z, spacing, shape):
    take(SHARED / "petct_STS_044" / folder)
    series = Series.objects.ready().get()
    geometry = series.geometry
    places = [p[2] for p in geometry["positions_mm"]]
    assert len(places) == 53
    assert (places[0], places[-1]) == pytest.approx(z, abs=0.005)
    assert geometry["slice_spacing_mm"] == pytest.approx(3.27, abs=0.005)
    assert geometry["spacing_mm"] == pytest.approx([spacing] * 2, abs=1e-4)
    assert (series.pixel["rows"], series.pixel["columns"]) == shape


PLAIN = sorted((SHARED / "pydicom").glob("*.dcm")) if SHARED.exists() else []


@needs_shared
def test_native_frames_equal_what_pydicom_decodes(tmp_path):
    """Each uncompressed sample that is read, against pydicom's own decoder, as raw bytes."""
    compared, different = 0, []
    for path in PLAIN:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                answer = read(path, tmp_path)
                wanted = pydicom.pixels.pixel_array(path, raw=True)
            except Exception:  # noqa: BLE001, S112  refused, or beyond pydicom's own decoders
                continue
        bits = answer.get("pixel", {}).get("bits_allocated")
        if bits not in (8, 16, 32) or answer["pixel"]["photometric"] == "YBR_FULL_422":
            continue
        if answer["facts"].get("PlanarConfiguration"):
            continue  # pydicom turns colour by plane into colour by pixel; stored bytes are never touched
        ours = (tmp_path / "native").read_bytes()
        compared += 1
        if ours != wanted.astype(wanted.dtype.newbyteorder("<")).tobytes():
            different.append(path.name)
    assert (compared > 20, different) == (True, [])


MEASURE = """
import resource, sys
from pathlib import Path
import django
django.setup()
from django.core.management import call_command
from portal.archive.commit import counts
from portal.archive.ingest import import_paths
from portal.archive.pool import close_all
call_command("migrate", verbosity=0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
row = import_paths([Path(sys.argv[1])], door="command", actor=None)
close_all()
print(counts(row)["ready"], (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_an_import_keeps_no_batch_in_memory(tmp_path):
    """40 slices of 8 MiB, 320 MiB in one batch: the importing process grows by less than a tenth of it."""
    for path in slices(tmp_path / "in", n=40):
        ds = pydicom.dcmread(path)
        ds.Rows = ds.Columns = 2048
        ds.PixelData = bytes(2048 * 2048 * 2)
        ds.save_as(path)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "in")], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2], env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "/usr/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1500:]
    ready, grown = map(int, done.stdout.split())
    assert (ready, grown < 32) == (40, True), f"grew by {grown} MiB"


@pytest.mark.slow
def test_ten_thousand_files_in_one_import_do_not_pile_up(tmp_path):
    """100 exams of 100 slices: every file has its row, and the importing process stays small."""
    for exam in range(100):
        who = person(f"SYN{exam:04d}", f"2.25.9{exam:04d}")
        slices(tmp_path / "in" / f"{exam:03d}", n=100, who=who, series=f"2.25.8{exam:04d}")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "in")], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2], env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "/usr/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1500:]
    ready, grown = map(int, done.stdout.split())
    assert (ready, grown < 64) == (10_000, True), f"grew by {grown} MiB"
