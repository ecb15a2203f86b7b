"""Estimate a run's remaining wall-clock time from its progress.

The parts of a run have different speeds: updates on the log, updates and steps in the game, evaluations. Each speed is
measured over the part's latest minute, so the estimate adapts when the run is weaned or the machine is busy.
"""

from collections import deque
from typing import NamedTuple

from ...leaderboard.units import UNIT
from .observer import Status

WINDOW = 60.0  # seconds of work over which a speed is measured


class Done(NamedTuple):
    """The work done in one part of a run, and its wall-clock seconds."""

    amount: float = 0.0
    seconds: float = 0.0


class Price:
    """Seconds per unit of work in one part; the first work seen is not counted, because it pays for first calls."""

    def __init__(self) -> None:
        self._seen: deque[Done] = deque()

    def add(self, amount: float, seconds: float) -> None:
        """Take in the work since the last call."""
        if amount <= 0.0 and seconds <= 0.0:
            return
        if not self._seen:
            self._seen.append(Done())
            return
        before = self._seen[-1]
        self._seen.append(Done(before.amount + amount, before.seconds + seconds))
        while len(self._seen) > 2 and self._seen[-1].seconds - self._seen[1].seconds >= WINDOW:
            self._seen.popleft()

    def __call__(self) -> float | None:
        """Return the seconds per unit; None while unknown."""
        if not self._seen:
            return None
        first, last = self._seen[0], self._seen[-1]
        amount = last.amount - first.amount
        return (last.seconds - first.seconds) / amount if amount > 0.0 else None


class TimeLeft:
    """Follow a run's status and estimate what is left."""

    def __init__(self) -> None:
        self._offline, self._update, self._step = Price(), Price(), Price()
        self._before: tuple[Status, float] | None = None
        self._played = 0.0  # seconds of the latest evaluation
        self._paused = 0.0  # seconds of pauses since the last look
        self._worked = 0.0  # wall-clock seconds without pauses

    def expect(self, seconds: float) -> None:
        """Use the teacher's evaluation before the run as a first estimate of the run's own."""
        self._played = seconds

    def paused(self, seconds: float) -> None:
        """Note a pause that has ended, an evaluation or a validation; it is not work of any part."""
        self._paused += seconds

    def evaluated(self, seconds: float) -> None:
        """Note that the latest pause was an evaluation."""
        self._played = seconds

    def see(self, status: Status, now: float) -> None:
        """Take in the status at a wall-clock time."""
        if self._before:
            before, then = self._before
            passed = max(now - then - self._paused, 0.0)
            took = {name: status.phases.get(name, 0.0) - before.phases.get(name, 0.0) for name in status.phases}
            counted = sum(took.values())  # of seeds that train together, only this one's share
            scale = passed / counted if counted > 0.0 else 0.0
            worked = scale * (counted - took.get("compile", 0.0))  # compilation is paid once
            offline, updates, steps = (a - b for a, b in zip(_amounts(status), _amounts(before), strict=True))
            learning = scale * took.get("update", 0.0)
            if before.phase == "offline":
                self._offline.add(offline, worked)
            else:
                self._update.add(updates, learning)
                self._step.add(steps, worked - learning)
            self._worked += passed
        self._before, self._paused = (status, now), 0.0

    def seconds(self, status: Status) -> float | None:
        """Return the remaining seconds, evaluations included; None while unknown, as before the first update."""
        offline, update, step = self._offline(), self._update(), self._step()
        known = update if update else offline
        if not known:
            return None
        done, plan = _amounts(status), status.plan
        online = max(plan.updates - plan.offline_updates - done[1], 0.0)
        left = (offline or known) * max(plan.offline_updates - done[0], 0.0) + known * online
        left += (step or 0.0) * max(plan.steps - done[2], 0.0)
        for unit, (used, limit) in status.limits().items():
            if UNIT[unit].is_time and used:
                left = min(left, max(limit - used, 0.0) * self._worked / used)
        return left + status.evaluations * self._played


def _amounts(status: Status) -> tuple[float, float, float]:
    """Return (offline updates, online updates, agent steps)."""
    updates, steps = status.spent["updates"], status.spent["steps"]
    offline = min(updates, float(status.plan.offline_updates))
    return offline, updates - offline, steps
