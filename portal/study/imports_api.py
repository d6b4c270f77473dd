"""The browser's import as a resource: begin, ask what is known, send batches, end."""

from pathlib import Path
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from portal.archive.batches import MAX_FILES, Sent, begin, end, skip_known, take_batch
from portal.archive.commit import counts
from portal.archive.models import Import, ImportFile
from portal.archive.spooling import SpoolFolder
from portal.errors import Conflict, Invalid
from portal.study.doors import StudyAPI, user_of
from portal.study.images import import_of, spool
from portal.study.late import door_of

SHOWN = 20


class AnnouncedFile(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=1000, trim_whitespace=False)
    size = serializers.IntegerField(min_value=0)
    sha256 = serializers.RegexField(r"^[0-9a-f]{64}$")


class AnnouncedFiles(serializers.Serializer[Any]):
    batch = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    files = serializers.ListField(child=AnnouncedFile(), max_length=MAX_FILES)


class KnownFiles(serializers.Serializer[Any]):
    known = serializers.ListField(child=serializers.BooleanField())


class BatchIn(serializers.Serializer[Any]):
    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True), allow_empty=False, max_length=MAX_FILES
    )
    names = serializers.ListField(child=serializers.CharField(max_length=1000), required=False)
    folder = serializers.BooleanField(default=False)


class ImportOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    study = serializers.CharField(source="study_key")
    warning = serializers.CharField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    outcomes = serializers.SerializerMethodField()
    problems = serializers.SerializerMethodField()

    def get_outcomes(self, row: Import) -> dict[str, int]:
        return counts(row)

    def get_problems(self, row: Import) -> list[dict[str, str]]:
        """The newest refused and held files, each with its sentence."""
        bad = (ImportFile.Outcome.REFUSED, ImportFile.Outcome.HELD)
        rows = row.files.filter(outcome__in=bad).order_by("-row")[:SHOWN]
        return [{"name": f.name, "outcome": f.outcome, "sentence": f.sentence} for f in rows]


class Imports(StudyAPI):
    @extend_schema(request=None, responses={201: ImportOut})
    def post(self, request: Request, **_: Any) -> Response:
        study = self.member.study
        study_key, warning = door_of(study)
        row = begin(
            actor=user_of(request), study_key=study_key, warning=warning,
            expects_synthetic=study.is_synthetic,
        )  # fmt: skip
        return Response(ImportOut(row).data, status=201)


class ImportAPI(StudyAPI):
    """One import of the signed-in coordinator; nobody adds to another's."""

    def mine(self, request: Request, code: str) -> Import:
        row = import_of(self.member, code)
        if row.actor_id != user_of(request).pk or row.door != Import.Door.BROWSER:
            raise Conflict("Only who began an import adds to it; begin one of your own.")
        if row.study_key and not door_of(self.member.study)[0]:
            raise Conflict(
                f"The cohort of {self.member.study} was locked meanwhile; nothing more enters this import."
            )
        return row


class OneImport(ImportAPI):
    @extend_schema(responses=ImportOut)
    def get(self, request: Request, code: str, **_: Any) -> Response:
        return Response(ImportOut(import_of(self.member, code)).data)


class KnownImages(ImportAPI):
    @extend_schema(request=AnnouncedFiles, responses=KnownFiles)
    def post(self, request: Request, code: str, **_: Any) -> Response:
        row, told = self.mine(request, code), self.parsed(request, AnnouncedFiles)
        sent = [Sent(**one) for one in told["files"]]
        return Response({"known": skip_known(row, sent, batch=told["batch"])})


class ImportBatch(ImportAPI):
    parser_classes = (MultiPartParser,)

    @extend_schema(request={"multipart/form-data": BatchIn}, responses=ImportOut)
    def put(self, request: Request, code: str, batch: int, **_: Any) -> Response:
        """Sending a batch again under its number answers for no file twice."""
        row, told = self.mine(request, code), self.parsed(request, BatchIn)
        files, names = told["files"], told.get("names", [])
        if names and len(names) != len(files):
            raise Invalid("Name every file of the batch, or none.", field="names")
        with SpoolFolder("upload-") as folder:
            spooled = spool(files, Path(folder))
            if names:
                spooled = dict(zip(spooled, names, strict=True))
            take_batch(
                row, spooled, batch=batch, actor=user_of(request),
                expects_synthetic=self.member.study.is_synthetic, is_folder=told["folder"],
            )  # fmt: skip
        return Response(ImportOut(row).data)


class ImportEnd(ImportAPI):
    @extend_schema(request=None, responses=ImportOut)
    def post(self, request: Request, code: str, **_: Any) -> Response:
        return Response(ImportOut(end(import_of(self.member, code))).data)
