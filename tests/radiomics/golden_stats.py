"""Reads the golden statistics: R's inputs and answers."""

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parents[1] / "golden" / "stats"


@cache
def columns(name: str) -> dict[str, npt.NDArray[np.float64]]:
    """One array per column of an input file; empty and NA cells are nan."""
    with (FOLDER / "in" / f"{name}.csv").open() as file:
        header, *rows = csv.reader(file)
    cells = [[np.nan if cell in ("", "NA") else _number(cell) for cell in row] for row in rows]
    return {
        key: np.array(column) for key, column in zip(header, zip(*cells, strict=True), strict=True)
    }


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("".join(filter(str.isdigit, cell)))


def features(name: str) -> tuple[list[str], npt.NDArray[np.float64]]:
    """All columns but y, with their names."""
    names = [key for key in columns(name) if key != "y"]
    return names, np.column_stack([columns(name)[key] for key in names])


@cache
def answer(name: str) -> dict[str, Any]:
    with (FOLDER / "out" / f"{name}.json").open() as file:
        loaded: dict[str, Any] = json.load(file)
    return loaded


def radiomics_rows(train: bool, names: list[str]) -> npt.NDArray[np.float64]:
    """Columns of the radiomics table, training or validation rows."""
    table = columns("radiomics_full")
    rows = table["train"] == (1 if train else 0)
    return np.column_stack([table[name][rows] for name in names])


def radiomics_column(name: str, train: bool = True) -> npt.NDArray[np.float64]:
    table = columns("radiomics_full")
    return table[name][table["train"] == (1 if train else 0)]


def block_names(block: str) -> list[str]:
    prefixes = ("CT_", "SP_") if block == "COM" else (f"{block}_",)
    return [name for name in columns("radiomics_full") if name.startswith(prefixes)]
