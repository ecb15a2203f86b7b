"""Attribute a run's time: every second belongs to exactly one phase."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...leaderboard.ledger import ON_DEVICE

PHASES = ("compile", "offline", "act", "update", "environment", "data", "journal", "other")


class Stopwatch:
    """Measure seconds by phase. One phase follows another; a pause belongs to none.

    The `clock` gives the seconds. Where several runs share a device, it counts each second once in total.
    """

    def __init__(self, clock: Callable[[], float] = lambda: time.perf_counter()) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self._phase, self._since = "", 0.0

    def to(self, phase: str) -> None:
        """Start a phase; the empty one is a pause."""
        now = self._clock()
        if self._phase:
            self.seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Count a block as a phase, then return to the previous one."""
        before = self._phase
        self.to(phase)
        try:
            yield
        finally:
            self.to(before)

    def total(self) -> float:
        """Return the total seconds so far."""
        self.to(self._phase)
        return sum(self.seconds.values())

    def device(self) -> float:
        """Return the seconds in which the device worked for the run, from idle to idle and without compilation."""
        return sum(self.seconds[phase] for phase in ON_DEVICE)
