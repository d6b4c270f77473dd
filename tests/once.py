"""What takes long is built once for a whole run, however many processes share it."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """The folder that `build` fills: whoever comes first builds it, who comes meanwhile waits. Nobody changes it later."""
    own = factory.getbasetemp()
    root = own.parent if own.name.startswith("popen-") else own  # of an xdist process
    folder, begun = root / name, root / f"{name}-begun"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            assert not begun.exists(), f"{name} could not be built for the test that came first"
            build(begun)
            begun.rename(folder)
    return folder
