"""The source view: what a coordinator gets back is what was sent, element by element, and nobody else sees any of it."""

import io

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from portal.archive.ingest import import_paths
from portal.archive.models import Exam, Import, Instance, Series
from tests.archive.builders import change, slices, take
from tests.archive.dicomweb.test_coordinator import client, parts, whole
from tests.archive.test_import import SHARED, needs_shared, spect
from tests.cohort import make_study

pytestmark = pytest.mark.django_db
EXAM, CT, NM = "2.25.700", "2.25.71", "2.25.311"
LARGE = bytes(range(256)) * 20


def spoken(ds: Dataset) -> None:
    """A header that names a patient in every way, with private elements and a large one."""
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Zzdoe^Jane", "ZZ-4711", "19470311"
    ds.AccessionNumber, ds.StudyDescription, ds.StudyID = "ZZACC1", "Zzstudy (left)", "ZZSID"
    ds.ReferringPhysicianName, ds.SeriesDescription, ds.SeriesNumber = "Zzref^Bob", "Zzseries", 7
    ds.StudyDate, ds.StudyTime = "20190304", "091500"
    block = ds.private_block(0x0009, "ZZOWNER", create=True)
    block.add_new(1, "LO", "Zzprivate")
    block.add_new(2, "OB", LARGE)
    inner = Dataset()
    inner.add_new(0x00091010, "OB", LARGE[::-1])
    inner.CodeMeaning = "Zzinner"
    ds.ProcedureCodeSequence = [inner]
    ds.ImageComments = "Zzcomment"


@pytest.fixture
def sent(tmp_path) -> list[pydicom.FileDataset]:
    """Three CT slices and a volume stacked head to foot, as they were written."""
    make_study(is_synthetic=True)
    paths = slices(tmp_path / "ct", n=3)
    (tmp_path / "nm").mkdir()
    spect(tmp_path / "nm", is_negative=True)
    paths.append(tmp_path / "nm" / "spect.dcm")
    for path in paths:
        change(path, spoken)
        change(path, lambda ds: setattr(ds, "StudyInstanceUID", EXAM))
    # beyond what a child says in its answer
    change(paths[0], lambda ds: ds.add_new(0x00091003, "OB", LARGE * 20))
    assert {f.outcome for f in take(*paths, study_key="bone").files.all()} == {"ready"}
    return [pydicom.dcmread(path) for path in paths]


def root(ds: Dataset) -> str:
    series = f"/dicomweb/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
    return f"{series}/instances/{ds.SOPInstanceUID}"


def retrieved(ds: Dataset, syntax: str = "*", **more) -> pydicom.FileDataset:
    accept = {"accept": f"application/dicom; transfer-syntax={syntax}"}
    return pydicom.dcmread(io.BytesIO(whole(client(**more).get(root(ds), headers=accept))))


def elements(ds: Dataset) -> dict[str, DataElement]:
    """All but pixels and retired lengths of groups."""
    return {str(e.tag): e for e in ds if e.tag != 0x7FE00010 and e.tag.element != 0}


@pytest.mark.parametrize("syntax", ["*", ExplicitVRLittleEndian])
def test_what_was_sent_comes_back_element_by_element_with_its_pixels(sent, syntax):
    for one in sent:
        found = retrieved(one, syntax)
        assert elements(found) == elements(one)
        assert np.array_equal(found.pixel_array, one.pixel_array)
        assert found.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    assert sent[-1].SpacingBetweenSlices < 0


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_another_encoding_comes_back_with_the_same_values(tmp_path, syntax):
    make_study(is_synthetic=True)
    (path,) = slices(tmp_path, n=1)
    change(path, spoken)
    one = pydicom.dcmread(path)
    words = np.frombuffer(one.PixelData, "<u2")
    if syntax == ExplicitVRBigEndian:
        one.PixelData = words.astype(">u2").tobytes()
        one["PixelData"].VR = "OW"
    one.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(path, one, implicit_vr=syntax.is_implicit_VR,
                     little_endian=syntax.is_little_endian, enforce_file_format=True)  # fmt: skip
    assert take(path, study_key="bone").files.get().outcome == "ready"
    found = retrieved(one)
    # without kinds of values in the file, private ones have none
    assert elements(found) == elements(pydicom.dcmread(path))
    assert found.PixelData == words.tobytes()


