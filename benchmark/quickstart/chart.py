"""Plots in the terminal."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.text import Text

from ...leaderboard.units import short

HEIGHT, WIDTH = 9, 46  # characters
POINT, STROKE, LEVEL = "●", "·", "┄"


class Line(NamedTuple):
    """A curve and its style."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]  # (cost, value), sorted by cost


def chart(lines: Sequence[Line], levels: Mapping[str, float], height: int = HEIGHT, width: int = WIDTH) -> list[Text]:
    """Return rows of text with curves and levels, each named at the right edge.

    Levels {name: value} are horizontal lines. Curves are drawn over levels, and later curves over earlier ones.
    """
    values = [*levels.values(), *(y for line in lines for _, y in line.points)]
    low, high = min(values), max(values)
    room = max(high - low, 1e-9)
    most = max([x for line in lines for x, _ in line.points], default=0.0) or 1.0

    def row(y: float) -> int:
        return round((high - y) / room * (height - 1))

    def column(x: float) -> int:
        return round(x / most * (width - 1))

    cells = {(row(y), x): (LEVEL, "dim") for y in levels.values() for x in range(width)}
    for line in lines:
        places = [(column(x), row(y)) for x, y in line.points]
        for (x0, y0), (x1, y1) in zip(places, places[1:], strict=False):
            for x in range(x0 + 1, x1):
                cells[round(y0 + (y1 - y0) * (x - x0) / (x1 - x0)), x] = (STROKE, line.style)
        cells |= {(y, x): (POINT, line.style) for x, y in places}
    labels = _labels(lines, levels, row)
    drawn = []
    for y in range(height):
        mark = f"{high:6.1f}" if y == 0 else f"{low:6.1f}" if y == height - 1 else " " * 6
        text = Text(f"{mark} ", "dim")
        for x in range(width):
            text.append(*cells.get((y, x), (" ", "")))
        for words, style in labels.get(y, ()):
            text.append(f" {words}", style)
        drawn.append(text)
    drawn.append(Text(f"{'':7}0{short(most) + ' FLOPs':>{width - 1}}", "dim"))
    return drawn


def _labels(lines: Sequence[Line], levels: Mapping[str, float], row) -> dict[int, list[tuple[str, str]]]:
    """Return the labels at the right end of each row."""
    found: dict[int, list[tuple[str, str]]] = {}
    for line in lines:
        if line.points:
            found.setdefault(row(line.points[-1][1]), []).append((f"{line.name} {line.points[-1][1]:.1f}", line.style))
    for name, value in levels.items():
        found.setdefault(row(value), []).append((f"{name} {value:.1f}", "dim"))
    return found
