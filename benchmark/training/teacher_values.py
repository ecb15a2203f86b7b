"""The teacher's values on its log's observations, as logged or queried once, instead of in every batch."""

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, Protocol

import jax
import numpy as np

from ...agents.learner import key_of
from ...agents.method import Method, Progress, Teacher
from ...datasets.replay.mixture import Mixture
from ...datasets.replay.replay import Replay
from .budget import NOTHING, Budget, Cost, Meter, Plan, Prices, Schedule, fitted, plan
from .programs import Device, Program
from .rollout import per_step

CHECKED, TOGETHER = 32, 256  # observations compared, and observations per query


def reads_log(method: Method) -> bool:
    """Return whether the method learns from a teacher's log: offline, in its replay, or mixed into batches."""
    now = [Progress(0.0, spent, 1.0, 0.0, 0.0, key=key_of(0, 0)) for spent in (0.0, 0.5)]
    return method.offline_share > 0.0 or method.keep_log or any(float(method.log_share(then)) > 0.0 for then in now)


class Costing(Protocol):
    """Prices of programs: a `Device`, or known numbers."""

    @property
    def told_saves(self) -> bool: ...
    @property
    def told_cost(self) -> Cost: ...
    def step_cost(self, n: int, weaned: bool = False) -> Cost: ...
    def update_cost(self, weaned: bool = False, offline: bool = False) -> Cost: ...


class Labelling(Protocol):
    """The price of the teacher's values on its log: `TeacherValues`, or known numbers."""

    @property
    def possible(self) -> bool: ...
    @property
    def asked(self) -> int: ...
    @property
    def cost(self) -> Cost: ...


class TeacherValues:
    """The teacher's values on its log, attached to batches from the log.

    Values in the log are used if they are this teacher's, which is checked on a few observations; otherwise the teacher
    is asked about all observations. Either is paid for once.
    """

    def __init__(self, log: Replay | Mixture | None, teacher: Teacher, device: Device):
        """Compare the log's values with the teacher's, if an update would use them; `attach` pays for that."""
        self._teacher, self._device = teacher, device
        self._replays = log.replays if isinstance(log, Mixture) else [log] if log is not None else []
        self._ask: Any = jax.jit(teacher.apply)
        self.possible = bool(self._replays) and device.told_saves
        self._stated = [self.possible and self._holds(replay) for replay in self._replays]
        self.asked = sum(len(r.starts) for r, stated in zip(self._replays, self._stated, strict=True) if not stated)

    @property
    def cost(self) -> Cost:
        """The cost of the comparison and of the remaining queries."""
        return self._cost

    @cached_property
    def _cost(self) -> Cost:
        if not self.possible:
            return NOTHING
        count = self.asked + CHECKED * sum(replay.stated_values is not None for replay in self._replays)
        example = self._replays[0].observations(np.zeros(TOGETHER, int))
        flops = float(self._ask.lower(self._teacher.params, example).cost_analysis()["flops"])
        return Cost(flops / TOGETHER * count, float(count))

    def attach(self, wanted: bool, meter: Meter) -> None:
        """Attach the values to the log's batches, or detach those of an earlier run.

        A resumed run does not pay for them again.
        """
        for replay in self._replays:
            replay.teacher_values = None
        if not wanted:
            return
        if not meter.spent["queries"]:
            meter.spend(**self.cost._asdict())
        for replay, stated in zip(self._replays, self._stated, strict=True):
            rows, values = replay.starts, replay.stated_values
            if not stated:
                known = self._values(replay, rows, partial(self._device.call, "offline", Program(self._ask, NOTHING)))
                values = np.zeros((replay.size, known.shape[1]), np.float32)
                values[rows] = known
            replay.teacher_values = values

    def _holds(self, replay: Replay) -> bool:
        """Return whether the values in the log are this teacher's."""
        if replay.stated_values is None:
            return False
        rows = replay.starts
        few = rows[np.linspace(0, len(rows) - 1, CHECKED).astype(int)]
        stated, asked = replay.stated_values[few], self._values(replay, few, self._ask)
        return stated.shape == asked.shape and np.allclose(stated, asked, rtol=1e-3, atol=1e-3)

    def _values(self, replay: Replay, rows: np.ndarray, ask: Callable[..., Any]) -> np.ndarray:
        """Return the values [K, A] on the observations of rows [K], computed in batches of one size."""
        pieces = [np.resize(rows[first : first + TOGETHER], TOGETHER) for first in range(0, len(rows), TOGETHER)]
        values = [np.asarray(ask(self._teacher.params, replay.observations(piece))) for piece in pieces]
        return np.concatenate(values)[: len(rows)]


def planned(
    budget: Budget,
    method: Method,
    device: Costing,
    labels: Labelling,
    environments: int,
    frame_skip: int,
    exactly: bool = False,
) -> tuple[Plan, Prices, Schedule, bool]:
    """Return the plan with its prices and schedule, and whether to label the log once.

    Labels pay off if asking in each offline batch would cost more, and the budget must cover them. `exactly`: include
    the savings of a weaned student even where no limit needs them.
    """
    limited = budget.flops < math.inf or budget.queries < math.inf
    until = weaned_at(method) if limited or exactly else 1.0
    schedule = Schedule(method.offline_share, per_step(method, environments), method.warmup, until)
    step, update = device.step_cost(environments), device.update_cost()
    later = (device.step_cost(environments, True), device.update_cost(True)) if until < 1.0 else None
    offline = device.update_cost(offline=True) if method.offline_only else None
    prices = Prices(step, update, frame_skip, offline, weaned=later)
    if labels.possible and method.offline_share:
        told = prices._replace(offline=device.told_cost, once=labels.cost)
        try:
            fit = fitted(budget, told, schedule)
            found = plan(budget, told, fit)
        except ValueError:  # not even the labels are affordable
            found, fit = Plan(0, 0, 0), schedule
        if found.offline_updates and found.offline_updates * method.batch_size >= labels.asked:
            return found, told, fit, True
    schedule = fitted(budget, prices, schedule)
    return plan(budget, prices, schedule), prices, schedule, False


def weaned_at(method: Method) -> float:
    """Return the share of the steps at which the teacher is asked for the last time, if validation never weans the
    student."""

    def weaned(spent: float) -> bool:
        return bool(method.weaned(Progress(0.0, spent, 1.0, 0.0, 0.0, key=key_of(0, 0))))

    low, high = 0.0, 1.0
    if weaned(low) or not weaned(high):
        return low if weaned(low) else high
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if weaned(middle) else (middle, high)
    return high
