"""From activity concentration to SUV by body weight: said beside a PET series, never applied to a pixel.

SUVbw = C W / (D 2^(-t/T)): C in Bq/ml, W in g, D in Bq, t from the injection to the time that C was decay corrected to.
START is the start of the acquisition, ADMIN the injection (PS3.3 C.8.9.1.1.5), so t is 0. The start is the series' date
and time, which PS3.3 makes the reference of a PET series' times, unless these are later than an image's acquisition:
then whoever processed the series wrote them anew, and the start is reckoned from the image (QIBA's vendor-neutral
pseudo-code "happy path only", section on altered series times).
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from portal.archive.acquisition import RANGES, ranged
from portal.archive.classify import PT
from portal.archive.deidentify import TIME, number, shifted
from portal.archive.emission import STARTED, TRACERS
from portal.archive.plain import Readable

# g/Bq, which turns Bq/ml into g/ml; or a sentence that says why there is none
Factor = float | str
ALREADY = "The file says it is SUV already."
CORRECTED = ("START", "ADMIN")
DAY = timedelta(days=1)
# what is left of an injection after so many half-lives is no image: one of the times is wrong
MOST_HALF_LIVES = 10
# Bq, s, ms
LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "RadionuclideTotalDose": (1e6, 1e11),
        "RadionuclideHalfLife": (60, 1e7),
        "ActualFrameDuration": RANGES["frame_ms"],
        "FrameReferenceTime": (1, 10**8),
    }
)
# of clocks that mean the same moment
SAME_TIME = timedelta(minutes=1)


def factor(facts: Mapping[str, Any], weight_kg: float | None) -> Factor:
    """g/Bq of one image by the facts kept of it and the exact weight, or what is missing.

    Weeks by which all dates are moved change nothing.
    """
    said = facts.get("emission") or {}
    units, decay = word(said, "Units"), word(said, "DecayCorrection")
    if units == "GML":
        return ALREADY
    drug = (said.get(TRACERS) or [{}])[0]
    dose = of_range(drug, "RadionuclideTotalDose")
    half_life = of_range(drug, "RadionuclideHalfLife")
    start = start_of(facts, half_life)
    waited = waiting(drug, start, half_life)
    conditions = {
        "the unit Bq/ml": units == "BQML",
        "the dose": dose,
        "the patient's weight": weight_kg,
        "the injection time": waited is not None,
        "the reference time": start,
        "the half-life": half_life,
        "the decay correction": decay in CORRECTED,
    }
    missing = [what for what, known in conditions.items() if not known]
    if missing or waited is None or not (dose and weight_kg and half_life):
        return sentence(missing)
    left = dose if decay == "ADMIN" else dose * 2 ** (-waited.total_seconds() / half_life)
    return float(f"{1000 * weight_kg / left:.6g}")


def sentence(missing: list[str]) -> str:
    """Everything that keeps us from computing it."""
    *others, last = missing
    what = f"{', '.join(others)} and {last} are" if others else f"{last} is"
    return f"SUV cannot be computed: {what} missing."


def word(said: Mapping[str, Any], keyword: str) -> str:
    found = said.get(keyword) or [""]
    return str(found[0])


def of_range(said: Mapping[str, Any], keyword: str) -> float | None:
    """A kept number that can be true; nought and what is out of range are unknown."""
    found, (low, high) = number(said.get(keyword)), LIMITS[keyword]
    return found if found is not None and low <= found <= high else None


def clock(text: str | None) -> timedelta | None:
    """Time since midnight; midnight itself stands for unknown."""
    if not text or not TIME.fullmatch(text):
        return None
    hours, minutes, seconds = int(text[:2]), int(text[2:4] or 0), float(text[4:] or 0)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds) or None


def instant(day: str | None, time: str | None) -> datetime | None:
    """A moment since 1900, which leaves room to reckon back from it."""
    date, since = shifted(day or "", 0), clock(time)
    return datetime.fromisoformat(date) + since if date >= "1900" and since else None


def start_of(facts: Mapping[str, Any], half_life: float | None) -> datetime | None:
    """The series' own start; that of the image, reckoned back to the start of all, where the series was written anew."""
    days, times = facts.get("dates") or {}, facts.get("times") or {}
    series = instant(days.get("SeriesDate"), times.get("SeriesTime"))
    whole = days.get("AcquisitionDateTime") or ""
    acquired = instant(whole[:8], whole[8:]) or instant(
        days.get("AcquisitionDate"), times.get("AcquisitionTime")
    )
    if acquired is None or (series is not None and series <= acquired):
        return series
    return acquired - before(facts.get("emission") or {}, half_life)


def before(said: Mapping[str, Any], half_life: float | None) -> timedelta:
    """How long the series had run when this image began.

    Its values are those of the frame reference time, counted from the start of the series. In a frame of length d that
    is the moment of the mean count rate, ln(x / (1 - exp(-x))) d / x after its beginning with x = d ln 2 / T
    (PS3.3 C.8.9.4.1.5, example 2).
    """
    reference, lasted = of_range(said, "FrameReferenceTime"), of_range(said, "ActualFrameDuration")
    if reference is None or lasted is None or half_life is None:
        return timedelta()
    x = math.log(2) * lasted / 1000 / half_life
    mean = lasted / x * math.log(x / -math.expm1(-x))
    return timedelta(milliseconds=max(0.0, reference - mean))


def waiting(
    drug: Mapping[str, Any], start: datetime | None, half_life: float | None
) -> timedelta | None:
    """From injection to start, by date and time where given; by the clock alone it was within a day before.

    Where only the start is unknown, none at all. None where the injection is unknown: also where date and time say
    another hour than the time (a clock of another zone), or where it cannot be true.
    """
    whole, alone = drug.get(STARTED) or "", clock(drug.get("RadiopharmaceuticalStartTime"))
    dated = instant(whole[:8], whole[8:])
    if dated is None and alone is None:
        return None
    if start is None:
        return timedelta()
    if dated is None:
        return (start - midnight(start) - (alone or DAY)) % DAY
    if alone is not None and abs(dated - midnight(dated) - alone) > SAME_TIME:
        return None
    waited = start - dated
    most = MOST_HALF_LIVES * timedelta(seconds=half_life) if half_life else DAY
    return waited if timedelta() <= waited <= most else None


def midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def of_image(ds: Readable, facts: Mapping[str, Any]) -> dict[str, Factor]:
    """What an image of the PET class says of SUV, by its exact weight; nothing of any other class."""
    is_pet = str(ds.get("SOPClassUID", "")) == PT
    return {"suv": factor(facts, ranged("weight_kg", ds.get("PatientWeight")))} if is_pet else {}


def of_series(images: Iterable[Factor]) -> Factor | None:
    """The factor by the earliest start that any image tells, which is the smallest; or what one of them lacks."""
    said = list(images)
    words = [one for one in said if isinstance(one, str)]
    return words[0] if words else min((one for one in said if isinstance(one, float)), default=None)
