"""How long a run still takes by the clock, from what it has taken so far.

A run has parts of different prices: updates on the log, updates and steps in the game, evaluations. Each is priced by
the latest minute in which it went on, so that a run that is weaned, or whose machine is busy, is told anew.
"""

from collections import deque
from typing import NamedTuple

from ...leaderboard.units import UNIT
from .observer import Status

WINDOW = 60.0  # seconds of work that a price rests on


class Done(NamedTuple):
    """What a run has done of one part, and the seconds that it took by the clock."""

    amount: float = 0.0
    seconds: float = 0.0


class Price:
    """Seconds for one unit of a part."""

    def __init__(self) -> None:
        self._seen: deque[Done] = deque([Done()])

    def add(self, amount: float, seconds: float) -> None:
        """Take in what was done since the last look."""
        if amount <= 0.0 and seconds <= 0.0:
            return
        before = self._seen[-1]
        self._seen.append(Done(before.amount + amount, before.seconds + seconds))
        while len(self._seen) > 2 and self._seen[-1].seconds - self._seen[1].seconds >= WINDOW:
            self._seen.popleft()

    def __call__(self) -> float | None:
        """Return the price; None while it is not known."""
        first, last = self._seen[0], self._seen[-1]
        amount = last.amount - first.amount
        return (last.seconds - first.seconds) / amount if amount > 0.0 else None


class TimeLeft:
    """Sees the states of a run, and says what is left."""

    def __init__(self) -> None:
        self._offline, self._update, self._step = Price(), Price(), Price()
        self._before: tuple[Status, float] | None = None
        self._played = 0.0  # seconds of the latest evaluation
        self._paused = 0.0  # seconds of pauses since the last look
        self._worked = 0.0  # seconds by the clock, without pauses

    def expect(self, seconds: float) -> None:
        """Take others' evaluations before the run, of its teacher, for what its own will take."""
        self._played = seconds

    def paused(self, seconds: float) -> None:
        """Take note of a pause that has ended, an evaluation or a validation: no work of the run's parts."""
        self._paused += seconds

    def evaluated(self, seconds: float) -> None:
        """Take note that the latest pause was an evaluation."""
        self._played = seconds

    def see(self, status: Status, now: float) -> None:
        """Take in where the run is, at a time by the clock."""
        if self._before:
            before, then = self._before
            passed = max(now - then - self._paused, 0.0)
            took = {name: status.phases.get(name, 0.0) - before.phases.get(name, 0.0) for name in status.phases}
            counted = sum(took.values())  # of seeds together only this one's share
            scale = passed / counted if counted > 0.0 else 0.0
            worked = scale * (counted - took.get("compile", 0.0))  # that is paid once
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
        """Return what is left, evaluations included; None while too little is known, as before the first update."""
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
    """Return (updates offline, updates online, agent steps)."""
    updates, steps = status.spent["updates"], status.spent["steps"]
    offline = min(updates, float(status.plan.offline_updates))
    return offline, updates - offline, steps
