"""What takes long is built once for a whole run, however many processes share it."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """The folder that `build` fills: whoever comes first builds it, who comes meanwhile waits. Nobody changes it later."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, begun = root / name, root / f"{name}-begun"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            assert not begun.exists(), f"{name} could not be built for the test that came first"
            build(begun)
            begun.rename(folder)
    return folder
