"""Read replay buffers of Stable-Baselines3 or CleanRL whose arrays were saved with `np.savez`.

`observations` [T, N, ...], `actions`, `rewards` and `dones` [T, N] are required; `next_observations`, `timeouts`, `pos`
and `full` are optional. An episode also ends where `next_observations` differ from the next row, since CleanRL's
`dones` do not include time limits. Sources: stable_baselines3/common/buffers.py; cleanrl_utils/buffers.py.
"""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..folders import regular
from . import columns, room
from .episode import Episode
from .source import CUT, Bad, ForeignLog, Note

NEEDED = ("observations", "actions", "rewards", "dones")
APART = "Where next_observations differ from the following row, the episode is taken to have been cut off"
SAME = "Its next_observations repeat its observations: they carry no information and are not used"
MOST_STEPS, SAMPLE = 20, 1000  # of a return of several steps; rows that are compared
DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
)
USED = (*NEEDED, "next_observations", "timeouts", "pos", "full")


class Buffer(NamedTuple):
    """T rows of N environments side by side."""

    frames: np.ndarray  # [T, N, *frame]
    after: np.ndarray | None  # [T, N, *frame] the next observations; None if the file has none
    actions: np.ndarray  # [T, N]
    rewards: np.ndarray  # [T, N]
    dones: np.ndarray  # [T, N] bool
    timeouts: np.ndarray  # [T, N] bool
    order: np.ndarray  # rows, oldest first
    values: np.ndarray | None  # [T, N, A]


def open(path: Path, observation: str = "", teacher_values: str = "") -> ForeignLog:
    """Open a file. `observation` and `teacher_values` select other arrays."""
    arrays = _arrays(path)
    shown = observation or "observations"
    buffer = _buffer(arrays, path, shown, teacher_values)
    others = sorted(arrays.keys() - {*USED, shown, teacher_values})
    notes = [f"Left out: {', '.join(f'the array {name}' for name in others)}"] if others else []
    if "next_observations" in arrays and buffer.after is None:
        notes.append(SAME)
    actions = None if buffer.values is None else buffer.values.shape[2]
    return ForeignLog(lambda: _episodes(buffer, path), actions=actions, notes=tuple(notes))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(regular(path)) as archive:
            room.check(sum(member.file_size for member in archive.infolist()), "its arrays")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except DAMAGE as error:
        raise ValueError(f"{path} is not a replay buffer saved as npz: {error}.") from None


def _buffer(arrays: dict[str, np.ndarray], path: Path, shown: str, values: str) -> Buffer:
    """Return the arrays after checking their shapes against each other. Raises ValueError if they do not fit."""
    for name in (*NEEDED[1:], shown, *filter(None, [values])):
        if name not in arrays:
            needed = "observations, actions, rewards and dones are needed"
            raise ValueError(f"{path} has no array {name!r}; {needed}, and it has {', '.join(arrays)}.")
    size = arrays["rewards"].shape[:1]
    flat = arrays["rewards"].ndim == 1 and arrays["dones"].ndim == 1  # no axis of environments
    envs = () if flat else arrays["rewards"].shape[1:2]
    for name in (name for name in (shown, *USED[1:6], values) if name in arrays):
        if arrays[name].shape[: 1 + len(envs)] != (*size, *envs):
            found, wanted = list(arrays[name].shape), ", ".join(map(str, (*size, *envs)))
            raise ValueError(f"{path}: its {name} have shape {found}, not [{wanted}, ...] like its rewards.")
    found = {name: array[:, None] if flat and name not in ("pos", "full") else array for name, array in arrays.items()}
    if found["rewards"].size == 0:
        raise ValueError(f"{path} holds no transition.")
    try:
        columns.discrete(found["actions"].dtype, found["actions"].shape[2:])
        order = _order(found, len(found["rewards"]), "next_observations" in found)
        frames = columns.frames(found[shown])
        after = columns.frames(found["next_observations"]) if "next_observations" in found else None
        if after is not None and (after.shape, after.dtype) != (frames.shape, frames.dtype):
            raise ValueError("its next_observations differ from its observations in shape or type")
        dones = _flags(found, "dones")
        cut = _flags(found, "timeouts") if "timeouts" in found else np.zeros_like(dones)
        if (cut & ~dones)[order].any():
            raise ValueError(f"row {order[np.argmax((cut & ~dones)[order].any(1))]} has a timeout but is not done")
    except ValueError as error:
        raise ValueError(f"{path}: {error}.") from None
    actions, rewards = (found[name].reshape(frames.shape[:2]) for name in ("actions", "rewards"))
    buffer = Buffer(frames, after, actions, rewards, dones, cut, order, found.get(values))
    apart = {env: _apart(buffer, env) for env in range(frames.shape[1])} if after is not None else {}
    if after is not None and _alike(after, frames) and any(one.any() for one in apart.values()):
        return buffer._replace(after=None)
    for env, one in apart.items():
        if steps := _ahead(buffer, env, one):
            several_steps = f"its next_observations are those of {steps} rows later, so that its rewards are of {steps}"
            raise ValueError(f"{path}: {several_steps} steps each: save a buffer of single steps.")
    return buffer


