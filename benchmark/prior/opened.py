"""Teachers and logs for notebooks: loaded by reference or folder, and read as arrays."""

import os
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ...agents.method import Teacher
from ...datasets.hub import hub as hubs
from ...datasets.rlds import importing, select
from ...datasets.rlds.folder import shards_in
from ...datasets.transition import Steps
from ...datasets.words import several
from ..tasks.task import Task, find
from . import called
from .load import pull_teacher, steps_of
from .recognised import place_of, task_of


@dataclass(frozen=True, repr=False)
class OpenedTeacher:
    """A policy that returns its action values."""

    reference: str  # user/name@commit, or a folder
    task: Task
    policy: Teacher

    @cached_property
    def _compiled(self):
        return jax.jit(self.policy.apply)

    def values(self, obs: np.ndarray) -> np.ndarray:
        """Return the value or logit of each action: [B, S, *frame] -> [B, A]."""
        return np.asarray(self._compiled(self.policy.params, obs))

    def act(self, obs: np.ndarray) -> np.ndarray:
        """Return the best actions: [B, S, *frame] -> [B]."""
        return np.argmax(self.values(obs), axis=-1)

    def __repr__(self) -> str:
        return f"{self.reference}: a teacher of {self.task.name}, network {self.policy.architecture.name}"


@dataclass(frozen=True, repr=False)
class OpenedLog:
    """A log's steps as arrays; large logs are memory-mapped from disk."""

    reference: str  # user/name@commit, or a folder
    steps: Steps
    notes: tuple[str, ...] = ()  # what a conversion from elsewhere changed

    @property
    def transitions(self) -> int:
        """The number of steps that have an action and a reward."""
        return int(np.sum(~self.steps.is_last))

    @property
    def episodes(self) -> int:
        """The number of episodes."""
        return int(np.sum(self.steps.is_first))

    def __repr__(self) -> str:
        frame = self.steps.frame
        words = f"{several(self.transitions, 'transition')} in {several(self.episodes, 'episode')}"
        return f"{self.reference}: {words}, frames {frame.dtype}{list(frame.shape[1:])}"


def load_teacher(reference: str | Path = "", task: str = "", hub: str = "bundled") -> OpenedTeacher:
    """Load a teacher: user/name[@commit] at a hub, a folder, a file, or module:function; none: that of the task.

    Without a task, the teacher's card determines it. Raises ValueError if the two do not fit.
    """
    text = os.fspath(reference)
    if not (text or task):
        raise ValueError("no teacher is named: give a reference, a folder or a task")
    if task:
        played = find(task)
        text = text or played.teacher
        if not text:
            raise ValueError(f"{task} has no teacher of its own: give a reference or a folder")
    elif called.is_called(text):
        raise ValueError(f"{text} is a Python function, which does not state its task: name the task")
    else:
        played = task_of(place_of(text, hub)[0], text)
    policy, parent = pull_teacher(text, hub, played)
    return OpenedTeacher(parent.reference if parent else text, played, policy)


def load_log(
    reference: str | Path, hub: str = "bundled", format: str = "", skip: bool = False, **options: Any
) -> OpenedLog:
    """Load a log: user/name[@commit] at a hub, or a folder; `REF:checkpoints=40-49` loads a part of it.

    `format`: for a log from elsewhere, as in `reincarnate datasets import --from`: rlds, dopamine, minari, npz or
    parquet. The reference is then a file, a folder or hf://user/name/folder, `options` are those of the command
    (`split`, `observation`, `teacher_values`, `actions`, `checkpoint`), and `skip` leaves out episodes that cannot be
    converted. Raises ValueError if there is no such log, and for parts selected by return, which are not consecutive
    steps.
    """
    if format:
        return _converted(os.fspath(reference), hub, format, skip, options)
    if options or skip:
        raise ValueError(f"{next(iter(options), 'skip')} is for imported logs only: name their format too")
    part = select.LogPart.parse(os.fspath(reference))
    if (part.low, part.high) != (0.0, 1.0) or part.share != select.LogPart(part.reference).share:
        raise ValueError(f"{reference} chooses by returns or share: open the log and choose among its steps")
    folder, ref = hubs.open_ref(part.reference, "dataset", hub)
    shards = shards_in(folder)
    split = None if part.first is None else select.checkpoints(shards, part.first, part.last)
    return OpenedLog(str(ref or folder), steps_of(shards, split))


def _converted(reference: str, hub: str, format: str, skip: bool, options: dict[str, Any]) -> OpenedLog:
    """Load a log from elsewhere by converting all of it to a temporary folder."""
    actions = options.pop("actions", 0)
    actions = int(actions) if isinstance(actions, np.integer) else actions
    place = hubs.folder_of(reference, hub) if reference.startswith("hf://") else Path(reference).expanduser()
    source = importing.open_source(format, place, **options)
    with tempfile.TemporaryDirectory(prefix="reincarnate-") as scratch:
        made = importing.write(source, Path(scratch) / "log", importing.Wish(actions=actions, skip=skip))
        return OpenedLog(str(place), steps_of(made.folder, None), (*made.skipped, *made.notes))
