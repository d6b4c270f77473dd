"""`python -m radiomics.ibsi REFERENCE.csv PHANTOM.npz` prints the compliance report as Markdown."""

import argparse
from pathlib import Path

from radiomics.ibsi.compliance import report


def main() -> None:
    """Print the report for a reference table and a phantom."""
    parser = argparse.ArgumentParser(prog="python -m radiomics.ibsi", description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("phantom", type=Path)
    given = parser.parse_args()
    print(report(given.reference, given.phantom), end="")  # noqa: T201


if __name__ == "__main__":
    main()
