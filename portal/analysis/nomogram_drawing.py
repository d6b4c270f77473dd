"""Where the lines and words of a nomogram stand; the template only prints them."""

from dataclasses import dataclass

from radiomics.nomogram import Nomogram

LEFT, WIDTH, ROW, TOP = 190.0, 470.0, 46.0, 34.0
PROBABILITIES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
APART = 26.0


@dataclass(frozen=True)
class Tick:
    x: float
    text: str


@dataclass(frozen=True)
class Line:
    """One scale: its label, height, ends and ticks, in SVG units."""

    label: str
    y: float
    x1: float
    x2: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Drawing:
    width: float
    height: float
    lines: tuple[Line, ...]


def draw(found: Nomogram) -> Drawing:
    """Points on top, one line per feature, total points and probability below."""
    lines = [scale("Points", 0, 100.0, [0, 20, 40, 60, 80, 100], 0)]
    for row, axis in enumerate(found.axes, start=1):
        ends = (place(axis.low_points, 100.0), place(axis.high_points, 100.0))
        ticks = (Tick(ends[0], short(axis.low)), Tick(ends[1], short(axis.high)))
        lines.append(Line(axis.name, TOP + row * ROW, min(ends), max(ends), parted(ticks)))
    n = len(found.axes)
    step = found.largest / 5
    lines.append(scale("Total points", 0, found.largest, [k * step for k in range(6)], n + 1))
    lines.append(probabilities(found, n + 2))
    return Drawing(LEFT + WIDTH + 40, TOP + (n + 3) * ROW, tuple(lines))


def place(points: float, full: float) -> float:
    return round(LEFT + WIDTH * points / full, 1)


def short(value: float) -> str:
    return f"{value:.3g}"


def scale(label: str, low: float, high: float, at: list[float], row: int) -> Line:
    ticks = tuple(Tick(place(v, high), f"{v:.0f}") for v in at)
    return Line(label, TOP + row * ROW, place(low, high), place(high, high), ticks)


def probabilities(found: Nomogram, row: int) -> Line:
    """The probabilities that the total points can reach."""
    totals = [(p, found.total(p)) for p in PROBABILITIES]
    inside = [(p, t) for p, t in totals if 0 <= t <= found.largest]
    ticks = parted(tuple(Tick(place(t, found.largest), f"{p:g}") for p, t in inside))
    ends = [tick.x for tick in ticks] or [place(0, 1)]
    return Line("Probability of metastasis", TOP + row * ROW, min(ends), max(ends), ticks)


def parted(ticks: tuple[Tick, ...]) -> tuple[Tick, ...]:
    """Drop the words that would run into the one before."""
    kept: list[Tick] = []
    free_from = float("-inf")
    for tick in sorted(ticks, key=lambda t: t.x):
        is_free = tick.x >= free_from
        kept.append(tick if is_free else Tick(tick.x, ""))
        free_from = tick.x + APART if is_free else free_from
    return tuple(kept)
