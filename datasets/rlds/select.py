"""Select part of a log: checkpoints by their order, episodes by their return."""

import os
import re
from typing import NamedTuple, Self

import numpy as np

from ..transition import Steps
from .folder import open_log

_OPTION = re.compile(
    r"checkpoints=(?P<first>\d+)(?:-(?P<last>\d+))?|checkpoints=-(?P<newest>[1-9]\d*)"
    r"|returns=(?P<low>\d*\.?\d+)(?:-(?P<high>\d*\.?\d+))?|share=(?P<share>\d*\.?\d+)"
)


class LogPart(NamedTuple):
    """A part of a log and its share in batches: `me/log:checkpoints=40-49:share=0.3`."""

    reference: str  # a folder or user/name[@commit]
    first: int | None = None  # checkpoint, counted from the end if negative
    last: int | None = None
    low: float = 0.0  # quantiles of the episodes' returns
    high: float = 1.0
    share: float = 1.0  # relative to those of other logs
    options: str = ""  # all of these, as typed

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `REFERENCE[:checkpoints=A-B][:returns=LOW-HIGH][:share=X]`; ValueError names the invalid option.

        `checkpoints=7` is a single one, `checkpoints=-5` the last five, and `returns=0.5` the better half. An existing
        folder takes precedence, even with colons in its name.
        """
        reference, options = text, []
        while not os.path.isdir(os.path.expanduser(reference)) and (
            found := re.fullmatch(r"(.*):(\w+=[^:/]*)", reference, re.DOTALL)
        ):
            reference, options = found[1], [found[2], *options]
        part = cls(reference, options=":".join(options))
        for option in options:
            match = _OPTION.fullmatch(option)
            given = {name: float(value) for name, value in match.groupdict().items() if value} if match else {}
            if "first" in given:
                part = part._replace(first=int(given["first"]), last=int(given.get("last", given["first"])))
            elif "newest" in given:
                part = part._replace(first=-int(given["newest"]), last=None)
            elif given.get("low", 2.0) <= given.get("high", 1.0) <= 1.0 or given.get("share"):
                part = part._replace(**given)
            else:
                raise ValueError(
                    f"{option!r} does not select a part of the log {reference}: "
                    "write checkpoints=40-49, checkpoints=-5, returns=0.5-1 or share=0.3"
                )
        return part


def checkpoints(folder: str | os.PathLike, first: int | None = None, last: int | None = None) -> list[str]:
    """Return the splits of a log from the first to the last checkpoint, inclusive; ValueError if there are none.

    Negative numbers count from the end.
    """
    splits = open_log(folder).splits
    begin, end = (None if at is None else at + len(splits) * (at < 0) for at in (first, last))
    found = splits[max(begin or 0, 0) : None if end is None else max(end + 1, 0)]
    if not found:
        raise ValueError(f"{folder} has checkpoints 0 to {len(splits) - 1}; none of them is from {first} to {last}.")
    return found


def by_return(steps: Steps, low: float, high: float = 1.0) -> np.ndarray:
    """Mark the steps [T] of episodes whose unclipped return lies between two quantiles, inclusive, for `Replay.of`.

    An episode that is cut by the start or end of the steps counts with its remaining rewards.
    """
    if not 0.0 <= low <= high <= 1.0:
        raise ValueError(f"Quantiles lie between 0 and 1, the low before the high; {low} and {high} do not.")
    episode = np.cumsum(steps.is_first) - int(steps.is_first[0])
    returns = np.bincount(episode, np.where(steps.is_last, 0.0, steps.reward))
    begin, end = np.quantile(returns, (low, high))
    return ((returns >= begin) & (returns <= end))[episode]
