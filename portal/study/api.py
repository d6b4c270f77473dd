"""The study's REST resources for coordinators, analysts and monitors: parse, call a verb, answer."""

from dataclasses import asdict
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.models import User
from portal.archive.models import Series
from portal.errors import Forbidden, Invalid, NotFound
from portal.fence.blind import lifted
from portal.study import cohort_import, life, members, patients, protocol, screening
from portal.study import serializers as shape
from portal.study.cohort_pages import LESIONS, PATIENTS, lesion_in, patient_in, patients_of
from portal.study.doors import Pages, StudyAPI, user_of
from portal.study.models import Criterion, Lesion, Membership, Screening
from portal.study.pages import may_create
from portal.study.screening_pages import LOG, criterion_in

EVERYBODY_OPEN = ("coordinate", "analyse", "monitor")


def as_told(member: Membership) -> dict[str, Any]:
    """The study as this member may know it."""
    is_blind = member.may("read") or member.may("draw")
    kind = shape.BlindStudyOut if is_blind else shape.StudyOut
    return dict(kind(member.study).data)


class Studies(APIView):
    """The studies of the signed-in user."""

    @extend_schema(responses=shape.StudyOut(many=True))
    def get(self, request: Request) -> Response:
        mine = Membership.objects.filter(user=user_of(request)).select_related("study")
        pages = Pages()
        found = pages.paginate_queryset(mine.order_by("study__code"), request, view=self)
        return pages.get_paginated_response([as_told(member) for member in found or ()])

    @extend_schema(request=shape.StudyIn, responses={201: shape.StudyOut})
    def post(self, request: Request) -> Response:
        user = user_of(request)
        if not may_create(user):
            raise Forbidden("Administrators and coordinators create studies; ask one of them.")
        serializer = shape.StudyIn(data=request.data)
        serializer.is_valid(raise_exception=True)
        with lifted():
            study = life.create_study(**serializer.validated_data, actor=user, now=timezone.now())
        return Response(shape.StudyOut(study).data, status=201)


class OneStudy(StudyAPI):
    may_read = ("coordinate", "analyse", "monitor", "read", "draw")

    @extend_schema(responses=shape.StudyOut)
    def get(self, request: Request, **_: Any) -> Response:
        return Response(as_told(self.member))


class Protocol(StudyAPI):
    may_read = EVERYBODY_OPEN

    @extend_schema(responses=shape.ProtocolIn)
    def get(self, request: Request, **_: Any) -> Response:
        study = self.member.study
        return Response({"protocol": study.protocol, "analysis_plan": study.analysis_plan})

    @extend_schema(request=shape.ProtocolIn, responses=shape.ProtocolIn)
    def put(self, request: Request, **_: Any) -> Response:
        fields = self.parsed(request, shape.ProtocolIn)
        protocol.write_protocol(
            self.member.study, **fields, actor=user_of(request), now=timezone.now()
        )
        return self.get(request)


class Checklist(StudyAPI):
    @extend_schema(responses=shape.ChecklistOut)
    def get(self, request: Request, **_: Any) -> Response:
        study = self.member.study
        checks = [asdict(check) for check in life.checklist(study)]
        return Response({"to": life.next_state(study), "checks": checks})


class Advance(StudyAPI):
    @extend_schema(request=shape.StepIn, responses=shape.StudyOut)
    def post(self, request: Request, **_: Any) -> Response:
        fields = self.parsed(request, shape.StepIn)
        if fields["to"] in life.MEANINGS and fields["to"] == life.next_state(self.member.study):
            raise Forbidden("This step carries a signature; take it on the study's home page.")
        life.advance(self.member.study, **fields, actor=user_of(request), now=timezone.now())
        return Response(shape.StudyOut(self.member.study).data)


