"""Drive a sweep: plan it, run its cells on a backend, retry failed ones, and show progress."""

import math
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console, Group
from rich.live import Live

from ...datasets.words import several
from ..display import clock, short
from ..runs.check_request import check
from ..tasks.environments import seeds
from . import backends, estimate
from . import grid as sweeps
from .cell import Needs, environment
from .grid import TRIES, Cell, CellState, Sweep
from .local import accelerators
from .table import board, counted, faults, states
from .work import PROCESS

PLAIN_SECONDS = 15.0  # between two lines without a terminal

_Prices = Mapping[tuple[str, str], estimate.CellPrice]


class Placement(NamedTuple):
    """Where cells run, and the resources of each."""

    on: str = "local"  # name in backends.BACKENDS
    jobs: int = 0  # cells at once; 0: as many as fit
    cpus: int = 1
    gpus: float = -1.0
    memory: float = 0.0  # GiB
    together: bool = False  # whether the seeds of a cell share a process
    options: Mapping[str, str] = {}  # of the backend

    def sharing(self, asked: Sweep) -> int:
        """Return the number of seeds that share a process."""
        return len(asked.seeds) if self.together else 1


def placed(reference: str) -> str:
    """Return the absolute path of a folder, since cells may run elsewhere; other references unchanged."""
    head, colon, options = reference.partition(":")
    folder = Path(head.partition("{")[0])
    local = head.startswith((".", "/", "~")) or (head and folder.name and folder.exists())
    return f"{Path(head).expanduser().absolute()}{colon}{options}" if local else reference


def drive(folder: Path, asked: Sweep, place: Placement, only_plan: bool = False, retry: bool = False) -> int:
    """Show the plan and run the unfinished cells; return 1 if a cell has failed, else 0. A dry run writes no file.

    ValueError if a cell cannot start, or if another process is driving the sweep.
    """
    console, backend = Console(stderr=True), backends.find(place.on, place.options)
    _check(asked, place)
    gpus = place.gpus if place.gpus >= 0 else float(bool(accelerators()))
    needs = Needs(place.cpus, gpus, int(place.memory * 2**30))
    if only_plan:
        _plan(folder, asked, needs, place, console)
        return 0
    with sweeps.driving(folder):
        before = (folder / "sweep.json").exists()
        if before:
            asked = sweeps.begin(folder, asked)
        needs, jobs, prices = _plan(folder, asked, needs, place, console)
        if not before:
            asked = sweeps.begin(folder, asked)
        if retry:
            sweeps.forget(folder)
        time_left = partial(estimate.left, folder, prices=prices, jobs=jobs, together=place.sharing(asked))
        with _Watch(folder, asked, console, time_left) as watch:
            for _ in range(TRIES):
                now = states(folder, asked)
                todo = [cell for cell, one in now.items() if one.word not in ("done", "failed")]
                if todo:
                    names = sweeps.jobs(todo, place.together)
                    backend.execute(folder, names, needs, jobs, watch, place.options)
        now = states(folder, asked)
        console.print(board(asked, now))
        for sentence in faults(now):
            console.print(sentence, style="bold", markup=False, highlight=False, soft_wrap=True)
        return int(any(one.word != "done" for one in now.values()))


def _check(asked: Sweep, place: Placement) -> None:
    """Raise ValueError for invalid options of cells, before anything is written."""
    if (
        place.cpus < 1
        or place.jobs < 0
        or not 0 <= place.memory < math.inf
        or not (place.gpus == -1 or place.gpus >= 0)
    ):
        raise ValueError("--cpus must be at least 1, and --jobs, --gpus and --memory not negative: change them")
    for cell in sweeps.cells(asked):
        if cell.seed == asked.seeds[0]:
            check(sweeps.request(asked, cell))
    seeds("train", max(asked.seeds), 1)


