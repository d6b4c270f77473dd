"""The header that every written object shares: who, which exam, when, and that it is synthetic."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from pydicom import Dataset

MANUFACTURER, MODEL = "Synthetic", "SPECT/CT simulator"


@dataclass(frozen=True)
class Subject:
    """One exam of one subject, as it stands in every instance."""

    patient_id: str
    sex: str
    age_years: int | None
    study_uid: str
    study_date: date
    study_time: time
    description: str = "Synthetic bone SPECT/CT"
    is_synthetic: bool = True


def later(start: time, minutes: int) -> time:
    """A time of day so many minutes on."""
    return (datetime.combine(date(2000, 1, 1), start) + timedelta(minutes=minutes)).time()


def general(
    subject: Subject,
    sop_class_uid: str,
    instance_uid: str,
    series_uid: str,
    description: str,
    *,
    number: int,
    start: time,
) -> Dataset:
    """Patient, study, series and equipment modules."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, instance_uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = subject.study_uid, series_uid
    ds.PatientID = subject.patient_id
    ds.PatientName = (
        f"{subject.patient_id}^SYNTHETIC" if subject.is_synthetic else subject.patient_id
    )
    ds.PatientBirthDate, ds.PatientSex = "", subject.sex
    ds.PatientAge = f"{subject.age_years:03d}Y" if subject.age_years is not None else ""
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "1", "", ""
    day = subject.study_date.strftime("%Y%m%d")
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = day
    ds.StudyTime = subject.study_time.strftime("%H%M%S")
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = start.strftime("%H%M%S")
    ds.StudyDescription, ds.SeriesDescription = subject.description, description
    ds.SeriesNumber = number
    ds.Modality = "CT" if sop_class_uid.endswith(".2") else "NM"
    ds.Manufacturer, ds.ManufacturerModelName = MANUFACTURER, MODEL
    ds.InstitutionName = "SYNTHETIC, NOT A PATIENT" if subject.is_synthetic else ""
    ds.BodyPartExamined, ds.BurnedInAnnotation = "SPINE", "NO"
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "synthetic data, no person"
    if subject.is_synthetic:
        ds.add_new(0x0008001C, "CS", "YES")
    return ds
