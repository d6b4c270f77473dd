"""Print the catalogue as the table of docs/features.md."""

import sys

from radiomics.features.catalogue import CATALOGUE


def table() -> str:
    """The catalogue as a Markdown table: index, name, family, parameters, IBSI tag."""
    lines = ["| index | name | family | parameters | IBSI-1 tag |", "|---|---|---|---|---|"]
    for index, entry in enumerate(CATALOGUE):
        parameters = ", ".join(f"{key} {value}" for key, value in entry.parameters.items())
        lines.append(
            f"| {index} | `{entry.name}` | {entry.family} | {parameters} | {entry.ibsi or '–'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
