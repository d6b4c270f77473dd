"""Writes outline_geometry.json by exact rational arithmetic, a second method beside both products.

Coordinates come from solving the 3 x 3 system of row, column and normal steps with Cramer's rule; the mask from
winding numbers of each pixel centre (equal to even-odd for simple polygons, and for the crossed ones here no centre
has winding number two); crossings from the exact parameters of the two lines. No centre lies on an edge.
"""

import json
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

Vector = Sequence[Fraction | int]
Point = tuple[Fraction, Fraction]
Image = dict[str, Any]

AXIAL = ([1, 0, 0], [0, 1, 0])
TILTED = ([1, 0, 0], [0, Fraction(4, 5), Fraction(3, 5)])


def image(
    rows: int,
    columns: int,
    spacing: Sequence[str | int],
    position: Sequence[str | int],
    cosines: tuple[Vector, Vector] = AXIAL,
) -> Image:
    return {
        "rows": rows, "columns": columns, "spacing_mm": [Fraction(s) for s in spacing],
        "position": [Fraction(p) for p in position], "row_cosines": [Fraction(c) for c in cosines[0]],
        "column_cosines": [Fraction(c) for c in cosines[1]],
    }  # fmt: skip


def cross(a: Vector, b: Vector) -> list[Fraction | int]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def det(a: Vector, b: Vector, c: Vector) -> Fraction:
    return Fraction(sum(x * y for x, y in zip(a, cross(b, c), strict=True)))


def solve(img: Image, point: Vector) -> tuple[Fraction, Fraction, Fraction]:
    """Row, column and distance from the plane of a point, by Cramer's rule."""
    down = [c * img["spacing_mm"][0] for c in img["column_cosines"]]
    right = [c * img["spacing_mm"][1] for c in img["row_cosines"]]
    normal = cross(img["row_cosines"], img["column_cosines"])
    offset = [p - q for p, q in zip(point, img["position"], strict=True)]
    whole = det(down, right, normal)
    return (
        det(offset, right, normal) / whole,
        det(down, offset, normal) / whole,
        det(down, right, offset) / whole,
    )


