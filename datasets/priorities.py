"""Proportional sampling over the rows of a replay: a sum tree in one array (Schaul et al., 2016)."""

import numpy as np


class Priorities:
    """Non-negative priorities of `size` rows; drawing and setting cost the logarithm of their number, many at once."""

    def __init__(self, size: int):
        self._leaves = 1 << max(size - 1, 1).bit_length()
        self._tree = np.zeros(2 * self._leaves)  # node i has the children 2 i and 2 i + 1, and is their sum
        self.highest = 1.0  # what new steps are given, so that each is seen soon

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._tree[rows + self._leaves]

    def set(self, rows: np.ndarray, priorities: np.ndarray | float) -> None:
        """Sets rows [K]; where one is there twice, the last counts."""
        node = rows + self._leaves
        self._tree[node] = priorities
        self.highest = max(self.highest, float(np.max(priorities, initial=0.0)))
        while len(node) and node[0] > 1:
            node = node >> 1
            self._tree[node] = self._tree[2 * node] + self._tree[2 * node + 1]

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Rows [size], one from each of `size` equal shares of the sum, so that they spread; all priorities 0 is 0."""
        left = (np.arange(size) + rng.random(size)) * (self._tree[1] / size)
        node = np.ones(size, np.int64)
        while node[0] < self._leaves:
            node *= 2
            right = (left >= self._tree[node]) & (self._tree[node + 1] > 0.0)  # rounding may throw beyond the sum
            left -= np.where(right, self._tree[node], 0.0)
            node += right
        return node - self._leaves
