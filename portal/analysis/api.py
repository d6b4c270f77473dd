"""The analysts' REST resources: features, runs, predictions, evaluations: parse, call a verb, answer."""

from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portal.analysis import card, comparison, extraction, feature_sets, predicting, training
from portal.analysis import serializers as shape
from portal.analysis.models import Evaluation, FeatureSet, FeatureVector, Look, ModelRun, Prediction
from portal.analysis.pages import VECTORS
from portal.analysis.run_pages import RUNS, locked_split, run_in
from portal.errors import Conflict, Invalid
from portal.jobs.models import Job
from portal.study.doors import StudyAPI, user_of
from portal.study.listing import Columns, Filter
from portal.study.models import State

SEALED = "The study is not unblinded; no validation figure exists before."
PREDICTIONS = Columns(
    headings={"Lesion": ("lesion__patient__subject", "lesion__number", "kind")},
    filters={"kind": Filter("Kind", {kind: Q(kind=kind) for kind in Prediction.Kind.values})},
)


class AnalysisAPI(StudyAPI):
    may_read = ("analyse", "coordinate")
    may_write = ("analyse", "coordinate")

    def run_of(self, code: str) -> ModelRun:
        return run_in(self.member.study, code)


class FeatureSets(AnalysisAPI):
    """Which features are computed, from which preparation; the newest chosen one is current."""

    @extend_schema(responses=shape.FeatureSetOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = FeatureSet.objects.filter(study=self.member.study).order_by("pk")
        return Response(shape.FeatureSetOut(rows, many=True).data)

    @extend_schema(request=shape.FeatureSetIn, responses={201: shape.FeatureSetOut})
    def post(self, request: Request, **_: Any) -> Response:
        fields = self.parsed(request, shape.FeatureSetIn)
        row = feature_sets.use(
            self.member.study, fields["parameters"], actor=user_of(request), now=timezone.now()
        )
        return Response(shape.FeatureSetOut(row).data, status=201)


class Extraction(AnalysisAPI):
    """How far the extraction is; POST queues what is pending."""

    @extend_schema(responses=shape.ExtractionOut)
    def get(self, request: Request, **_: Any) -> Response:
        return Response(shape.ExtractionOut(self.progress()).data)

    @extend_schema(request=None, responses={202: shape.ExtractionOut})
    def post(self, request: Request, **_: Any) -> Response:
        study, user = self.member.study, user_of(request)
        current = feature_sets.current(study) or feature_sets.use(
            study, actor=user, now=timezone.now()
        )
        extraction.start(current, user=user, shards=settings.WORKERS)
        return Response(shape.ExtractionOut(self.progress()).data, status=202)

    def progress(self) -> dict[str, Any]:
        study = self.member.study
        current = feature_sets.current(study)
        rows = FeatureVector.objects.filter(feature_set=current) if current else None
        counted = (
            {"vectors": 0, "failed": 0}
            if rows is None
            else rows.aggregate(vectors=Count("pk"), failed=Count("pk", filter=~Q(failure="")))
        )
        jobs = Job.objects.of_study(study.code).active().filter(kind=extraction.KIND)
        pending = extraction.pending(current).count() if current else 0
        key = current.digest if current else None
        return {"feature_set": key, "pending": pending, "jobs": jobs, **counted}


class FeatureVectors(AnalysisAPI):
    """Vectors of the current feature set, paged; filters `modality`, `state`, `drawing`."""

    @extend_schema(responses=shape.VectorOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = FeatureVector.objects.filter(
            feature_set__study=self.member.study, feature_set__is_current=True
        ).select_related(
            "feature_set", "roi__read__assignment__lesion", "roi__read__assignment__session__reader"
        )
        return self.answer_list(request, rows, VECTORS, shape.VectorOut)


class Runs(AnalysisAPI):
    """Model runs, paged; POST freezes the inputs of a new one and queues its job."""

    @extend_schema(responses=shape.RunBrief(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = ModelRun.objects.filter(study=self.member.study).select_related(
            "split", "feature_set"
        )
        return self.answer_list(request, rows, RUNS, shape.RunBrief)

    @extend_schema(request=shape.RunIn, responses={201: shape.RunBrief})
    def post(self, request: Request, **_: Any) -> Response:
        fields, study = self.parsed(request, shape.RunIn), self.member.study
        split, current = locked_split(study), feature_sets.current(study)
        if split is None or current is None:
            raise Invalid("Lock a split and extract features before a model is trained.")
        run = training.create_run(
            study, fields.pop("kind"), split=split, feature_set=current, actor=user_of(request),
            now=timezone.now(), **fields,
        )  # fmt: skip
        return Response(shape.RunBrief(run).data, status=201)


class OneRun(AnalysisAPI):
    """The model card as numbers."""

    @extend_schema(responses=shape.RunOut)
    def get(self, request: Request, code: str, **_: Any) -> Response:
        return Response(shape.RunOut(with_card(self.run_of(code))).data)


def with_card(run: ModelRun) -> ModelRun:
    """The row with what the card derives from it."""
    drawn = card.nomogram_of(run) if run.model else None
    run.__dict__.update(
        warnings=card.warnings_of(run) if run.model else [],
        formula=card.formula(run) if run.model else "",
        nomogram=drawn.to_dict() if drawn else None,
        intended_use=card.INTENDED_USE,
    )
    return run


class RunLock(AnalysisAPI):
    @extend_schema(request=None, responses=shape.RunBrief)
    def post(self, request: Request, code: str, **_: Any) -> Response:
        run = training.lock(self.run_of(code), actor=user_of(request), now=timezone.now())
        return Response(shape.RunBrief(run).data)


class RunRepeat(AnalysisAPI):
    """The run again from its row; the job ends well only if it gives the same bytes."""

    @extend_schema(request=None, responses={202: shape.JobOut})
    def post(self, request: Request, code: str, **_: Any) -> Response:
        job = training.repeat(self.run_of(code), actor=user_of(request))
        return Response(shape.JobOut(job).data, status=202)


class Predictions(AnalysisAPI):
    """Stored predictions: those of `train` when fitted, those of `validation` once unblinded."""

    @extend_schema(responses=shape.PredictionOut(many=True))
    def get(self, request: Request, code: str, **_: Any) -> Response:
        rows = Prediction.objects.filter(run=self.run_of(code)).select_related("lesion__patient")
        if not self.member.study.has_reached(State.UNBLINDED):
            rows = rows.exclude(kind=Prediction.Kind.VALIDATION)
        return self.answer_list(request, rows, PREDICTIONS, shape.PredictionOut)


class Predict(AnalysisAPI):
    """Score a lesion by a locked run; research use only, every call an act in the trail."""

    @extend_schema(request=shape.ScoreIn, responses=shape.ScoredOut)
    def post(self, request: Request, code: str, **_: Any) -> Response:
        run, fields = self.run_of(code), self.parsed(request, shape.ScoreIn)
        lesion = predicting.lesion_for(user_of(request), fields["lesion"])
        found = predicting.predict(run, lesion, role=self.member.role)
        return Response(shape.ScoredOut(found).data)


class Evaluations(AnalysisAPI):
    """The newest figures of each part; POST evaluates both and counts one look."""

    @extend_schema(responses=shape.EvaluationOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        self.require_unblinded()
        rows = comparison.latest(self.member.study)
        return self.answer(list(rows.values()))

    @extend_schema(request=shape.ReasonIn, responses={201: shape.EvaluationOut(many=True)})
    def post(self, request: Request, **_: Any) -> Response:
        self.require_unblinded()
        reason = self.parsed(request, shape.ReasonIn)["reason"]
        rows = comparison.evaluate(
            self.member.study, actor=user_of(request), now=timezone.now(), reason=reason
        )
        return self.answer(list(rows.values()), status=201)

    def require_unblinded(self) -> None:
        if not self.member.study.has_reached(State.UNBLINDED):
            raise Conflict(SEALED)

    def answer(self, rows: list[Evaluation], *, status: int = 200) -> Response:
        return Response(shape.EvaluationOut(rows, many=True).data, status=status)


class Looks(AnalysisAPI):
    """The ledger of looks at the validation part."""

    @extend_schema(responses=shape.LookOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = Look.objects.filter(study=self.member.study).select_related("user")
        return Response(shape.LookOut(rows.order_by("number"), many=True).data)
