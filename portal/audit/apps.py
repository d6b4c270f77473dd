from django.apps import AppConfig

from portal.audit.triggers import TRIGGERS
from portal.fence.triggers import register


class AuditConfig(AppConfig):
    name = "portal.audit"
    label = "audit"

    def ready(self) -> None:
        register(*TRIGGERS)
