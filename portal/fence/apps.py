from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from portal.fence import blind, triggers


class FenceConfig(AppConfig):
    name = "portal.fence"
    label = "fence"

    def ready(self) -> None:
        connection_created.connect(blind.arm_new_connection)
        post_migrate.connect(triggers.install_after_migrate)
