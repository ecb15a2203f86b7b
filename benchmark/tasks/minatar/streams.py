"""Random numbers for numpy: one Mersenne Twister per game, read like `numpy.random.RandomState`, for N games at once.

A seed therefore gives the same game as in MinAtar's own package.
"""

import numpy as np

WORDS = 2048  # 32-bit words kept for each game
SPARE = 256  # words that are always available
BITS = np.array([0, 0, *(2 ** int(high - 1).bit_length() - 1 for high in range(2, 65))])  # bit mask for each range
NONE = np.zeros(0, np.int64)


class Streams:
    """N streams, each started with its own seed."""

    xp = np

    def __init__(self, seed: np.ndarray):
        self.n = len(seed)
        self._makers = [np.random.RandomState(int(s)) for s in seed]
        self._words = np.zeros((self.n, WORDS), np.int64)
        self._floats = np.zeros((self.n, WORDS))  # [i, k] is the float of the words k and k + 1
        self._at = np.arange(self.n) * WORDS  # [N] index of each stream's next word in the flat array
        self._begin = self._at.copy()
        self._sure = WORDS - SPARE  # minimum of further words in each stream
        for i in range(self.n):
            self._fill(i, NONE)

    def renew(self, which: np.ndarray, seed: np.ndarray) -> None:
        """Restart the streams `which` [K], each with its own seed [K]."""
        for i, s in zip(which, seed, strict=True):
            self._makers[i] = np.random.RandomState(int(s))
            self._fill(i, NONE)

    def uniform(self, where: np.ndarray | None = None, times: int | None = None) -> np.ndarray:
        """Draw like `RandomState.rand`, from two words each."""
        count = times or 1
        self._need(2 * count)
        at = self._at
        self._at = at + (2 * count if where is None else 2 * count * where)
        return self._floats.take(at if times is None else at + 2 * np.arange(count)[:, None])

    def below(self, high: np.ndarray | int, where: np.ndarray, times: int | None = None) -> np.ndarray:
        """Draw like `RandomState.randint`: words masked to the needed bits, until one is below `high`.

        Where `high` is 1 no word is used.
        """
        bits = BITS[high]
        missing = where & (bits > 0)
        if times is None:
            return self._below(high, bits, missing)
        return np.array([self._below(high, bits, missing) for _ in range(times)])

    def _below(self, high: np.ndarray | int, bits: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Draw one word in each stream `missing` one, and further ones where it is too large."""
        self._need(1)
        word = self._words.take(self._at) & bits
        self._at = self._at + missing
        missing = missing & (word >= high)
        return np.where(missing, self._below(high, bits, missing), word) if np.count_nonzero(missing) else word

    def _need(self, words: int) -> None:
        """Make sure that each game has this many words, at most SPARE."""
        self._sure -= words
        if self._sure < 0:
            left = self._begin + WORDS - self._at
            for i in np.flatnonzero(left < WORDS // 2).tolist():
                self._fill(i, self._words[i, WORDS - left[i] :])
            self._sure = int((self._begin + WORDS - self._at).min()) - SPARE

    def _fill(self, i: int, left: np.ndarray) -> None:
        """Move the `left` words of a stream to the front and append new ones."""
        words = self._makers[i].randint(0, 2**32, WORDS - len(left), np.uint32)
        row = self._words[i] = np.concatenate([left, words])
        floats = np.multiply(row >> 5, 2.0**-27, out=self._floats[i])
        floats[:-1] += (row[1:] >> 6) * 2.0**-53
        self._at[i] = self._begin[i]
