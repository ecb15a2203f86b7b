"""Batches from several replays at once: logs by their shares, and the teacher's log beside the student's replay."""

from collections.abc import Sequence

import numpy as np

from ..transition import Batch
from .replay import Replay


class Mixture:
    """Several replays sampled as one: a place of a batch comes from each with the probability of its share."""

    def __init__(self, replays: Sequence[Replay], shares: Sequence[float]):
        """`shares` are positive, and relative to their sum."""
        self.replays, self._shares = replays, np.array(shares) / np.sum(shares)
        self._offsets = np.cumsum([0, *(replay.size for replay in replays)])

    def __len__(self) -> int:
        """Count the transitions in all of them."""
        return sum(map(len, self.replays))

    def sample(self, rng, size: int, *how) -> Batch | None:
        """Return a batch by their shares, with rows counted through all of them; `how` are n_step,
        discount and clip."""
        found = sample_shares(rng, self.replays, self._shares, size, *how)
        if found is None:
            return None
        batch, number = found
        return batch._replace(row=batch.row + self._offsets[number])

    @property
    def size(self) -> int:
        """Rows in all of them."""
        return int(self._offsets[-1])


def sample_mix(rng, log: Replay | Mixture | None, replay: Replay, size: int, share: float, *how) -> Batch | None:
    """Draw each of `size` places from the log with probability `share`, independently, else from the replay.

    `how` are n_step, discount, clip and to_end. None if one of the two, when drawn from, has nothing to sample.
    """
    if log is None:
        return replay.sample(rng, size, *how)
    found = sample_shares(rng, (log, replay), (share, 1.0 - share), size, *how)
    if found is None:
        return None
    batch, number = found
    return batch._replace(from_teacher=(number == 0).astype(np.float32))


def sample_shares(rng, replays: Sequence[Replay | Mixture], shares, size: int, *how) -> tuple[Batch, np.ndarray] | None:
    """Draw each of `size` places from the replays with these probabilities, which sum to 1, independently.

    Returns the batch, in the order of the replays, and the number [B] of the replay of each place. None if one of
    them, when drawn from, has nothing to sample.
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
    """Join the parts of a column, None where one of them lacks it."""
    return None if any(part is None for part in column) else np.concatenate(column)
