"""Tables of a sweep: its plan, the live state of its cells, and its scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from ...leaderboard import bootstrap
from ...leaderboard import record as records
from ...leaderboard.curves import score_at
from ...leaderboard.exports import estimate, piped
from ...leaderboard.record import RunRecord
from ...leaderboard.score import normalise
from .. import tables
from ..display import short
from ..tables import Column
from ..tasks.task import find
from .grid import Cell, CellState, Sweep, cells, state

WORDS = ("done", "running", "stopped", "waiting", "failed")


def states(folder: Path, sweep: Sweep) -> dict[Cell, CellState]:
    """Return the state of every cell."""
    return {cell: state(folder, cell) for cell in cells(sweep)}


def counted(now: Mapping[Cell, CellState]) -> str:
    """Count cells by state: `3 done, 1 running, 6 waiting`."""
    words = [one.word for one in now.values()]
    return ", ".join(f"{words.count(word)} {word}" for word in WORDS if word in words)


def board(sweep: Sweep, now: Mapping[Cell, CellState]) -> Table:
    """Return a table of methods by tasks with the state of each seed: done, % if running, - if waiting, x if failed."""
    shown = Table(title=counted(now), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shown.add_column("method", no_wrap=True)
    for task in sweep.tasks:
        shown.add_column(task, no_wrap=True)
    for method in sweep.methods:
        places = [" ".join(_sign(now[Cell(task, method, seed)]) for seed in sweep.seeds) for task in sweep.tasks]
        shown.add_row(method, *places)
    return shown


def lines(now: Mapping[Cell, CellState]) -> str:
    """Return one line for each cell, for programs."""
    columns = (Column("task"), Column("method"), Column("seed", True), Column("state"), Column("share", True))
    rows = [(cell.task, cell.method, str(cell.seed), one.word, f"{one.share:.0%}") for cell, one in now.items()]
    return tables.text(columns, rows, tables.WIDE, title=counted(now))


def _sign(now: CellState) -> str:
    signs = {"done": "[green]done[/green]", "waiting": "-", "failed": "[red]x[/red]"}
    return signs.get(now.word) or f"{now.share:.0%}" + ("" if now.word == "running" else "|")


def faults(now: Mapping[Cell, CellState]) -> list[str]:
    """Return one sentence for each failed cell that will not be retried."""
    return [f"{cell.name} failed: {one.reason}" for cell, one in now.items() if one.word == "failed"]


def gather(folder: Path, sweep: Sweep) -> dict[Cell, RunRecord]:
    """Return the records of the finished cells."""
    done = [cell for cell, now in states(folder, sweep).items() if now.word == "done"]
    return {cell: records.load(folder / "cells" / cell.name / "record.json") for cell in done}


def scales(found: Mapping[Cell, RunRecord]) -> dict[str, tuple[float, float]]:
    """Return {task: mean returns of random play and of the teacher over all its cells}; without a teacher, random plus
    1."""
    scale = {}
    for task in dict.fromkeys(cell.task for cell in found):
        mine = [record for cell, record in found.items() if cell.task == task]
        random = float(np.mean([one.random.mean for one in mine]))
        taught = [one.teacher.mean for one in mine if one.teacher]
        scale[task] = random, float(np.mean(taught)) if taught else random + 1.0
    return scale


def report(sweep: Sweep, found: Mapping[Cell, RunRecord]) -> list[dict[str, Any]]:
    """Return for each method: runs, costs, and the IQM of its scores with a 95 % interval at each sample budget.

    `points` is {share of the steps: [value, low, high]}; runs are resampled whole within their tasks. A method without
    a run on some task is compared on the others, and its row lists the number of tasks.
    """
    scale, made = scales(found), []
    for method in sweep.methods:
        mine = {cell: record for cell, record in found.items() if cell.method == method}
        tasks = [task for task in sweep.tasks if any(cell.task == task for cell in mine)]
        if not tasks:
            continue
        runs = [[one for cell, one in mine.items() if cell.task == task] for task in tasks]
        shares = sorted(set.intersection(*(set(_points(sweep, one)) for row in runs for one in row)))
        scores = np.full((max(map(len, runs)), len(tasks), len(shares)), np.nan)
        for column, (task, row) in enumerate(zip(tasks, runs, strict=True)):
            for number, one in enumerate(row):
                at = _points(sweep, one)
                scores[number, column] = [normalise(at[share], *scale[task]) for share in shares]
        line = bootstrap.curve(scores)
        every = list(mine.values())
        made.append(
            {
                "method": method,
                "tasks": len(tasks),
                "taught": sum(any(one.teacher for one in found.values() if one.task == task) for task in tasks),
                "runs": len(every),
                "steps": float(np.mean([one.points[-1].spent["steps"] for one in every])),
                "updates": float(np.mean([one.points[-1].spent["updates"] for one in every])),
                "flops": float(np.mean([one.points[-1].spent["flops"] for one in every])),
                "points": {
                    share: [float(x[k]) for x in (line.value, line.low, line.high)] for k, share in enumerate(shares)
                },
            }
        )
    return made


def _points(sweep: Sweep, record: RunRecord) -> dict[float, float]:
    """Return a run's mean return at each sample budget: a share of its plan or, above 1, agent steps; the end is 1."""
    asked = sweep.options.get("points") or find(record.task).points
    last, returns = record.points[-1].spent["steps"], [point.evaluation.mean for point in record.points]
    whole = last if record.planned is None else record.planned
    steps = {float(point): int(point if point > 1.0 else point * whole) for point in asked if point != 1.0}
    steps = {point: due for point, due in steps.items() if due < last}
    reached = score_at(record, returns, list(steps.values()), before=np.nan)
    found = {point: float(mean) for point, mean in zip(steps, reached, strict=True) if not np.isnan(mean)}
    return {**found, 1.0: returns[-1]}


def scored(rows: Sequence[dict[str, Any]], width: int = tables.WIDE) -> str:
    """Draw the report for the terminal, the best final score first."""
    head, cells = _cells(rows)
    left = (
        Column("method"),
        Column("runs", True, rank=2),
        Column("updates", True, rank=3),
        Column("FLOPs", True, rank=1),
    )
    caption = f"IQM over runs with 95 % intervals; {_scale(rows)}"
    return tables.scores((*left, *(Column(name, True) for name in head[4:])), cells, width, caption=caption)


def _scale(rows: Sequence[dict[str, Any]]) -> str:
    """Say what the scores of a report mean; a task without a teacher has no 1."""
    taught, tasks = sum(row["taught"] for row in rows), sum(row["tasks"] for row in rows)
    if not taught:
        return "return above that of random play, since no task has a teacher"
    rest = "" if taught == tasks else "; without a teacher: the return above that of random play"
    return f"0: random play, 1: the teacher{rest}"


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return the report as Markdown."""
    head, cells = _cells(rows)
    lines = [piped(head), "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *(piped([f"`{row[0]}`", *row[1:]]) for row in cells)])


def _cells(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    shares = sorted({share for row in rows for share in row["points"]})
    cells = []
    for row in sorted(rows, key=lambda row: -row["points"][1.0][0]):
        places = [_estimate(row["points"].get(share)) for share in shares]
        cells.append([row["method"], str(row["runs"]), short(row["updates"]), short(row["flops"]), *places])
    return ["method", "runs", "updates", "FLOPs", *map(_named, shares)], cells


def _named(share: float) -> str:
    return f"{share:.0%}" if share <= 1.0 else f"{short(share)} steps"


def _estimate(numbers: Sequence[float] | None) -> str:
    return "" if numbers is None else estimate(*numbers)
