"""A run's record for people: a table in the terminal and a plot."""

from pathlib import Path

import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table

from ...leaderboard.record import Evaluation, RunRecord
from ...leaderboard.score import interval, normalise
from ..display import short
from ..training.weaning import sentence


def table(record: RunRecord) -> Table:
    """Random play, the teacher and the student at each sample budget: means, scores and 95 % intervals."""
    title = f"{record.task}, {record.method}, seed {record.seed}"
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shown.add_column("policy")
    for name in ("frames", "updates", "FLOPs", "return [95 %]", "score [95 %]"):
        shown.add_column(name, justify="right", no_wrap=True)
    random = float(np.mean(record.random.returns))
    teacher = float(np.mean(record.teacher.returns)) if record.teacher else None

    def row(name: str, spent: dict[str, float] | None, judged: Evaluation) -> None:
        mean, (low, high) = float(np.mean(judged.returns)), interval(np.array(judged.returns))
        score = ""
        if teacher is not None:
            scaled, *ends = (round(float(normalise(x, random, teacher)), 2) + 0.0 for x in (mean, low, high))
            score = f"{scaled:.2f} [{min(ends):.2f}, {max(ends):.2f}]"  # a bad teacher turns the scale round
        costs = [short(spent[unit]) for unit in ("frames", "updates", "flops")] if spent else ["", "", ""]
        shown.add_row(name, *costs, f"{mean:.1f} [{low:.1f}, {high:.1f}]", score)

    row("random", None, record.random)
    if record.teacher:
        row("teacher", None, record.teacher)
    for parent in record.parents:
        if parent.claim:
            shown.add_row("  claimed", "", "", "", escape(parent.claim), "")
    for number, point in enumerate(record.points):
        name = "student at 0" if point.spent["steps"] == 0 else "student"
        name += ", end" if record.complete and number == len(record.points) - 1 else ""
        row(name, point.spent, point.evaluation)
    shown.caption_justify = "left"
    episodes = played(record)
    shown.caption = (
        f"{episodes};{' ' if episodes.endswith('each') else chr(10)}score: 0 is random play, 1 the teacher;\n"
        "intervals: bootstrap over the episodes of this one run"
    )
    if record.weaned:
        shown.caption += f"\n{sentence(record.weaned.model_dump())}"
    if validated := record.points[-1].spent.get("validated"):
        shown.caption += f"\nits scores on the way cost {short(validated)} agent steps, which no budget pays for"
    if teacher is not None and teacher <= interval(np.array(record.random.returns))[1]:
        shown.caption += "\n[bold]The teacher hardly beats random play: scores relative to it mean little.[/bold]"
    if any(parent.claim for parent in record.parents):
        shown.caption += "\nclaimed: what the teacher's author says of it, by a protocol of their own"
    return shown


def played(record: RunRecord) -> str:
    """Say how many whole episodes each row of the table is the mean of."""
    rows = {"random": [record.random], "teacher": [record.teacher] if record.teacher else []}
    rows["student"] = [point.evaluation for point in record.points]
    counts = {name: [len(judged.returns) for judged in found] for name, found in rows.items() if found}
    if len(each := {count for found in counts.values() for count in found}) == 1:
        return f"{each.pop()} whole episodes each"
    told = {name: set(found) if len(set(found)) == 1 else found for name, found in counts.items()}
    return "whole episodes: " + "; ".join(f"{name} {', '.join(map(str, found))}" for name, found in told.items())


def plot(record: RunRecord, path: Path) -> None:
    """Learning curve as PNG: mean return against frames, with 95 % intervals, between random play and teacher."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    frames = [point.spent["frames"] for point in record.points]
    returns = [np.array(point.evaluation.returns) for point in record.points]
    bounds = np.array([interval(values) for values in returns])
    figure, axis = pyplot.subplots(figsize=(7.2, 4.2), dpi=150, layout="constrained")
    axis.plot(frames, [values.mean() for values in returns], "o-", color="#0b6e4f", label="student", zorder=3)
    axis.fill_between(frames, bounds[:, 0], bounds[:, 1], color="#0b6e4f", alpha=0.18, lw=0, label="95 % interval")
    scatter = np.concatenate([np.full(len(values), x) for x, values in zip(frames, returns, strict=True)])
    axis.plot(scatter, np.concatenate(returns), ".", color="#0b6e4f", alpha=0.25, ms=4, label="single episodes")
    for name, judged, color in (("teacher", record.teacher, "#b3541e"), ("random", record.random, "#6b6b6b")):
        if judged:
            level = float(np.mean(judged.returns))
            axis.axhline(level, color=color, ls="--", lw=1.2, label=f"{name}: {level:.1f}")
    axis.set(xlabel="environment frames (0: after the offline phase)", ylabel="return of whole episodes, unclipped")
    axis.set_title(f"{record.task}: {record.method}, seed {record.seed}", loc="left", fontsize=11)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short(x) if x else "0"))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="best")
    partial = path.with_name(f".{path.stem}.partial.png")
    figure.savefig(partial)
    pyplot.close(figure)
    partial.replace(path)
