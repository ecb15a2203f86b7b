"""What a cell will do: steps, updates, FLOPs and bytes, from its traced programs or from those of the same cell before.

Tracing takes a second or two for each task and method. What came of it is kept by its content among the user's
caches: the code, the libraries, the settings, the weights of the teacher.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...agents.learner import init_learner, key_of
from ...agents.method import Architecture, Clock, Learner, Progress, Teacher
from ...agents.networks import build
from ...agents.teacher import digest, flatten
from ...datasets import atomic, folders
from ...datasets.replay.mixture import Mixture
from ...datasets.replay.replay import Replay
from ...leaderboard.record import Parent
from .. import machine
from ..prior.load import pull_logs, pull_teacher
from ..runs.prepare import Prepared, Ways, resolve
from ..runs.request import RunRequest
from ..tasks.environments import Environment, make, seeds
from ..tasks.task import Task, network_for
from ..training import budget as budgets
from ..training.programs import Device, blank_batch
from ..training.stopwatch import Stopwatch
from ..training.teacher_values import TeacherValues, planned

PROCESS = 700 * 2**20  # bytes of a cell's process without its replay and log, measured on the MinAtar games
MEASURED = {"gap": 0.1, "episode": 500.0}  # of a teacher, which is not played for a plan
LOG_ROWS = 1_000_000  # of a teacher's log, if it is not known


class Work(NamedTuple):
    """What a cell of one task and method will do."""

    steps: float
    updates: float
    flops: float
    learning: float  # FLOPs, without those of choosing actions
    shown: float  # agent steps of evaluations
    memory: float  # bytes
    disk: float  # bytes that stay
    scratch: float  # bytes while it runs


class Traced(NamedTuple):
    """The programs of a cell, and what they are called with."""

    device: Device
    like: tuple  # learner, batch, obs, clock, progress
    env: Environment


def wanted(asked: RunRequest) -> Prepared:
    """Find what a cell is asked for; ValueError if it cannot start."""
    return resolve(asked, None, Ways(_teacher, lambda *_: MEASURED))


def trace(one: Prepared, whole: bool = False) -> Traced:
    """Trace the programs of a cell: with shapes in place of the learner, which counts nothing, unless it is `whole`."""
    task, method, teacher = one.task, one.method, one.guide
    env = make(task, seeds("random", 0, one.request.environments), 1)
    obs = env.observe()
    own = Architecture(network_for(task, obs))
    net = build(method.network(own, teacher.architecture if one.origin else None), env.actions)

    def first(key: jax.Array) -> Learner:
        return method.init(init_learner(method, net.init(key, jnp.asarray(obs[:1]))), teacher)

    try:
        learner = jax.jit(first)(jax.random.key(0)) if whole else jax.eval_shape(first, jax.random.key(0))
    except jax.errors.JAXTypeError:  # a method that looks at the weights it begins with
        learner = method.init(init_learner(method, jax.jit(net.init)(jax.random.key(0), jnp.asarray(obs[:1]))), teacher)
    clock = Clock(np.arange(env.n, dtype=np.int32), np.zeros(env.n, np.int32))
    now = Progress(*map(np.float32, (0.0, 0.5, 1e5, 0.0, 0.0)), key=key_of(0, 0))
    like = (learner, blank_batch(obs, method), obs, clock, now)
    return Traced(Device(method, net.apply, teacher, env.actions, like, Stopwatch()), like, env)


def work(one: Prepared) -> Work:
    """Return what a cell will do, as it was found before or else traced now; ValueError if its budget does not do."""
    path = folders.caches() / "prices" / f"{_key(one)}.json" if _pinned(one) else None
    if path and (known := _known(path)):
        return known
    found = _counted(one, trace(one))
    if path:
        try:
            atomic.write(path, json.dumps(found).encode())
        except OSError:
            pass  # where nothing can be kept, it is traced the next time
    return found


def _counted(one: Prepared, traced: Traced) -> Work:
    asked, task, method, device, env = one.request, one.task, one.method, traced.device, traced.env
    learner, obs = traced.like[0], traced.like[2]
    labels = TeacherValues(_log(one.logs if device.told_saves else (), asked.hub, task), one.guide, device)
    plan, prices, schedule, _ = planned(asked.limits, method, device, labels, env.n, task.frame_skip, exactly=True)
    flops = budgets.total(plan, prices, schedule).flops
    rows = min(method.replay_capacity, 2 * plan.steps) * method.population
    ring = rows * obs[0, -1].nbytes + _bytes(learner) * method.population
    held = LOG_ROWS * obs[0, -1].nbytes if one.logs else 0
    points = asked.points or task.points
    shown = _evaluation(task, asked) * (2 + len([point for point in points if point <= max(1.0, plan.steps)]))
    disk = _bytes(learner.params) * (len(points) + 1) + 2**18
    learning = flops - plan.steps * prices.step.flops
    return Work(plan.steps, plan.updates, flops, learning, shown, PROCESS + ring + held, disk, 2.0 * ring)


def _bytes(tree: object) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _evaluation(task: Task, asked: RunRequest) -> float:
    """Return the agent steps of one evaluation, if episodes are short."""
    return 250.0 * asked.episodes if asked.episodes else max(task.evaluation_steps, 5_000)


@lru_cache(maxsize=1)  # the cells of a task come one after the other
def _log(references: tuple[str, ...], hub: str, task: Task) -> Replay | Mixture | None:
    return pull_logs(references, hub, task)[0]


@lru_cache(maxsize=1)
def _teacher(reference: str, hub: str, task: Task) -> tuple[Teacher, Parent | None]:
    return pull_teacher(reference, hub, task)


def _pinned(one: Prepared) -> bool:
    """Return whether the logs cannot change under their names: all are of a commit."""
    return all("@" in log and not Path(log.partition("@")[0]).exists() for log in one.logs)


def _key(one: Prepared) -> str:
    """Return a digest of all that decides what a cell will do."""
    asked = one.request
    made = {name: value for name, value in machine.describe().items() if name not in ("commit", "threads", "xla_flags")}
    request = [asked.budget, asked.environments, asked.episodes, list(asked.points), asked.hub, list(one.logs)]
    guide = [repr(one.guide.architecture), one.guide.outputs, digest(flatten(one.guide.params))]
    code = machine.method_digest(asked.method, asked.settings)
    known = [made, repr(one.task), asked.method, code, one.settings, request, guide, bool(one.origin)]
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=repr).encode()).hexdigest()


def _known(path: Path) -> Work | None:
    """Return what was found before; None if there is nothing that can be read."""
    try:
        numbers: Sequence[float] = json.loads(path.read_bytes())
        return Work(*(float(number) for number in numbers))
    except (OSError, ValueError, TypeError):
        return None
