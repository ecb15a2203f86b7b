"""Reads RLDS logs: anyone's TFDS folder as episodes, or whole as one preallocated `Steps`. No TensorFlow.

Files are not trusted. A fault is a ValueError of one sentence that names the file, the episode and, if known, the step.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np

from ..transition import Steps
from ..words import several
from .decode import decode
from .episode import Episode
from .folder import Log, Shard, chosen_shards, open_log, records

T = TypeVar("T")


def read(
    folder: str | os.PathLike,
    split: str | Sequence[str] | None = None,
    on_bad_episode: Callable[[str], None] | None = None,
) -> Iterator[Episode]:
    """Yield the episodes of a log, or of some of its splits, in the order of writing.

    A bad episode raises ValueError; with `on_bad_episode` it is skipped, and the callback gets the sentence. Frames are
    views into one episode's record: copy them to keep them.
    """
    log = open_log(folder)
    yield from read_shards(log, chosen_shards(log, split), on_bad_episode)


def read_last(folder: str | os.PathLike, transitions: int) -> Iterator[Episode]:
    """Yield the last whole episodes of a log, with at least `transitions` transitions, without opening earlier shards.

    ValueError if the log does not state the lengths of its episodes.
    """
    log = open_log(folder)
    shards = chosen_shards(log, None)
    if any(shard.steps is None for shard in shards):
        raise ValueError(f"The log in {folder} does not state the lengths of its episodes.")
    lengths = [steps - 1 for shard in shards for steps in shard.steps or ()]
    after = np.cumsum(lengths[::-1])[::-1] - lengths  # transitions after each episode
    passed = int(np.sum(after >= transitions))
    while shards and passed >= shards[0].episodes:
        passed -= shards[0].episodes
        shards = shards[1:]
    yield from islice(read_shards(log, shards), passed, None)


def read_shards(
    log: Log, shards: Sequence[Shard], on_bad_episode: Callable[[str], None] | None = None
) -> Iterator[Episode]:
    """Return the episodes of some shards of a log, as `read` gives them."""
    for shard in shards:
        for number, record in enumerate(records(log, shard)):
            try:
                yield decode(record, log, shard, number)
            except ValueError as error:
                sentence = f"{shard.path}, episode {number}: {error}."
                if on_bad_episode is None:
                    raise ValueError(sentence) from None
                on_bad_episode(sentence)


def by_shard(folder: str | os.PathLike, split: str | Sequence[str] | None, work: Callable[..., T]) -> list[T]:
    """Yield the results of `work(log, shards, first step)` for each shard, in order; several run in threads.

    If the log does not state its lengths, one call gets all shards. The first error stops the iteration.
    """
    log = open_log(folder)
    shards = chosen_shards(log, split)
    if any(shard.steps is None for shard in shards):
        return [work(log, shards, 0)]
    begins = np.cumsum([0, *(sum(shard.steps or ()) for shard in shards)]).tolist()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = [pool.submit(work, log, [shard], begin) for shard, begin in zip(shards, begins, strict=False)]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def load(
    folder: str | os.PathLike,
    split: str | Sequence[str] | None = None,
    limit: int | None = None,
    on_bad_episode: Callable[[str], None] | None = None,
) -> Steps:
    """Return a log as one stream of steps, copied once into arrays of the size that the manifest states.

    `limit`: keep only that many of the last transitions; the first episode may be cut at its start. `on_bad_episode`:
    skip bad episodes, and call this with a sentence on each.
    """
    log = open_log(folder)
    shards = chosen_shards(log, split)
    episodes = read(folder, split, on_bad_episode)
    if any(shard.steps is None for shard in shards):
        steps = joined([episode.steps for episode in episodes])
    else:
        stated = sum(sum(shard.steps or ()) for shard in shards)
        steps = _filled(episodes, stated, str(folder), exact=on_bad_episode is None)
    return steps if limit is None else last(steps, limit)


def last(steps: Steps, transitions: int) -> Steps:
    """Return views of the last `transitions` transitions; a cut episode begins at the cut."""
    real = np.cumsum(~steps.is_last[::-1])
    if len(real) == 0 or real[-1] <= transitions:
        return steps
    begin = len(real) - 1 - int(np.searchsorted(real, transitions))
    cut = _columns([None if column is None else column[begin:] for column in steps])
    first = cut.is_first.copy()
    first[0] = True
    return cut._replace(is_first=first)


def _filled(episodes: Iterator[Episode], size: int, folder: str, exact: bool) -> Steps:
    out: list[np.ndarray | None] = []
    at = 0
    for episode in episodes:
        if not out:
            try:
                out = [None if c is None else np.empty((size, *c.shape[1:]), c.dtype) for c in episode.steps]
            except (MemoryError, ValueError):
                raise ValueError(
                    f"{folder} states {several(size, 'step')}, more than memory holds; read fewer splits."
                ) from None
        end = at + len(episode.steps.action)
        for column, part in zip(out, episode.steps, strict=True):
            if column is None or part is None:
                continue
            if part.shape[1:] != column.shape[1:]:
                raise ValueError(f"{folder}, episode {episode.episode_id}: its steps differ in shape.")
            column[at:end] = part
        at = end
    if not out or exact and at != size:
        raise ValueError(f"{folder} holds {several(at, 'step')} where its manifest states {size}.")
    return _columns(out if at == size else [None if column is None else column[:at] for column in out])


def joined(parts: list[Steps]) -> Steps:
    """Concatenate the steps of several episodes; ValueError if there are none or their shapes differ."""
    if not parts:
        raise ValueError("The log has no episodes.")
    try:
        return _columns([None if c[0] is None else np.concatenate(c) for c in zip(*parts, strict=True)])
    except ValueError:
        raise ValueError("The episodes of the log have steps of different shapes.") from None


def _columns(columns: Sequence[np.ndarray | None]) -> Steps:
    return Steps(*columns)  # pyright: ignore[reportArgumentType]
