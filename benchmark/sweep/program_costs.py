"""What the programs of a method cost on a task: as found before for the same shapes, or traced, or scaled.

Tracing takes a tenth of a second to a second for each program. What came of it is kept by its content among the user's
caches: the code, the libraries, the method's numbers, the shapes. A budget has no part in it.
"""

import hashlib
import json
from collections.abc import Callable
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...agents.learner import init_learner, key_of
from ...agents.method import Apply, Architecture, Clock, Learner, Progress
from ...agents.networks import build
from ...datasets import atomic, folders
from ...datasets.transition import Actions
from .. import machine
from ..runs.prepare import Prepared
from ..tasks.environments import Environment, make, seeds
from ..tasks.task import Task, network_for
from ..training.budget import NOTHING, Cost
from ..training.programs import Device, blank_batch
from ..training.stopwatch import Stopwatch
from ..training.teacher_values import TeacherValues


class Traced(NamedTuple):
    """The programs of a cell, and what they are called with."""

    device: Device
    like: tuple  # learner, batch, obs, clock, progress
    env: Environment


class Labels(NamedTuple):
    """What `TeacherValues` says of a log before a run."""

    possible: bool
    asked: int
    cost: Cost


def trace(one: Prepared, whole: bool = False) -> Traced:
    """Trace the programs of a cell: with shapes in place of the learner, which counts nothing, unless it is `whole`."""
    method, teacher = one.method, one.guide
    env = make(one.task, seeds("random", 0, one.request.environments), 1)
    obs = env.observe()
    own = Architecture(network_for(one.task, obs))
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
    apply, teach = (net.apply, teacher) if whole else (_once(net.apply, repr(net)), _asked_once(teacher))
    return Traced(Device(method, apply, teach, env.actions, like, Stopwatch()), like, env)


class ProgramCosts:
    """Stands where a `Device` does in a plan. What is not known is traced, and kept.

    `like`: the costs of the same method on another task of the same kind, which are scaled as a forward pass of the
    task's own network differs; that is right to about 10 %, so nothing of it is kept.
    """

    def __init__(self, one: Prepared, like: "ProgramCosts | None" = None):
        """Find what is known."""
        self._one, self._like = one, like
        self._path = folders.caches() / "prices" / f"{content(one)}.json"
        self._known = _read(self._path)

    @cached_property
    def _traced(self) -> Traced:
        return trace(self._one)

    @cached_property
    def _ratios(self) -> tuple[float, float]:
        """By how much the task's own network differs from that of the other: in FLOPs, and in weights."""
        ones = [each._one for each in (self, self._like) if each]
        here, there = (_forward(one.task, one.request.environments) for one in ones)
        return here[0] / there[0], here[1] / there[1]

    def _size(self, name: str, of: Callable[[Learner], Any]) -> float:
        """Return bytes that grow with the network's weights."""
        if self._like and name not in self._known:
            return self._ratios[1] * self._like._size(name, of)
        return self._kept(name, 1, lambda: [float(_bytes(of(self._traced.like[0])))])[0]

    def _cost(self, name: str, count: Callable[[Device], Cost]) -> Cost:
        if self._like and name not in self._known:
            there = self._like._cost(name, count)
            return there._replace(flops=there.flops * self._ratios[0])
        return Cost(*self._kept(name, 2, lambda: list(count(self._traced.device))))

    def _kept(self, name: str, size: int, find: Callable[[], list[float]]) -> list[float]:
        """Return what is kept under a name, unless it is not so many numbers; else find and keep it."""
        if not _sound(self._known.get(name), size):
            self._known[name] = find()
            try:
                atomic.write(self._path, json.dumps(self._known).encode())
            except OSError:
                pass  # where nothing can be kept, it is found again the next time
        return self._known[name]

    @property
    def learner_bytes(self) -> float:
        """Of a learner: weights, their copies, moments."""
        return self._size("learner", lambda learner: learner)

    @property
    def weight_bytes(self) -> float:
        return self._size("weights", lambda learner: learner.params)

    @property
    def frame_bytes(self) -> int:
        return _seen(self._one.task, self._one.request.environments)[0][0, -1].nbytes

    @property
    def told_saves(self) -> bool:
        """Whether an update asks less of the teacher where the batch carries its values."""
        if self._like and "told saves" not in self._known:
            return self._like.told_saves
        return bool(self._kept("told saves", 1, lambda: [float(self._traced.device.told_saves)])[0])

    @property
    def told_cost(self) -> Cost:
        """Of an update whose batch carries the teacher's values."""
        return self._cost("told", lambda device: device.told_cost)

    def update_cost(self, weaned: bool = False) -> Cost:
        return self._cost("weaned update" if weaned else "update", lambda device: device.update_cost(weaned))

    def step_cost(self, n: int, weaned: bool = False) -> Cost:
        """Of one of n environments when all of them act."""
        return self._cost(f"{'weaned ' * weaned}step of {n}", lambda device: device.step_cost(n, weaned))

    def labels(self, log: Callable[[], Any]) -> Labels:
        """Return what the teacher's values on a log would cost; `log` reads it."""

        def look() -> list[float]:
            found = TeacherValues(log(), self._one.guide, self)  # pyright: ignore[reportArgumentType]
            return [float(found.possible), float(found.asked), *found.cost]

        if not self._one.logs or not self.told_saves:
            return Labels(False, 0, NOTHING)
        found = self._kept(f"labels {self._of_logs}", 4, look) if _pinned(self._one) else look()
        return Labels(bool(found[0]), int(found[1]), Cost(*found[2:]))

    @property
    def _of_logs(self) -> str:
        one = self._one
        return _digest([one.request.hub, one.logs, one.origin.digest if one.origin else ""])


