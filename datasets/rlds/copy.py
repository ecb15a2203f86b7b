"""Copy logs: any TFDS folder or stream of episodes to our format, and ours to TFRecord for users of tf.data."""

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
    """Write the episodes of a log to a new folder; a log that does not state its actions is read twice."""
    log = open_log(source)
    actions = count_actions(source, split, on_bad_episode)
    if log.actions is None:
        on_bad_episode = on_bad_episode and (lambda sentence: None)  # reported in the first pass
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
    """Return the action space that a log states, or that of its observed actions; ValueError if it is empty."""
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
    """Write episodes to a new log, with the columns of the first one.

    With `resume`, the episodes must be those of the interrupted attempt, in the same order; finished ones are skipped.
    Without it, a failed attempt leaves nothing.
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
