"""What the reading room's JSON looks like, field by field: the source of the OpenAPI schema and of the desk's types."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers as s

from readers.models import Assignment, ReadingSession

Json = dict[str, Any]
NUMBER: Json = {"type": "number"}
TEXT: Json = {"type": "string"}


def tuple_of(count: int, item: Json | None = None) -> Json:
    return {"type": "array", "items": item or NUMBER, "minItems": count, "maxItems": count}


def one_of(*kinds: Json) -> Json:
    return {"oneOf": list(kinds)}


SCALAR = one_of(TEXT, NUMBER)
ANSWER: Json = {"oneOf": [TEXT, NUMBER, {"type": "array", "items": TEXT}], "nullable": True}


@extend_schema_field(tuple_of(3))
class Vec3(s.Field[Any, Any, Any, Any]):
    """Three patient millimetres."""


@extend_schema_field(tuple_of(2))
class Pair(s.Field[Any, Any, Any, Any]):
    """Two numbers: row first, or along the row first, as the name says."""


@extend_schema_field(tuple_of(6))
class Six(s.Field[Any, Any, Any, Any]):
    """Direction cosines of row and column."""


@extend_schema_field({"type": "object", "additionalProperties": ANSWER})
class Answers(s.Field[Any, Any, Any, Any]):
    """Answers by question id."""


@extend_schema_field({"type": "object", "additionalProperties": {}})
class Looks(s.Field[Any, Any, Any, Any]):
    """How each pane looks; the desk alone reads it."""


@extend_schema_field({"type": "object", "additionalProperties": TEXT})
class Texts(s.Field[Any, Any, Any, Any]):
    """Texts by name."""


@extend_schema_field(SCALAR)
class Scalar(s.Field[Any, Any, Any, Any]):
    """A text or a number."""


@extend_schema_field(
    {"type": "object", "additionalProperties": one_of(TEXT, NUMBER, {"type": "boolean"})}
)
class Details(s.Field[Any, Any, Any, Any]):
    """Plain values by name."""


class Slot(s.ChoiceField):
    def __init__(self, **rest: Any) -> None:
        super().__init__(choices=["CT", "SPECT"], **rest)


class Predicate(s.Serializer[Any]):
    question = s.CharField()
    equals = Scalar(required=False)
    # `in` is a word of the language, so the field is declared below


Predicate._declared_fields["in"] = s.ListField(child=Scalar(), required=False)


class Option(s.Serializer[Any]):
    value = s.CharField()
    label = s.CharField()  # type: ignore[assignment]


class QuestionFields(s.Serializer[Any]):
    id = s.CharField()
    text = s.CharField()
    required = s.BooleanField()  # type: ignore[assignment]
    visible_if = Predicate(allow_null=True)


class OptionQuestion(QuestionFields):
    kind = s.ChoiceField(choices=["binary", "one_of", "many_of"])
    options = Option(many=True)


class OrdinalQuestion(QuestionFields):
    kind = s.ChoiceField(choices=["ordinal"])
    low = s.IntegerField()
    high = s.IntegerField()
    low_label = s.CharField()
    high_label = s.CharField()


class IntegerQuestion(QuestionFields):
    kind = s.ChoiceField(choices=["integer"])
    low = s.IntegerField()
    high = s.IntegerField()


class TextQuestion(QuestionFields):
    kind = s.ChoiceField(choices=["text"])
    max_length = s.IntegerField()


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="Question",
        serializers=[OptionQuestion, OrdinalQuestion, IntegerQuestion, TextQuestion],
        resource_type_field_name=None,
    )
)
class Question(s.Field[Any, Any, Any, Any]):
    """One question; its kind says which further fields it has."""


class CopyRecord(s.Serializer[Any]):
    source = Slot()  # type: ignore[assignment]
    source_revision = s.IntegerField()
    plane_distance_mm = s.FloatField()
    shift_mm = Pair()
    slices_moved = s.IntegerField()
    edited_after_copy = s.BooleanField()


class Outline(s.Serializer[Any]):
    vertices = s.ListField(child=Vec3())
    sop_instance_uid = s.CharField()
    frame = s.IntegerField()
    frame_of_reference_uid = s.CharField(allow_null=True)
    kind = s.ChoiceField(choices=["freehand", "points"])
    copy = CopyRecord(allow_null=True)


class Outlines(s.Serializer[Any]):
    CT = Outline(allow_null=True)
    SPECT = Outline(allow_null=True)


class DraftDocument(s.Serializer[Any]):
    answers = Answers()
    outlines = Outlines()
    looks = Looks()
    focus = Vec3(allow_null=True)


class OutlineProblems(s.Serializer[Any]):
    CT = s.ListField(child=s.CharField())
    SPECT = s.ListField(child=s.CharField())


class Problems(s.Serializer[Any]):
    answers = Texts()
    outlines = OutlineProblems()


class SaveAnswer(s.Serializer[Any]):
    version = s.IntegerField()
    saved_at = s.DateTimeField()
    problems = Problems()


class SavedDraft(s.Serializer[Any]):
    version = s.IntegerField()
    document = DraftDocument(allow_null=True)
    outlines = Outlines(many=True)


class SubmitIn(s.Serializer[Any]):
    version = s.IntegerField()


class SubmitAnswer(s.Serializer[Any]):
    state = s.ChoiceField(choices=["submitted"])
    next = s.CharField(allow_null=True)
    home = s.CharField()


class ReopenIn(s.Serializer[Any]):
    reason_code = s.ChoiceField(choices=["slip", "technical", "protocol", "other"])
    reason = s.CharField(min_length=10)


class ReopenAnswer(s.Serializer[Any]):
    version = s.IntegerField()


class TimingEvent(s.Serializer[Any]):
    seq = s.IntegerField()
    t_ms = s.IntegerField()
    kind = s.CharField()
    detail = Details()


class EventsIn(s.Serializer[Any]):
    page_load = s.CharField(max_length=40)
    events = TimingEvent(many=True)


class Preferences(s.Serializer[Any]):
    backend = s.ChoiceField(choices=["auto", "cpu", "gpu"])
    layout = s.ChoiceField(choices=["six", "pair", "axial", "single"], allow_null=True)
    text_size = s.ChoiceField(choices=["normal", "large"])
    single_keys = s.BooleanField()
    keys = Texts()


class CaseUrls(s.Serializer[Any]):
    document = s.CharField()
    draft = s.CharField()
    events = s.CharField()
    submit = s.CharField()
    reopen = s.CharField()
    home = s.CharField()
    preferences = s.CharField()
    threshold = s.CharField(required=False)


class Judgement(s.Serializer[Any]):
    ok = s.BooleanField()
    reason = s.CharField(allow_blank=True)


class WholeBodyPixels(s.Serializer[Any]):
    anterior = Pair(allow_null=True)
    posterior = Pair(allow_null=True)


class LesionPlace(s.Serializer[Any]):
    world = Vec3()
    label = s.CharField(allow_null=True)  # type: ignore[assignment]
    whole_body = WholeBodyPixels(allow_null=True)


class OpenQuestionnaire(s.Serializer[Any]):
    version = s.IntegerField()
    questions = s.ListField(child=Question())


class OpenDraft(s.Serializer[Any]):
    version = s.IntegerField()
    document = DraftDocument(allow_null=True)


class ReleasedAid(s.Serializer[Any]):
    probability = s.FloatField()
    model = s.CharField()


class Case(s.Serializer[Any]):
    code = s.CharField()
    position = s.IntegerField()
    count = s.IntegerField()
    task = s.ChoiceField(choices=ReadingSession.Task.choices)
    state = s.ChoiceField(choices=Assignment.State.choices)
    questionnaire = OpenQuestionnaire()
    draft = OpenDraft()
    preferences = Preferences()
    lesion = LesionPlace()
    registration = Judgement()
    copy = Judgement()
    instructions = s.CharField()
    aid = ReleasedAid(allow_null=True)
    owner = s.CharField()
    regions_3d = s.BooleanField(required=False)
    urls = CaseUrls()
    csrf_token = s.CharField()


class Preset(s.Serializer[Any]):
    name = s.CharField()
    lower = s.FloatField()
    upper = s.FloatField()


class PixelDescription(s.Serializer[Any]):
    rows = s.IntegerField()
    columns = s.IntegerField()
    bits_allocated = s.IntegerField()
    bits_stored = s.IntegerField()
    high_bit = s.IntegerField()
    signed = s.BooleanField()
    samples = s.IntegerField()
    photometric = s.CharField()


class Rescale(s.Serializer[Any]):
    slope = s.FloatField()
    intercept = s.FloatField()
    unit = s.CharField()


class ImageRescale(s.Serializer[Any]):
    slope = s.FloatField()
    intercept = s.FloatField()


class ImageDocument(s.Serializer[Any]):
    sop_instance_uid = s.CharField()
    frame = s.IntegerField()
    position = Vec3(allow_null=True)
    url = s.CharField()
    rescale = ImageRescale(required=False)


class SeriesDocument(s.Serializer[Any]):
    role = s.ChoiceField(choices=["CT", "SPECT", "WB-ANT", "WB-POST"])
    title = s.CharField()
    study_uid = s.CharField()
    series_uid = s.CharField()
    frame_of_reference_uid = s.CharField(allow_null=True)
    pixel = PixelDescription()
    rescale = Rescale()
    transfer_syntax_uid = s.CharField()
    spacing_mm = Pair()
    orientation = Six(allow_null=True)
    slice_spacing_mm = s.FloatField(allow_null=True)
    slice_thickness_mm = s.FloatField(allow_null=True)
    presets = Preset(many=True)
    volume_ok = s.BooleanField()
    volume_reason = s.CharField(allow_blank=True)
    images = ImageDocument(many=True)


class CaseDocument(s.Serializer[Any]):
    schema = s.IntegerField(min_value=1, max_value=1)
    case = Case()
    series = SeriesDocument(many=True)


class DueSession(s.Serializer[Any]):
    """One row of the reader's own list; no class, no score, nobody else."""

    code = s.CharField()
    study = s.CharField()
    number = s.IntegerField()
    task = s.ChoiceField(choices=ReadingSession.Task.choices)
    state = s.ChoiceField(choices=ReadingSession.State.choices)
    done = s.IntegerField()
    count = s.IntegerField()
    not_before = s.DateTimeField(allow_null=True)


class OwnSession(s.Serializer[Any]):
    code = s.CharField()
    number = s.IntegerField()
    task = s.ChoiceField(choices=ReadingSession.Task.choices)
    state = s.ChoiceField(choices=ReadingSession.State.choices)
    told = s.CharField()
    next = s.CharField(allow_null=True)
    submitted = s.ListField(child=s.CharField())


class SignatureIn(s.Serializer[Any]):
    password = s.CharField()
    totp = s.CharField(required=False, allow_blank=True)
