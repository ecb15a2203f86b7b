"""Budgets: limits on what a run may spend, counted by the harness and never exceeded."""

import math
import re
from collections import namedtuple
from collections.abc import Callable
from typing import NamedTuple

from ...leaderboard.units import FREE, LIMITS, TIMES

SUFFIX = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
TIME_SUFFIX = {"": 1, "s": 1, "min": 60, "h": 3600, "d": 86400}


class Budget(namedtuple("Budget", LIMITS, defaults=[math.inf] * len(LIMITS))):
    """Limits of a run, infinite by default. The first limit that does not cover the next act ends the run.

    `frames`: environment frames, agent steps times the frame skip. `steps`: agent steps. `updates`: gradient updates,
    offline and online. `flops`: of updates and actions including their queries to the teacher, as traced. `seconds`:
    wall-clock time of training, without evaluation. `device`: seconds in which the accelerator (or CPU) worked on
    updates and actions. `queries`: observations that the teacher was asked about. `logged`: distinct transitions of the
    teacher's log that the student learned from.
    """

    __slots__ = ()

    def limits(self) -> dict[str, float]:
        """Return the limits that were set."""
        return {unit: limit for unit, limit in self._asdict().items() if limit < math.inf}


def parse(text: str) -> Budget:
    """Parse `frames=400k,flops=2e14,device=2h`, or `400k-frames,...`; ValueError says what is wrong."""
    limits = {}
    for part in filter(None, re.split(r"[,\s]+", text)):
        match = re.fullmatch(r"(?i)([a-z]+)=(.+)", part) or re.fullmatch(r"(?i)(.+)-([a-z]+)", part)
        unit, amount = (match[1], match[2]) if match else ("", "")
        if match and "=" not in part:
            unit, amount = amount, unit
        unit = unit.lower()
        if unit not in LIMITS:
            raise ValueError(f"{part!r} is not a limit: write UNIT=AMOUNT with one of the units {', '.join(LIMITS)}")
        if unit in limits:
            raise ValueError(f"the budget limits {unit} twice: give each unit once")
        limits[unit] = duration_of(amount) if unit in TIMES else amount_of(amount)
    if not limits:
        raise ValueError("the budget is empty: give at least one limit, such as frames=400k")
    return Budget(**limits)


def written(budget: str | Budget) -> str:
    """Return a budget as text that `parse` can read; text is returned unchanged."""
    if isinstance(budget, str):
        return budget
    return ",".join(f"{unit}={float(limit)!r}" for unit, limit in budget.limits().items())


def amount_of(text: str) -> float:
    """Parse `50k`, `2e14`, `1.5M` -> a positive number; ValueError otherwise."""
    match = re.fullmatch(r"(?i)([0-9][0-9_]*(?:\.[0-9]+)?(?:e\+?[0-9]+)?)([kmbgt]?)", text.strip())
    amount = float(match[1].replace("_", "")) * SUFFIX[match[2].lower()] if match else 0.0
    if not 0.0 < amount < math.inf:
        raise ValueError(f"{text!r} is not an amount: write a positive number such as 400k, 1.5M or 2e14")
    return amount


def duration_of(text: str) -> float:
    """Parse `90`, `90s`, `45min`, `2h`, `1.5d` -> seconds; ValueError otherwise."""
    match = re.fullmatch(r"([0-9.e+]+)\s*(s|min|h|d|)", text.strip().lower())
    try:
        amount = float(match[1]) * TIME_SUFFIX[match[2]] if match else 0.0
    except ValueError:
        amount = 0.0
    if not 0.0 < amount < math.inf:
        raise ValueError(
            f"{text!r} is not a time: write a positive number of seconds, or a time such as 45min, 2h or 1.5d"
        )
    return amount


class Cost(NamedTuple):
    """The cost of one call."""

    flops: float  # as XLA counts them in the traced program; equal on every device
    queries: float  # observations that the teacher is asked about


NOTHING = Cost(0.0, 0.0)


class Prices(NamedTuple):
    """The cost of each kind of act, and of what is paid once."""

    step: Cost  # of one action
    update: Cost  # of one update
    frame_skip: int  # frames per agent step
    offline: Cost | None = None  # of an offline update, if it differs
    weaned: tuple[Cost, Cost] | None = None  # of an action and an update without the teacher, if they differ
    once: Cost = NOTHING  # before the first update


class Schedule(NamedTuple):
    """How a method wants to spend its budget."""

    offline_share: float  # share of all updates, as if there were no warm-up
    updates_per_step: float
    warmup: float = 0.0  # agent steps without updates; below 1, a share of the planned steps
    weaned: float = 1.0  # share of the steps after which the teacher is no longer asked, at the latest


class Plan(NamedTuple):
    """The steps and updates that a budget allows if only its own limits bind."""

    offline_updates: int
    steps: int  # agent steps
    updates: int  # total


