from django.apps import AppConfig

from portal.fence.triggers import register
from readers.triggers import TRIGGERS


class ReadersConfig(AppConfig):
    name = "readers"
    label = "readers"

    def ready(self) -> None:
        register(*TRIGGERS)
