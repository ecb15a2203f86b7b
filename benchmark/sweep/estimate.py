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
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...agents import keywords
from ...agents.learner import fresh, key_of, owned, spread
from ...agents.method import Architecture, Clock, Progress
from ...agents.networks import build
from ...agents.presets import absolute
from ...datasets.replay.mixture import Mixture
from ...datasets.replay.replay import Replay
from ...leaderboard import ledger
from ..prior.load import pull_logs, pull_teacher, texts
from ..prior.teacher_log import log_of
from ..runs.request import RunRequest
from ..tasks.environments import make, seeds
from ..tasks.task import Task, find, network_for
from ..training import budget as budgets
from ..training import rollout
from ..training.presets import settle
from ..training.programs import Device, blank_batch
from ..training.stopwatch import Stopwatch
from ..training.teacher_values import Labels, planned, reads_log
from .grid import Cell, Sweep, cells, ended, request

TIMED_SECONDS = 0.5
START_SECONDS = 9.0  # of a cell before and after it trains: imports, its log, compiling; measured on the MinAtar games
LOAD = "import numpy; a = numpy.ones((256, 256), 'f')\nwhile True: a @ a"  # what keeps a core as busy as a cell does
PROCESS = 700 * 2**20  # bytes of a cell's process without its replay and log, measured on the MinAtar games
MEASURED = {"gap": 0.1, "episode": 500.0}  # of a teacher, which is not played for a plan
LOG_ROWS = 1_000_000  # of a teacher's log, if it is not known


class Price(NamedTuple):
    """What a cell of one task and method will cost."""

    steps: float
    updates: float
    flops: float
    seconds: float
    memory: float  # bytes
    disk: float  # bytes that stay
    scratch: float  # bytes while it goes on


class Speed(NamedTuple):
    """Seconds on this machine, of the first cell of a family of tasks."""

    flop: float  # of an update, for each FLOP
    act: float  # of choosing an action in each environment
    step: float  # of one environment


def priced(sweep: Sweep, beside: int, environment: Mapping[str, str]) -> dict[tuple[str, str], Price]:
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
    return {(task, method): Price(*numbers) for task, method, numbers in answer["prices"]}


def main() -> None:
    """Read a sweep and a number of neighbours as JSON, and print its prices or what is wrong with it."""
    fields, beside = json.load(sys.stdin)
    sweep, speeds = Sweep(*fields), {}
    first = [cell for cell in cells(sweep) if cell.seed == sweep.seeds[0]]
    try:
        answer = {"prices": [[*cell[:2], price(sweep, cell, speeds, beside)] for cell in first]}
    except (ValueError, OSError) as fault:
        answer = {"fault": " ".join(str(fault).split())}
    print(json.dumps(answer))


