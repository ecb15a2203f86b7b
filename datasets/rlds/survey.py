"""Examine all episodes of a log to be imported before writing: find the bad ones, and decide the form of the others."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..transition import Actions, Box, outputs, spanned
from ..words import several
from . import stacks
from .episode import Episode, violations
from .schema import given_shape
from .source import Bad, ForeignLog, Note
from .stacks import Stack

STACKED = (
    "Only the newest frame of each stack of four is kept; before an episode's first frame there were {}, not zeros"
)
PLAIN_STACKED = "Only the newest frame of each stack of four is kept"
RESIZED = "Colour frames of {} were converted to grey and resized as ALE does, without the maximum over two frames"
RENUMBERED = "Episodes are renumbered from 0: the source's ids are texts, missing, or not unique"
ONE_HOT = "its actions are one-hot vectors of {} numbers: give the number of the action instead, counted from 0"
UNORDERED = "Its checkpoints are not in order: all episodes are in one split"


class Frame(NamedTuple):
    """The observation of a task."""

    shape: tuple[int, ...]
    dtype: np.dtype


class Form(NamedTuple):
    """The form in which episodes are written."""

    stack: Stack | None
    grey: tuple[int, int] | None  # target size of colour frames
    actions: Actions
    numbered: bool  # by the source
    ordered: bool  # by checkpoints
    extras: tuple[bool, bool]  # teacher_values, behavior_epsilon


class Survey(NamedTuple):
    """The findings of the first pass."""

    form: Form
    skipped: list[str]  # a sentence on each bad episode
    notes: list[str]


def look(source: ForeignLog, actions: Actions = 0, frame: Frame | None = None, skip: bool = False) -> Survey:
    """Read all of a source; ValueError for the first bad episode, unless skipped, and if there is no episode.

    `actions` and `frame` are those of the intended task; with 0 and None they are taken from the source.
    """
    skipped: list[str] = []
    notes: Counter[str] = Counter()
    found, first, wanted = _Found(), None, actions or source.actions
    for one in source.read():
        if isinstance(one, Note):
            notes[one.sentence] += 1
            continue
        if isinstance(one, Episode) and (fault := unfit(one, first or one, wanted)):
            one = Bad(f"{source.where}, episode {one.named or one.episode_id}: {fault}.")
        if isinstance(one, Episode):
            first = first or one
            found.add(one)
        elif not skip:
            raise ValueError(one.sentence)
        else:
            skipped.append(one.sentence)
    if first is None:
        bad = f" but {several(len(skipped), 'bad one')}" if skipped else ""
        raise ValueError(f"{source.where} holds no episode{bad}: nothing is imported.")
    form, more = _form(found, first, source, wanted, frame)
    return Survey(form, skipped, [*notes, *more])


def _form(
    found: "_Found", first: Episode, source: ForeignLog, wanted: Actions | None, frame: Frame | None
) -> tuple[Form, list[str]]:
    """Decide the form of the written episodes, and list the changes; ValueError if it cannot be determined."""
    notes = []
    try:
        stack, actions = found.stack, wanted or found.actions
        shape, dtype = first.steps.frame.shape[1:], first.steps.frame.dtype
        grey = _grey(_shown(shape, dtype, stack), dtype, frame)
    except ValueError as error:
        raise ValueError(f"{source.where}: {error}") from None
    if stack:
        notes.append(PLAIN_STACKED if found.front[stack] == "zeros" else STACKED.format(found.front[stack]))
    if grey:
        notes.append(RESIZED.format("x".join(map(str, shape))))
    numbered = None not in found.ids and len(set(found.ids)) == len(found.ids)
    ordered = found.checkpoints == sorted(found.checkpoints)
    notes += ([] if numbered else [RENUMBERED]) + ([] if ordered else [UNORDERED])
    extras = first.steps.teacher_values is not None, first.steps.behavior_epsilon is not None
    return Form(stack, grey, actions, numbered, ordered, extras), notes


class _Found:
    """Statistics of the good episodes."""

    def __init__(self) -> None:
        self.kinds, self.proof = frozenset(stacks.KINDS), dict.fromkeys(stacks.KINDS, False)
        self.front = dict.fromkeys(stacks.KINDS, "zeros")
        self.ids: list[int | None] = []
        self.checkpoints: list[int] = []
        self.highest: list[np.ndarray] = []
        self.lowest: list[np.ndarray] = []
        self.one_hot = True  # so far

    def add(self, episode: Episode) -> None:
        frames = episode.steps.frame
        self.kinds &= stacks.possible(frames)
        for kind in self.kinds:
            self.proof[kind] |= stacks.proved(frames, kind)
            padding = stacks.padding(frames, kind)
            self.front[kind] = padding if padding != "zeros" else self.front[kind]
        self.ids.append(None if episode.named else episode.episode_id)
        self.checkpoints.append(episode.checkpoint_id)
        self.highest.append(episode.steps.action[:-1].max(axis=0))
        self.lowest.append(episode.steps.action[:-1].min(axis=0))
        self.one_hot = self.one_hot and one_hot(episode.steps.action[:-1])

    @property
    def actions(self) -> Actions:
        """Return the number of discrete actions, from the highest one, or the bounds of continuous ones.

        ValueError if all are one-hot vectors, which look continuous but are choices.
        """
        if self.lowest and self.one_hot:
            raise ValueError(ONE_HOT.format(self.lowest[0].size))
        return spanned(np.min(self.lowest, axis=0), np.max(self.highest, axis=0))

    @property
    def stack(self) -> Stack | None:
        """Return the kind of stack that fits all episodes and is proved by one; ValueError if two are possible."""
        proved = [kind for kind in stacks.KINDS if kind in self.kinds and self.proof[kind]]
        if len(proved) > 1:
            raise ValueError("its observations are stacks of four frames, but their order cannot be determined")
        return proved[0] if proved else None


def one_hot(actions: np.ndarray) -> bool:
    """Return whether each row [N, D] has a single 1 among zeros."""
    if actions.ndim != 2 or actions.shape[1] < 2:
        return False
    return bool(((actions == 0) | (actions == 1)).all() and (actions.sum(axis=1) == 1).all())


def unfit(episode: Episode, first: Episode, actions: Actions | None) -> str:
    """Return how an episode differs from the first one, or exceeds the actions; empty if it fits."""
    steps, other = episode.steps, first.steps
    for name in ("frame", "action", "teacher_values", "behavior_epsilon"):
        mine, theirs = getattr(steps, name), getattr(other, name)
        found, wanted = (None if one is None else f"{one.dtype}{list(one.shape[1:])}" for one in (mine, theirs))
        if found != wanted:
            return f"its {name} is {found}, where the first episode has {wanted}"
    values = steps.teacher_values
    if actions is not None and isinstance(actions, Box) != (steps.action.ndim == 2):
        return f"its actions are {'continuous' if steps.action.ndim == 2 else 'discrete'}, but the task's are not"
    size = None if actions is None else outputs(actions)
    if values is not None and size not in (None, values.shape[1]):
        return f"it has {values.shape[1]} teacher_values per step for {size} actions"
    if steps.action.ndim == 2:
        for step, wrong in violations(steps, actions)[:1]:
            return f"step {step}: {wrong}"
    else:
        most = size or (2**31 if values is None else values.shape[1])
        for step in np.flatnonzero(steps.action[:-1] >= most)[:1]:
            return f"step {step}: the action is {steps.action[step]}, where 0 to {most - 1} are possible"
    for name in ("frame", "teacher_values", "reward"):
        array = getattr(steps, name)
        if array is None or array.dtype.kind != "f":
            continue
        for step in np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[:1]:
            return f"step {step}: its {name} holds a number that is not finite"
    return ""


def _shown(shape: Sequence[int], dtype: np.dtype, stack: Stack | None) -> tuple[int, ...]:
    """Return the shape of an observation without its stack."""
    shape = tuple(shape)
    return without_one(shape if stack is None else shape[:-1] if stack.axis else shape[1:], dtype)


def without_one(shape: Sequence[int], dtype: np.dtype) -> tuple[int, ...]:
    """Return [H, W] for bytes of [H, W, 1] and [1, H, W]; other shapes unchanged."""
    shape = given_shape(shape)
    return shape[1:] if dtype == np.uint8 and len(shape) == 3 and shape[0] == 1 else shape


def _grey(shape: tuple[int, ...], dtype: np.dtype, frame: Frame | None) -> tuple[int, int] | None:
    """Return the size to resize to, if larger frames are to become a task's.
    ValueError where they do not fit the task."""
    if frame is None or (shape, dtype) == (frame.shape, frame.dtype):
        return None
    if dtype == np.uint8 and frame.dtype == np.uint8 and len(frame.shape) == 2:
        channels_last = len(shape) == 3 and shape[-1] == 3
        channels_first = len(shape) == 3 and shape[0] == 3
        size = shape[:-1] if channels_last else shape[1:] if channels_first else shape
        if len(size) == 2 and size[0] >= frame.shape[0] and size[1] >= frame.shape[1]:
            return frame.shape[0], frame.shape[1]
    raise ValueError(
        f"its observations are {dtype}{list(shape)}, where the task shows {frame.dtype}{list(frame.shape)}: "
        "import it without --task, or for the task that it was played in"
    )
