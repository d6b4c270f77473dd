"""What the step to ARCHIVED asks: the study's tables were taken out, and a backup of it was checked."""

from django.utils.module_loading import import_string

from portal.audit.models import AuditEvent
from portal.study.life import Check, register_check
from portal.study.models import State, Study


def kept_outside(study: Study) -> tuple[Check, ...]:
    """Each table taken, and a backup verified, after the unblinding."""
    advances = AuditEvent.objects.filter(study=study.code, verb="study.advance")
    since = advances.order_by("-seq").values_list("seq", flat=True).first() or 0
    later = AuditEvent.objects.filter(seq__gt=since)
    taken = later.filter(study=study.code, verb="export.take").values_list("obj", flat=True)
    # the exports draw figures; a process that only starts does not need them
    exports = import_string("portal.dashboard.exports.EXPORTS")
    missing = sorted(set(exports) - {name.removeprefix("export:") for name in taken})
    is_backed = later.filter(verb="backup.verify").exists()
    return (
        Check("exports", "Every table is exported", not missing,
              f"Take these on the exports page: {', '.join(missing)}."),
        Check("backup", "A backup is verified", is_backed,
              "Ask the administrator to run manage.py backup."),
    )  # fmt: skip


register_check(State.ARCHIVED, kept_outside)
