from django.apps import AppConfig

from portal.analysis.triggers import TRIGGERS
from portal.fence.triggers import register


class AnalysisConfig(AppConfig):
    name = "portal.analysis"
    label = "analysis"

    def ready(self) -> None:
        register(*TRIGGERS)
