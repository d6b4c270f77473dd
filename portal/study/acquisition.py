"""How the images of a cohort were acquired: one summary per kind of image, and who stands out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median, quantiles
from typing import Any

from portal.archive import suv
from portal.archive.models import Instance, Series
from portal.study.csv_rows import Column, csv_text
from portal.study.models import Patient, Study

FENCE = 1.5  # Tukey's fences, in interquartile ranges
ENOUGH = 4  # below this many known values nothing stands out
SHARED = 0.75  # a word held by this share of the series is the usual one
ROLES = ("CT", "SPECT", "WB")
VIEWS = {"ANT": "anterior", "POST": "posterior"}
Value = float | str


@dataclass(frozen=True)
class Quantity:
    """Something the header says about an acquisition; `unit` is '' for words.

    What is of one person alone is compared with nobody's.
    """

    key: str
    label: str
    unit: str = ""
    roles: tuple[str, ...] = ROLES
    is_own: bool = False


QUANTITIES = (
    Quantity("device", "Device"),
    Quantity("software", "Software"),
    Quantity("kvp", "Tube voltage", "kV", ("CT",)),
    Quantity("tube_current_ma", "Tube current", "mA", ("CT",)),
    Quantity("collimator", "Collimator", "", ("SPECT", "WB")),
    Quantity("energy_windows", "Energy windows", "", ("SPECT", "WB")),
    Quantity("frame_s", "Time per frame", "s", ("SPECT", "WB")),
    Quantity("nuclide", "Nuclide", "", ("SPECT", "WB")),
    Quantity("activity_mbq", "Injected activity", "MBq", ("SPECT", "WB")),
    Quantity("injected_at", "Injection", "", ("SPECT", "WB"), is_own=True),
    Quantity("corrected", "Corrections", "", ("SPECT", "WB")),
    Quantity("matrix", "Matrix"),
    Quantity("n_frames", "Slices or frames", "images"),
    Quantity("pixel_mm", "Pixel", "mm"),
    Quantity("slice_spacing_mm", "Slice spacing", "mm", ("CT", "SPECT")),
    Quantity("slice_thickness_mm", "Slice thickness", "mm", ("CT", "SPECT")),
    Quantity("views", "Views", "", ("WB",)),
    Quantity("pixel_scale", "GE's pixel scale, not applied", "", ("SPECT", "WB")),
    Quantity("pixel_offset", "GE's pixel offset, not applied", "", ("SPECT", "WB")),
    Quantity("suv", "SUV by body weight", "g/ml per Bq/ml, not applied", ("SPECT",), is_own=True),
)


@dataclass(frozen=True)
class Standout:
    """A patient whose series differs from the cohort's, with the value it has."""

    patient: Patient
    value: Value


@dataclass(frozen=True)
class Summary:
    """One quantity over all series of one kind: numbers as median and range, words as counts."""

    quantity: Quantity
    n_series: int
    n_known: int
    usual: str
    spread: str
    standouts: tuple[Standout, ...]

    @property
    def n_unknown(self) -> int:
        return self.n_series - self.n_known


@dataclass(frozen=True)
class Kind:
    """The series of one role with their summaries."""

    role: str
    n_series: int
    summaries: tuple[Summary, ...]

    @property
    def n_standouts(self) -> int:
        return len({s.patient.pk for row in self.summaries for s in row.standouts})


def shown(value: Value) -> str:
    return value if isinstance(value, str) else f"{value + 0.0:.4g}"  # nought has no sign


def windows_text(windows: Iterable[Sequence[float]]) -> str:
    return ", ".join(f"{low:g}-{high:g} keV" for low, high in windows)


def views(series: Series) -> list[str]:
    """The side that each planar frame shows; where the file does not name it, it is marked as assumed."""
    assumed = series.acquisition.get("assumed_views") or []
    marks = [" (assumed)" if one else "" for one in assumed]
    return [
        VIEWS.get(view, "other") + mark
        for view, mark in zip_longest(series.views, marks[: len(series.views)], fillvalue="")
    ]


def when(moment: str) -> str:
    """Day and time to the minute, or the time alone, of a moment as DICOM writes it."""
    digits = moment.partition(".")[0]
    day, time = (digits[:8], digits[8:]) if len(digits) >= 8 else ("", digits)
    clock = f"{time[:2]}:{time[2:4] or '00'}" if time else ""
    return " ".join(filter(None, (day and f"{day[:4]}-{day[4:6]}-{day[6:]}", clock)))


def suv_of(series: Iterable[Series]) -> dict[int, suv.Factor | None]:
    """Of each PET series by its key the factor to SUV, or why there is none."""
    rows = Instance.objects.filter(series__in=series, header__suv__isnull=False).order_by("rank")
    said: dict[int, list[suv.Factor]] = {}
    for key, one in rows.values_list("series_id", "header__suv"):
        said.setdefault(key, []).append(one)
    return {key: suv.of_series(images) for key, images in said.items()}


