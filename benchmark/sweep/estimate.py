"""Estimate a sweep before it starts: runs, FLOPs, hours and disk.

Cells are priced in processes with the environment of a cell. Timings thus use a cell's threads, and the calling process
keeps its settings and does not occupy the accelerator.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jax
import numpy as np

from ...agents.learner import owned, shard_batch
from ...datasets.transition import blank
from .. import compiled
from ..machine import cores
from ..runs.prepare import Prepared
from ..tasks.task import find
from .grid import Cell, CellState, Sweep, cells, request, spent, took
from .local import accelerators
from .program_costs import ProgramCosts, Unknown, kind, timing, trace
from .work import Work, wanted, work

TIMED_SECONDS = 0.3
FEW = 4  # methods per pricing process, below which another one is not worth starting
START_SECONDS = 9.0  # of a cell outside of training: imports, its log, compiling; measured on the MinAtar games
LOAD = "import numpy; a = numpy.ones((256, 256), 'f')\nwhile True: a @ a"  # loads a core like a cell


class CellPrice(NamedTuple):
    """The cost of a cell of one task and method."""

    steps: float
    updates: float
    flops: float
    seconds: float
    playing: float  # seconds of these for actions and environments
    memory: float  # bytes
    disk: float  # bytes that remain
    scratch: float  # bytes during the run


class MachineSpeed(NamedTuple):
    """Seconds on this machine, measured on the first cell of a task family."""

    flop: float  # per FLOP of an update
    act: float  # of choosing an action in each environment
    step: float  # of one environment


def priced(sweep: Sweep, beside: int, environment: Mapping[str, str]) -> dict[tuple[str, str], CellPrice]:
    """Return the price of a cell for each (task, method); ValueError if one cannot start.

    If all is known from earlier plans, this process looks it up. Otherwise the methods are divided among as many
    processes as there are cores; the last process also times the programs. `beside`: the number of other cells that
    will share caches and cores. `environment`: additional variables of a cell's process.
    """
    answers = _known(sweep, beside, environment)
    if not answers:
        parts = max(1, min(cores(), -(-len(sweep.methods) // FEW)))
        answers = _asked([[sweep, beside, environment, part, parts] for part in range(parts)], environment)
    faults = [tuple(fault) for answer in answers for fault in answer["faults"]]
    if faults:
        raise ValueError(min(faults)[1])
    speeds = {family: MachineSpeed(*numbers) for family, numbers in answers[-1]["speeds"].items()}
    works = {(task, method): Work(*numbers) for answer in answers for task, method, numbers in answer["works"]}
    pairs = dict.fromkeys(cell[:2] for cell in cells(sweep))
    return {pair: price(works[pair], speeds[find(pair[0]).family]) for pair in pairs}


def _known(sweep: Sweep, beside: int, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the answer if nothing has to be traced or timed; none if something has, or if it would take accelerators
    into use."""
    if accelerators():
        return []
    try:
        with compiled.kept():
            return [_found(sweep, beside, environment, only_known=True)]
    except Unknown:
        return []


