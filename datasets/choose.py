"""Which part of a log is used: checkpoints by their order, episodes by their return."""

import os

import numpy as np

from .replay import Steps
from .rlds_folder import open_log


def checkpoints(folder: str | os.PathLike, first: int | None = None, last: int | None = None) -> list[str]:
    """The splits of a log from the first to the last checkpoint, both included; negative numbers count from the end.

    Raises ValueError if there are none between them.
    """
    splits = open_log(folder).splits
    begin, end = (None if at is None else at + len(splits) * (at < 0) for at in (first, last))
    found = splits[max(begin or 0, 0) : None if end is None else max(end + 1, 0)]
    if not found:
        raise ValueError(f"{folder} has checkpoints 0 to {len(splits) - 1}; none of them is from {first} to {last}.")
    return found


def by_return(steps: Steps, low: float, high: float = 1.0) -> np.ndarray:
    """[T] bool: the steps of episodes whose unclipped return lies from the `low` to the `high` quantile, inclusive.

    An episode that the steps begin or end within counts with the rewards that are there. Give it to `Replay.of`.
    """
    if not 0.0 <= low <= high <= 1.0:
        raise ValueError(f"Quantiles lie between 0 and 1, the low before the high; {low} and {high} do not.")
    episode = np.cumsum(steps.is_first) - int(steps.is_first[0])
    returns = np.bincount(episode, np.where(steps.is_last, 0.0, steps.reward))
    begin, end = np.quantile(returns, (low, high))
    return ((returns >= begin) & (returns <= end))[episode]
