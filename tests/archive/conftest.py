"""Servers for the tests of stores and of the bridge, started when first asked for."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.archive.scripted import Scripted, scripted_server
from tests.archive.servers import Running, copied_tables, orthanc_server, portal_server


@pytest.fixture(scope="session")
def servers(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> Iterator[Callable[[str], Running]]:
    """Each server is started when the first test asks for it, and ended after the last."""
    kept: dict[str, tuple[Any, Running]] = {}
    with django_db_blocker.unblock():
        tables = copied_tables(tmp_path_factory.mktemp("tables") / "tables.sqlite3")

    def running(kind: str) -> Running:
        if kind not in kept:
            folder = tmp_path_factory.mktemp(kind) / "data"
            manager = portal_server(folder, tables) if kind == "portal" else orthanc_server(folder)
            kept[kind] = (manager, manager.__enter__())
        return kept[kind][1]

    yield running
    for manager, _ in kept.values():
        manager.__exit__(None, None, None)


@pytest.fixture
def remote() -> Iterator[Scripted]:
    with scripted_server() as script:
        yield script
