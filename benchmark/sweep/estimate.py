"""What a sweep will cost, before it begins: runs, FLOPs, hours and disk.

Cells are priced in a process of its own, which has the environment of a cell: what is timed are a cell's threads, and
the process that asks keeps its own settings and its accelerator free.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import jax
import numpy as np

from ...agents.learner import owned, shard_batch
from ...leaderboard import ledger
from .. import compiled
from .grid import Cell, Sweep, cells, ended, request
from .work import trace, wanted, work

TIMED_SECONDS = 0.5
START_SECONDS = 9.0  # of a cell before and after it trains: imports, its log, compiling; measured on the MinAtar games
LOAD = "import numpy; a = numpy.ones((256, 256), 'f')\nwhile True: a @ a"  # what keeps a core as busy as a cell does


class CellPrice(NamedTuple):
    """What a cell of one task and method will cost."""

    steps: float
    updates: float
    flops: float
    seconds: float
    memory: float  # bytes
    disk: float  # bytes that stay
    scratch: float  # bytes while it runs


class MachineSpeed(NamedTuple):
    """Seconds on this machine, of the first cell of a family of tasks."""

    flop: float  # of an update, for each FLOP
    act: float  # of choosing an action in each environment
    step: float  # of one environment


def priced(sweep: Sweep, beside: int, environment: Mapping[str, str]) -> dict[tuple[str, str], CellPrice]:
    """Return the price of a cell of each (task, method); ValueError if one cannot start.

    `beside`: as for `price`. `environment`: the variables that a cell's process has besides this one's.
    """
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name],
        input=json.dumps([sweep, beside]),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise ValueError(f"the cells cannot be priced: see above (exit code {done.returncode})")
    answer = json.loads(done.stdout.splitlines()[-1])  # what else was printed there comes before
    if "fault" in answer:
        raise ValueError(answer["fault"])
    return {(task, method): CellPrice(*numbers) for task, method, numbers in answer["prices"]}


def main() -> None:
    """Read a sweep and a number of neighbours as JSON, and print its prices or what is wrong with it."""
    fields, beside = json.load(sys.stdin)
    sweep, speeds = Sweep(*fields), {}
    first = [cell for cell in cells(sweep) if cell.seed == sweep.seeds[0]]
    try:
        with compiled.kept():
            answer = {"prices": [[*cell[:2], price(sweep, cell, speeds, beside)] for cell in first]}
    except (ValueError, OSError) as fault:
        answer = {"fault": " ".join(str(fault).split())}
    print(json.dumps(answer))


def price(sweep: Sweep, cell: Cell, speeds: dict[str, MachineSpeed], beside: int = 0) -> CellPrice:
    """Price a cell, and time the programs of the first one of each family; ValueError if it cannot start.

    `beside`: how many others work at the same time and share caches and cores.
    """
    one = wanted(request(sweep, cell))
    found = work(one)
    if one.task.family not in speeds:
        made = trace(one, whole=True)
        with _loaded(beside):
            speeds[one.task.family] = _time(made.device.asking, made.like, one.guide.params, made.env)
    speed = speeds[one.task.family]
    playing = (found.steps + found.shown) * (speed.act + speed.step)
    seconds = START_SECONDS + found.learning * speed.flop + playing
    return CellPrice(found.steps, found.updates, found.flops, seconds, found.memory, found.disk, found.scratch)


@contextmanager
def _loaded(others: int) -> Iterator[None]:
    """Keep other processes at work meanwhile."""
    working = [subprocess.Popen([sys.executable, "-c", LOAD], stdin=subprocess.DEVNULL) for _ in range(others)]
    try:
        yield
    finally:
        for one in working:
            one.kill()
            one.wait()


def _time(made, like, teacher, env) -> MachineSpeed:
    """Return seconds of an update and an action, after they have compiled, and of an environment's step."""
    learner, batch, obs, clock, now = owned(like[0]), *like[1:]

    def update():
        nonlocal learner
        learner, _ = made.update.call(learner, teacher, shard_batch(batch), now)
        jax.block_until_ready(learner)

    def act():
        jax.block_until_ready(made.act.call(learner.params, teacher, obs, clock, now))

    flop = _seconds(update) / made.update.cost.flops
    return MachineSpeed(flop, _seconds(act) / env.n, _seconds(lambda: env.step(np.zeros(env.n, int))) / env.n)


def _seconds(call: Callable[[], object]) -> float:
    """Return the seconds of a call: by the clock, but without those in which others had this process's cores."""
    call()
    started, worked, times = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - started < TIMED_SECONDS:
        call()
        times += 1
    passed, worked = time.perf_counter() - started, time.process_time() - worked
    return (min(passed, worked) if jax.default_backend() == "cpu" else passed) / times


def took(folder: Path, cell: Cell) -> float:
    """Return seconds by the clock from a cell's first line to its last, interruptions included."""
    lines = ledger.read(folder / "cells" / cell.name / "ledger.jsonl")
    return lines[-1]["time"] - lines[0]["time"]


def hours(
    folder: Path, asked: Sequence[Cell], prices: dict[tuple[str, str], CellPrice], jobs: int
) -> tuple[float, int]:
    """Return (hours that the cells which have no end yet will take, cells that have one and that this is scaled by)."""
    done = [cell for cell in asked if ended(folder / "cells" / cell.name)]
    left = sum(prices[cell[:2]].seconds for cell in asked if cell not in done)
    slower = [took(folder, cell) / prices[cell[:2]].seconds for cell in done]
    factor = median(slower) if done else 1.0  # not the mean: a cell that was killed may have waited for a day
    return left * factor / max(jobs, 1) / 3600, len(done)


if __name__ == "__main__":
    main()