class Members(StudyAPI):
    may_read = ("coordinate", "monitor")

    @extend_schema(responses=shape.MemberOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = Membership.objects.filter(study=self.member.study).select_related("user")
        return Response(shape.MemberOut(rows.order_by("user__username"), many=True).data)

    @extend_schema(request=shape.MemberIn, responses={201: shape.MemberOut})
    def post(self, request: Request, **_: Any) -> Response:
        fields = self.parsed(request, shape.MemberIn)
        user = User.objects.filter(username=fields["username"], is_active=True).first()
        if user is None:
            raise Invalid("There is no open account of that name.", field="username")
        row = members.add_member(
            self.member.study, user, fields["role"], actor=user_of(request), now=timezone.now()
        )
        return Response(shape.MemberOut(row).data, status=201)


class Patients(StudyAPI):
    may_read = ("coordinate", "analyse")

    @extend_schema(responses=shape.PatientOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = patients_of(self.member.study)
        return self.answer_list(request, rows, PATIENTS, shape.PatientOut)

    @extend_schema(request=shape.PatientIn, responses={201: shape.PatientOut})
    def post(self, request: Request, **_: Any) -> Response:
        fields = self.parsed(request, shape.PatientIn)
        patient = patients.register_patient(
            self.member.study, **fields, actor=user_of(request), now=timezone.now()
        )
        return Response(shape.PatientOut(patient).data, status=201)


class OnePatient(StudyAPI):
    may_read = ("coordinate", "analyse")

    @extend_schema(responses=shape.PatientOut)
    def get(self, request: Request, patient: str, **_: Any) -> Response:
        return Response(shape.PatientOut(patient_in(self.member.study, patient)).data)


class Lesions(StudyAPI):
    may_read = ("coordinate", "analyse")

    @extend_schema(responses=shape.LesionOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = Lesion.objects.of_study(self.member.study).select_related(
            "patient", "ct_series", "spect_series", "whole_body_series"
        )
        return self.answer_list(request, rows, LESIONS, shape.LesionOut)

    @extend_schema(request=shape.LesionIn, responses={201: shape.LesionOut})
    def post(self, request: Request, **_: Any) -> Response:
        fields = self.parsed(request, shape.LesionIn)
        patient = patient_in(self.member.study, fields.pop("patient"))
        lesion = patients.register_lesion(
            patient, **fields, actor=user_of(request), now=timezone.now()
        )
        return Response(shape.LesionOut(lesion).data, status=201)


class OneLesion(StudyAPI):
    may_read = ("coordinate", "analyse")

    @extend_schema(responses=shape.LesionOut)
    def get(self, request: Request, lesion: str, **_: Any) -> Response:
        return Response(shape.LesionOut(lesion_in(self.member.study, lesion)).data)


def series_by_uid(lesion: Lesion, uid: str) -> Series | None:
    if not uid:
        return None
    row = Series.objects.select_related("exam").filter(uid=uid).first()
    if row is None or row.exam.study_key != lesion.patient.study.code:
        raise NotFound("There is no such series in this study.")
    return row


class LesionSeries(StudyAPI):
    @extend_schema(request=shape.SeriesIn, responses=shape.LesionOut)
    def put(self, request: Request, lesion: str, **_: Any) -> Response:
        row = lesion_in(self.member.study, lesion)
        fields = self.parsed(request, shape.SeriesIn)
        names = ("ct_series_uid", "spect_series_uid", "wb_series_uid")
        chosen = [series_by_uid(row, fields[name]) for name in names]
        patients.assign_series(row, *chosen, actor=user_of(request), now=timezone.now())
        return Response(shape.LesionOut(row).data)


class LesionRegistration(StudyAPI):
    @extend_schema(request=None, responses=shape.LesionOut)
    def post(self, request: Request, lesion: str, **_: Any) -> Response:
        row = lesion_in(self.member.study, lesion)
        patients.confirm_registration(row, actor=user_of(request), now=timezone.now())
        return Response(shape.LesionOut(row).data)


class LesionInclusion(StudyAPI):
    @extend_schema(request=shape.SlotIn, responses=shape.LesionOut)
    def post(self, request: Request, lesion: str, **_: Any) -> Response:
        row, fields = lesion_in(self.member.study, lesion), self.parsed(request, shape.SlotIn)
        patients.include_lesion(row, **fields, actor=user_of(request), now=timezone.now())
        return Response(shape.LesionOut(row).data)


class Criteria(StudyAPI):
    may_read = EVERYBODY_OPEN

    @extend_schema(responses=shape.CriterionOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = Criterion.objects.filter(study=self.member.study).order_by("order", "code")
        return Response(shape.CriterionOut(rows, many=True).data)

    @extend_schema(request=shape.CriterionIn, responses={201: shape.CriterionOut})
    def post(self, request: Request, **_: Any) -> Response:
        fields = self.parsed(request, shape.CriterionIn)
        row = screening.add_criterion(
            self.member.study, **fields, actor=user_of(request), now=timezone.now()
        )
        return Response(shape.CriterionOut(row).data, status=201)


class ScreeningLog(StudyAPI):
    may_read = EVERYBODY_OPEN

    @extend_schema(responses=shape.ScreeningOut(many=True))
    def get(self, request: Request, **_: Any) -> Response:
        rows = Screening.objects.filter(study=self.member.study).select_related(
            "patient", "lesion", "criterion", "decided_by"
        )
        return self.answer_list(request, rows, LOG, shape.ScreeningOut)

    @extend_schema(request=shape.DecisionIn, responses={201: shape.ScreeningOut})
    def post(self, request: Request, **_: Any) -> Response:
        study, fields = self.member.study, self.parsed(request, shape.DecisionIn)
        if bool(fields["patient"]) == bool(fields["lesion"]):
            raise Invalid("Name the patient or the lesion that is decided on.", field="patient")
        subject = (
            lesion_in(study, fields["lesion"])
            if fields["lesion"]
            else patient_in(study, fields["patient"])
        )
        row = screening.decide(
            subject,
            fields["decision"],
            criterion_in(study, fields["criterion"]) if fields["criterion"] else None,
            actor=user_of(request),
            now=timezone.now(),
            note=fields["note"],
        )
        return Response(shape.ScreeningOut(row).data, status=201)


class Flow(StudyAPI):
    may_read = EVERYBODY_OPEN

    @extend_schema(responses=shape.FlowOut)
    def get(self, request: Request, **_: Any) -> Response:
        return Response(shape.FlowOut(screening.flow(self.member.study)).data)


class Cohort(StudyAPI):
    """The cohort CSV: a dry run by default; with problems nothing is written."""

    @extend_schema(request=shape.CsvIn, responses=shape.PlanOut)
    def post(self, request: Request, **_: Any) -> Response:
        fields = self.parsed(request, shape.CsvIn)
        plan = cohort_import.read_cohort_csv(fields["csv"], self.member.study)
        is_written = not fields["dry_run"] and not plan.problems
        if is_written:
            cohort_import.write(plan, actor=user_of(request), now=timezone.now())
        body = {"is_written": is_written, "n_rows": len(plan.rows), "problems": plan.problems}
        status = 422 if plan.problems and not fields["dry_run"] else 200
        return Response(shape.PlanOut(body).data, status=status)