def _asked(parts: Sequence[Any], environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the answers to these jobs, from one process each; ValueError if one fails."""

    def ask(part: Any) -> dict[str, Any]:
        command, variables = [sys.executable, "-m", __spec__.name], {**os.environ, **environment}
        done = subprocess.run(command, input=json.dumps(part), stdout=subprocess.PIPE, text=True, env=variables)
        if done.returncode:
            raise ValueError(f"the cells cannot be priced: see above (exit code {done.returncode})")
        return json.loads(done.stdout.splitlines()[-1])  # earlier lines are other output

    with ThreadPoolExecutor(len(parts)) as threads:
        return list(threads.map(ask, parts))


def main() -> None:
    """Read a sweep, the number of neighbours and the part of the methods to price; print the work of its cells."""
    fields, *others = json.load(sys.stdin)
    with compiled.kept():
        print(json.dumps(_found(Sweep(*fields), *others)))


def _found(
    sweep: Sweep,
    beside: int,
    environment: Mapping[str, str],
    part: int = 0,
    parts: int = 1,
    only_known: bool = False,
) -> dict[str, Any]:
    """Return the work of cells, the speeds of families, and the first fault with the number of its cell.

    Raises Unknown if `only_known` and a program has to be traced or timed.
    """
    first = [cell for cell in cells(sweep) if cell.seed == sweep.seeds[0]]
    found: dict[str, Any] = {"works": [], "speeds": {}, "faults": []}
    kinds: dict[str, ProgramCosts] = {}
    for number, cell in enumerate(first):
        timed = part == parts - 1 and find(cell.task).family not in found["speeds"]
        if not timed and sweep.methods.index(cell.method) % parts != part:
            continue
        try:
            one = wanted(request(sweep, cell))
            costs = ProgramCosts(one, kinds.get(kind(one)), only_known)
            kinds.setdefault(kind(one), costs)
            found["works"].append([*cell[:2], work(one, costs)])
            if timed:
                seconds = timing(one, beside, environment, only_known, partial(speed, one, beside))
                found["speeds"][one.task.family] = seconds
        except (ValueError, OSError) as fault:
            whose = f"{cell.method} on {cell.task}: " if len(first) > 1 else ""
            found["faults"].append([number, whose + " ".join(str(fault).split())])
            break
    return found


def speed(one: Prepared, beside: int = 0) -> MachineSpeed:
    """Time the programs of a cell. `beside`: see `priced`."""
    made = trace(one, whole=True)
    with _loaded(beside):
        return _time(made.device.asking, made.like, one.guide.params, made.env)


def price(found: Work, at: MachineSpeed) -> CellPrice:
    """Return the price of a cell, given its work."""
    playing = (found.steps + found.shown) * (at.act + at.step)
    seconds = START_SECONDS + found.learning * at.flop + playing
    work = found.steps, found.updates, found.flops, seconds, playing
    return CellPrice(*work, found.memory, found.disk, found.scratch)


@contextmanager
def _loaded(others: int) -> Iterator[None]:
    """Keep other processes busy meanwhile."""
    working = [subprocess.Popen([sys.executable, "-c", LOAD], stdin=subprocess.DEVNULL) for _ in range(others)]
    try:
        yield
    finally:
        for one in working:
            one.kill()
            one.wait()


def _time(made, like, teacher, env) -> MachineSpeed:
    """Return the seconds of an update and an action after compilation, and of an environment's step."""
    learner, batch, obs, clock, now = owned(like[0]), *like[1:]

    def update():
        nonlocal learner
        learner, _ = made.update.call(learner, teacher, shard_batch(batch), now)
        jax.block_until_ready(learner)

    def act():
        jax.block_until_ready(made.act.call(learner.params, teacher, obs, clock, now))

    still = np.stack([blank(env.actions)] * env.n)
    flop = _seconds(update) / made.update.cost.flops
    return MachineSpeed(flop, _seconds(act) / env.n, _seconds(lambda: env.step(still)) / env.n)


def _seconds(call: Callable[[], object]) -> float:
    """Return the seconds of a call: wall-clock time without the part in which other processes had this one's cores."""
    call()
    started, worked, times = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - started < TIMED_SECONDS:
        call()
        times += 1
    passed, worked = time.perf_counter() - started, time.process_time() - worked
    return (min(passed, worked) if jax.default_backend() == "cpu" else passed) / times


class Left(NamedTuple):
    """The remaining time of a sweep."""

    hours: float
    known: int  # number of ended cells that the estimate is scaled by; if 0, running ones are used


def worked(so_far: Mapping[str, float], price: CellPrice) -> float:
    """Return the share of a cell's training time that is over. Phases on a log take no steps, so FLOPs count too."""
    learning = max(price.seconds - START_SECONDS - price.playing, 0.0)
    played = price.playing * so_far.get("steps", 0.0) / max(price.steps, 1.0)
    learned = learning * so_far.get("flops", 0.0) / max(price.flops, 1.0)
    return min((played + learned) / max(price.playing + learning, 1.0), 1.0)


def left(
    folder: Path,
    now: Mapping[Cell, CellState],
    prices: Mapping[tuple[str, str], CellPrice],
    jobs: int,
    together: int = 1,
) -> Left:
    """Estimate the remaining time: each cell at its price, scaled by the cells so far, `jobs` processes at once.

    `together`: the number of seeds that share a process, and so its time.
    """
    price = {cell: prices[cell[:2]] for cell in now}
    done = [cell for cell, one in now.items() if one.word == "done"]
    over = {cell: worked(spent(folder, cell), price[cell]) for cell, one in now.items() if one.word != "done"}
    slower = [took(folder, cell) / together / price[cell].seconds for cell in done]
    if not slower:  # running cells count after they have run for longer than their start takes
        going = [cell for cell, one in now.items() if one.word == "running" and over[cell] > 0.0]
        passed = {cell: took(folder, cell) / together for cell in going}
        paid = {cell: over[cell] * max(price[cell].seconds - START_SECONDS, 1.0) for cell in going}
        slower = [passed[cell] / paid[cell] for cell in going if passed[cell] > START_SECONDS]
    factor = median(slower) if slower else 1.0  # not the mean: a killed cell may have waited for a day
    each = [
        price[cell].seconds * factor * (1.0 - over[cell])
        for cell, one in now.items()
        if one.word not in ("done", "failed")
    ]
    return Left(max(sum(each) / max(jobs, 1), together * max(each, default=0.0)) / 3600, len(done))


if __name__ == "__main__":
    main()