def test_frames_keep_their_numbers(sent):
    nm = sent[-1]
    frames = nm.pixel_array
    for number in (1, 5):
        (found,) = parts(client().get(f"{root(nm)}/frames/{number}"))
        assert found == frames[number - 1].astype("<u2").tobytes()
    (pixels,) = parts(client().get(f"{root(nm)}/bulkdata/7FE00010"))
    assert pixels == frames.astype("<u2").tobytes()


def test_metadata_say_what_the_header_says(sent):
    rows = client().get(f"/dicomweb/studies/{EXAM}/metadata").json()
    assert len(rows) == 4
    for one in sent:
        (row,) = client().get(f"{root(one)}/metadata").json()
        assert row in rows
        found = Dataset.from_json(row, lambda *_: LARGE)
        for tag, element in elements(one).items():
            if element.VR not in ("OB", "SQ") and tag != "(0008,0005)":
                assert found[element.tag].value == element.value, tag
        assert row["00100010"]["Value"] == [{"Alphabetic": "Zzdoe^Jane"}]
        assert row["00083002"]["Value"][-1] == ExplicitVRLittleEndian


def test_large_values_are_bulk_data_wherever_they_stand(sent):
    (row,) = client().get(f"{root(sent[0])}/metadata").json()
    (item,) = row["00081032"]["Value"]
    for element, wanted in ((row["00091002"], LARGE), (item["00091010"], LARGE[::-1])):
        address = element["BulkDataURI"].removeprefix("http://testserver")
        assert parts(client().get(address)) == [wanted]
        alone = client().get(address, headers={"accept": "application/octet-stream"})
        assert whole(alone) == wanted
    address = row["00091003"]["BulkDataURI"].removeprefix("http://testserver")
    assert parts(client().get(address)) == [LARGE * 20]
    for wrong in ("00091004", "00081032/2/00091010", "00081032", "00100010"):
        assert client().get(f"{root(sent[0])}/bulkdata/{wrong}").status_code == 404


KEYS = [
    ("PatientName=Zzdoe^Jane", 1), ("PatientName=zzdoe*", 1), ("PatientName=*jane", 1), ("PatientName=*zz*", 1),
    ("PatientName=jane zzd&fuzzymatching=true", 1), ("PatientName=Jim", 0), ("PatientID=ZZ-4711", 1),
    ("PatientID=zz-4711", 1), ("PatientID=ZZ-471", 0), ("PatientID=ZZ-47??", 1), ("AccessionNumber=ZZACC1", 1),
    ("AccessionNumber=ZZACC2", 0), ("StudyID=zzsid", 1), ("StudyDescription=*(left)", 1),
    ("StudyDescription=*(right)", 0), ("ReferringPhysicianName=Zzref*", 1), ("StudyDate=20190304", 1),
    ("StudyDate=20190305-", 0), ("StudyDate=-20190304", 1), ("StudyTime=0915*", 1), (f"StudyInstanceUID={EXAM}", 1),
    ("ModalitiesInStudy=NM", 1), ("ModalitiesInStudy=MR", 0), ("PatientName=*", 1), ("PatientID=%25", 0),
]  # fmt: skip


@pytest.mark.parametrize(("question", "n"), KEYS)
@pytest.mark.parametrize(("level", "each"), [("studies", 1), ("series", 2), ("instances", 4)])
def test_a_search_matches_the_senders_own_values(sent, question, n, level, each):
    answer = client().get(f"/dicomweb/{level}?{question}")
    assert (answer.status_code, len(answer.json() if n else [])) == ((200, each) if n else (204, 0))


