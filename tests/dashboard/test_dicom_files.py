"""ROIs and reads as DICOM: re-read with pydicom, each holds what the database holds, and nothing of a clock."""

import io
import zipfile

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

from portal.analysis.outline_agreement import mask_of
from portal.archive.models import Exam, Instance
from portal.archive.read_reports import Said, report
from portal.archive.roi_objects import class_of
from portal.dashboard.dicom_files import (
    author_of,
    outline_of,
    place_of,
    read_files,
    roi_files,
)
from portal.errors import NotFound
from portal.study.models import Lesion
from readers.models import Read, Roi
from tests.analysis.builders import do_all, outlined
from tests.cohort import make_lesion, make_patient, make_study
from tests.readers.builders import answers, draft, make_reading_study

pytestmark = pytest.mark.django_db


def opened(body: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(body))


@pytest.fixture
def study():
    """One lesion, drawn on CT and SPECT by one delineator and called by one expert."""
    found = make_reading_study(n_lesions=1)
    do_all(found, "delineator1", "outline", outlined())
    do_all(found, "expert1", "read", lambda _case, _shown: draft(answers("metastasis", 4)))
    return found


@pytest.fixture
def files(study) -> dict[str, pydicom.Dataset]:
    return {name: opened(body) for name, body in roi_files(study)}


def of_kind(files, ending: str) -> list[pydicom.Dataset]:
    return [ds for name, ds in sorted(files.items()) if name.endswith(ending)]


def test_a_drawing_gives_a_seg_per_roi_one_rtstruct_and_one_report(files):
    assert [len(of_kind(files, end)) for end in (".seg.dcm", ".rtstruct.dcm", ".sr.dcm")] == [2, 1, 1]  # fmt: skip
    subject = Lesion.objects.get().patient.subject
    assert all(name.startswith(f"{subject}-1-delineator1-main-1-") for name in files)


@pytest.mark.parametrize("modality", ["CT", "SPECT"])
def test_the_segment_is_the_mask_of_the_roi(files, modality):
    roi = Roi.objects.get(modality=modality)
    (ds,) = [d for name, d in files.items() if f"-{modality}-" in name]
    stored = ds.pixel_array.astype(bool).squeeze()
    assert stored.shape == (roi.series.pixel["rows"], roi.series.pixel["columns"])
    assert np.array_equal(stored, mask_of(roi))
    assert stored.sum() == roi.n_pixels > 30


@pytest.mark.parametrize("modality", ["CT", "SPECT"])
def test_highdicom_reads_the_seg_back_as_one_manual_binary_segment(files, modality):
    (ds,) = [d for name, d in files.items() if f"-{modality}-" in name]
    seg = hd.seg.Segmentation.from_dataset(ds)
    assert seg.number_of_segments == 1
    description = seg.get_segment_description(1)
    assert description.algorithm_type == hd.seg.SegmentAlgorithmTypeValues.MANUAL
    assert modality in description.segment_label


@pytest.mark.parametrize("modality", ["CT", "SPECT"])
def test_the_seg_lies_where_its_image_lies_and_names_it(files, modality):
    roi = Roi.objects.get(modality=modality)
    (ds,) = [d for name, d in files.items() if f"-{modality}-" in name]
    group = ds.PerFrameFunctionalGroupsSequence[0]
    position = group.PlanePositionSequence[0].ImagePositionPatient
    assert [float(v) for v in position] == roi.series.geometry["positions_mm"][roi.slice_index]
    image = group.DerivationImageSequence[0].SourceImageSequence[0]
    assert image.ReferencedSOPInstanceUID == roi.sop_instance_uid
    assert image.ReferencedSOPClassUID == Instance.objects.get(uid=roi.sop_instance_uid).sop_class_uid  # fmt: skip
    assert image.get("ReferencedFrameNumber") == (roi.frame if modality == "SPECT" else None)
    assert ds.FrameOfReferenceUID == roi.frame_of_reference_uid
    assert ds.StudyInstanceUID == roi.series.exam.uid


def test_the_structure_set_holds_the_polygons_in_patient_millimetres(files):
    (ds,) = of_kind(files, ".rtstruct.dcm")
    rois = list(Roi.objects.order_by("modality"))
    assert [item.ROINumber for item in ds.StructureSetROISequence] == [1, 2]
    for roi, contour in zip(rois, ds.ROIContourSequence, strict=True):
        (one,) = contour.ContourSequence
        points = np.array([float(v) for v in one.ContourData]).reshape(-1, 3)
        assert np.allclose(points, roi.vertices_mm, atol=1e-6)
        assert one.ContourGeometricType == "CLOSED_PLANAR"
        assert one.NumberOfContourPoints == len(points)
        assert one.ContourImageSequence[0].ReferencedSOPInstanceUID == roi.sop_instance_uid


def test_the_structure_set_refers_to_both_series_of_the_exam(files):
    (ds,) = of_kind(files, ".rtstruct.dcm")
    frame = ds.ReferencedFrameOfReferenceSequence[0]
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert {s.SeriesInstanceUID for s in series} == {r.series.uid for r in Roi.objects.all()}


