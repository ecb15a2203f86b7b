"""Read Dopamine's replay logs: `$store$_*_ckpt.N.gz`, the format of the DQN Replay Dataset.

A file is a gzipped numpy array with a ring of transitions. Dopamine stores no observation after the last action of an
episode. A terminated episode does not need it and gets a blank frame; an episode that ran out of time is truncated at
its last observation. The blank padding before every episode is left out. Source:
dopamine/tf/replay_memory/circular_replay_buffer.py.
"""

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import pickled
from ..folders import regular
from . import columns
from .episode import Episode
from .source import CUT, Bad, ForeignLog, Note

LONGEST = 27_000  # transitions; longer episodes are split here to limit memory
CHUNK = 1024  # frames per read
PADDING = 3  # blank transitions before an episode: the frames of a stack, minus one
COLUMNS = ("observation", "action", "reward", "terminal")
SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
SETS = ("builtins.set", "__builtin__.set")


class ReplayColumns(NamedTuple):
    """The small columns of a log with T transitions, oldest first."""

    size: int  # of the ring in the file
    oldest: int  # index of the oldest transition
    wrapped: bool  # whether the ring wrapped around, so that its first episode is incomplete
    action: np.ndarray  # [T] int32
    reward: np.ndarray  # [T] float32
    terminal: np.ndarray  # [T] bool
    ends: np.ndarray | None  # [T] bool, also true where an episode ran out of time; None if the log has no list


def checkpoints(folder: Path) -> list[int]:
    """Return the numbers N of the logs in a folder, sorted. Raises ValueError if there are none."""
    paths = Path(folder).iterdir() if Path(folder).is_dir() else ()
    names = [re.fullmatch(r"\$store\$_observation_ckpt\.(\d+)\.gz", path.name) for path in paths]
    numbers = sorted(int(match[1]) for match in names if match)
    if not numbers:
        raise ValueError(f"{folder} has no $store$_observation_ckpt.*.gz: it is not a Dopamine replay log.")
    return numbers


def open(folder: Path, checkpoint: int = -1) -> ForeignLog:
    """Open one log of a folder: that of a checkpoint, or the last one."""
    there = checkpoints(folder)
    if checkpoint >= 0 and checkpoint not in there:
        raise ValueError(f"{folder} has no checkpoint {checkpoint}; it has {', '.join(map(str, there))}.")
    number = there[-1] if checkpoint < 0 else checkpoint
    stores = re.compile(rf"\$store\$_(\w+)_ckpt\.{number}\.gz")
    names = [match[1] for path in Path(folder).iterdir() if (match := stores.fullmatch(path.name))]
    others = sorted(set(names) - set(COLUMNS))
    notes = (f"Left out: {', '.join(f'the column {name}' for name in others)}",) if others else ()
    return ForeignLog(lambda: read(folder, number), notes=notes)


