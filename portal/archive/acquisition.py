"""How an image was acquired, as typed columns; out of range or unknown is null."""

from typing import Any

from pydicom import Dataset

from portal.archive.deidentify import number, text_of

RANGES = {"kvp": (20, 200), "tube_current_ma": (1, 2000), "slice_thickness_mm": (0.1, 50), "frame_ms": (1, 10**8),
          "weight_kg": (1, 400), "dose": (1e-6, 1e12)}  # fmt: skip


def ranged(name: str, value: Any) -> float | int | None:
    found = number(value)
    low, high = RANGES[name]
    return found if found is not None and low <= found <= high else None


def first(ds: Dataset, keyword: str) -> Dataset:
    items = ds.get(keyword) or []
    return items[0] if len(items) else Dataset()


def energy_windows(ds: Dataset) -> list[list[float]]:
    found = []
    for window in ds.get("EnergyWindowInformationSequence") or []:
        for part in window.get("EnergyWindowRangeSequence") or []:
            low, high = (
                number(part.get("EnergyWindowLowerLimit")),
                number(part.get("EnergyWindowUpperLimit")),
            )
            if low is not None and high is not None:
                found.append([float(low), float(high)])
    return found


def views_of(ds: Dataset, n_frames: int) -> list[str]:
    """ANT or POST of each planar frame; without a code detector 1 is taken as anterior, 2 as posterior."""
    items = list(ds.get("DetectorInformationSequence") or [])
    vector = ds.get("DetectorVector")
    detectors = (
        [int(v) for v in vector]
        if vector is not None and not isinstance(vector, int)
        else list(range(1, n_frames + 1))
    )
    names = []
    for number_ in detectors[:n_frames]:
        item = items[number_ - 1] if 0 < number_ <= len(items) else Dataset()
        meaning = text_of(first(item, "ViewCodeSequence"), "CodeMeaning").lower()
        if meaning.startswith("post") or (not meaning.startswith("ant") and number_ == 2):
            names.append("POST")
        else:
            names.append("ANT")
    return names


def acquisition(ds: Dataset) -> dict[str, Any]:
    """Typed values shown per patient and summarised per cohort."""
    drug = first(ds, "RadiopharmaceuticalInformationSequence")
    rotation = first(ds, "RotationInformationSequence")
    corrected = ds.get("CorrectedImage") or []
    return {
        "vendor": text_of(ds, "Manufacturer")[:64],
        "model": text_of(ds, "ManufacturerModelName")[:64],
        "kvp": ranged("kvp", ds.get("KVP")),
        "tube_current_ma": ranged("tube_current_ma", ds.get("XRayTubeCurrent")),
        "slice_thickness_mm": ranged("slice_thickness_mm", ds.get("SliceThickness")),
        "matrix": [number(ds.get("Rows")), number(ds.get("Columns"))],
        "frame_ms": ranged(
            "frame_ms", rotation.get("ActualFrameDuration") or ds.get("ActualFrameDuration")
        ),
        "energy_windows_kev": energy_windows(ds),
        "dose": ranged("dose", drug.get("RadionuclideTotalDose")),
        "weight_kg": ranged("weight_kg", ds.get("PatientWeight")),
        "corrected": [str(c) for c in ([corrected] if isinstance(corrected, str) else corrected)][
            :8
        ],
    }
