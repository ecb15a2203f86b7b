"""Attribute a run's time: every second belongs to exactly one phase."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...leaderboard.ledger import ON_DEVICE

PHASES = ("compile", "offline", "act", "update", "environment", "data", "journal", "other")


class Stopwatch:
    """Measure seconds by phase. One phase follows another; a pause belongs to none.

    Only a `share` of the time counts where several runs share a device, so that each second is counted once in total.
    """

    def __init__(self, share: Callable[[], float] = lambda: 1.0) -> None:
        self._share = share
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self._phase, self._since = "", 0.0

    def to(self, phase: str) -> None:
        """Start a phase; the empty one is a pause."""
        now = time.perf_counter()
        if self._phase:
            self.seconds[self._phase] += (now - self._since) * self._share()
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