def read(folder: Path, checkpoint: int, agent_id: str = "dopamine") -> Iterator[Episode | Bad | Note]:
    """Yield the episodes of one log, oldest first. Memory: one episode and 10 bytes per transition."""
    folder = Path(folder)
    ring = _ring(folder, checkpoint)
    about: dict[str, Any] = {"checkpoint_id": checkpoint, "agent_id": agent_id}
    number, kept = 0, len(ring.action)
    where = f"{folder / f'$store$_observation_ckpt.{checkpoint}.gz'}, episode "
    padded = None  # blank transitions before every episode, counted on the first complete one
    frames: list[np.ndarray] = []
    fault = ""
    begin = blank = 0  # row of the first frame; current number of consecutive blank transitions
    opening = True  # whether this may still be the padding of an episode
    for t, frame in enumerate(_frames(folder, checkpoint, ring)):
        end = ring.terminal[t] if ring.ends is None else ring.ends[t]
        empty = not (end or frame.any() or ring.action[t] or ring.reward[t])
        blank = blank + 1 if empty else 0
        if opening and empty and t - begin < PADDING:
            continue
        if opening:
            found, opening, begin = t - begin, False, t
            if begin > found or not ring.wrapped:  # its padding is complete
                padded = found if padded is None else padded
                fault = f"it begins with {found} blank transitions, but others with {padded}"
                fault = "" if found == padded else fault
        frames.append(frame)
        if ring.ends is None and blank == PADDING and t - begin >= PADDING:
            yield Bad(
                f"{where}{number}: three blank transitions at row {t} look like the end of an episode that ran out "
                f"of time, but there is no episode_end_indices_ckpt.{checkpoint}.gz to confirm it."
            )
            frames, begin, opening, number = [], t + 1, False, number + 1
            continue
        cut = len(frames) > LONGEST or t == kept - 1
        if not (end or cut):
            continue
        if ring.terminal[t]:
            made = [*frames, np.zeros_like(frame)], ring.action[begin : t + 1], ring.reward[begin : t + 1], True
        else:  # the observation after the last action is missing, so the episode ends one transition earlier
            made = frames, ring.action[begin:t], ring.reward[begin:t], False
        if not ring.terminal[t] and (end or t == kept - 1):
            yield Note(CUT)
        if fault:
            yield Bad(f"{where}{number}: {fault}.")
        elif len(made[0]) > 1:
            yield Episode.of(np.stack(made[0]), *made[1:], checkpoint * 10_000_000 + number, **about)
        number, fault = number + (len(made[0]) > 1 or bool(fault)), ""
        frames, begin, opening = ([], t + 1, True) if end else ([frame], t, False)


def _ring(folder: Path, checkpoint: int) -> ReplayColumns:
    """Return the small columns, validated. Raises ValueError if one is missing, damaged, or not what Dopamine
    writes."""
    found = {name: _column(folder, name, checkpoint) for name in ("action", "reward", "terminal")}
    size = len(found["action"])
    if any(len(column) != size for column in found.values()):
        raise ValueError(f"{folder}: the columns of checkpoint {checkpoint} have different lengths.")
    added = _added(folder, checkpoint, size)
    oldest, kept = (added % size, size) if added > size else (0, added)
    order = (oldest + np.arange(kept)) % size if size else np.empty(0, int)
    makers = {
        "action": columns.choices,
        "reward": columns.rewards,
        "terminal": lambda values: columns.flags(values, "terminal"),
    }
    for name, column in found.items():
        path = folder / f"$store$_{name}_ckpt.{checkpoint}.gz"
        try:
            if name == "action":
                columns.discrete(column.dtype, column.shape[1:])
            found[name] = makers[name](column[order])
        except ValueError as error:
            raise ValueError(f"{path}: {error}.") from None
    ends = _ends(folder / f"episode_end_indices_ckpt.{checkpoint}.gz", size)
    ends = None if ends is None else ends[order] | found["terminal"]
    return ReplayColumns(size, oldest, added > size, found["action"], found["reward"], found["terminal"], ends)


def _ends(path: Path, size: int) -> np.ndarray | None:
    """Mark [size] the places of the ring where episodes end, read from a pickled set without executing it."""
    if not regular(path).exists():
        return None
    try:
        with gzip.open(regular(path), "rb") as file:
            data = file.read(1 << 24)
        found: Any = pickled.read(data, lambda name: name in (*SCALARS, *SETS, "numpy.dtype"))
        if isinstance(found, pickled.PickledCall):  # a set in the format of old pickles
            found = found.given[0] if found.name in SETS and found.given else []
        if not isinstance(found, set | list):
            raise ValueError("it is not a set")
        places = [_whole_number(one) for one in found]
        if any(not 0 <= place < size for place in places):
            raise ValueError("it names a place outside the ring")
    except (OSError, EOFError, zlib.error, ValueError, TypeError, AttributeError, LookupError) as error:
        raise ValueError(f"{path} is not Dopamine's list of episode ends: {error}.") from None
    ends = np.zeros(size, bool)
    ends[places] = True
    return ends


def _whole_number(value: Any) -> int:
    """Return a number from the pickle: a plain one, or numpy's scalar, given as type and bytes."""
    if type(value) is int:
        return value
    dtype, data = value.given
    kind, order = dtype.given[0], dtype.state[1]
    if value.name not in SCALARS or kind not in ("i8", "i4", "u8", "u4") or order not in "<>":
        raise ValueError("it holds more than whole numbers")
    return int(np.frombuffer(data, np.dtype(kind).newbyteorder(order), 1)[0])


