"""A record for people: its table and its learning curve."""

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .score import interval, normalise
from .units import short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .record import Evaluation, RunRecord

HEAD = ("policy", "frames", "updates", "FLOPs", "return [95 %]", "score [95 %]")
STUDENT, TEACHER, RANDOM = "#0b6e4f", "#b3541e", "#6b6b6b"


class PolicyRow(NamedTuple):
    """One policy of a record, in words."""

    policy: str
    frames: str
    updates: str
    flops: str
    returned: str
    score: str


def rows(record: "RunRecord") -> Iterator[PolicyRow]:
    """Yield rows for random play, the teacher and its claimed score, and the student at each sample budget."""
    random = float(np.mean(record.random.returns))
    teacher = float(np.mean(record.teacher.returns)) if record.teacher else None

    def row(name: str, spent: dict[str, float] | None, judged: "Evaluation") -> PolicyRow:
        mean, (low, high) = float(np.mean(judged.returns)), interval(np.array(judged.returns))
        score = ""
        if teacher is not None:
            scaled, *ends = (round(float(normalise(x, random, teacher)), 2) + 0.0 for x in (mean, low, high))
            score = f"{scaled:.2f} [{min(ends):.2f}, {max(ends):.2f}]"  # a teacher worse than random inverts the scale
        frames, updates, flops = (short(spent[unit]) if spent else "" for unit in ("frames", "updates", "flops"))
        return PolicyRow(name, frames, updates, flops, f"{mean:.1f} [{low:.1f}, {high:.1f}]", score)

    yield row("random", None, record.random)
    if record.teacher:
        yield row("teacher", None, record.teacher)
    for parent in record.parents:
        if parent.claim:
            yield PolicyRow("  claimed", "", "", "", parent.claim, "")
    for number, point in enumerate(record.points):
        name = "student at 0" if point.spent["steps"] == 0 else "student"
        name += ", end" if record.complete and number == len(record.points) - 1 else ""
        yield row(name, point.spent, point.evaluation)


def title(record: "RunRecord") -> str:
    """Name the run in a few words."""
    return f"{record.task}, {record.method}, seed {record.seed}"


def text(record: "RunRecord") -> str:
    """Write the table of a record as plain text."""
    return "\n".join([title(record), *columns([HEAD, *rows(record)])])


def columns(table: Sequence[Sequence[str]]) -> list[str]:
    """Align cells in columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.rjust(width) if number else cell.ljust(width) for number, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in table)
    ]


def figure(record: "RunRecord") -> "Figure":
    """Draw the learning curve: mean return against frames, with 95 % intervals, between random play and teacher."""
    from matplotlib.ticker import FuncFormatter

    frames = [point.spent["frames"] for point in record.points]
    returns = [np.array(point.evaluation.returns) for point in record.points]
    bounds = np.array([interval(values) for values in returns])
    drawn = sheet(figsize=(7.2, 4.2), dpi=150, layout="constrained")
    axis = drawn.subplots()
    axis.plot(frames, [values.mean() for values in returns], "o-", color=STUDENT, label="student", zorder=3)
    axis.fill_between(frames, bounds[:, 0], bounds[:, 1], color=STUDENT, alpha=0.18, lw=0, label="95 % interval")
    scatter = np.concatenate([np.full(len(values), x) for x, values in zip(frames, returns, strict=True)])
    axis.plot(scatter, np.concatenate(returns), ".", color=STUDENT, alpha=0.25, ms=4, label="single episodes")
    for name, judged, color in (("teacher", record.teacher, TEACHER), ("random", record.random, RANDOM)):
        if judged:
            level = float(np.mean(judged.returns))
            axis.axhline(level, color=color, ls="--", lw=1.2, label=f"{name}: {level:.1f}")
    axis.set(xlabel="environment frames (0: after the offline phase)", ylabel="return of whole episodes, unclipped")
    axis.set_title(f"{record.task}: {record.method}, seed {record.seed}", loc="left", fontsize=11)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short(x) if x else "0"))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="best")
    return drawn


def sheet(**options: Any) -> "Figure":
    """Return an empty figure that a notebook shows by itself, without touching matplotlib's backend."""
    from matplotlib.figure import Figure

    made = Figure(**options)
    made._repr_png_ = lambda: _png(made)  # pyright: ignore[reportAttributeAccessIssue]
    return made


def _png(drawn: "Figure") -> bytes:
    data = io.BytesIO()
    drawn.savefig(data, format="png", facecolor="white")
    return data.getvalue()
