from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from portal.fence.triggers import register
from portal.study.triggers import TRIGGERS


class StudyConfig(AppConfig):
    name = "portal.study"
    label = "study"

    def ready(self) -> None:
        """Register triggers and import every app's `checks` module, where steps get their checks."""
        register(*TRIGGERS)
        autodiscover_modules("checks")
