"""Add an evaluated, synthetic study with the reference cast to a browser portal's database."""

import django

django.setup()

from portal.study.models import Study  # noqa: E402
from tests.dashboard.builders import make_evaluated  # noqa: E402

if __name__ == "__main__":
    make_evaluated("compared", is_synthetic=True)
    Study.objects.filter(code="compared").update(generator={"reproduces": "the published study"})
