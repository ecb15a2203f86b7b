"""The plots of a report: each as PNG, and as SVG whose colours follow the page's light or dark theme."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...leaderboard import exports
from ...leaderboard.record import RunRecord
from ...leaderboard.shown import sheet
from ...leaderboard.units import LIMITS, UNIT
from ..display import clock, short
from ..training.stopwatch import PHASES
from .groups import AXES, Group, curve, groups, levels, mean_of, of_record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SOFT, LINE = "#1b1f24", "#5b6570", "#d8dde3"
COLORS = ("#0072b2", "#d55e00", "#0b8a5f", "#a6479a", "#8a6d00", "#3f8fc4", "#c23b3b", "#6a51a3")
STYLE: dict[Any, Any] = {
    "font.size": 9.0, "axes.edgecolor": LINE, "axes.labelcolor": SOFT, "text.color": INK, "xtick.color": SOFT,
    "ytick.color": SOFT, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": LINE,
    "grid.linewidth": 0.6, "axes.axisbelow": True, "legend.frameon": False, "svg.fonttype": "none",
    "svg.hashsalt": "reincarnate", "text.parse_math": False, "axes.titlesize": 9.0,
}  # fmt: skip
SIZE = (5.0, 3.3)  # inches; at 72 dpi as wide as a phone
SMOOTH = 200  # maximum points of a line
Plot = tuple[str, str, "Figure"]  # file name, title, figure


def plots(task: str, found: Sequence[Group]) -> Iterator[Plot]:
    """Return all plots of a task, except those with nothing to show."""
    import matplotlib

    found = [group for group in found if group.task == task]
    with matplotlib.rc_context(STYLE):
        for axis, name in AXES.items():
            if any(group.runs[0].end.get(axis) for group in found):
                yield f"curve-{axis}", f"Return against {name}", learning(found, axis)
        told = [line for group in found for run in group.runs for line in run.metrics]
        for term in sorted({term for line in told for term in _dict(line, "losses")}):
            figure = traced(found, lambda line, term=term: _dict(line, "losses").get(term), f"loss term {term}")
            yield f"loss-{re.sub(r'[^a-zA-Z0-9]+', '-', term)}", f"Loss term: {term}", figure
        for key, title in (
            ("guidance", "Weight of the teacher: 0 once the student is weaned"),
            ("rate", "Factor on the learning rate"),
        ):
            if any(_number(line.get(key)) for line in told) and not _constant(told, key):
                yield (
                    key,
                    title,
                    traced(found, lambda line, key=key: line.get(key), title.partition(":")[0].lower(), flat=True),
                )
        if any(line.get("training_return") is not None for line in told):
            asked = lambda line: line.get("training_return") if line["phase"] == "online" else None  # noqa: E731
            yield "training", "Return of training episodes", traced(found, asked, "return", "steps", flat=True)
        yield "budget", "What was spent of each limit", budget(found)
        yield "time", "Where the time went", time(found)


def plot(records: RunRecord | Sequence[RunRecord], along: str = "frames") -> "Figure":
    """Plot the learning curves of records along one cost, averaged over seeds.

    `along`: frames, updates, flops, seconds, device, queries or logged. Raises ValueError for anything else, and for
    records of several tasks.
    """
    import matplotlib

    records = [records] if isinstance(records, RunRecord) else list(records)
    tasks = sorted({record.task for record in records})
    if along not in AXES:
        raise ValueError(f"there is no unit {along!r}: draw along one of {', '.join(AXES)}")
    if len(tasks) != 1:
        raise ValueError(f"a plot shows one task, and these are of {', '.join(tasks) or 'none'}: choose the records")
    with matplotlib.rc_context(STYLE):
        return learning(groups([of_record(record) for record in records]), along)


def learning(found: Sequence[Group], axis: str) -> "Figure":
    """Plot the mean return of whole episodes against one cost, with 95 % intervals, between random play and the
    teachers."""
    figure, axes = sheet_of()
    for number, group in enumerate(found):
        drawn, color = curve(group), COLORS[number % len(COLORS)]
        costs = drawn.costs[axis]
        name = f"{group.label}, {len(group.runs)} seeds" if len(group.runs) > 1 else group.label
        _curve(axes, costs, drawn.value, (drawn.low, drawn.high), color, name)
        if (place := weaned_at(group, axis)) is not None:
            axes.axvline(place, color=color, ls=(0, (4, 2)), lw=1.0, alpha=0.8)
            axes.annotate("weaned", (place, 0.98), xycoords=("data", "axes fraction"), xytext=(3, 0), rotation=90,
                          textcoords="offset points", va="top", fontsize=9, color=color)  # fmt: skip
    for name, level in levels([run for group in found for run in group.runs]).items():
        style = ":" if name == "random" else "--"
        axes.axhline(level, color=SOFT, ls=style, lw=1.1, label=f"{name}: {level:.1f}")
    axes.set(xlabel=AXES[axis], ylabel="return, whole episodes")
    _finish(figure, axes, _amounts(axis, max(group.runs[0].end[axis] for group in found)))
    return figure


def weaned_at(group: Group, axis: str) -> float | None:
    """Return what a group had spent when it was weaned, as a mean over its runs; None if a run was not weaned."""
    places = []
    for run in group.runs:
        points = [point.spent for point in run.record.points]
        if run.record.weaned is None or any(axis not in spent or "steps" not in spent for spent in points):
            return None
        steps, costs = ([spent[unit] for spent in points] for unit in ("steps", axis))
        places.append(float(np.interp(run.record.weaned.steps, steps, costs)))
    return float(np.mean(places))


def scores(rows: Sequence[dict[str, Any]], axis: str) -> "Figure":
    """Plot the IQM of entries at the budgets of an axis with 95 % intervals, from the rows of
    `leaderboard.exports.along`."""
    import matplotlib

    budgets = exports.budgets(rows)
    x = [float(budget) for budget in budgets]
    with matplotlib.rc_context(STYLE):
        figure, axes = sheet_of((SIZE[0] * 1.3, SIZE[1] * 1.3))
        for number, row in enumerate(rows):
            color, style = COLORS[number % len(COLORS)], ("-", "--", ":")[number // len(COLORS) % 3]
            y, low, high = ([row[f"{budget}{end}"] for budget in budgets] for end in ("", "_low", "_high"))
            _curve(axes, x, y, None if None in low else (low, high), color, row["entry"], style)
        for level in (0.0, 1.0):
            axes.axhline(level, color=SOFT, ls=":" if level == 0.0 else "--", lw=1.1)
        axes.set(xlabel=AXES[axis], ylabel="IQM of scores (0: random play, 1: teacher)")
        _finish(figure, axes, _amounts(axis, max(x, default=1.0)))
    return figure


TRANSFERS = {  # kinds of prior computation as the board names them -> labels of the legend
    "weights": "the teacher's weights", "labels": "its answers", "log": "a log alone", "nothing": "nothing",
}  # fmt: skip


def entries(rows: Sequence[tuple[str, Sequence[float], str]], runs: str) -> "Figure":
    """Plot all entries of a board as sorted intervals, coloured by the kind of prior computation.

    `rows`: (name, IQM with or without its 95 % interval, a key of TRANSFERS), best first; `runs`: caption of the runs.
    """
    import matplotlib

    colors = dict(zip(TRANSFERS, COLORS, strict=False))
    with matplotlib.rc_context(STYLE):
        figure, axes = sheet_of((7.4, 1.1 + 0.19 * len(rows)))
        for place, (_, (value, *ends), kind) in enumerate(rows):
            axes.plot(value, place, "o", ms=4.5, color=colors[kind], zorder=3)
            axes.plot(ends, [place] * len(ends), lw=2.6, alpha=0.5, solid_capstyle="round", color=colors[kind])
        for kind, words in TRANSFERS.items():
            if any(kind == row[2] for row in rows):
                axes.plot([], [], "o-", ms=4.5, lw=2.6, color=colors[kind], label=words)
        for level, name, style in ((0.0, "random play", ":"), (1.0, "teacher", "--")):
            axes.axvline(level, color=SOFT, ls=style, lw=1.1, zorder=0)
            axes.annotate(name, (level, -0.9), (3, 0), textcoords="offset points", va="center", color=SOFT, fontsize=8)
        axes.set(yticks=range(len(rows)), yticklabels=[row[0] for row in rows], ylim=(len(rows) - 0.4, -1.5))
        axes.set_xlabel(f"IQM of scores at the end, 95 % intervals; {runs}")
        axes.grid(axis="y", visible=False)
        figure.legend(loc="outside upper right", ncols=len(TRANSFERS), title="what is transferred", alignment="left")
    return figure


def traced(
    found: Sequence[Group], of: Callable[[dict], Any], label: str, axis: str = "updates", flat: bool = False
) -> "Figure":
    """Plot a training metric along updates or steps, one line per run."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure, axes = sheet_of()
    low, high = np.inf, 0.0
    for number, group in enumerate(found):
        for run in group.runs:
            pairs = [(line[axis], value) for line in run.metrics if _number(value := of(line))]
            if not pairs:
                continue
            x, y = np.array(pairs[:: max(len(pairs) // SMOOTH, 1)], float).T
            name = group.label if run is group.runs[0] else None
            width = 1.4 if len(group.runs) == 1 else 0.9
            axes.plot(
                x, y, lw=width, marker="." if len(x) < 30 else "", ms=4, color=COLORS[number % len(COLORS)], label=name
            )
            low, high = min(low, y.min()), max(high, y.max())
    axes.set(xlabel="gradient updates" if axis == "updates" else "agent steps", ylabel=label)
    if not flat and 0.0 < low and high / low > 50.0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif flat and low >= 0.0:
        axes.set_ylim(bottom=0.0)
    _finish(figure, axes, short)
    return figure


def budget(found: Sequence[Group]) -> "Figure":
    """Plot what was spent of each limit before the first step (solid) and in the game (pale), as a share of it.

    The row of a group without this limit is full.
    """
    units = [unit for unit in LIMITS if any(unit in group.runs[0].record.budget for group in found)]
    figure, axes = sheet_of((SIZE[0], 0.8 + 0.26 * len(units) * max(len(found), 1.4)))
    height = 0.8 / len(found)
    for number, group in enumerate(found):
        color, limits = COLORS[number % len(COLORS)], group.runs[0].record.budget
        spent, before = mean_of([run.end for run in group.runs]), mean_of([run.offline() for run in group.runs])
        for row, unit in enumerate(units):
            used, place = spent.get(unit, 0.0), row - 0.4 + (number + 0.5) * height
            whole = limits.get(unit, used) or 1.0
            first = min(before.get(unit, 0.0), used)
            axes.barh(place, first / whole, height * 0.9, color=color)
            axes.barh(place, (used - first) / whole, height * 0.9, left=first / whole, color=color, alpha=0.45)
            text = UNIT[unit].written
            words = f"{text(used)} of {text(whole)}" if unit in limits else f"{text(used)}, no limit"
            axes.text(1.02, place, words, va="center", fontsize=9, color=SOFT)
        axes.barh(0, 0, color=color, label=group.label)
    axes.set(
        yticks=range(len(units)), yticklabels=units, xlim=(0, 1.45), xlabel="share of the limit; full colour: offline"
    )
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    _legend(figure, axes, least=2)
    return figure


def time(found: Sequence[Group]) -> "Figure":
    """Plot the seconds of training by phase, as means over the runs of a group."""
    figure, axes = sheet_of((SIZE[0], 1.5 + 0.45 * len(found)))
    left = np.zeros(len(found))
    shares = [mean_of([run.record.phases for run in group.runs]) for group in found]
    for number, phase in enumerate(PHASES):
        seconds = np.array([each.get(phase, 0.0) for each in shares])
        if seconds.any():
            axes.barh(range(len(found)), seconds, 0.6, left=left, color=COLORS[number], label=phase)
        left += seconds
    axes.set(
        yticks=range(len(found)), yticklabels=[_cut(group.label, 24) for group in found], xlabel="time of training"
    )
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    _finish(figure, axes, _times(left.max()), least=1)
    return figure


def png(figure: "Figure") -> bytes:
    """Return a figure as PNG on white, for papers and chats."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=170, facecolor="white")
    return data.getvalue()


def svg(figure: "Figure", name: str) -> str:
    """Return a figure as SVG for a page, with its colours as the page's variables; `name` makes the ids unique."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    body = text.getvalue()[text.getvalue().index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'(href="#|url\(#)', rf"\1{name}-", body)
    body = re.sub(r'<svg([^>]*?) width="[^"]*"', r"<svg\1", body, count=1)
    body = re.sub(r'<svg([^>]*?) height="[^"]*"', r"<svg\1", body, count=1)
    named = {INK: "ink", SOFT: "soft", LINE: "line"} | {color: f"c{number}" for number, color in enumerate(COLORS)}
    for color, variable in named.items():
        body = body.replace(color, f"var(--{variable})")
    return re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)


def sheet_of(size: tuple[float, float] = SIZE):
    """Return an empty figure of this size in inches, and its axes."""
    figure = sheet(figsize=size, layout="constrained")
    return figure, figure.subplots()


def _curve(axes, x, y, band: tuple[Any, Any] | None, color: str, label: str, style: str = "-") -> None:
    """Draw a line with markers, and its interval if there is one."""
    axes.plot(x, y, "o", ls=style, ms=3.5, lw=1.6, color=color, label=label, zorder=3)
    if band:
        axes.fill_between(x, *band, color=color, alpha=0.16, lw=0)


def _finish(figure: "Figure", axes, text: Callable[[float], str], least: int = 2) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "0" if x == 0 else text(x) if x > 0 else ""))
    _legend(figure, axes, least)


def _legend(figure: "Figure", axes, least: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) >= least:
        columns = 1 if max(map(len, labels)) > 34 else 2 if max(map(len, labels)) > 14 else 4
        figure.legend(
            handles, [_cut(label, 70) for label in labels], loc="outside lower left", ncols=columns, fontsize=9
        )


def _amounts(axis: str, most: float) -> Callable[[float], str]:
    """Choose a number format for a cost, given its largest amount."""
    return _times(most) if UNIT[axis].is_time else short


def _times(most: float) -> Callable[[float], str]:
    """Format seconds for an axis that ends at `end`."""
    return clock if most >= 180.0 else lambda seconds: f"{seconds:.3g} s"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _number(value: Any) -> bool:
    return type(value) in (int, float) and bool(np.isfinite(value))


def _constant(told: Sequence[dict], key: str) -> bool:
    """Return whether a plot would say nothing: a rate that never changes, or no weight of a teacher at all."""
    values = {float(line[key]) for line in told if _number(line.get(key))}
    return len(values) == 1 and (key == "rate" or values == {0.0})


def _dict(line: dict[str, Any], key: str) -> dict[str, Any]:
    value = line.get(key)
    return value if isinstance(value, dict) else {}
