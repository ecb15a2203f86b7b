"""The programs of the device: an update and an action, each with and without the teacher, and the cost of a call."""

import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ...agents.learner import make_act, make_update, once, several, shard_batch
from ...agents.method import Apply, Method, Params, Teacher
from ...agents.resets import longest
from ...datasets.transition import Actions, Batch, blank, outputs
from ..tasks.environments import Environment, make
from ..tasks.task import Task
from .budget import NOTHING, Cost
from .stopwatch import Stopwatch


class Program(NamedTuple):
    """A compiled function and the cost of a call."""

    call: Callable[..., Any]
    cost: Cost


class Programs(NamedTuple):
    """update(learner, teacher's params, batch, progress), act(params, teacher's params, obs, clock, progress).

    An update overwrites the learner passed to it.
    """

    update: Program
    act: Program


class Kind(NamedTuple):
    """What an update leaves out."""

    weaned: bool = False  # the teacher
    light: bool = False  # the slow terms
    online: bool = False  # the terms of the offline phase


WHOLE = Kind()


def programs(
    method: Method, apply: Apply, teacher: Teacher, actions: Actions, like: tuple, weaned: bool = False
) -> Programs:
    """Trace both programs and count the cost of a call; they are compiled at their first call.

    `like`: (learner, batch, obs, clock, progress) with the shapes of later calls. `weaned`: the teacher is not asked
    and its values are zeros; a method's hook of that name says from when on they no longer matter."""
    learner, _, obs, clock, progress = like
    queries: list[int] = []
    act = make_act(method, apply, asked(teacher, actions, weaned, queries.append), actions)
    return Programs(
        updating(method, apply, teacher, actions, like, Kind(weaned)),
        _priced(act, queries, learner.params, teacher.params, obs, clock, progress),
    )


def updating(
    method: Method, apply: Apply, teacher: Teacher, actions: Actions, like: tuple, kind: Kind = WHOLE
) -> Program:
    """Trace the update alone, as `programs` does."""
    learner, batch, _, _, progress = like
    queries: list[int] = []
    update = make_update(method, apply, asked(teacher, actions, kind.weaned, queries.append), True, actions, *kind[1:])
    return _priced(update, queries, learner, teacher.params, batch, progress)


def _priced(call: Any, queries: list[int], *arguments: Any) -> Program:
    """Return a program with its cost. `queries`: where its trace writes how many observations the teacher is asked."""
    flops = call.lower(*arguments).cost_analysis()["flops"]
    return Program(call, Cost(float(flops), float(sum(queries))))


def asked(teacher: Teacher, actions: Actions, weaned: bool, count: Callable[[int], Any] = lambda size: None) -> Apply:
    """Return the teacher for a traced program, counting its queries in `count`; once weaned, a function that gives
    zeros."""

    def ask(params: Params, seen, **options):
        if weaned:
            return jnp.zeros((seen.shape[0], outputs(actions)))
        count(int(seen.shape[0]))
        return teacher.apply(params, seen, **options)

    return ask


