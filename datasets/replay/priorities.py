"""Proportional sampling over the rows of a replay, by a tree of sums in three arrays (Schaul et al., 2016)."""

import numpy as np

WIDE = 32  # branching factor of the tree: few levels of short rows, which numpy sums quickly


class Priorities:
    """Non-negative priorities of `size` rows; drawing and setting take three lookups for any number of rows."""

    def __init__(self, size: int):
        blocks = -(-size // WIDE**2)
        self._rows = np.zeros((blocks * WIDE, WIDE))
        self._sums = np.zeros((blocks, WIDE))  # of the rows
        self._top = np.zeros(blocks)  # of the sums
        self.highest = 1.0  # priority of new steps, so that each is replayed soon

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._rows.reshape(-1)[rows]

    def set(self, rows: np.ndarray, priorities: np.ndarray | float) -> None:
        """Set the priorities of rows [K]; for a repeated row the last one counts."""
        row = rows // WIDE
        block = row // WIDE
        self._rows.reshape(-1)[rows] = priorities
        self._sums.reshape(-1)[row] = self._rows[row].sum(axis=1)
        self._top[block] = self._sums[block].sum(axis=1)
        self.highest = max(self.highest, float(np.max(priorities, initial=0.0)))

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Draw rows [size] by stratified sampling, one from each of `size` equal parts of the sum; 0 if it is 0."""
        ends = self._top.cumsum()
        left = (np.arange(size) + rng.random(size)) * (ends[-1] / size)
        left = np.minimum(left, np.nextafter(ends[-1], 0.0))  # rounding may exceed the sum
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
