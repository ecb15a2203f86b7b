"""Copies logs: anyone's folder or any stream of episodes into ours, and ours into TFRecord for users of tf.data."""

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np

from ..transition import Actions, spanned
from .episode import Episode
from .folder import open_log
from .read import read
from .write import Layout, LogWriter


def copy(
    source: str | os.PathLike,
    target: str | os.PathLike,
    format: str = "array_record",
    split: str | Sequence[str] | None = None,
    on_bad_episode: Callable[[str], None] | None = None,
    resume: bool = False,
) -> None:
    """Write the episodes of a log to a new folder. A log that does not state its number of actions is read twice."""
    log = open_log(source)
    actions = count_actions(source, split, on_bad_episode)
    if log.actions is None:
        on_bad_episode = on_bad_episode and (lambda sentence: None)  # it was told at the first reading
    write(
        read(source, split, on_bad_episode),
        target,
        log.name,
        actions,
        Layout(format=format),
        resume,
    )


def count_actions(
    source: str | os.PathLike,
    split: str | Sequence[str] | None = None,
    on_bad_episode: Callable[[str], None] | None = None,
) -> Actions:
    """Return the actions that a log states, else one more than the highest in it, or the least and most of them.

    Raises ValueError if it is empty.
    """
    stated = open_log(source).actions
    if stated is not None:
        return stated
    chosen = (episode.steps.action[:-1] for episode in read(source, split, on_bad_episode))
    ends = [(action.min(axis=0), action.max(axis=0)) for action in chosen]
    if not ends:
        raise ValueError(f"{source} holds no episode.")
    return spanned(np.min([low for low, _ in ends], axis=0), np.max([high for _, high in ends], axis=0))


def write(
    episodes: Iterable[Episode],
    target: str | os.PathLike,
    name: str,
    actions: Actions,
    layout: Layout = Layout(),  # noqa: B008 (it cannot change)
    resume: bool = False,
) -> None:
    """Write episodes to a new log, with the columns that the first of them has.

    With `resume`, the episodes must be those of the broken attempt, in the same order: the first ones are passed over.
    Without it, nothing is left of an attempt that fails.
    """
    episodes = iter(episodes)
    first = next(episodes, None)
    if first is None:
        raise ValueError(f"There are no episodes to write to {target}.")
    steps = first.steps
    columns = {one: getattr(steps, one) is not None for one in ("teacher_values", "behavior_epsilon")}
    writer = LogWriter(target, name, steps.frame[0], actions, layout._replace(**columns), resume)
    try:
        with writer:
            done = writer.episodes
            for number, episode in enumerate(chain([first], episodes)):
                if number >= done:
                    writer.add(episode)
    except BaseException:
        if not resume:
            writer.discard()
        raise
