"""The first minutes: one game, two students of equal cost, one reincarnated and one trained from scratch."""

from pathlib import Path

from ...leaderboard import record as records
from ..display import Display
from ..runs.check_request import check, check_writable
from ..sweep import grid, local
from ..sweep.cell import Needs
from ..sweep.grid import Cell
from . import ending
from .demo import Demo, sweep_of
from .watch import Watch


def quickstart(out: str | Path, seed: int, demo: Demo, show: Display) -> ending.Ending:
    """Train both students, each in its own process, and compare them; calling again resumes.

    `out` becomes a sweep's folder, with the plot and the film next to its cells. ValueError if a student cannot be
    trained, or if the folder holds something else.
    """
    folder = Path(out)
    asked = sweep_of(demo, seed)
    cells = [Cell(demo.task, method, seed) for method in (demo.reincarnated, demo.scratch)]
    check_writable(folder, "--out")
    for cell in cells:
        check(grid.request(asked, cell))
    with grid.driving(folder):
        grid.begin(folder, asked)
        grid.forget(folder)
        watch = Watch(folder, dict(zip(("reincarnated", "from scratch"), cells, strict=True)), show)
        try:
            _train(folder, cells, watch, show)
        except KeyboardInterrupt:
            show.note(f"stopped; run the same command again to resume from {folder}", "bold")
            raise
    runs = [folder / "cells" / cell.name for cell in cells]
    first, second = (records.load(run / "record.json") for run in runs)
    return ending.end(folder, ending.Pair(demo, runs[0], runs[1], first, second), show)


def _train(folder: Path, cells: list[Cell], watch: Watch, show: Display) -> None:
    """Run the unfinished cells, both at once on two or more cores."""
    needs = Needs(gpus=float(bool(local.accelerators())))
    with show.drawing(watch.picture):
        for _ in range(grid.TRIES):
            todo = [cell.name for cell in cells if grid.state(folder, cell).word != "done"]
            if todo:
                local.execute(folder, todo, needs, min(len(todo), local.room(needs)), watch)
    watch()
    for cell in cells:
        now = grid.state(folder, cell)
        if now.word != "done":
            raise ValueError(f"{cell.method} was not trained: {now.reason or 'another process works on it'}")
