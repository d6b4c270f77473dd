from django.apps import AppConfig


class TruthConfig(AppConfig):
    name = "portal.truth"
    label = "truth"