def forecast(prices: Prices, schedule: Schedule, steps: float) -> Cost:
    """Return the total cost of `steps`, including their updates and the offline phase."""
    share, each, warmup, weaned = schedule
    from ...agents.schedules import share_of  # here, because it imports JAX

    quiet, turn = min(share_of(warmup, steps), 1.0) * steps, weaned * steps
    asking, alone = (prices.step, prices.update), prices.weaned or (prices.step, prices.update)
    amounts = (
        (1.0, prices.once),
        (each * steps * share / (1.0 - share), prices.offline or prices.update),
        (turn, asking[0]),
        (steps - turn, alone[0]),
        (each * max(turn - quiet, 0.0), asking[1]),
        (each * (steps - max(turn, quiet)), alone[1]),
    )
    return Cost(*(sum(amount * cost[unit] for amount, cost in amounts) for unit in (0, 1)))


def fitted(budget: Budget, prices: Prices, schedule: Schedule) -> Schedule:
    """Replace infinite updates per step by as many as the FLOPs allow, so that methods can spend equal FLOPs.

    ValueError if the budget does not limit both steps (or frames) and FLOPs, or does not cover the steps alone.
    """
    if schedule.updates_per_step < math.inf or schedule.offline_share >= 1.0:
        return schedule
    steps = min(budget.steps, budget.frames / prices.frame_skip)
    if math.inf in (steps, budget.flops):
        raise ValueError("updates_per_step=inf needs a budget of steps and FLOPs, such as steps=100k,flops=1T")
    idle, one = (forecast(prices, schedule._replace(updates_per_step=each), steps).flops for each in (0.0, 1.0))
    each = (1.0 - 1e-9) * (budget.flops - idle) / (one - idle)  # slightly less, so that rounding does not cost a step
    if each <= 0.0:
        raise ValueError(f"the budget does not pay for {steps:.0f} steps without an update: give it more FLOPs")
    return schedule._replace(updates_per_step=min(each, budget.updates * (1.0 - schedule.offline_share) / steps))


def total(plan: Plan, prices: Prices, schedule: Schedule) -> Cost:
    """Return the total cost of a plan."""
    if plan.steps:
        return forecast(prices, schedule, plan.steps)
    each, once = prices.offline or prices.update, prices.once
    return Cost(once.flops + plan.updates * each.flops, once.queries + plan.updates * each.queries)


def plan(budget: Budget, prices: Prices, schedule: Schedule) -> Plan:
    """Split a budget into offline updates and agent steps.

    Time, distinct logged transitions and weaning by score cannot be planned. ValueError if nothing else is limited, or
    if the limits do not cover a single update.
    """
    offline_share, rate, warmup, _ = schedule
    if offline_share >= 1.0:
        each, once = prices.offline or prices.update, prices.once
        left = (budget.flops - once.flops) / each.flops, (budget.queries - once.queries) / max(each.queries, 1e-9)
        updates = min(budget.updates, *left)
        if math.isinf(updates):
            raise ValueError("a method that learns only offline needs a budget of updates or flops")
        return Plan(_positive(updates), 0, _positive(updates))
    each = rate / (1.0 - offline_share)  # all updates per agent step

    def pays(steps: int) -> bool:
        flops, queries = forecast(prices, schedule, steps)
        return flops <= budget.flops and queries <= budget.queries

    steps = min(budget.steps, budget.frames / prices.frame_skip, budget.updates / each, _most(pays))
    if math.isinf(steps):
        raise ValueError("a budget of time alone cannot be planned: limit frames, steps, updates or flops as well")
    if steps < 1.0:
        raise ValueError("the budget is too small for a single step: raise its smallest limit")
    updates = _positive(each * steps)
    from ...agents.schedules import share_of  # here, because it imports JAX

    quiet = min(share_of(warmup, steps), 1.0) * steps
    if quiet >= steps and offline_share == 0.0:
        raise ValueError(
            f"a warm-up of {warmup:.0f} agent steps leaves none of the {steps:.0f} steps for learning: lower warmup"
        )
    unmade = 0.0 if each * steps >= budget.updates else rate * quiet  # otherwise more steps make up for it
    return Plan(int(offline_share * updates), int(steps), _positive(each * steps - unmade))


def _most(fits: Callable[[int], bool]) -> float:
    """Return the largest whole number for which `fits` holds; infinity if it seems to hold for all."""
    high = 1
    while fits(high):
        high *= 2
        if high > 2**60:
            return math.inf
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _positive(updates: float) -> int:
    if updates < 1.0:
        raise ValueError("the budget is too small for a single update: raise its smallest limit")
    return int(updates)


class Meter:
    """Count what is spent, and refuse to spend more than is left."""

    def __init__(self, budget: Budget):
        """Start with nothing spent."""
        self.budget = budget
        self.spent: dict[str, float] = dict.fromkeys((*LIMITS, *FREE), 0.0)

    def affords(self, **costs: float) -> bool:
        limits = self.budget._asdict()
        return all(self.spent[unit] + cost <= limits[unit] for unit, cost in costs.items())

    def spend(self, **costs: float) -> None:
        if not self.affords(**costs):
            raise RuntimeError("over budget")
        for unit, cost in costs.items():
            self.spent[unit] += cost

    def exhausted(self) -> list[str]:
        """Return the limits that are fully spent."""
        return [unit for unit, limit in self.budget.limits().items() if self.spent[unit] >= limit]
