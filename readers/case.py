"""BlindCase: the frozen allow-list of everything that a reader may learn about a case."""

from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Max

from portal.archive.models import Series
from portal.study.models import Lesion
from readers.exam import ARMS, SeriesView, is_shown, series_views
from readers.models import Aid, Assignment, Read, ReadingSession
from readers.preferences import preferences
from readers.regions import has_regions

OTHER_FRAME = (
    "CT and SPECT were not taken in the same position, so they cannot be laid over each other."
)
INCOMPLETE = "This case has no CT or no SPECT."
ONE_ARM = "In this session the images of one modality are read alone."
NOT_PARALLEL = "The slices of CT and SPECT are not parallel, so outlines cannot be copied."
PARALLEL = 0.9999
SHARED_URLS = {"home": "/reading/", "preferences": "/reading/preferences"}


@dataclass(frozen=True)
class Judgement:
    ok: bool
    reason: str


@dataclass(frozen=True)
class BlindCase:
    """Nothing here depends on a diagnosis, another reader's work or (unless aided) a model's output."""

    code: str
    position: int
    count: int
    task: str
    state: str
    questionnaire_version: int
    questions: list[dict[str, Any]]
    draft_version: int
    draft_document: dict[str, Any] | None
    preferences: dict[str, Any]
    world: tuple[float, float, float]
    label: str | None
    whole_body: dict[str, list[float] | None] | None
    registration: Judgement
    copy: Judgement
    instructions: str
    aid: dict[str, Any] | None
    owner: str
    regions_3d: bool
    series: tuple[SeriesView, ...]

    @property
    def root(self) -> str:
        return f"/reading/cases/{self.code}/"

    def to_json(self, *, csrf_token: str) -> dict[str, Any]:
        """The case document; the token is the request's, everything else is the case's."""
        names = ["document", "draft", "events", "submit", "reopen"]
        # only where the design has regions: the document of every other study stays as it was
        more = {"regions_3d": True} if self.regions_3d else {}
        names += ["threshold"] * len(more)
        return {
            "schema": 1,
            "case": {
                "code": self.code,
                "position": self.position,
                "count": self.count,
                "task": self.task,
                "state": self.state,
                "questionnaire": {
                    "version": self.questionnaire_version,
                    "questions": self.questions,
                },
                "draft": {"version": self.draft_version, "document": self.draft_document},
                "preferences": self.preferences,
                "lesion": {
                    "world": list(self.world),
                    "label": self.label,
                    "whole_body": self.whole_body,
                },
                "registration": asdict(self.registration),
                "copy": asdict(self.copy),
                "instructions": self.instructions,
                "aid": self.aid,
                "owner": self.owner,
                **more,
                "urls": {**{n: self.root + n for n in names}, **SHARED_URLS},
                "csrf_token": csrf_token,
            },
            "series": [view.to_json() for view in self.series],
        }


def blind_case(case: Assignment, read: Read) -> BlindCase:
    """What the desk shows of an assignment whose session, lesion and series are loaded."""
    session, lesion = case.session, case.lesion
    count = Assignment.objects.filter(session=session).aggregate(last=Max("position"))["last"]
    world = lesion.world_mm or (0.0, 0.0, 0.0)
    return BlindCase(
        code=case.code,
        position=case.position,
        count=count,
        task=session.task,
        state=case.state,
        questionnaire_version=session.questionnaire.version,
        questions=session.questionnaire.questions,
        draft_version=read.version,
        draft_document=read.document or None,
        preferences=preferences(session.reader.preferences),
        world=world,
        label=lesion.level,
        whole_body=whole_body_pixels(lesion) if is_shown(case, "WB-ANT") else None,
        registration=one_arm(session) or registration(lesion),
        copy=one_arm(session) or copying(lesion),
        instructions=session.told,
        aid=aid_of(case, session),
        owner=session.reader.code,
        regions_3d=session.task == ReadingSession.Task.OUTLINE and has_regions(session.design),
        series=series_views(case),
    )


def whole_body_pixels(lesion: Lesion) -> dict[str, list[float] | None] | None:
    if not lesion.whole_body_pixels:
        return None
    return {side: lesion.whole_body_pixels.get(side) for side in ("anterior", "posterior")}


def one_arm(session: ReadingSession) -> Judgement | None:
    """In an arm of one modality nothing is laid over anything."""
    return Judgement(False, ONE_ARM) if session.condition in ARMS else None


def registration(lesion: Lesion) -> Judgement:
    """Fused panes need volumes in one frame of reference, or a registration that was confirmed."""
    ct, spect = lesion.ct_series, lesion.spect_series
    if ct is None or spect is None:
        return Judgement(False, INCOMPLETE)
    for series in (ct, spect):
        if not series.is_regular:
            return Judgement(False, series.volume_reason or "The slices do not form a volume.")
    if not shares_frame(ct, spect) and lesion.registration_confirmed_at is None:
        return Judgement(False, OTHER_FRAME)
    return Judgement(True, "")


def shares_frame(ct: Series, spect: Series) -> bool:
    uid = ct.frame_of_reference_uid
    return bool(uid) and uid == spect.frame_of_reference_uid


def copying(lesion: Lesion) -> Judgement:
    """Copying an outline needs one frame of reference and parallel planes."""
    ct, spect = lesion.ct_series, lesion.spect_series
    if ct is None or spect is None:
        return Judgement(False, INCOMPLETE)
    if not shares_frame(ct, spect):
        return Judgement(False, OTHER_FRAME)
    first, second = normal(ct), normal(spect)
    along = abs(sum(a * b for a, b in zip(first, second, strict=True)))
    return Judgement(True, "") if along >= PARALLEL else Judgement(False, NOT_PARALLEL)


def normal(series: Series) -> tuple[float, float, float]:
    """Row x column direction; the zero vector where a series has no orientation."""
    r = series.geometry.get("row_direction")
    c = series.geometry.get("column_direction")
    if not r or not c:
        return (0.0, 0.0, 0.0)
    return (
        r[1] * c[2] - r[2] * c[1],
        r[2] * c[0] - r[0] * c[2],
        r[0] * c[1] - r[1] * c[0],
    )


def aid_of(case: Assignment, session: ReadingSession) -> dict[str, Any] | None:
    """A model's probability, in aided sessions only, as the analysis floor released it."""
    if session.condition != "aided":
        return None
    aid = Aid.objects.filter(assignment=case).first()
    return None if aid is None else {"probability": aid.probability, "model": aid.model_name}