def price(sweep: Sweep, cell: Cell, speeds: dict[str, Speed], beside: int = 0) -> Price:
    """Trace the cell's programs and time those of the first one of each family; ValueError if it cannot start.

    `beside`: so many others will work at the same time, and share caches and the units of a core.
    """
    asked, task = request(sweep, cell), find(cell.task)
    settings = settle(task, asked.method, asked.budget, asked.settings, asked.preset)[1]
    method = keywords.make(asked.method, absolute(settings, MEASURED))
    hub, reads, logs = asked.hub, reads_log(method), texts(asked.teacher_log)
    teacher, origin = pull_teacher(asked.teacher or task.teacher, hub, task)
    if reads and not logs:
        another = origin and asked.teacher
        logs = (log_of(origin, another, task, hub),) if origin and another else texts(task.log)
    if reads and not logs:
        raise ValueError(f"{cell.method} learns from a teacher's log, and {cell.task} has none: give --teacher-log")
    env = make(task, seeds("random", 0, asked.environments or rollout.environments(method)), 1)
    obs = env.observe()
    own = Architecture(network_for(task, obs))
    architecture = method.network(own, teacher.architecture if origin else None)
    net = build(architecture, env.actions)
    learner = method.init(fresh(method, net.init(jax.random.key(0), jnp.asarray(obs[:1]))), teacher)
    clock = Clock(np.arange(env.n, dtype=np.int32), np.zeros(env.n, np.int32))
    now = Progress(*map(np.float32, (0.0, 0.5, 1e5, 0.0, 0.0)), key=key_of(0, 0))
    like = (learner, blank_batch(obs, method, env.actions), obs, clock, now)
    device = Device(method, net.apply, teacher, env.actions, like, Stopwatch())
    labels = Labels(_log(logs if reads and device.told_saves else (), hub, task), teacher, device)
    plan, prices, schedule, _ = planned(asked.limits, method, device, labels, env.n, task.frame_skip, exactly=True)
    if task.family not in speeds:
        with _loaded(beside):
            speeds[task.family] = _time(device.asking, like, teacher.params, env)
    speed, members = speeds[task.family], method.population
    shown = _evaluations(task, asked, plan.steps)
    flops = budgets.total(plan, prices, schedule).flops
    seconds = (
        START_SECONDS
        + (flops - plan.steps * prices.step.flops) * speed.flop
        + (plan.steps + shown) * (speed.act + speed.step)
    )
    rows = min(method.replay_capacity, 2 * plan.steps) * members
    ring = rows * obs[0, -1].nbytes + sum(leaf.nbytes for leaf in jax.tree.leaves(learner)) * members
    held = LOG_ROWS * obs[0, -1].nbytes if reads else 0
    student = sum(leaf.nbytes for leaf in jax.tree.leaves(learner.params))
    disk = student * (len(asked.points or task.points) + 1) + 2**18
    return Price(plan.steps, plan.updates, flops, seconds, PROCESS + ring + held, disk, 2.0 * ring)


@lru_cache(maxsize=1)  # the cells of a task come one after the other
def _log(references: tuple[str, ...], hub: str, task: Task) -> Replay | Mixture | None:
    return pull_logs(references, hub, task)[0]


def _evaluations(task: Task, asked: RunRequest, steps: float) -> float:
    """Return the agent steps of all evaluations of a run, of random play and of the teacher, if episodes are short."""
    each = 250.0 * asked.episodes if asked.episodes else max(task.evaluation_steps, 5_000)
    return each * (2 + len([point for point in asked.points or task.points if point <= max(1.0, steps)]))


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


def _time(made, like, teacher, env) -> Speed:
    """Return seconds of an update and an action, after they have compiled, and of an environment's step."""
    learner, batch, obs, clock, now = owned(like[0]), *like[1:]

    def update():
        nonlocal learner
        learner, _ = made.update.call(learner, teacher, spread(batch), now)
        jax.block_until_ready(learner)

    def act():
        jax.block_until_ready(made.act.call(learner.params, teacher, obs, clock, now))

    flop = _seconds(update) / made.update.cost.flops
    return Speed(flop, _seconds(act) / env.n, _seconds(lambda: env.step(np.zeros(env.n, int))) / env.n)


def _seconds(call: Callable[[], object]) -> float:
    call()
    started, times = time.perf_counter(), 0
    while time.perf_counter() - started < TIMED_SECONDS:
        call()
        times += 1
    return (time.perf_counter() - started) / times


def took(folder: Path, cell: Cell) -> float:
    """Return seconds by the clock from a cell's first line to its last, interruptions included."""
    lines = ledger.read(folder / "cells" / cell.name / "ledger.jsonl")
    return lines[-1]["time"] - lines[0]["time"]


def hours(folder: Path, asked: Sequence[Cell], prices: dict[tuple[str, str], Price], jobs: int) -> tuple[float, int]:
    """Return (hours that the cells which have no end yet will take, cells that have one and that this is scaled by)."""
    done = [cell for cell in asked if ended(folder / "cells" / cell.name)]
    left = sum(prices[cell[:2]].seconds for cell in asked if cell not in done)
    slower = [took(folder, cell) / prices[cell[:2]].seconds for cell in done]
    factor = median(slower) if done else 1.0  # not the mean: a cell that was killed may have waited for a day
    return left * factor / max(jobs, 1) / 3600, len(done)


if __name__ == "__main__":
    main()
