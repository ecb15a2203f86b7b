"""The result of a quickstart: a verdict in two lines, a plot, a film, and the next steps."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...datasets import atomic
from ...leaderboard.record import RunRecord
from ...leaderboard.score import normalise
from ...leaderboard.units import clock, short
from ..display import Display
from ..evaluation.boards import Board, boards
from ..prior.ancestors import total
from ..prior.load import pull_teacher
from ..prior.promote import student
from ..report import plots
from ..tasks.task import find
from .demo import SETTINGS, Demo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOT, FILM = "quickstart.png", "quickstart.mp4"
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # behind words that a line would cross
INK = {"reincarnated": plots.COLORS[0], "from scratch": plots.COLORS[1]}


class Pair(NamedTuple):
    """Two finished runs of equal cost."""

    demo: Demo
    first: Path  # folder of the reincarnated student
    second: Path
    reincarnated: RunRecord
    scratch: RunRecord


class Ending(NamedTuple):
    """The results, for people and programs."""

    verdict: tuple[str, ...]
    files: tuple[str, ...]
    next: tuple[tuple[str, str], ...]  # (purpose, command)
    facts: dict[str, Any]


def end(folder: Path, pair: Pair, show: Display) -> Ending:
    """Draw the plot and the film of two finished runs, and describe how they compare."""
    figure = draw(pair)
    atomic.write(folder / PLOT, plots.png(figure))
    with show.phase("filming the teacher and both students", 3, "boards"):
        _film(folder / FILM, pair)
    files = tuple(str(folder / name) for name in (PLOT, FILM))
    facts = {"plot": files[0], "film": files[1], "reincarnated": _facts(pair.reincarnated, pair.first)}
    facts |= {"from scratch": _facts(pair.scratch, pair.second)}
    return Ending(verdict(pair), files, following(folder, pair), facts)


def verdict(pair: Pair) -> tuple[str, ...]:
    """Return a line for each student with its return, score and cost, and one about what is not included."""
    first, second = pair.reincarnated, pair.scratch
    whole = total(first, first.points[-1], "bundled")
    more = "more than " if whole.unpriced else ""
    return (
        f"Reincarnated ({first.method}): {_reached(first)}, for {_cost(first)}.",
        f"From scratch ({second.method}): {_reached(second)}, for {_cost(second)}.",
        f"With the teacher's own training and its log, the first cost {more}{_flops(whole.spent.get('flops', 0.0))}, "
        "paid once for all students. One seed each: the intervals are over episodes.",
    )


def _reached(record: RunRecord) -> str:
    last = record.points[-1].evaluation
    low, high = last.interval
    assert record.teacher is not None
    score = float(normalise(last.mean, record.random.mean, record.teacher.mean))
    return f"{last.mean:.1f} [{low:.1f}, {high:.1f}], {score:.2f} of the teacher's {record.teacher.mean:.1f}"


def _cost(record: RunRecord) -> str:
    spent = record.points[-1].spent
    return f"{_flops(spent['flops'])}, {short(spent['steps'])} steps and {clock(spent['seconds'])} of training"


def _flops(number: float) -> str:
    """Format 5e11 as 500 GFLOP."""
    text = short(number)
    return f"{text[:-1]} {text[-1]}FLOP" if text[-1:].isalpha() else f"{text} FLOP"


def following(folder: Path, pair: Pair) -> tuple[tuple[str, str], ...]:
    """Return three commands to try next, with the same task, budget and settings."""
    demo, where = pair.demo, str(folder)
    other = "qdagger" if demo.reincarnated.startswith("fine_tuning") else "fine_tuning"
    settings = " ".join(f"--set {key}={value}" for key, value in SETTINGS.items())
    same = f"--budget {demo.budget} {settings} --points {demo.points}"
    same += f" --episodes {demo.episodes}" if demo.episodes else ""
    seeds = f"--seeds {pair.reincarnated.seed}"
    return (
        ("see what was learned, and what it cost", f"reincarnate report {pair.first} {pair.second}"),
        ("try another method at the same cost",
         f"reincarnate sweep {demo.task} --methods {other} {seeds} {same} --out {where}"),
        ("check a run as the board's maintainers would", f"reincarnate submit {pair.first} --out {where}/submission"),
    )  # fmt: skip


def draw(pair: Pair) -> "Figure":
    """Draw both curves against their cost, with 95 % intervals, between random play and the teacher."""
    import matplotlib

    with matplotlib.rc_context(plots.STYLE):
        figure, axes = plots.sheet_of((7.0, 4.0))
        both = {"reincarnated": pair.reincarnated, "from scratch": pair.scratch}
        ends = [record.points[-1].evaluation.mean for record in both.values()]
        for (name, record), other in zip(both.items(), reversed(ends), strict=True):
            x = [point.spent["flops"] for point in record.points]
            y = [point.evaluation.mean for point in record.points]
            low, high = np.array([point.evaluation.interval for point in record.points]).T
            axes.plot(x, y, "o-", color=INK[name], ms=4, lw=1.8, zorder=3)
            axes.fill_between(x, low, high, color=INK[name], alpha=0.16, lw=0)
            above = y[-1] > other or (y[-1] == other and name == "reincarnated")  # keeps the labels apart
            words, place = f"{name}\n({record.method}) {y[-1]:.1f}", (8, 2 if above else -2)
            axes.annotate(words, (x[-1], y[-1]), place, textcoords="offset points", fontweight="bold", color=INK[name],
                          va="bottom" if above else "top", bbox=PAPER)  # fmt: skip
        first = pair.reincarnated
        assert first.teacher is not None
        x, y = first.points[0].spent["flops"], first.points[0].evaluation.mean
        if x:
            axes.annotate("after learning\nfrom the log", (x, y), (-6, 6), textcoords="offset points", ha="right",
                          va="bottom", color=INK["reincarnated"])  # fmt: skip
        most = max(record.points[-1].spent["flops"] for record in both.values())
        starts = [record.points[0].evaluation.mean for record in both.values()]
        for name, level, style in (("teacher", first.teacher.mean, "--"), ("random play", first.random.mean, ":")):
            axes.axhline(level, color=plots.SOFT, ls=style, lw=1.1)
            right = _away(level, ends) > _away(level, starts)  # the end where no curve is near
            axes.annotate(f"{name} {level:.1f}", (most if right else 0.0, level), (-4 if right else 4, 3),
                          color=plots.SOFT, textcoords="offset points", ha="right" if right else "left")  # fmt: skip
        axes.margins(y=0.12)
        axes.set(xlabel="FLOPs of the student, learning from the teacher included", ylabel="mean return of whole games")
        axes.set_title(_title(pair), loc="left", fontsize=11, fontweight="bold")
        axes.xaxis.set_major_formatter(lambda x, _: short(x) if x > 0 else "0")
        axes.set_xlim(left=0)
    return figure


def _away(level: float, values: Sequence[float]) -> float:
    return min(abs(value - level) for value in values)


def _title(pair: Pair) -> str:
    first, second = (one.points[-1] for one in (pair.reincarnated, pair.scratch))
    game = pair.demo.task.partition("/")[2]
    cost = _flops(max(first.spent["flops"], second.spent["flops"]))
    return f"{game}: {first.evaluation.mean:.1f} against {second.evaluation.mean:.1f} for the same {cost}"


def _film(path: Path, pair: Pair) -> None:
    """Film the episode of each policy that is closest to its mean, side by side."""
    task, first, second = find(pair.demo.task), pair.reincarnated, pair.scratch
    assert first.teacher is not None
    teacher = pull_teacher(task.teacher, "bundled", task)[0]
    shown = [Board("teacher", teacher, first.teacher)]
    for name, folder, record in (("reincarnated", pair.first, first), ("from scratch", pair.second, second)):
        shown.append(Board(name, student(folder)[0], record.points[-1].evaluation))
    boards(path, task, shown)


def _facts(record: RunRecord, folder: Path) -> dict[str, Any]:
    last = record.points[-1]
    assert record.teacher is not None
    return {
        "folder": str(folder),
        "method": record.method,
        "return": last.evaluation.mean,
        "interval": list(last.evaluation.interval),
        "score": float(normalise(last.evaluation.mean, record.random.mean, record.teacher.mean)),
        "spent": last.spent,
    }
