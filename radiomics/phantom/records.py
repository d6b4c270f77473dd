"""Records of the plan: patients, lesions and what screening left out."""

import datetime as dt
from dataclasses import dataclass

METASTASIS, BENIGN = "metastasis", "benign"


@dataclass(frozen=True)
class LesionPlan:
    """One lesion: its truth, and the recipe (image class, shape, CT type, latents) that is drawn.

    `slot` 1 or 2 within the patient; `subtype` metastasis, degenerative, fracture, osteoarthritis or tuberculosis (of
    the truth); `method` pathology, follow_up or clinical; `t_ct`, `t_sp` the latents.
    """

    patient: int
    slot: int
    level: str
    truth: str
    subtype: str
    method: str
    determined_on: dt.date
    image_class: str
    shape: str
    ct_type: str
    t_ct: float
    t_sp: float
    is_atypical: bool


@dataclass(frozen=True)
class PatientPlan:
    """One patient; `index` from 0, `sex` M or F, `activity_mbq` as recorded, `delta` the factor of all counts."""

    index: int
    subject: str
    sex: str
    age: int
    primary: str
    centre_level: str
    study_date: dt.date
    start_time: dt.time
    activity_mbq: float
    delta: float
    negative_spacing: bool
    diagnosis: str
    lesions: tuple[LesionPlan, ...]


@dataclass(frozen=True)
class ExcludedPatient:
    """A screened patient left out by one criterion; four of them have images."""

    index: int
    subject: str
    sex: str
    age: int
    primary: str
    criterion: str
    has_images: bool


@dataclass(frozen=True)
class ExcludedLesion:
    """A further lesion of an included patient that does not enter; `number` from 3, `reason` a code."""

    patient: int
    number: int
    level: str
    reason: str
