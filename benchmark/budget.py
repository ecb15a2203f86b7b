"""Budgets: limits on what a run may spend, counted by the harness and never exceeded."""

import math
import re
from typing import NamedTuple

UNITS = ("frames", "steps", "updates", "flops", "seconds")
SUFFIX = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}


class Budget(NamedTuple):
    """Limits, each infinite unless given; the first one that cannot pay for the next act ends the run."""

    frames: float = math.inf  # environment frames, agent steps times the frame skip
    steps: float = math.inf  # agent steps
    updates: float = math.inf  # gradient updates, offline and online
    flops: float = math.inf  # of updates and actions, as traced
    seconds: float = math.inf  # of training, without evaluation

    def limits(self) -> dict[str, float]:
        """Those that were given."""
        return {unit: limit for unit, limit in self._asdict().items() if limit < math.inf}


def parse(text: str) -> Budget:
    """`frames=400k,updates=50k,flops=2e14`, or `400k-frames,...`; ValueError says what cannot be read."""
    limits = {}
    for part in filter(None, re.split(r"[,\s]+", text)):
        match = re.fullmatch(r"(?i)([a-z]+)=(.+)", part) or re.fullmatch(r"(?i)(.+)-([a-z]+)", part)
        unit, amount = (match[1], match[2]) if match else ("", "")
        if match and "=" not in part:
            unit, amount = amount, unit
        unit = unit.lower()
        if unit not in UNITS:
            raise ValueError(f"{part!r} is no limit: write UNIT=AMOUNT with one of the units {', '.join(UNITS)}")
        if unit in limits:
            raise ValueError(f"the budget limits {unit} twice: give each unit once")
        limits[unit] = amount_of(amount)
    if not limits:
        raise ValueError("the budget is empty: give at least one limit, such as frames=400k")
    return Budget(**limits)


def amount_of(text: str) -> float:
    """`50k`, `2e14`, `1.5M` -> a positive number; ValueError otherwise."""
    match = re.fullmatch(r"(?i)([0-9][0-9_]*(?:\.[0-9]+)?(?:e\+?[0-9]+)?)([kmbgt]?)", text.strip())
    amount = float(match[1].replace("_", "")) * SUFFIX[match[2].lower()] if match else 0.0
    if not 0.0 < amount < math.inf:
        raise ValueError(f"{text!r} is no amount: write a positive number such as 400k, 1.5M or 2e14")
    return amount


class Prices(NamedTuple):
    """What one act costs."""

    step_flops: float  # of choosing one action
    update_flops: float  # of one update
    frame_skip: int  # frames in one agent step


class Plan(NamedTuple):
    """What a budget lets a method do if only its limits bind."""

    offline_updates: int
    steps: int  # agent steps
    updates: int  # in all


def plan(budget: Budget, prices: Prices, offline: float, updates_per_step: float) -> Plan:
    """Splits a budget into offline updates and agent steps. `offline` is the wanted share of all updates.

    Seconds cannot be planned. ValueError if nothing else is limited, or if the
    rest does not pay for a single update.
    """
    if offline >= 1.0:
        updates = min(budget.updates, budget.flops / prices.update_flops)
        if math.isinf(updates):
            raise ValueError("a method that learns only offline needs a budget of updates or flops")
        return Plan(_positive(updates), 0, _positive(updates))
    each = updates_per_step / (1.0 - offline)  # updates in all for each agent step
    steps = min(
        budget.steps,
        budget.frames / prices.frame_skip,
        budget.updates / each,
        budget.flops / (each * prices.update_flops + prices.step_flops),
    )
    if math.isinf(steps):
        raise ValueError("a budget of seconds alone cannot be planned: limit frames, steps, updates or flops as well")
    if steps < 1.0:
        raise ValueError("the budget is too small for a single step: raise its smallest limit")
    updates = _positive(each * steps)
    return Plan(int(offline * updates), int(steps), updates)


def _positive(updates: float) -> int:
    if updates < 1.0:
        raise ValueError("the budget is too small for a single update: raise its smallest limit")
    return int(updates)


class Meter:
    """Counts what is spent; spending more than is left is refused."""

    def __init__(self, budget: Budget):
        self.budget = budget
        self.spent: dict[str, float] = dict.fromkeys(UNITS, 0.0)

    def affords(self, **costs: float) -> bool:
        limits = self.budget._asdict()
        return all(self.spent[unit] + cost <= limits[unit] for unit, cost in costs.items())

    def spend(self, **costs: float) -> None:
        if not self.affords(**costs):
            raise RuntimeError("over budget")
        for unit, cost in costs.items():
            self.spent[unit] += cost

    def exhausted(self) -> list[str]:
        """The limits that are used up to the last unit."""
        return [unit for unit, limit in self.budget.limits().items() if self.spent[unit] >= limit]