def _added(folder: Path, checkpoint: int, size: int) -> int:
    path = folder / f"add_count_ckpt.{checkpoint}.gz"
    if not regular(path).exists():
        return size
    count = _whole(path).ravel()
    if len(count) != 1 or count.dtype.kind not in "iu" or count[0] < 0:
        raise ValueError(f"{path} is not the number of transitions that were added.")
    return int(count[0])


def _column(folder: Path, name: str, checkpoint: int) -> np.ndarray:
    return _whole(folder / f"$store$_{name}_ckpt.{checkpoint}.gz")


def _whole(path: Path) -> np.ndarray:
    """Return a small array. Raises ValueError if it is missing, damaged, over a gigabyte, or has Python objects."""
    with _opened(path) as (file, shape, dtype):
        size = math.prod(shape) * dtype.itemsize
        if size > 1 << 30:
            raise ValueError(f"{path} is larger than a column may be.")
        data = _exactly(file, size, path)
        _at_end(file, path)
        return np.frombuffer(data, dtype).reshape(shape)


def _frames(folder: Path, checkpoint: int, ring: ReplayColumns) -> Iterator[np.ndarray]:
    """Yield the observations, oldest first; if the ring wrapped around, the file is read twice."""
    path, size, oldest, kept = folder / f"$store$_observation_ckpt.{checkpoint}.gz", *ring[:2], len(ring.action)
    for begin, end in ((oldest, min(oldest + kept, size)), (0, oldest + kept - size)):
        if end <= begin:
            continue
        with _opened(path) as (file, shape, dtype):
            if shape[:1] != (size,) or 0 in shape[1:] or dtype.kind not in "biuf":
                raise ValueError(f"{path} holds {dtype}{list(shape)}, not {size} frames or vectors of numbers.")
            each = math.prod(shape[1:]) * dtype.itemsize
            if each > 1 << 24:
                raise ValueError(f"{path} has frames of {each} bytes, more than a frame may have.")
            for at in range(0, begin, CHUNK):
                _exactly(file, min(CHUNK, begin - at) * each, path)
            for at in range(begin, end, CHUNK):
                count = min(CHUNK, end - at)
                frames = np.frombuffer(_exactly(file, count * each, path), dtype).reshape(count, *shape[1:])
                yield from frames[..., 0] if frames.ndim > 2 and shape[-1] == 1 else frames
            for at in range(end, size, CHUNK):
                _exactly(file, min(CHUNK, size - at) * each, path)
            _at_end(file, path)


class _opened:
    """Open a gzipped npy file and skip its header."""

    def __init__(self, path: Path):
        self._path = path

    def __enter__(self) -> tuple[gzip.GzipFile, tuple[int, ...], np.dtype]:
        try:
            self._file = gzip.open(regular(self._path), "rb")
            version = np.lib.format.read_magic(self._file)  # pyright: ignore[reportArgumentType]
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = header(self._file)  # pyright: ignore[reportArgumentType]
        except FileNotFoundError:
            raise ValueError(f"{self._path} is missing.") from None
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ValueError(f"{self._path} is not a gzipped numpy array: {error}.") from None
        if dtype.hasobject or fortran:
            raise ValueError(f"{self._path} holds Python objects or is stored columns first; neither can be read.")
        if min(shape, default=0) < 0:
            raise ValueError(f"{self._path} states the impossible shape {list(shape)}.")
        return self._file, shape, dtype

    def __exit__(self, *_) -> None:
        self._file.close()


def _exactly(file: gzip.GzipFile, size: int, path: Path) -> bytes:
    try:
        data = file.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}.") from None
    if len(data) != size:
        raise ValueError(f"{path} is cut short.")
    return data


def _at_end(file: gzip.GzipFile, path: Path) -> None:
    """Raise ValueError if more follows the array, or if the checksum, which gzip reads at the end, is another."""
    try:
        more = file.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}.") from None
    if more:
        raise ValueError(f"{path} holds more than the array that it states.")