def _plan(folder: Path, asked: Sweep, needs: Needs, place: Placement, console: Console) -> tuple[Needs, int, _Prices]:
    """Print the cost of the sweep: the resources of a cell, the number of parallel cells, and the cost of each."""
    cells, room = sweeps.cells(asked), backends.BACKENDS[place.on].room
    here = room(needs)  # 0: the cells run elsewhere
    with console.status("pricing the cells"):
        prices = estimate.priced(asked, (place.jobs or here) - 1 if here else 0, environment(needs))
    sharing = place.sharing(asked)
    most = max(PROCESS + sharing * (one.memory - PROCESS) for one in prices.values())
    needs = needs if needs.memory else needs._replace(memory=int(most))
    jobs = place.jobs or room(needs)
    now = states(folder, asked)
    left = [cell for cell, one in now.items() if one.word != "done"]
    time_left, known = estimate.left(folder, now, prices, jobs, sharing)
    flops = sum(prices[cell[:2]].flops for cell in left)
    scratch = sharing * max(jobs, 1) * max(one.scratch for one in prices.values())
    disk = sum(prices[cell[:2]].disk for cell in cells) + scratch
    counts = {"task": asked.tasks, "method": asked.methods, "seed": asked.seeds}
    grid = " x ".join(several(len(each), name) for name, each in counts.items())
    console.print(f"{grid} = {several(len(cells), 'run')}: {counted(now)}", highlight=False)
    scaled = f"from {several(known, 'finished cell')}" if known else "from a short trial on this machine"
    at_once = f"{jobs} at once" if jobs else "one after the other"
    console.print(f"to do: {_amount(flops)}FLOPs, about {lasting(time_left)} ({at_once}, {scaled})", highlight=False)
    if money := backends.BACKENDS[place.on].cost(time_left, len(left), place.options):
        console.print(money, highlight=False)
    free = shutil.disk_usage(next(path for path in (folder, *folder.absolute().parents) if path.exists())).free
    console.print(f"disk: about {_amount(disk)}B in all, {_amount(free)}B free", highlight=False)
    who = "all seeds of a cell together" if place.together else "each cell"
    devices = f"{needs.gpus:g} {'accelerator' if needs.gpus == 1 else 'accelerators'}"
    given = f"{several(needs.cpus, 'core')}, {devices}, {_amount(needs.memory)}B of memory"
    console.print(f"{who}: {given}; on {place.on}", highlight=False)
    if disk > free:
        raise ValueError(f"there is not enough disk space for the sweep in {folder}: give another folder with --out")
    return needs, jobs, prices


def lasting(hours: float) -> str:
    """Write a duration in the unit that suits it: 40 s, 12 min, 1.5 h, 1,200.0 h."""
    seconds = 3600.0 * hours
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if hours < 1.5 else f"{hours:,.1f} h"


def _amount(number: float) -> str:
    """Shorten a number for a unit that follows: 237 M."""
    told = short(number)
    return f"{told[:-1]} {told[-1]}" if told[-1].isalpha() else f"{told} "


class _Watch:
    """Show a live table of cells, or plain lines without a terminal."""

    def __init__(self, folder: Path, asked: Sweep, console: Console, left: Callable[..., estimate.Left]):
        self._left = left
        self._of, self._console, self._told, self._said = (folder, asked), console, 0.0, ""
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "_Watch":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error) -> None:
        if self._live:
            self._live.stop()

    def __call__(self) -> None:
        if time.monotonic() - self._told < (2.0 if self._live else PLAIN_SECONDS):
            return
        self._told = time.monotonic()
        folder, asked = self._of
        now = states(folder, asked)
        if self._live:
            self._live.update(Group(board(asked, now), self._time(now)), refresh=True)
            return
        going = [f"{cell.name} {one.share:.0%}" for cell, one in now.items() if one.word == "running"]
        line = "; ".join(filter(None, (counted(now), ", ".join(going))))
        if line != self._said:
            self._said = line
            line += f"; {self._time(now)}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _time(self, now: Mapping[Cell, CellState]) -> str:
        return f"about {clock(3600 * self._left(now=now).hours)} left"
