"""One outlined study for all tests of a module: built once, every test inside a savepoint of its own."""

from collections.abc import Iterator

import pytest
from django.db import transaction

from portal.study.models import Study
from tests.analysis.builders import do_all, extracted, make_outlined_study, outlined

N_LESIONS = 20


@pytest.fixture(scope="module")
def built(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[int]:
    """Twenty outlined lesions whose texture follows the diagnosis, features extracted; its key."""
    with django_db_blocker.unblock(), transaction.atomic():  # type: ignore[attr-defined]
        study = make_outlined_study(N_LESIONS)
        do_all(study, "delineator1", "outline", outlined())
        extracted(study)
        yield study.pk
        transaction.set_rollback(True)


@pytest.fixture
def study(built: int, db: None) -> Study:
    return Study.objects.get(pk=built)