class Worker(Protocol):
    """Where a run works: alone, or with others that share its devices and environments."""

    stop: threading.Event  # set to stop the run

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` gives; among runs that share, only the first makes it."""
        ...

    def clock(self) -> float:
        """Return the seconds that count for this run, from an arbitrary start."""
        ...

    def place(self, batch: Batch) -> Batch:
        """Place a batch on the devices of an update."""
        ...

    def call(self, phase: str, program: "Program", arguments: tuple) -> Any:
        """Start a call of a program; `phase` is act or one of the update phases."""
        ...

    def environment(self, task: Task, seed: np.ndarray, threads: int) -> Environment:
        """Make environments [N] to train in."""
        ...


class Alone:
    """The worker of a run that shares nothing; runs that train together have a `together.SeedWorker`."""

    def __init__(self):
        self.stop = threading.Event()

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` gives."""
        return make()

    def clock(self) -> float:
        """Return the seconds of a clock: all elapsed time counts."""
        return time.perf_counter()

    def place(self, batch: Batch) -> Batch:
        """Place a batch on the devices of an update."""
        return shard_batch(batch)

    def call(self, phase: str, program: Program, arguments: tuple) -> Any:
        """Start a call."""
        return program.call(*arguments)

    def environment(self, task: Task, seed: np.ndarray, threads: int) -> Environment:
        """Make environments to train in."""
        return make(task, seed, threads)


class Device:
    """Call the programs one at a time, so that the seconds of each can be told apart."""

    def __init__(
        self,
        method: Method,
        apply: Apply,
        teacher: Teacher,
        actions: Actions,
        like: tuple,
        watch: Stopwatch,
        worker: Worker | None = None,
    ):
        shapes = jax.eval_shape(lambda learner: learner, like[0])  # shapes suffice, and arrays would be kept alive
        self._of = (method, apply, teacher, actions, (shapes, *like[1:]))
        self._watch, self._worker = watch, worker or Alone()
        self._compiled: dict[int, Program] = {}  # keeps programs alive, so that their ids are not reused
        self.asking = self._alone = self._made("asking")
        self._parts: dict[str, Program] = {}  # updates without some of the terms
        self._several: dict[tuple[int, int], Program] = {}  # by update and count
        self.running: Any = None  # results of the latest call, which may still be running

    @property
    def asks(self) -> bool:
        """Whether an update or an action asks the teacher."""
        return self.asking.update.cost.queries + self.asking.act.cost.queries > 0

    def _made(self, which: str, **options: bool) -> Programs:
        """Return programs, priced by this run's own trace; runs on one device share the compiled code."""
        made = programs(*self._of, **options)
        calls = self._worker.once(which, lambda: (made.update.call, made.act.call))
        return Programs(*(Program(call, one.cost) for call, one in zip(calls, made, strict=True)))

    def _updating(self, which: str, like: tuple = (), kind: Kind = WHOLE) -> Program:
        """Return an update alone, as `_made` does."""
        made = updating(*self._of[:4], like or self._of[4], kind)
        return Program(self._worker.once(which, lambda: made.call), made.cost)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` gives; runs on one device share it."""
        return self._worker.once(key, make)

    def joined(self, which: str, make: Callable[[], Callable[..., Any]]) -> Program:
        """Return a program that is priced elsewhere; runs on one device share it."""
        return Program(self._worker.once(which, make), NOTHING)

    def programs(self, weaned: bool) -> Programs:
        """Return the programs that ask the teacher, or those that no longer do."""
        if weaned and self.asks and self._alone is self.asking:
            with self._watch.during("compile"):
                self._alone = self._made("weaned", weaned=True)
        return self._alone if weaned else self.asking

    def learning(self, weaned: bool, batch: Batch, made: int = 0, offline: bool = False) -> tuple[Program, Batch]:
        """Return the update for a batch, and the batch: with the teacher's values if that saves queries.

        `made`: number of earlier updates, which determines whether this one is light.
        """
        light = (made + 1) % self._of[0].delay > 0
        if batch.teacher_values is None or weaned or not self.told_saves:
            update = self.update("weaned" if weaned else "asking", light, offline)
            return update, self._worker.place(batch._replace(teacher_values=None))
        return self.update("told", light, offline), self._worker.place(batch)

    def update(self, which: str, light: bool, offline: bool) -> Program:
        """Return the update "asking" the teacher, "weaned" from it, or "told" its values; `light`: without the slow
        terms."""
        online = bool(self._of[0].offline_only) and not offline
        if not light and not online:
            return self.told if which == "told" else self.programs(which == "weaned").update
        name = " ".join([*["light"] * light, *["online"] * online, which])
        if name not in self._parts:
            with self._watch.during("compile"):
                like = self._told_like if which == "told" else ()
                self._parts[name] = self._updating(name, like, Kind(which == "weaned", light, online))
        return self._parts[name]

    def several(self, update: Program, count: int) -> Program:
        """Return a program that makes `count` of these updates in one call; the cost is that of a single one."""
        key = (id(update), count)
        if key not in self._several:
            call = self._worker.once(("several", id(update.call), count), lambda: several(update.call))
            self._several[key] = Program(call, update.cost)
        return self._several[key]

    @property
    def whole(self) -> bool:
        """Whether batches are not split over devices, so that one call may make several updates."""
        return not isinstance(self._worker, Alone) or jax.device_count() == 1

    def _mean(self, which: str, offline: bool) -> Cost:
        """Return the mean cost of an update over those with and without the slow terms."""
        delay, whole = self._of[0].delay, self.update(which, False, offline).cost
        if delay == 1:
            return whole
        pairs = zip(whole, self.update(which, True, offline).cost, strict=True)
        return Cost(*((all_of_it + (delay - 1) * part) / delay for all_of_it, part in pairs))

    @property
    def told_saves(self) -> bool:
        """Whether an update makes fewer queries if the batch carries the teacher's values."""
        return self.told.cost.queries < self.asking.update.cost.queries

    @cached_property
    def told(self) -> Program:
        """The update for batches that carry the teacher's values."""
        if not self.asking.update.cost.queries:
            return self.asking.update
        return self._updating("told", self._told_like)

    @property
    def _told_like(self) -> tuple:
        method, _, _, actions, (learner, batch, *rest) = self._of
        values = np.zeros((method.batch_size, outputs(actions)), np.float32)
        return (learner, batch._replace(teacher_values=values), *rest)

    @property
    def told_cost(self) -> Cost:
        """The cost of an offline update whose batch carries the teacher's values."""
        return self._mean("told", offline=True)

    @cached_property
    def worth(self) -> Program:
        """The program that labels a rollout, a batch of steps at a time: (params, obs, action, obs after it) -> values
        [B] of the observations after it, and the remembered numbers [B, K] or None."""
        method, apply, _, actions, (learner, _, obs, *_) = self._of

        def look(params: Params, before: Any, action: Any, after: Any) -> tuple[Any, Any]:
            student = once(apply, params)
            return method.worth(student, after), method.recall(student, before, action) if method.recall else None

        call = self._worker.once("worth", lambda: jax.jit(look))
        seen, done = (np.zeros((method.batch_size, *one.shape), one.dtype) for one in (obs[0], blank(actions)))
        return Program(call, Cost(float(call.lower(learner.params, seen, done, seen).cost_analysis()["flops"]), 0.0))

    def values_cost(self, count: int) -> float:
        """Return the FLOPs of labelling the steps of a rollout."""
        return -(-count // self._of[0].batch_size) * self.worth.cost.flops

    def look(self, params: Params, *steps: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Apply `worth` to T steps, a batch at a time: (obs, action, obs after it) -> [T], [T, K]."""
        size, count = self._of[0].batch_size, len(steps[0])
        places = [np.arange(first, first + size) % count for first in range(0, count, size)]
        told = [self.call("update", self.worth, params, *(part[at] for part in steps)) for at in places]
        value, kept = zip(*jax.device_get(told), strict=True)
        return np.concatenate(value)[:count], None if kept[0] is None else np.concatenate(kept)[:count]

    def update_cost(self, weaned: bool = False, offline: bool = False) -> Cost:
        """Return the cost of an update, with its share of the values that the returns of a rollout need."""
        cost, method = self._mean("weaned" if weaned else "asking", offline), self._of[0]
        return cost._replace(flops=cost.flops + self.worth.cost.flops / method.epochs) if method.rollout else cost

    def step_cost(self, n: int, weaned: bool = False) -> Cost:
        """Return the cost of one of n environments when all of them act."""
        cost = self.programs(weaned).act.cost
        return Cost(cost.flops / n, cost.queries / n)

    def call(self, phase: str, program: Program, *arguments):
        """Start a call once the device is idle; the first call of a program compiles it and is timed as compilation."""
        self.wait()
        self._watch.to(phase if id(program) in self._compiled else "compile")
        self._compiled[id(program)] = program
        self.running = self._worker.call(phase, program, arguments)
        return self.running

    def wait(self) -> None:
        """Wait until the device is idle."""
        if self.running is not None:
            jax.block_until_ready(self.running)
            self.running = None
            self._watch.to("other")


def blank_batch(obs: np.ndarray, method: Method, actions: Actions) -> Batch:
    """Return a batch of the right shapes, to count the FLOPs of an update before there is any experience."""
    action = np.zeros((method.batch_size, *blank(actions).shape), blank(actions).dtype)
    size, (_, stack, *frame) = method.batch_size, obs.shape
    window = np.zeros((size, stack + longest(method), *frame), obs.dtype)
    whole, real = np.ones(size, np.int32), np.zeros(size, np.float32)
    ahead, place = real if method.needs_return_to_go else None, whole.astype(np.int64)
    return Batch(window, whole, action, real, real, real, real, place, return_to_go=ahead, played=unplayed(method))


def unplayed(method: Method) -> np.ndarray | None:
    """Return the remembered numbers for a batch that others played: zeros [B, K], or None if the method remembers
    none."""
    return np.zeros((method.batch_size, len(method.remembers)), np.float32) if method.remembers else None
