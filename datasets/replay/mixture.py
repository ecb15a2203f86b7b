"""Batches from several replays: from logs by their shares, and from a teacher's log and the student's replay."""

from collections.abc import Sequence

import numpy as np

from ..transition import Batch
from .replay import Replay


class Mixture:
    """Several replays sampled as one: each transition of a batch comes from a replay with its share as probability."""

    def __init__(self, replays: Sequence[Replay], shares: Sequence[float]):
        """Mix the replays; `shares` are positive, and relative to their sum."""
        self.replays, self._shares = replays, np.array(shares) / np.sum(shares)
        self._offsets = np.cumsum([0, *(replay.size for replay in replays)])

    def __len__(self) -> int:
        """Count the transitions in all of them."""
        return sum(map(len, self.replays))

    def sample(self, rng, size: int, *how) -> Batch | None:
        """Return a batch by the shares, with rows numbered across all replays; `how`: n_step, discount and clip."""
        found = sample_shares(rng, self.replays, self._shares, size, *how)
        if found is None:
            return None
        batch, number = found
        return batch._replace(row=batch.row + self._offsets[number])

    @property
    def size(self) -> int:
        """Return the total number of rows."""
        return int(self._offsets[-1])


def sample_mix(rng, log: Replay | Mixture | None, replay: Replay, size: int, share: float, *how) -> Batch | None:
    """Draw `size` transitions, each from the log with probability `share`, else from the replay.

    `how`: n_step, discount, clip and to_end. None if a source that was drawn has nothing to sample.
    """
    if log is None:
        return replay.sample(rng, size, *how)
    found = sample_shares(rng, (log, replay), (share, 1.0 - share), size, *how)
    if found is None:
        return None
    batch, number = found
    return batch._replace(from_teacher=(number == 0).astype(np.float32))


def sample_shares(rng, replays: Sequence[Replay | Mixture], shares, size: int, *how) -> tuple[Batch, np.ndarray] | None:
    """Draw `size` transitions, each from a replay with these probabilities, which sum to 1.

    Returns the batch, ordered by replay, and the index [B] of each transition's replay. None if a replay that was drawn
    has nothing to sample.
    """
    parts, numbers = [], []
    for number, count in enumerate(rng.multinomial(size, shares)):
        if count:
            part = replays[number].sample(rng, int(count), *how)
            if part is None:
                return None
            parts.append(part)
            numbers.append(np.full(count, number))
    batch = parts[0] if len(parts) == 1 else Batch(*(_joined(column) for column in zip(*parts, strict=True)))
    return batch, np.concatenate(numbers)


def _joined(column: tuple) -> np.ndarray | None:
    """Concatenate the parts of a column; None if a part lacks it."""
    return None if any(part is None for part in column) else np.concatenate(column)
