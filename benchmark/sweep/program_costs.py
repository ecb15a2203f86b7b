"""The costs of a method's programs on a task: cached for the same shapes, traced, or scaled.

Tracing takes 0.1 to 1 second per program. Results are cached for the user under a digest of their inputs: the code, the
libraries, the method's numbers and the shapes. They do not depend on the budget.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
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

DAY = 86_400.0  # seconds


class Unknown(Exception):
    """Something must be traced or timed to know what a cell costs."""


class Traced(NamedTuple):
    """The programs of a cell, and their arguments."""

    device: Device
    like: tuple  # learner, batch, obs, clock, progress
    env: Environment


class Labels(NamedTuple):
    """The facts about a log that `TeacherValues` has before a run."""

    possible: bool
    asked: int
    cost: Cost


def trace(one: Prepared, whole: bool = False) -> Traced:
    """Trace a cell's programs; unless `whole`, the learner consists of shapes only, which does not change the costs."""
    method, teacher = one.method, one.guide
    env = make(one.task, seeds("random", 0, one.request.environments), 1)
    obs = env.observe()
    own = Architecture(network_for(one.task, obs))
    net = build(method.network(own, teacher.architecture if one.origin else None), env.actions)

    def first(key: jax.Array) -> Learner:
        return method.init(init_learner(method, net.init(key, jnp.asarray(obs[:1]))), teacher)

    try:
        learner = jax.jit(first)(jax.random.key(0)) if whole else jax.eval_shape(first, jax.random.key(0))
    except jax.errors.JAXTypeError:  # the method inspects its initial weights
        learner = method.init(init_learner(method, jax.jit(net.init)(jax.random.key(0), jnp.asarray(obs[:1]))), teacher)
    clock = Clock(np.arange(env.n, dtype=np.int32), np.zeros(env.n, np.int32))
    now = Progress(*map(np.float32, (0.0, 0.5, 1e5, 0.0, 0.0)), key=key_of(0, 0))
    like = (learner, blank_batch(obs, method, env.actions), obs, clock, now)
    apply, teach = (net.apply, teacher) if whole else (_once(net.apply, repr(net)), _asked_once(teacher))
    return Traced(Device(method, apply, teach, env.actions, like, Stopwatch()), like, env)


class ProgramCosts:
    """Replace a `Device` in a plan; unknown costs are traced and cached.

    `like`: costs of the same method on another task of the same kind, to be scaled by the ratio of the networks'
    forward passes. This is accurate to about 10 %, so scaled costs are not cached.
    """

    def __init__(self, one: Prepared, like: "ProgramCosts | None" = None, only_known: bool = False):
        """Load the cached costs. `only_known`: raise Unknown instead of tracing."""
        self._one, self._like, self._only_known = one, like, only_known
        self._path = folders.caches() / "prices" / f"{content(one)}.json"
        self._known = _read(self._path)

    @cached_property
    def _traced(self) -> Traced:
        if self._only_known:
            raise Unknown
        return trace(self._one)

    @cached_property
    def _ratios(self) -> tuple[float, float]:
        """The ratios of the task's network to the other one: in FLOPs, and in weights."""
        ones = [each._one for each in (self, self._like) if each]
        here, there = (_forward(one.task, one.request.environments, self._only_known) for one in ones)
        return here[0] / there[0], here[1] / there[1]

    def _size(self, name: str, of: Callable[[Learner], Any]) -> float:
        """Return a number of bytes that grows with the network's weights."""
        if self._like and name not in self._known:
            return self._ratios[1] * self._like._size(name, of)
        return self._kept(name, 1, lambda: [float(_bytes(of(self._traced.like[0])))])[0]

    def _cost(self, name: str, count: Callable[[Device], Cost]) -> Cost:
        if self._like and name not in self._known:
            there = self._like._cost(name, count)
            return there._replace(flops=there.flops * self._ratios[0])
        return Cost(*self._kept(name, 2, lambda: list(count(self._traced.device))))

    def _kept(self, name: str, size: int, find: Callable[[], list[float]]) -> list[float]:
        """Return a cached list of `size` numbers; compute and cache it if it is missing or invalid."""
        if not _sound(self._known.get(name), size):
            self._known[name] = find()
            _write(self._path, self._known)
        return self._known[name]

    @property
    def learner_bytes(self) -> float:
        """The bytes of a learner: weights, their copies, optimizer moments."""
        return self._size("learner", lambda learner: learner)

    @property
    def weight_bytes(self) -> float:
        return self._size("weights", lambda learner: learner.params)

    @property
    def frame_bytes(self) -> int:
        return _seen(self._one.task, self._one.request.environments)[0][0, -1].nbytes

    @property
    def told_saves(self) -> bool:
        """Whether an update makes fewer queries if the batch carries the teacher's values."""
        if self._like and "told saves" not in self._known:
            return self._like.told_saves
        return bool(self._kept("told saves", 1, lambda: [float(self._traced.device.told_saves)])[0])

    @property
    def told_cost(self) -> Cost:
        """The cost of an update whose batch carries the teacher's values."""
        return self._cost("told", lambda device: device.told_cost)

    def update_cost(self, weaned: bool = False, offline: bool = False) -> Cost:
        name = f"{'weaned ' * weaned}{'offline ' * offline}update"
        return self._cost(name, lambda device: device.update_cost(weaned, offline))

    def step_cost(self, n: int, weaned: bool = False) -> Cost:
        """Return the cost of one of n environments when all of them act."""
        return self._cost(f"{'weaned ' * weaned}step of {n}", lambda device: device.step_cost(n, weaned))

    def labels(self, log: Callable[[], Any]) -> Labels:
        """Return the cost of the teacher's values on a log; `log` reads it."""

        def look() -> list[float]:
            if self._only_known:
                raise Unknown
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
    """Return a digest of everything that affects a cell's program costs, except for the shapes of its task."""
    asked, settings = one.request, {name: repr(value) for name, value in sorted(one.plain.items())}
    method = [asked.method, settings, machine.method_digest(asked.method, asked.settings), asked.environments]
    guide = [bool(one.origin), repr(one.guide.architecture), one.guide.outputs]
    return _digest([_made_of(), one.task.family, one.task.network, method, guide])


