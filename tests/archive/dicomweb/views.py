"""Under which UIDs the coordinator's base shows an image: its own while identities are kept, else the archive's."""

from django.conf import settings

from portal.archive.models import Instance, Series, SourceUid

VIEWS = ("sealed", "none")


def uids_of(one: Instance) -> tuple[str, str, str]:
    """Of the exam, the series and the image."""
    row = SourceUid.objects.select_related("series__identity__exam").filter(pk=one.uid).first()
    if settings.IDENTITIES != "none" and row and row.series and row.series.identity.exam.has_source:
        return row.series.identity.source_uid, row.series.source_uid, row.source_uid
    return one.series.exam.uid, one.series.uid, one.uid


def path_of(one: Instance) -> str:
    return "/dicomweb/studies/{}/series/{}/instances/{}".format(*uids_of(one))


def series_path(one: Series) -> str:
    return path_of(one.instances.first()).rpartition("/instances")[0]
