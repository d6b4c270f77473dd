"""The portal's own settings with an app of misbehaving jobs."""

from portal.settings import *  # noqa: F403

INSTALLED_APPS += ["tests.portal.faulty"]  # noqa: F405