def winding(polygon: list[Point], row: int, column: int) -> int:
    """How often the polygon turns around a point, counted on the ray towards larger rows."""
    turns = 0
    for (r1, c1), (r2, c2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        side = (r2 - r1) * (column - c1) - (row - r1) * (c2 - c1)
        if c1 <= column < c2 and side > 0:
            turns += 1
        elif c2 <= column < c1 and side < 0:
            turns -= 1
    return turns


def meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether closed segments ab and cd share a point, by their line parameters."""
    u, v, w = (b[0] - a[0], b[1] - a[1]), (d[0] - c[0], d[1] - c[1]), (c[0] - a[0], c[1] - a[1])
    whole = u[0] * v[1] - u[1] * v[0]
    if whole == 0:
        return False
    s = (w[0] * v[1] - w[1] * v[0]) / whole
    t = (w[0] * u[1] - w[1] * u[0]) / whole
    return 0 <= s <= 1 and 0 <= t <= 1


def problems(img: Image, solved: list[tuple[Fraction, Fraction, Fraction]]) -> list[str]:
    polygon = [(r, c) for r, c, _ in solved]
    n = len(polygon)
    pairs = [(i, j) for i, j in combinations(range(n), 2) if j - i not in (1, n - 1)]
    crossed = any(
        meet(polygon[i], polygon[(i + 1) % n], polygon[j], polygon[(j + 1) % n]) for i, j in pairs
    )
    half = Fraction(1, 2)
    outside = any(
        r < -half or c < -half or r > img["rows"] - half or c > img["columns"] - half
        for r, c in polygon
    )
    found = {
        "too_few_points": len(set(polygon)) < 3,
        "self_intersection": crossed,
        "off_plane": any(abs(away) > Fraction(1, 100) for _, _, away in solved),
        "outside_image": outside,
        "too_small": not mask(img, polygon),
    }
    return [code for code, holds in found.items() if holds]


def mask(img: Image, polygon: list[Point]) -> list[list[int]]:
    return [
        [r, c]
        for r in range(img["rows"])
        for c in range(img["columns"])
        if winding(polygon, r, c) % 2
    ]


def plain(value: Any) -> Any:
    return [plain(v) for v in value] if isinstance(value, list | tuple) else float(value)


def case(name: str, img: Image, vertices: list[list[float]]) -> dict[str, Any]:
    points = [[Fraction(str(x)) for x in vertex] for vertex in vertices]
    solved = [solve(img, point) for point in points]
    polygon = [(r, c) for r, c, _ in solved]
    return {
        "name": name,
        "image": {
            key: value if isinstance(value, int) else plain(value) for key, value in img.items()
        },
        "vertices": plain(points),
        "row_column": [[float(r), float(c)] for r, c in polygon],
        "mask_pixels": mask(img, polygon),
        "problems": problems(img, solved),
    }


SMALL = image(6, 8, (1, 1), (0, 0, 10))
FLAT = image(5, 7, ("2.5", "0.5"), ("-3.5", 20, "-12.25"))
SLOPED = image(10, 9, (2, "1.5"), (5, -4, 7), TILTED)
REVERSED = image(8, 8, (2, 2), (14, 0, 30), ([-1, 0, 0], [0, 1, 0]))


def sloped(row: float, column: float) -> list[float]:
    return [5 + 1.5 * column, -4 + 1.6 * row, 7 + 1.2 * row]


CASES = [
    case("a square between pixel centres", SMALL, [[1.5, 0.5, 10], [4.5, 0.5, 10], [4.5, 3.5, 10], [1.5, 3.5, 10]]),
    case("a triangle", SMALL, [[0.6, 0.7, 10], [6.4, 1.3, 10], [2.2, 4.9, 10]]),
    case("a concave polygon", SMALL, [[0.5, 0.5, 10], [6.5, 0.5, 10], [6.5, 4.5, 10], [3.6, 1.4, 10], [0.5, 4.5, 10]]),
    case("non-square pixels", FLAT, [[-3.2, 18.9, -12.25], [-0.9, 19.2, -12.25], [-1.3, 28.7, -12.25], [-2.9, 27.6, -12.25]]),
    case("a tilted plane", SLOPED, [sloped(1.25, 1.25), sloped(1.5, 6.75), sloped(7.25, 6.5), sloped(6.75, 2.25)]),
    case("columns running towards the right of the patient", REVERSED, [[12.9, 1.1, 30], [3.2, 2.9, 30], [7.1, 11.3, 30]]),
    case("crossed like a bow tie", SMALL, [[0.5, 0.5, 10], [5.5, 4.25, 10], [5.5, 0.75, 10], [0.5, 4.5, 10]]),
    case("two points only", SMALL, [[1.2, 1.2, 10], [3.4, 2.2, 10]]),
    case("a vertex 0.02 mm above the plane", SMALL, [[1.5, 0.5, 10], [4.5, 0.5, 10.02], [4.5, 3.7, 10]]),
    case("a vertex 0.005 mm above the plane", SMALL, [[1.5, 0.5, 10], [4.5, 0.6, 10.005], [4.4, 3.5, 10]]),
    case("over the outer pixel edge", SMALL, [[-0.6, 0.5, 10], [3.5, 0.5, 10], [3.5, 3.5, 10]]),
    case("up to the outer pixel edge", SMALL, [[-0.5, -0.5, 10], [7.5, -0.5, 10], [7.5, 5.5, 10], [-0.5, 5.5, 10]]),
    case("between the pixel centres", SMALL, [[1.2, 1.2, 10], [1.8, 1.3, 10], [1.5, 1.8, 10]]),
]  # fmt: skip

if __name__ == "__main__":
    target = Path(__file__).with_name("outline_geometry.json")
    target.write_text(json.dumps({"cases": CASES}, indent=1) + "\n", encoding="utf-8")
