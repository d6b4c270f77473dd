"""Arrays -> DICOM files: CT series, NM volumes and whole-body scans, for the demo and for tests.

Stored exactly as scanners write them, so that they enter by the same door as real files.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless, generate_uid

from portal.archive.classify import CT, NM
from portal.archive.headers import Subject, general

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ENCODINGS = {"raw": ExplicitVRLittleEndian, "rle": RLELossless, "jls": JPEGLSLossless}
PLUGINS = {"rle": "pydicom", "jls": "pyjpegls"}
CT_OFFSET = 1024
ENERGY_KEV = (130.0, 151.0)
IMPLEMENTATION = generate_uid(entropy_srcs=["osteon writer"])
Vector = tuple[float, float, float]
Codes = tuple[str, str, str]


@dataclass(frozen=True)
class CtSeries:
    """`hu` int16 (slices, rows, columns), ascending; one instance UID per slice."""

    subject: Subject
    series_uid: str
    instance_uids: tuple[str, ...]
    frame_of_reference_uid: str
    hu: npt.NDArray[np.int16]
    origin_mm: Vector
    spacing_mm: tuple[float, float]
    slice_spacing_mm: float
    start: time
    orientation: tuple[float, ...] = AXIAL


@dataclass(frozen=True)
class SpectSeries:
    """`counts` uint16 (frames, rows, columns), ascending; `is_negative` stores them head to foot."""

    subject: Subject
    series_uid: str
    instance_uid: str
    frame_of_reference_uid: str
    counts: npt.NDArray[np.uint16]
    origin_mm: Vector
    spacing_mm: tuple[float, float]
    slice_spacing_mm: float
    start: time
    activity_mbq: float
    is_negative: bool = False
    orientation: tuple[float, ...] = AXIAL


@dataclass(frozen=True)
class WholeBody:
    """`counts` uint16 (2, rows, columns): anterior, then posterior as seen from behind."""

    subject: Subject
    series_uid: str
    instance_uid: str
    counts: npt.NDArray[np.uint16]
    spacing_mm: tuple[float, float]
    start: time
    activity_mbq: float


def code_item(code: Codes) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    return item


RECUMBENT: Codes = ("102538003", "SCT", "recumbent")
SUPINE: Codes = ("40199007", "SCT", "supine")
HEADFIRST: Codes = ("102540008", "SCT", "headfirst")
TECHNETIUM: Codes = ("72454006", "SCT", "^99m^Technetium")
MEDRONATE: Codes = ("96390006", "SCT", "Technetium Tc^99m^ medronate")
VIEWS: tuple[Codes, Codes] = (
    ("399321004", "SCT", "anterior projection"),
    ("399001007", "SCT", "posterior projection"),
)


def pixel_module(ds: Dataset, pixels: npt.NDArray[np.uint16]) -> None:
    """Monochrome 16-bit unsigned pixels (frames, rows, columns)."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape[-2], pixels.shape[-1]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = np.ascontiguousarray(pixels, dtype="<u2").tobytes()
    ds["PixelData"].VR = "OW"