def measurement_groups(ds: pydicom.Dataset):
    return hd.sr.Comprehensive3DSR.from_dataset(ds).content


def test_the_report_of_a_drawing_has_the_area_of_each_roi(files):
    (ds,) = of_kind(files, ".sr.dcm")
    groups = measurement_groups(ds).get_planar_roi_measurement_groups()
    found = sorted(g.get_measurements()[0].value for g in groups)
    assert found == pytest.approx(sorted(r.area_mm2 for r in Roi.objects.all()), abs=1e-5)


def test_the_report_of_a_drawing_says_nothing_of_what_the_lesion_is(files):
    (ds,) = of_kind(files, ".sr.dcm")
    assert "metasta" not in str(ds).lower()
    assert "benign" not in str(ds).lower()


@pytest.mark.parametrize(("call", "code"), [("metastasis", "14799000"), ("benign", "benign")])
def test_the_report_of_a_read_has_its_call_confidence_and_score(call, code):
    study = make_reading_study(n_lesions=1)
    do_all(study, "expert1", "read", lambda _case, _shown: draft(answers(call, 4)))
    ((name, body),) = read_files(study)
    read = Read.objects.get()
    assert name.endswith("-1-expert1-main-1-unaided-read.sr.dcm")
    (group,) = measurement_groups(opened(body)).get_image_measurement_groups()
    assert [q.value.value for q in group.get_qualitative_evaluations()] == [code]
    assert [m.value for m in group.get_measurements()] == [read.confidence, read.score]


def test_a_drawing_without_a_call_gives_no_report_of_a_read(study):
    assert [name for name, _ in read_files(study) if "delineator" in name] == []


def test_reports_are_of_the_template_1500(files, study):
    bodies = [*of_kind(files, ".sr.dcm"), *(opened(body) for _, body in read_files(study))]
    for ds in bodies:
        assert ds.ContentTemplateSequence[0].TemplateIdentifier == "1500"
        assert ds.CompletionFlag == "COMPLETE"


def test_every_object_carries_the_pseudonym_and_no_name_of_a_person(files):
    subject = Lesion.objects.get().patient.subject
    for ds in files.values():
        assert ds.PatientID == subject
        assert str(ds.PatientName) == f"{subject}^"
        assert ds.PatientBirthDate == ""


def test_every_uid_is_valid_and_every_object_has_its_own(files):
    uids = [ds.SOPInstanceUID for ds in files.values()]
    assert len(set(uids)) == len(uids)
    assert all(UID(uid).is_valid for uid in uids)


def test_the_same_study_gives_the_same_bytes(study):
    assert list(roi_files(study)) == list(roi_files(study))


def test_objects_are_dated_when_the_read_was_locked(files):
    locked = Read.objects.filter(assignment__session__task="outline").get().locked_at
    assert {ds.SeriesDate for ds in files.values()} == {locked.strftime("%Y%m%d")}


@pytest.mark.parametrize("is_synthetic", [True, False])
def test_synthetic_data_stays_marked_in_every_object(study, is_synthetic):
    Exam.objects.update(is_synthetic=is_synthetic)
    for _, body in [*roi_files(study), *read_files(study)]:
        mark = opened(body).get((0x0008, 0x001C))
        assert (mark is not None and mark.value == "YES") is is_synthetic


def test_a_read_refers_to_the_slice_nearest_the_lesion(study):
    lesion = Lesion.objects.get()
    place = place_of(lesion)
    assert place.series == lesion.ct_series
    z = lesion.ct_series.geometry["positions_mm"][place.slice_index][2]
    assert abs(z - lesion.z_mm) == min(abs(p[2] - lesion.z_mm) for p in lesion.ct_series.geometry["positions_mm"])  # fmt: skip


def test_a_lesion_without_a_place_or_images_has_no_report():
    lesion = make_lesion(make_patient(make_study()))
    assert place_of(lesion) is None
    lesion.x_mm = None
    assert place_of(lesion) is None


def test_drafts_are_not_handed_out():
    study = make_reading_study(n_lesions=1)
    do_all(study, "delineator1", "outline", outlined(), close=False)
    assert list(roi_files(study)) == []


def test_an_image_that_left_the_archive_is_named_in_a_sentence():
    with pytest.raises(NotFound, match="not in the archive"):
        class_of("2.25.404")


def test_a_report_needs_an_outline_or_a_place(study):
    read = Read.objects.first()
    with pytest.raises(ValueError, match="at least one outline"):
        report([], Said("benign"), author_of(read))


def test_two_delineators_objects_have_different_uids(study):
    roi = Roi.objects.first()
    mine = author_of(roi.read)
    other = type(mine)("delineator2", mine.version, mine.at)
    first, second = (report([outline_of(roi)], Said(), who) for who in (mine, other))
    assert first.SOPInstanceUID != second.SOPInstanceUID


def test_the_zip_opens_and_its_members_are_dicom(study):
    files = dict(roi_files(study))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    with zipfile.ZipFile(out) as archive:
        assert {archive.read(n)[128:132] for n in archive.namelist()} == {b"DICM"}
