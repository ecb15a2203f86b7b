"""Import experience from other formats: check all of it first, then write it, whole or not at all."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import atomic
from ..transition import Actions
from . import area, from_dopamine, from_minari, from_npz, from_parquet, from_rlds, stacks, survey
from .episode import Episode
from .folder import SHARDS
from .source import JPEG, ForeignLog
from .survey import Form, Frame, Survey
from .write import Layout, LogWriter

READERS: dict[str, tuple[Callable[..., ForeignLog], tuple[str, ...]]] = {  # name -> (reader, the options that it takes)
    "rlds": (from_rlds.open, ("split", "observation", "teacher_values")),
    "dopamine": (from_dopamine.open, ("checkpoint",)),
    "minari": (from_minari.open, ("observation", "teacher_values")),
    "npz": (from_npz.open, ("observation", "teacher_values")),
    "parquet": (from_parquet.open, ("split", "observation", "teacher_values")),
}


class Wish(NamedTuple):
    """Options of an import."""

    name: str = ""  # of the log; empty: the source's
    actions: Actions = 0  # which there are; 0: as the source states, or one more than the highest
    frame: Frame | None = None  # observation of the intended task
    skip: bool = False  # leave out bad episodes


class Imported(NamedTuple):
    """The result of an import."""

    folder: Path  # with the shards
    episodes: int
    transitions: int
    skipped: list[str]  # a sentence on each bad episode
    notes: list[str]  # changes to the data


def open_source(kind: str, path: Path, **options: Any) -> ForeignLog:
    """Open a log of a kind; empty options are ignored, unsupported ones raise ValueError."""
    if kind not in READERS:
        raise ValueError(f"there is no reader for {kind!r}: give --from {', '.join(list(READERS)[:-1])} or parquet")
    if not path.exists():
        raise ValueError(f"there is no file or folder {path}")
    reader, known = READERS[kind]
    given = {name: value for name, value in options.items() if value not in (None, "", -1, [])}
    for name in given.keys() - set(known):
        raise ValueError(f"--{name.replace('_', '-')} is not for logs of {kind}: leave it out")
    return reader(path, **given)._replace(where=str(path))


def write(source: ForeignLog, out: Path, wish: Wish = Wish(), facts: dict[str, Any] | None = None) -> Imported:  # noqa: B008
    """Write a source's episodes to a new folder, with a `provenance.json` that lists the changes.

    `facts` are added to the provenance. Without `skip` the first bad episode is a ValueError, and nothing is written.
    """
    atomic.vacant(out)
    seen = survey.look(source, wish.actions, wish.frame, wish.skip)
    with atomic.folder(out) as partial:
        returns, transitions = _shards(source, partial / SHARDS, wish.name or _plain(source.name), seen)
        notes = [*source.notes, *seen.notes]
        about = {**(facts or {}), "episodes": len(returns), "transitions": transitions, "returns": returns}
        about |= {"skipped": len(seen.skipped), "notes": notes, "parents": []}
        about |= {"lossy": "jpeg"} if JPEG in notes else {}
        (partial / "provenance.json").write_text(json.dumps(about, indent=1) + "\n")
    return Imported(out / SHARDS, len(returns), transitions, seen.skipped, notes)


def _shards(source: ForeignLog, folder: Path, name: str, seen: Survey) -> tuple[list[float], int]:
    """Write the shards; return the episodes' returns and the number of transitions."""
    form, writer = seen.form, None
    returns: list[float] = []
    for number, episode in enumerate(_kept(source, form)):
        if writer is None:
            writer = LogWriter(folder, name, episode.steps.frame[0], form.actions, Layout(*form.extras))
        changes: dict[str, Any] = {"named": "", "environment_config": _config(episode)}
        changes |= {} if form.numbered else {"episode_id": number}
        changes |= {} if form.ordered else {"checkpoint_id": 0}
        writer.add(episode._replace(**changes))
        returns.append(episode.raw_return)
    assert writer is not None  # there is a good episode, or the survey has refused
    writer.close()
    return returns, writer.transitions


def _kept(source: ForeignLog, form: Form) -> Iterator[Episode]:
    """Yield the good episodes in their written form."""
    first: Episode | None = None
    for one in source.read():
        if not isinstance(one, Episode) or survey.unfit(one, first or one, form.actions):
            continue
        first = first or one
        frames = stacks.newest(one.steps.frame, form.stack)
        frames = frames.reshape(len(frames), *survey.without_one(frames.shape[1:], frames.dtype))
        if form.grey:
            if frames.ndim == 4:
                frames = area.grey(frames if frames.shape[-1] == 3 else np.moveaxis(frames, 1, -1))
            frames = area.resize(frames, *form.grey)
        yield one._replace(steps=one.steps._replace(frame=frames))


def _config(episode: Episode) -> str:
    """Return the environment's configuration, with the episode's id if it is a text."""
    if not episode.named:
        return episode.environment_config
    try:
        config = json.loads(episode.environment_config)
    except ValueError:
        config = episode.environment_config
    config = config if isinstance(config, dict) else {"environment": config}
    return json.dumps({**config, "episode_id": episode.named}, sort_keys=True)


def _plain(name: str) -> str:
    """Return a name in the form that TFDS requires."""
    letters = (letter if letter.isascii() and letter.isalnum() else "_" for letter in os.path.basename(name).lower())
    plain = "".join(letters)
    return plain if plain[:1].isalpha() else f"log_{plain}"
