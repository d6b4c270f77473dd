"""The portal's settings with a data folder of the test run's own."""

import os
import tempfile

worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if worker != os.environ.get("OSTEON_TEST_WORKER", ""):
    # two workers do not share the data folder of the one who started them; their own children do
    os.environ["OSTEON_TEST_WORKER"] = worker
    os.environ["OSTEON_DATA_DIR"] = tempfile.mkdtemp(prefix=f"osteon-test-{worker}-")
os.environ.setdefault("OSTEON_DATA_DIR", tempfile.mkdtemp(prefix="osteon-test-"))

# Playwright's event loop runs beside the tests that come after a browser test in the same process
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

from portal.settings import *  # noqa: E402, F403

# tests of the second factor turn it on; the cast of the others signs with a password
SECOND_FACTOR = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_ROOT = DATA_DIR / "static"  # noqa: F405
STATIC_ROOT.mkdir(exist_ok=True)
at = MIDDLEWARE.index("portal.audit.middleware.RequestContextMiddleware") + 1  # noqa: F405
MIDDLEWARE.insert(at, "tests.audit_watch.AuditWatch")  # noqa: F405
if DATABASES["default"]["ENGINE"].endswith("postgresql"):  # noqa: F405
    # a test's rows need not outlive a loss of power
    DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"  # noqa: F405
