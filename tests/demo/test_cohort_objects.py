"""The synthetic cohort as DICOM: valid objects, lesions where the truth says, and no side door to the class."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from portal.archive.models import Series
from portal.archive.pixels import volume
from portal.demo.options import Options
from portal.demo.rendering import Errand, uid, write_patient
from radiomics.phantom.plan import make_plan
from radiomics.phantom.records import METASTASIS, PatientPlan
from radiomics.stats.roc import auc
from tests.archive.builders import take

OPTIONS = Options(patients=24, encoding="raw")
POSITIVE, NEGATIVE, EXCLUDED = 0, 1, 24
VALIDATOR = shutil.which("dciodvfy")
# the Debian 12 build of 2022 does not know Synthetic Data (0008,001C) yet
TOO_NEW = re.compile(r"0x0008,0x001c|\(0008,001c\)", re.IGNORECASE)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, tuple]]:
    """Two included patients with either sign of slice spacing, and one that screening left out."""
    root = tmp_path_factory.mktemp("cohort")
    left_out = next(p.index for p in OPTIONS.plan.excluded if p.has_images)
    found = {}
    for key, index in ((POSITIVE, 0), (NEGATIVE, 1), (EXCLUDED, left_out)):
        folder = root / str(key)
        one = write_patient(Errand(OPTIONS, index, key == EXCLUDED, str(folder)))
        found[key] = (folder, one.lesions)
    return found


def test_the_two_patients_have_either_sign_of_spacing(folders):
    signs = [
        float(pydicom.dcmread(folders[k][0] / "spect.dcm").SpacingBetweenSlices)
        for k in (POSITIVE, NEGATIVE)
    ]
    assert sorted(np.sign(signs)) == [-1, 1]


@pytest.mark.skipif(VALIDATOR is None, reason="dciodvfy (package dicom3tools) is not installed")
@pytest.mark.parametrize("patient", [POSITIVE, NEGATIVE, EXCLUDED])
@pytest.mark.parametrize("name", ["ct-0001.dcm", "ct-0040.dcm", "spect.dcm", "wholebody.dcm"])
def test_the_validator_finds_no_error_but_the_element_it_is_too_old_for(folders, patient, name):
    path = folders[patient][0] / name
    done = subprocess.run(
        [VALIDATOR, str(path)], capture_output=True, text=True, errors="replace", check=False
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert [line for line in errors if not TOO_NEW.search(line)] == []


def datasets(folders) -> Iterator[pydicom.Dataset]:
    for folder, _ in folders.values():
        for path in sorted(folder.iterdir()):
            yield pydicom.dcmread(path, stop_before_pixels=True)


def permuted() -> list[list[int]]:
    """Rows p(i mod 8, digit) of Verhoeff's permutation table."""
    first = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
    rows = [list(range(10))]
    for _ in range(7):
        rows.append([first[v] for v in rows[-1]])
    return rows


