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
        batch = sample_shares(rng, self.replays, self._shares, size, *how)
        return batch and batch._replace(place=batch.place + self._offsets[batch.from_teacher.astype(int)])

    @property
    def size(self) -> int:
        """Rows in all of them."""
        return int(self._offsets[-1])


def sample_mix(rng, log: Replay | Mixture | None, replay: Replay, size: int, share: float, *how) -> Batch | None:
    """Draw each of `size` places from the log with probability `share`, independently, else from the replay.

    `how` are n_step, discount, clip and foresee. None if one of the two, when drawn from, has nothing to sample.
    """
    if log is None:
        return replay.sample(rng, size, *how)
    batch = sample_shares(rng, (log, replay), (share, 1.0 - share), size, *how)
    if batch is None:
        return None
    of_log = 1.0 - batch.from_teacher
    return batch._replace(from_teacher=of_log, place=np.where(of_log > 0.0, -2 - batch.place, batch.place))


def sample_shares(rng, replays: Sequence[Replay | Mixture], shares, size: int, *how) -> Batch | None:
    """Draw each of `size` places from the replays with these probabilities, which sum to 1, independently.

    The batch is in the order of the replays, and its `from_teacher` says which one by its number. None if one of
    them, when drawn from, has nothing to sample.
    """
    parts = []
    for number, count in enumerate(rng.multinomial(size, shares)):
        if count:
            part = replays[number].sample(rng, int(count), *how)
            if part is None:
                return None
            parts.append(part._replace(from_teacher=np.full(count, number, np.float32)))
    return parts[0] if len(parts) == 1 else Batch(*(_joined(column) for column in zip(*parts, strict=True)))


def _joined(column: tuple) -> np.ndarray | None:
    """Join the parts of a column, None where one of them lacks it."""
    return None if any(part is None for part in column) else np.concatenate(column)
