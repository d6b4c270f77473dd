from django.apps import AppConfig


class StudyConfig(AppConfig):
    name = "portal.study"
    label = "study"
