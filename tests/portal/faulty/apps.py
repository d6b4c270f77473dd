"""An installation that may be told to repeat its wake-ups sooner, for the tests that wait for one."""

import os
from datetime import timedelta

from django.apps import AppConfig


class FaultyConfig(AppConfig):
    name = "tests.portal.faulty"

    def ready(self) -> None:
        if "FAULTY_WAKE_UP_SECONDS" in os.environ:
            repeat_wake_ups(int(os.environ["FAULTY_WAKE_UP_SECONDS"]))


def repeat_wake_ups(seconds: int) -> None:
    """The patience of a worker that hears none follows, as it does in portal/jobs/presence.py."""
    from portal.jobs import models, presence, queue, reaper  # noqa: PLC0415  models exist only now

    for module in (queue, reaper):
        vars(module)["WAKE_UP_REPEAT_SECONDS"] = seconds
    presence.DEAF_AFTER = timedelta(seconds=seconds + 2 * models.REAPER_SECONDS)
