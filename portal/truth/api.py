"""REST resources of reference standards and splits, for members who see truth."""

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.errors import NotFound
from portal.study import splitting
from portal.study.access import NO_SUCH_PAGE
from portal.study.cohort_pages import lesion_in
from portal.study.doors import StudyAPI, user_of
from portal.study.models import Split, SplitPart
from portal.study.serializers import CsvIn, PlanOut
from portal.truth import entry, truth_import
from portal.truth.models import ReferenceStandard
from portal.truth.pages import LESIONS, lesions_with_standard
from portal.truth.strata import patient_strata


class StandardOut(serializers.Serializer[Any]):
    """A lesion with its current reference standard, null where there is none."""

    lesion = serializers.CharField(source="code")
    subject = serializers.CharField(source="patient.subject")
    number = serializers.IntegerField()
    diagnosis = serializers.CharField(allow_null=True)
    subtype = serializers.CharField(allow_null=True)
    method = serializers.CharField(allow_null=True)
    determined_on = serializers.DateField(allow_null=True)


class StandardIn(serializers.Serializer[Any]):
    lesion = serializers.CharField(max_length=24)
    diagnosis = serializers.ChoiceField(choices=ReferenceStandard.Diagnosis.values)
    subtype = serializers.CharField(max_length=60, allow_blank=True, default="")
    method = serializers.ChoiceField(choices=ReferenceStandard.Method.values)
    determined_on = serializers.DateField(allow_null=True, default=None)
    note = serializers.CharField(allow_blank=True, default="", max_length=5000)
    reason = serializers.CharField(allow_blank=True, default="", max_length=5000)


class RevisionOut(serializers.ModelSerializer[ReferenceStandard]):
    lesion = serializers.CharField(source="lesion.code")

    class Meta:
        model = ReferenceStandard
        fields: ClassVar = [
            "lesion", "revision", "diagnosis", "subtype", "method", "determined_on", "note",
            "reason", "is_current", "entered_at",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields


class SplitIn(serializers.Serializer[Any]):
    ratio = serializers.FloatField(min_value=0.01, max_value=0.99)
    seed = serializers.IntegerField(min_value=0, max_value=2**63 - 1)
    factors = serializers.ListField(
        child=serializers.ChoiceField(choices=list(splitting.FACTORS)), default=list
    )


class PartSizeOut(serializers.Serializer[Any]):
    patients = serializers.IntegerField()
    lesions = serializers.IntegerField()


class ProposalOut(serializers.Serializer[Any]):
    ratio = serializers.FloatField()
    seed = serializers.IntegerField()
    factors = serializers.ListField(child=serializers.CharField())
    train = PartSizeOut()
    validation = PartSizeOut()
    warnings = serializers.ListField(child=serializers.CharField())


class SplitOut(serializers.ModelSerializer[Split]):
    parts = serializers.SerializerMethodField()

    class Meta:
        model = Split
        fields: ClassVar = [
            "version", "ratio", "seed", "factors", "warning", "digest", "locked_at", "parts",
        ]  # fmt: skip
        read_only_fields: ClassVar = fields

    def get_parts(self, split: Split) -> dict[str, str]:
        """The part of each subject."""
        rows = SplitPart.objects.filter(split=split).order_by("patient__subject")
        return dict(rows.values_list("patient__subject", "part"))


class ReferenceStandards(StudyAPI):
    may_read = may_write = ("see_truth",)

    @extend_schema(responses=StandardOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = lesions_with_standard(self.member.study)
        return self.answer_list(request, rows, LESIONS, StandardOut)

    @extend_schema(request=StandardIn, responses={201: RevisionOut})
    def post(self, request: Request, **_: Any) -> Response:
        fields = self.parsed(request, StandardIn)
        lesion = lesion_in(self.member.study, fields.pop("lesion"))
        row = entry.enter(lesion, **fields, actor=user_of(request), now=timezone.now())
        return Response(RevisionOut(row).data, status=201)


class ReferenceStandardFile(StudyAPI):
    """The reference-standard CSV: a dry run by default; with problems nothing is written."""

    may_read = may_write = ("see_truth",)

    @extend_schema(request=CsvIn, responses=PlanOut)
    def post(self, request: Request, **_: Any) -> Response:
        fields, now = self.parsed(request, CsvIn), timezone.now()
        plan = truth_import.read_truth_csv(fields["csv"], self.member.study, now=now)
        is_written = not fields["dry_run"] and not plan.problems
        if is_written:
            truth_import.write(plan, actor=user_of(request), now=now)
        body = {"is_written": is_written, "n_rows": len(plan.rows), "problems": plan.problems}
        status = 422 if plan.problems and not fields["dry_run"] else 200
        return Response(PlanOut(body).data, status=status)


class SplitAPI(StudyAPI):
    def proposal(self, request: Request) -> splitting.SplitProposal:
        study, fields = self.member.study, self.parsed(request, SplitIn)
        return splitting.propose(study, strata=patient_strata(study), **fields)


class Splits(SplitAPI):
    @extend_schema(responses=SplitOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = Split.objects.filter(study=self.member.study).order_by("-version")
        return Response(SplitOut(rows, many=True).data)

    @extend_schema(request=SplitIn, responses={201: SplitOut})
    def post(self, request: Request, **_: Any) -> Response:
        proposal = self.proposal(request)
        split = splitting.save(proposal, actor=user_of(request), now=timezone.now())
        return Response(SplitOut(split).data, status=201)


class SplitPreview(SplitAPI):
    """Sizes and warnings of a split that is not stored."""

    http_method_names = ["post", "options"]

    @extend_schema(request=SplitIn, responses=ProposalOut)
    def post(self, request: Request, **_: Any) -> Response:
        return Response(ProposalOut(self.proposal(request)).data)


class SplitLock(StudyAPI):
    @extend_schema(request=None, responses=SplitOut)
    def post(self, request: Request, version: int, **_: Any) -> Response:
        rows = Split.objects.select_related("study").filter(study=self.member.study)
        split = rows.filter(version=version).first()
        if split is None:
            raise NotFound(NO_SUCH_PAGE)
        splitting.lock(split, actor=user_of(request), now=timezone.now())
        return Response(SplitOut(split).data)
