"""Proportional sampling over the rows of a replay: sums of sums in three arrays (Schaul et al., 2016)."""

import numpy as np

WIDE = 32  # a sum covers as many below it: few levels, and each a short row that numpy adds up at once


class Priorities:
    """Non-negative priorities of `size` rows; drawing and setting take three looks, however many rows there are."""

    def __init__(self, size: int):
        blocks = -(-size // WIDE**2)
        self._rows = np.zeros((blocks * WIDE, WIDE))
        self._sums = np.zeros((blocks, WIDE))  # of the rows
        self._top = np.zeros(blocks)  # of the sums
        self.highest = 1.0  # what new steps are given, so that each is seen soon

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._rows.reshape(-1)[rows]

    def set(self, rows: np.ndarray, priorities: np.ndarray | float) -> None:
        """Set rows [K]; where one is there twice, the last counts."""
        row = rows // WIDE
        block = row // WIDE
        self._rows.reshape(-1)[rows] = priorities
        self._sums.reshape(-1)[row] = self._rows[row].sum(axis=1)
        self._top[block] = self._sums[block].sum(axis=1)
        self.highest = max(self.highest, float(np.max(priorities, initial=0.0)))

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Return rows [size], one from each of `size` equal shares of the sum, so that they spread;
        all priorities 0 is 0."""
        ends = self._top.cumsum()
        left = (np.arange(size) + rng.random(size)) * (ends[-1] / size)
        left = np.minimum(left, np.nextafter(ends[-1], 0.0))  # rounding may throw beyond the sum
        place = ends.searchsorted(left, side="right") % len(ends)
        left = np.maximum(left - (ends[place] - self._top[place]), 0.0)
        for sums in (self._sums, self._rows):
            parts = sums[place]
            ends = parts.cumsum(axis=1)
            left = np.minimum(left, np.nextafter(ends[:, -1], 0.0))  # so some end lies beyond it: that of no zero
            child = (ends <= left[:, None]).sum(axis=1) % WIDE
            at = np.arange(size), child
            left = np.maximum(left - (ends[at] - parts[at]), 0.0)
            place = place * WIDE + child
        return place