def _flags(found: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return the flags [T, N] bool."""
    flat = found[name].reshape(-1, *found[name].shape[2:])
    return columns.flags(flat, name).reshape(found[name].shape[:2])


def _order(found: dict[str, np.ndarray], size: int, after: bool) -> np.ndarray:
    """Return the rows, oldest first. Raises ValueError if the file does not define their order."""
    full = bool(_one(found, "full")) if "full" in found else None
    pos = _one(found, "pos") if "pos" in found else None
    if full and pos is None:
        raise ValueError("it is full but has no `pos`, so its oldest row is unknown: save that too")
    if pos is not None and not 0 <= pos <= size:
        raise ValueError(f"its pos is {pos}, but it has {size} rows")
    if full is False and pos is None or pos is None and not any(found[name][-1].any() for name in NEEDED):
        raise ValueError("it does not say how many of its rows are filled: save its `pos` and `full` too")
    if not full:
        return np.arange(size if pos is None else pos)
    assert pos is not None
    # Without next observations the ring may share its frames: row `pos` then has the latest observation.
    return (pos + np.arange(0 if after else 1, size)) % size


def _one(found: dict[str, np.ndarray], name: str) -> int:
    value = found[name]
    if value.size != 1 or value.dtype.kind not in "biu":
        raise ValueError(f"its {name} is {value.dtype}{list(value.shape)}, where one whole number is needed")
    return int(value.ravel()[0])


def _episodes(buffer: Buffer, path: Path) -> Iterator[Episode | Bad | Note]:
    number = 0
    for env in range(buffer.frames.shape[1]):
        apart = _apart(buffer, env)
        if apart.any():
            yield Note(APART)
        ends = np.flatnonzero(buffer.dones[buffer.order, env] | apart)
        begins = [0, *(ends + 1)]
        for begin, stop in zip(begins, [*(ends + 1), len(buffer.order)], strict=True):
            rows = buffer.order[begin:stop]
            if len(rows) == 0:
                continue
            if buffer.after is None and not (buffer.dones & ~buffer.timeouts)[rows[-1], env]:
                yield Note(CUT)
            made = _episode(buffer, env, rows, number, path)
            if made is not None:
                yield made
                number += 1


def _apart(buffer: Buffer, env: int) -> np.ndarray:
    """Mark an environment's rows, in order, that are not done but whose next observation differs from the next row."""
    frames, after, order = buffer.frames, buffer.after, buffer.order
    apart = np.zeros(len(order), bool)
    if after is not None:
        for t in np.flatnonzero(~buffer.dones[order[:-1], env]):
            apart[t] = not _alike(after[order[t], env], frames[order[t + 1], env])
    return apart


def _ahead(buffer: Buffer, env: int, apart: np.ndarray) -> int:
    """Return how many rows later most of the rows that are apart go on; 0 if they do not, or are few."""
    assert buffer.after is not None
    frames, after = buffer.frames[buffer.order, env], buffer.after[buffer.order, env]
    rows = np.flatnonzero(apart)
    for steps in range(2, MOST_STEPS + 1):
        inside = rows[rows + steps < len(frames)][:SAMPLE]
        found = sum(_alike(after[t], frames[t + steps]) for t in inside)
        if len(inside) > 2 and found > len(inside) / 2:
            return steps
    return 0


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _episode(buffer: Buffer, env: int, rows: np.ndarray, number: int, path: Path) -> Episode | Bad | None:
    """Return the rows of one episode; None if nothing is left of it."""
    last = rows[-1]
    ended = bool(buffer.dones[last, env] and not buffer.timeouts[last, env])
    frames, values = buffer.frames, buffer.values
    if buffer.after is not None:
        final: Any = buffer.after[last, env]
    elif ended:
        final = np.zeros_like(frames[0, env])  # not stored, and never used for bootstrapping
    else:  # drop the last transition, whose next observation is unknown
        final, rows = frames[last, env], rows[:-1]
        if len(rows) == 0:
            return None
    extras: dict[str, Any] = {"agent_id": path.stem}
    if values is not None:  # the final observation has values only if it is a row of its own
        known = values[last, env] if last != rows[-1] else np.zeros_like(values[last, env])
        extras["teacher_values"] = np.concatenate([values[rows, env], known[None]])
    try:
        seen = np.concatenate([frames[rows, env], final[None]])
        return Episode.of(seen, buffer.actions[rows, env], buffer.rewards[rows, env], ended, number, **extras)
    except ValueError as error:
        return Bad(f"{path}, episode {number}, row {rows[0]} of environment {env} and on: {error}.")
