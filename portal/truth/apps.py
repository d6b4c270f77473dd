from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate

from portal.fence.triggers import register
from portal.truth.fit_view import drop_before_migrate, make_after_migrate
from portal.truth.triggers import TRIGGERS


class TruthConfig(AppConfig):
    name = "portal.truth"
    label = "truth"

    def ready(self) -> None:
        register(*TRIGGERS)
        pre_migrate.connect(drop_before_migrate, sender=self)
        post_migrate.connect(make_after_migrate, sender=self)