def kind(one: Prepared) -> str:
    """Return a digest of all that decides what the programs of a cell cost, but for the shapes of its task."""
    asked, settings = one.request, {name: repr(value) for name, value in sorted(one.plain.items())}
    method = [asked.method, settings, machine.method_digest(asked.method, asked.settings), asked.environments]
    guide = [bool(one.origin), repr(one.guide.architecture), one.guide.outputs]
    return _digest([_made_of(), one.task.family, one.task.network, method, guide])


def content(one: Prepared) -> str:
    """Return a digest of all that decides what the programs of a cell cost."""
    obs, actions = _seen(one.task, one.request.environments)
    weights = [[list(np.shape(leaf)), str(leaf.dtype)] for leaf in jax.tree.leaves(one.guide.params)]
    return _digest([kind(one), list(obs.shape), str(obs.dtype), repr(actions), weights])


@cache
def _made_of() -> dict[str, Any]:
    """Return what computes: the devices, the libraries, this package's own code."""
    return {name: value for name, value in machine.describe().items() if name not in ("commit", "threads", "xla_flags")}


@cache
def _seen(task: Task, environments: int) -> tuple[np.ndarray, Actions]:
    """Return the first observations of a task, and its actions."""
    env = make(task, seeds("random", 0, environments), 1)
    return env.observe().copy(), env.actions


@cache
def _forward(task: Task, environments: int) -> tuple[float, float]:
    """Return the FLOPs of the task's own network for one observation, and the bytes of its weights."""
    obs, actions = _seen(task, environments)
    net = build(Architecture(network_for(task, obs)), actions)
    params = jax.eval_shape(net.init, jax.random.key(0), obs[:1])
    told: Any = jax.jit(net.apply).lower(params, obs[:1]).cost_analysis()
    return float(told["flops"]), float(_bytes(params))


_calls: dict[tuple, Apply] = {}  # by network and options: what methods have in common is traced once


def _once(apply: Apply, key: Any) -> Apply:
    """Return the same function, traced once for all methods that call it with the same shapes."""

    def call(params: Any, obs: Any, **options: Any) -> Any:
        plain = {name: value for name, value in options.items() if isinstance(value, str | int | float)}
        which = (key, *sorted(plain.items()))
        if which not in _calls:
            _calls[which] = jax.jit(partial(apply, **plain))
        return _calls[which](params, obs, **{name: value for name, value in options.items() if name not in plain})

    return call


def _asked_once(teacher: Any) -> Any:
    return teacher._replace(apply=_once(teacher.apply, teacher.apply))


def _bytes(tree: object) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _pinned(one: Prepared) -> bool:
    """Return whether the logs cannot change under their names: all are of a commit."""
    return all("@" in log and not Path(log.partition("@")[0]).exists() for log in one.logs)


def _digest(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=repr).encode()).hexdigest()


def _read(path: Path) -> dict[str, list[float]]:
    """Return what was found before; nothing if it cannot be read."""
    try:
        known = json.loads(path.read_bytes())
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _sound(value: Any, size: int) -> bool:
    """Return whether it is a list of so many finite numbers, none of them negative."""
    if not isinstance(value, list) or len(value) != size:
        return False
    return all(isinstance(one, int | float) and 0 <= one < float("inf") for one in value)
