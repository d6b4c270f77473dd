from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    name = "portal.analysis"
    label = "analysis"