def save(ds: Dataset, path: Path, encoding: str) -> None:
    """Write one file in the chosen encoding; its pixels decode to the given arrays exactly."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, IMPLEMENTATION
    ds.file_meta = meta
    if encoding != "raw":
        ds.compress(
            ENCODINGS[encoding], encoding_plugin=PLUGINS[encoding], generate_instance_uid=False
        )
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    path.write_bytes(out.getvalue())


def write_ct(folder: Path, series: CtSeries, *, encoding: str = "jls") -> list[Path]:
    """One CT Image Storage object per slice."""
    normal = np.cross(series.orientation[:3], series.orientation[3:])
    paths = []
    for k, (uid, plane) in enumerate(zip(series.instance_uids, series.hu, strict=True)):
        position = np.asarray(series.origin_mm) + k * series.slice_spacing_mm * normal
        ds = ct_instance(series, uid, k, tuple(float(v) for v in position))
        pixel_module(ds, np.asarray(plane.astype(np.int32) + CT_OFFSET, dtype=np.uint16))
        paths.append(folder / f"ct-{k + 1:04d}.dcm")
        save(ds, paths[-1], encoding)
    return paths


def ct_instance(series: CtSeries, uid: str, k: int, position: Sequence[float]) -> Dataset:
    ds = general(series.subject, CT, uid, series.series_uid, "CT", number=3, start=series.start)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = series.frame_of_reference_uid, ""
    ds.AcquisitionNumber, ds.InstanceNumber, ds.PatientPosition = 1, k + 1, "HFS"
    ds.KVP, ds.XRayTubeCurrent, ds.SpiralPitchFactor = 120, 80, 1.25
    ds.SliceThickness = ds.SpacingBetweenSlices = series.slice_spacing_mm
    ds.ReconstructionDiameter = round(series.spacing_mm[1] * series.hu.shape[2], 1)
    ds.PixelSpacing = [decimal(v) for v in series.spacing_mm]
    ds.ImageOrientationPatient = [decimal(v) for v in series.orientation]
    ds.ImagePositionPatient = [decimal(v) for v in position]
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -CT_OFFSET, "HU"
    ds.WindowCenter, ds.WindowWidth = [300, 40], [1500, 400]
    ds.add_new("PixelPaddingValue", "US", 0)
    return ds


def decimal(value: float) -> str:
    """A decimal string of at most 16 characters."""
    text = f"{value:.10g}"
    return text if len(text) <= 16 else f"{value:.8g}"


def nuclear(
    ds: Dataset, *, activity_mbq: float, kind: str, n_frames: int, spacing: Sequence[float]
) -> None:
    """What both NM objects share: windows, nuclide, orientation codes."""
    ds.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
    ds.NumberOfFrames = n_frames
    ds.PixelSpacing = [decimal(v) for v in spacing]
    window, limits_ = Dataset(), Dataset()
    limits_.EnergyWindowLowerLimit, limits_.EnergyWindowUpperLimit = ENERGY_KEV
    window.EnergyWindowName, window.EnergyWindowRangeSequence = "Tc99m", Items([limits_])
    ds.EnergyWindowInformationSequence, ds.NumberOfEnergyWindows = Items([window]), 1
    drug = Dataset()
    drug.Radiopharmaceutical = "Tc-99m MDP"
    drug.RadionuclideTotalDose = decimal(activity_mbq)
    drug.RadionuclideCodeSequence = Items([code_item(TECHNETIUM)])
    drug.RadiopharmaceuticalCodeSequence = Items([code_item(MEDRONATE)])
    ds.RadiopharmaceuticalInformationSequence = Items([drug])
    orientation = code_item(RECUMBENT)
    orientation.PatientOrientationModifierCodeSequence = Items([code_item(SUPINE)])
    ds.PatientOrientationCodeSequence = Items([orientation])
    ds.PatientGantryRelationshipCodeSequence = Items([code_item(HEADFIRST)])


def detector(orientation: Sequence[float] | None, position: Sequence[float] | None) -> Dataset:
    item = Dataset()
    item.CollimatorGridName, item.CollimatorType, item.FocalDistance = "LEHR", "PARA", 0
    item.ZoomFactor = [1, 1]
    item.ImageOrientationPatient = [decimal(v) for v in orientation] if orientation else None
    item.ImagePositionPatient = [decimal(v) for v in position] if position else None
    return item


def write_spect(folder: Path, series: SpectSeries, *, encoding: str = "jls") -> Path:
    """One multi-frame RECON TOMO object, with either sign of slice spacing."""
    n = series.counts.shape[0]
    ds = general(
        series.subject,
        NM,
        series.instance_uid,
        series.series_uid,
        "SPECT",
        number=2,
        start=series.start,
    )
    nuclear(
        ds,
        activity_mbq=series.activity_mbq,
        kind="RECON TOMO",
        n_frames=n,
        spacing=series.spacing_mm,
    )
    normal = np.cross(series.orientation[:3], series.orientation[3:])
    last = np.asarray(series.origin_mm) + (n - 1) * series.slice_spacing_mm * normal
    first = last if series.is_negative else np.asarray(series.origin_mm)
    ds.DetectorInformationSequence = Items(
        [detector(series.orientation, [float(v) for v in first])]
    )
    ds.NumberOfDetectors = 1
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = series.frame_of_reference_uid, ""
    ds.FrameIncrementPointer = 0x00540080
    ds.SliceVector, ds.NumberOfSlices = list(range(1, n + 1)), n
    ds.SliceThickness = decimal(series.slice_spacing_mm)
    sign = -1 if series.is_negative else 1
    ds.SpacingBetweenSlices = decimal(sign * series.slice_spacing_mm)
    ds.RotationInformationSequence, ds.NumberOfRotations = Items([rotation()]), 1
    ds.CorrectedImage = ["ATTN", "SCAT"]
    ds.InstanceNumber = 1
    stored = series.counts[::-1] if series.is_negative else series.counts
    counted(ds, stored)
    path = folder / "spect.dcm"
    save(ds, path, encoding)
    return path


def rotation() -> Dataset:
    item = Dataset()
    item.RotationDirection, item.ScanArc, item.AngularStep, item.StartAngle = "CW", 360, 6, 0
    item.NumberOfFramesInRotation, item.ActualFrameDuration = 60, 15000
    return item


def counted(ds: Dataset, pixels: npt.NDArray[np.uint16]) -> None:
    ds.CountsAccumulated = min(int(pixels.sum(dtype=np.int64)), 2**31 - 1)
    ds.WindowCenter, ds.WindowWidth = (
        decimal(float(pixels.max()) / 2),
        decimal(max(float(pixels.max()), 1.0)),
    )
    pixel_module(ds, pixels)


def write_whole_body(folder: Path, scan: WholeBody, *, encoding: str = "jls") -> Path:
    """One NM object with the anterior and the posterior view; it has no place in the patient."""
    ds = general(
        scan.subject,
        NM,
        scan.instance_uid,
        scan.series_uid,
        "Whole body",
        number=1,
        start=scan.start,
    )
    nuclear(
        ds, activity_mbq=scan.activity_mbq, kind="WHOLE BODY", n_frames=2, spacing=scan.spacing_mm
    )
    detectors = []
    for view in VIEWS:
        item = detector(None, None)
        item.ViewCodeSequence = Items([code_item(view)])
        detectors.append(item)
    ds.DetectorInformationSequence, ds.NumberOfDetectors = Items(detectors), 2
    ds.FrameIncrementPointer = [0x00540010, 0x00540020]
    ds.EnergyWindowVector, ds.DetectorVector = [1, 1], [1, 2]
    ds.ActualFrameDuration, ds.ScanLength, ds.ScanVelocity = 800000, 2000, "2.5"
    ds.WholeBodyTechnique, ds.InstanceNumber = "1PS", 1
    counted(ds, scan.counts)
    path = folder / "wholebody.dcm"
    save(ds, path, encoding)
    return path
