"""The door for gunicorn: frames and searches of a caller who was let in a moment ago, Django for everything else."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
from django.utils.module_loading import import_string

from portal.starting import imports_kept

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
with imports_kept():
    django_application = get_wsgi_application()
    # every page's imports now, so that the first visitor does not wait for them
    _ = get_resolver().url_patterns
    # by name, as Django loads its middleware: models can be imported only now
    application = import_string("portal.archive.dicomweb.warm.WarmDoor")(django_application)