@pytest.mark.parametrize(
    ("question", "n"),
    [
        (f"series?SeriesInstanceUID={CT}", 1), ("series?Modality=CT", 1), ("series?SeriesNumber=7", 2),
        ("series?SeriesNumber=07", 0), ("series?SeriesNumber=?", 2), ("series?SeriesDescription=zzser*", 2),
        (f"studies/{EXAM}/series?Modality=NM", 1), (f"studies/{EXAM}/series/{CT}/instances", 3),
        (f"studies/{EXAM}/instances?InstanceNumber=2", 1), ("instances?SOPInstanceUID=2.25.71.2", 1),
        ("instances?SOPClassUID=1.2.840.10008.5.1.4.1.1.20", 1), ("instances?limit=3", 3),
        ("instances?limit=3&offset=3", 1), ("studies/1.2.3/series", 0),
    ],
)  # fmt: skip
def test_series_and_images_are_found_by_what_was_sent(sent, question, n):
    answer = client().get(f"/dicomweb/{question}")
    assert len(answer.json() if answer.status_code == 200 else []) == n


def test_a_row_of_a_study_is_the_senders(sent):
    (row,) = client().get("/dicomweb/studies?limit=101&includefield=00081030").json()
    found = Dataset.from_json(row)
    assert (found.PatientName, found.PatientID, found.StudyDate) == ("Zzdoe^Jane", "ZZ-4711", "20190304")  # fmt: skip
    assert (found.NumberOfStudyRelatedSeries, found.NumberOfStudyRelatedInstances) == (2, 4)
    assert found.RetrieveURL == f"http://testserver/dicomweb/studies/{EXAM}"
    assert found.StudyDescription == "Zzstudy (left)"
    (one,) = client().get("/dicomweb/instances?SOPInstanceUID=2.25.71.2&includefield=all").json()
    assert one["00091002"]["BulkDataURI"].startswith("http://testserver/dicomweb/studies/")


def test_words_of_the_archive_find_nothing(sent):
    exam, image = Exam.objects.get(), Instance.objects.first()
    assert client().get(f"/dicomweb/studies?StudyInstanceUID={exam.uid}").status_code == 204
    assert client().get(f"/dicomweb/studies?PatientID={exam.subject}").status_code == 204
    for tail in ("", "/metadata", f"/series/{image.series.uid}/instances/{image.uid}/frames/1"):
        assert client().get(f"/dicomweb/studies/{exam.uid}{tail}").status_code == 404


def test_what_became_several_series_here_is_one_again(tmp_path):
    make_study(is_synthetic=True)
    for k in (1, 2):
        (tmp_path / str(k)).mkdir()
        spect(tmp_path / str(k), uid=f"2.25.90{k}")
        change(
            tmp_path / str(k) / "spect.dcm", lambda ds: setattr(ds, "SeriesInstanceUID", "2.25.99")
        )
    take(tmp_path, study_key="bone")
    assert Series.objects.count() == 2
    (row,) = client().get("/dicomweb/series").json()
    assert (row["0020000E"]["Value"], row["00201209"]["Value"]) == (["2.25.99"], [2])
    exam = row["0020000D"]["Value"][0]
    (study,) = client().get("/dicomweb/studies").json()
    assert study["00201206"]["Value"] == [1]
    assert len(client().get(f"/dicomweb/studies/{exam}/series/2.25.99/metadata").json()) == 2


@needs_shared
@pytest.mark.filterwarnings("ignore:The value length")
@pytest.mark.parametrize(
    "name", ["synthetic/ct_phi_everywhere.dcm", "pydicom/reportsi.dcm", "petct_STS_044"]
)
def test_real_files_come_back_held_ones_too(name):
    make_study()
    path = SHARED / name
    files = sorted(path.rglob("*.dcm"))[::20] if path.is_dir() else [path]
    import_paths(files, door=Import.Door.COMMAND, actor=None, study_key="bone")
    assert Instance.objects.count() == len(files)
    for one in map(pydicom.dcmread, files):
        found = retrieved(one)
        assert elements(found) == elements(one)
        assert found.get("PixelData") == one.get("PixelData")


def test_nothing_of_it_may_be_stored_but_pixels(sent):
    for tail in ("", "/series", "/metadata", "/instances"):
        answer = client().get(f"/dicomweb/studies/{EXAM}{tail}")
        assert answer["Cache-Control"] == "private, no-store"
    first = client().get(f"/dicomweb/studies/{EXAM}/metadata")
    again = client().get(
        f"/dicomweb/studies/{EXAM}/metadata", headers={"if-none-match": first["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    frame = client().get(f"{root(sent[0])}/frames/1")
    assert frame["Cache-Control"] == "private, max-age=31536000, immutable"