def content(one: Prepared) -> str:
    """Return a digest of everything that affects a cell's program costs."""
    obs, actions = _seen(one.task, one.request.environments)
    weights = [[list(np.shape(leaf)), str(leaf.dtype)] for leaf in jax.tree.leaves(one.guide.params)]
    return _digest([kind(one), list(obs.shape), str(obs.dtype), repr(actions), weights])


def timing(
    one: Prepared, beside: int, environment: Mapping[str, str], only_known: bool, find: Callable[[], Iterable[float]]
) -> list[float]:
    """Return the seconds that `find` measures for a cell's programs, cached for a day.

    They are a machine's: its load may differ tomorrow. `beside`, `environment`: see `estimate.priced`.
    """
    where = [content(one), beside, sorted(environment.items())]
    path = folders.caches() / "prices" / f"{_digest(['timing', *where])}.json"
    known = _read(path)
    if _sound(known.get("seconds"), 3) and _sound(known.get("at"), 1) and 0 <= time.time() - known["at"][0] < DAY:
        return known["seconds"]
    if only_known:
        raise Unknown
    found = list(find())
    _write(path, {"seconds": found, "at": [time.time()]})
    return found


@cache
def _made_of() -> dict[str, Any]:
    """Return what affects computation: the devices, the libraries, this package's own code."""
    return {name: value for name, value in machine.describe().items() if name not in ("commit", "threads", "xla_flags")}


@cache
def _seen(task: Task, environments: int) -> tuple[np.ndarray, Actions]:
    """Return the first observations of a task, and its action space."""
    env = make(task, seeds("random", 0, environments), 1)
    return env.observe().copy(), env.actions


def _forward(task: Task, environments: int, only_known: bool) -> list[float]:
    """Return the FLOPs of the task's network for one observation, and the bytes of its weights, cached."""
    obs, actions = _seen(task, environments)
    made_of = [_made_of(), task.family, task.network, list(obs.shape), str(obs.dtype), repr(actions)]
    path = folders.caches() / "prices" / f"{_digest(['forward', *made_of])}.json"
    found = _read(path).get("forward")
    if found and _sound(found, 2):
        return found
    if only_known:
        raise Unknown
    found = list(_counted(task, environments))
    _write(path, {"forward": found})
    return found


@cache
def _counted(task: Task, environments: int) -> tuple[float, float]:
    obs, actions = _seen(task, environments)
    net = build(Architecture(network_for(task, obs)), actions)
    params = jax.eval_shape(net.init, jax.random.key(0), obs[:1])
    told: Any = jax.jit(net.apply).lower(params, obs[:1]).cost_analysis()
    return float(told["flops"]), float(_bytes(params))


_calls: dict[tuple, Apply] = {}  # by network and options, so that methods share traces


def _once(apply: Apply, key: Any) -> Apply:
    """Return a function that is traced only once for all methods that call it with the same shapes."""

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
    """Return whether the logs are immutable: all are pinned to a commit."""
    return all("@" in log and not Path(log.partition("@")[0]).exists() for log in one.logs)


def _digest(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=repr).encode()).hexdigest()


def _read(path: Path) -> dict[str, list[float]]:
    """Read cached costs; empty if they cannot be read."""
    try:
        known = json.loads(folders.regular(path).read_bytes())
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _write(path: Path, known: Mapping[str, list[float]]) -> None:
    try:
        atomic.write(path, json.dumps(known).encode())
    except OSError:
        pass  # without a cache it is computed again next time


def _sound(value: Any, size: int) -> bool:
    """Return whether it is a list of `size` finite, non-negative numbers."""
    if not isinstance(value, list) or len(value) != size:
        return False
    return all(isinstance(one, int | float) and 0 <= one < float("inf") for one in value)