def multiply(a: int, b: int) -> int:
    """The dihedral group of order 10."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b - 5) % 5
    return 5 + (a - 5 - b) % 5 if b < 5 else (a - b) % 5


def has_valid_check_digit(code: str) -> bool:
    """Verhoeff 1969: the digits from the right, each permuted by its place, multiply to 0."""
    table, total = permuted(), 0
    for place, digit in enumerate(reversed(code)):
        total = multiply(total, table[place % 8][int(digit)])
    return total == 0


@pytest.mark.parametrize(("code", "is_valid"), [("2364", False), ("2363", True), ("72454006", True), ("72454007", False)])  # fmt: skip
def test_the_check_digit_is_verhoeffs(code, is_valid):
    """2363 is the worked example of the method; 72454006 is technetium-99m of SNOMED CT."""
    assert has_valid_check_digit(code) is is_valid


def values(ds: pydicom.Dataset, keyword: str) -> set[str]:
    return {str(element.value) for element in ds.iterall() if element.keyword == keyword}


def test_every_code_is_snomeds_and_has_its_check_digit(folders):
    seen = set()
    for ds in datasets(folders):
        assert values(ds, "CodingSchemeDesignator") <= {"SCT"}
        seen |= values(ds, "CodeValue")
    assert len(seen) == 7
    assert [code for code in sorted(seen) if not has_valid_check_digit(code)] == []


def test_every_file_says_that_no_person_is_behind_it(folders):
    for ds in datasets(folders):
        assert ds[0x0008001C].value == "YES"
        assert str(ds.PatientName) == f"{ds.PatientID}^SYNTHETIC"
        assert (ds.Manufacturer, ds.ManufacturerModelName) == ("Synthetic", "SPECT/CT simulator")
        assert ds.InstitutionName == "SYNTHETIC, NOT A PATIENT"
        assert "Laterality" not in ds
        assert ds.PatientBirthDate == ""


def test_nuclear_objects_have_their_place_in_the_detector_item_only(folders):
    for ds in datasets(folders):
        if ds.Modality != "NM":
            continue
        assert not {"ImagePositionPatient", "ImageOrientationPatient", "PatientPosition"} & set(
            ds.dir()
        )
        assert "RescaleSlope" not in ds
        place = ds.DetectorInformationSequence[0].ImagePositionPatient
        assert bool(place) is (ds.ImageType[2] == "RECON TOMO")


@pytest.mark.django_db
@pytest.mark.parametrize("patient", [POSITIVE, NEGATIVE])
def test_true_lesions_land_on_the_imported_voxels(folders, patient):
    """Centroids put in and found again, through the ingest, within one voxel in CT and SPECT."""
    folder, lesions = folders[patient]
    row = take(folder, study_key="demo", expects_synthetic=True, archive_seed=b"demo")
    assert {f.outcome for f in row.files.all()} == {"ready"}
    ct, spect = (volume(Series.objects.get(role=role)) for role in ("CT", "SPECT"))
    assert (ct.pixels.shape, spect.pixels.shape) == ((40, 256, 256), (32, 128, 128))
    for lesion in lesions:
        back = ct.to_patient(np.rint(ct.to_pixel([lesion.centroid_mm])))[0]
        assert np.abs(back - lesion.centroid_mm).max() <= 2.5 / 2 + 1e-6
        k, r, c = np.rint(spect.to_pixel([lesion.centroid_mm]))[0].astype(int)
        around = spect.pixels[k - 2 : k + 3, r - 3 : r + 4, c - 3 : c + 4]
        background = np.median(spect.pixels[k][spect.pixels[k] > 0])
        assert around.max() > 3 * background


def classes(patients: tuple[PatientPlan, ...]) -> list[int]:
    return [int(p.diagnosis == METASTASIS or METASTASIS in {le.truth for le in p.lesions}) for p in patients]  # fmt: skip


def side_doors(patient: PatientPlan, options: Options) -> dict[str, float]:
    """What a header, a UID, a date or the order of patients could tell of a patient's class."""
    start = patient.start_time
    return {
        "number": patient.index,
        "age": patient.age,
        "study date": patient.study_date.toordinal(),
        "study time": start.hour * 60 + start.minute,
        "activity": patient.activity_mbq,
        "count factor": patient.delta,
        "negative spacing": float(patient.negative_spacing),
        "study UID": int(uid(options, patient.subject, "study").split(".")[-1]),
        "series UID": int(uid(options, patient.subject, "spect").split(".")[-1]),
        "centre level": float(int(patient.centre_level[1:]) + 12 * (patient.centre_level[0] == "L")),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(side_doors(make_plan(seed=2022).patients[0], Options())))
def test_nothing_but_pixels_tells_the_class(name):
    """AUC .5 within three standard errors over ten seeds of the default cohort."""
    found = []
    for seed in range(10):
        options = Options(seed=seed)
        patients = options.plan.patients
        values = [side_doors(p, options)[name] for p in patients]
        found.append(auc(classes(patients), values))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - 0.5) <= 3 * max(error, 0.015)


def test_file_names_and_sizes_are_the_same_for_every_patient(folders):
    sizes = [{p.name: p.stat().st_size for p in sorted(f.iterdir())} for f, _ in folders.values()]
    assert len({tuple(s) for s in sizes}) == 1
    for name in sizes[0]:
        assert np.ptp([s[name] for s in sizes]) <= 64
