from django.apps import AppConfig

from portal.archive.triggers import TRIGGERS
from portal.fence.triggers import register


class ArchiveConfig(AppConfig):
    name = "portal.archive"
    label = "archive"

    def ready(self) -> None:
        register(*TRIGGERS)