def facts(series: Series, factor: suv.Factor | None = None) -> dict[str, Value | None]:
    """What the header of a series says, by the key of the quantity; None where it says nothing."""
    said: dict[str, Any] = series.acquisition
    spacing = series.geometry.get("spacing_mm") or [None]
    frame_ms = said.get("frame_ms")
    return {
        "device": " ".join(filter(None, (said.get("vendor"), said.get("model")))) or None,
        "software": said.get("software") or None,
        "kvp": said.get("kvp"),
        "tube_current_ma": said.get("tube_current_ma"),
        "collimator": said.get("collimator") or None,
        "energy_windows": windows_text(said.get("energy_windows_kev") or ()) or None,
        "frame_s": None if frame_ms is None else frame_ms / 1000,
        "nuclide": said.get("nuclide") or None,
        "activity_mbq": said.get("activity_mbq"),
        "injected_at": when(said.get("injected_at") or "") or None,
        "corrected": ", ".join(said.get("corrected") or ()) or None,
        "matrix": f"{series.pixel['columns']} x {series.pixel['rows']}" if series.pixel else None,
        "n_frames": float(series.n_frames),
        "pixel_mm": spacing[0],
        "slice_spacing_mm": series.geometry.get("slice_spacing_mm"),
        "slice_thickness_mm": said.get("slice_thickness_mm"),
        "views": ", ".join(views(series)) or None,
        "pixel_scale": said.get("pixel_scale"),
        "pixel_offset": said.get("pixel_offset"),
        "suv": factor,
    }


def labelled(series: Series, factor: suv.Factor | None = None) -> list[tuple[str, str]]:
    """The known facts of one series in words, for its row on the patient's page."""
    known = facts(series, factor)
    found = []
    for quantity in QUANTITIES:
        value = known[quantity.key]
        if value is not None and series.role in quantity.roles:
            has_unit = bool(quantity.unit) and not isinstance(value, str)
            text = f"{shown(value)} {quantity.unit}" if has_unit else shown(value)
            found.append((quantity.label, text))
    return found


def fences(values: Sequence[float]) -> tuple[float, float]:
    """Tukey's fences; a quantity that three quarters of the series share has them at its value."""
    first, _, third = quantiles(values, n=4, method="inclusive")
    return first - FENCE * (third - first), third + FENCE * (third - first)


def of_numbers(values: Sequence[float]) -> tuple[str, str, tuple[float, float]]:
    low, high = min(values), max(values)
    spread = shown(low) if low == high else f"{shown(low)} to {shown(high)}"
    limits = fences(values) if len(values) >= ENOUGH else (low, high)
    return shown(median(values)), spread, limits


def of_words(values: Sequence[str]) -> tuple[str, str, str | None]:
    """The commonest word, all of them with their counts, and the word that is the usual one."""
    counted = Counter(values).most_common()
    word, n = counted[0]
    spread = "; ".join(f"{name} ({count})" for name, count in counted)
    is_usual = len(values) >= ENOUGH and n >= SHARED * len(values)
    return word, spread, word if is_usual else None


def summarise(quantity: Quantity, rows: Sequence[tuple[Patient, Value | None]]) -> Summary:
    known = [(patient, value) for patient, value in rows if value is not None]
    numbers = [(p, v) for p, v in known if not isinstance(v, str)]
    words = [(p, v) for p, v in known if isinstance(v, str)]
    odd: list[tuple[Patient, Value]] = []
    if numbers:
        usual, spread, (low, high) = of_numbers([v for _, v in numbers])
        odd += [(p, v) for p, v in numbers if not low - 1e-9 <= v <= high + 1e-9]
    elif words:
        usual, spread, common = of_words([v for _, v in words])
        odd += [(p, v) for p, v in words if common is not None and v != common]
    else:
        usual, spread = "", ""
    standouts = tuple(Standout(p, v) for p, v in odd)
    return Summary(quantity, len(rows), len(known), usual, spread, standouts)


def series_of(study: Study) -> list[tuple[Patient, Series]]:
    """Ready series of registered patients, in the order of the subjects."""
    patients = {p.subject: p for p in Patient.objects.filter(study=study)}
    rows = Series.objects.of_study(study.code).ready().select_related("exam")
    found = [(patients[s.exam.subject], s) for s in rows if s.exam.subject in patients]
    return sorted(found, key=lambda pair: (pair[0].subject, pair[1].role, pair[1].pk))


def summary(study: Study) -> tuple[Kind, ...]:
    """One kind per role that has images; quantities that no header names stay, as unknown."""
    every = [(patient, series.role, facts(series)) for patient, series in series_of(study)]
    kinds = []
    for role in ROLES:
        rows = [(patient, known) for patient, found, known in every if found == role]
        summaries = tuple(
            summarise(q, [(patient, known[q.key]) for patient, known in rows])
            for q in QUANTITIES
            if role in q.roles and not q.is_own
        )
        if rows:
            kinds.append(Kind(role, len(rows), summaries))
    return tuple(kinds)


def acquisition_csv(study: Study) -> str:
    """One row per series: the subject, the kind and every quantity."""
    columns = [Column("subject", ""), Column("series", "")]
    columns += [Column(q.key, q.label) for q in QUANTITIES]
    known = series_of(study)
    factors = suv_of([series for _, series in known])
    rows: list[list[object]] = [
        [patient.subject, series.label, *(said[q.key] for q in QUANTITIES)]
        for patient, series in known
        for said in [facts(series, factors.get(series.pk))]
    ]
    return csv_text(columns, rows)
