"""Reads Dopamine's replay logs: `$store$_*_ckpt.N.gz`, the format of the DQN Replay Dataset.

A file is a gzipped numpy array of a ring of transitions. Dopamine stores no
observation after the last action of an episode, and none is needed where the
episode terminated: a blank frame takes its place. In front of every episode it
stores blank padding, which is left out. Source: dopamine/replay_memory/circular_replay_buffer.py.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .episode import Episode

LONGEST = 27_000  # transitions; an episode that goes on is cut here, so that memory stays small
CHUNK = 1024  # frames read at once


def checkpoints(folder: str | os.PathLike) -> list[int]:
    """The numbers N of the logs in a folder, in order. Raises ValueError if there are none."""
    names = [re.fullmatch(r"\$store\$_observation_ckpt\.(\d+)\.gz", path.name) for path in Path(folder).iterdir()]
    numbers = sorted(int(match[1]) for match in names if match)
    if not numbers:
        raise ValueError(f"{folder} has no $store$_observation_ckpt.*.gz: it is not a Dopamine replay log.")
    return numbers


def read(folder: str | os.PathLike, checkpoint: int, agent_id: str = "dopamine") -> Iterator[Episode]:
    """The episodes of one log, oldest first. Memory: one episode and 9 bytes a transition."""
    folder = Path(folder)
    columns = {name: _column(folder, name, checkpoint) for name in ("action", "reward", "terminal")}
    size = len(columns["action"])
    if any(len(column) != size or column.ndim != 1 for column in columns.values()):
        raise ValueError(f"{folder}: the columns of checkpoint {checkpoint} have different lengths.")
    added = _added(folder, checkpoint, size)
    oldest, kept = (added % size, size) if added > size else (0, added)
    order = (oldest + np.arange(kept)) % size if size else np.empty(0, int)
    action, reward, terminal = (columns[name][order] for name in ("action", "reward", "terminal"))
    frames: list[np.ndarray] = []
    begin, number, padding = 0, 0, 3
    for t, frame in enumerate(_frames(folder, checkpoint, size, oldest, kept)):
        if padding and not frames and not (frame.any() or action[t] or reward[t] or terminal[t]):
            begin, padding = t + 1, padding - 1
            continue
        frames.append(frame)
        if terminal[t]:
            episode = [*frames, np.zeros_like(frame)], action[begin : t + 1], reward[begin : t + 1], True
        elif len(frames) > LONGEST or t == kept - 1:
            if len(frames) < 2:
                break
            episode = frames, action[begin:t], reward[begin:t], False
        else:
            continue
        about: dict[str, Any] = {"checkpoint_id": checkpoint, "agent_id": agent_id}
        yield Episode.of(np.stack(episode[0]), *episode[1:], checkpoint * 10_000_000 + number, **about)
        number += 1
        frames, begin, padding = ([], t + 1, 3) if terminal[t] else ([frame], t, 0)


def _added(folder: Path, checkpoint: int, size: int) -> int:
    path = folder / f"add_count_ckpt.{checkpoint}.gz"
    return int(_whole(path).ravel()[0]) if path.exists() else size


def _column(folder: Path, name: str, checkpoint: int) -> np.ndarray:
    return _whole(folder / f"$store$_{name}_ckpt.{checkpoint}.gz")


def _whole(path: Path) -> np.ndarray:
    """A small array. Raises ValueError if it is missing, damaged, of Python objects, or over a gigabyte."""
    with _opened(path) as (file, shape, dtype):
        size = int(np.prod(shape)) * dtype.itemsize
        if size > 1 << 30:
            raise ValueError(f"{path} is larger than a column can be.")
        return np.frombuffer(_exactly(file, size, path), dtype).reshape(shape)


def _frames(folder: Path, checkpoint: int, size: int, oldest: int, kept: int) -> Iterator[np.ndarray]:
    """The frames from the oldest to the newest; of a ring that wrapped the file is read twice."""
    path = folder / f"$store$_observation_ckpt.{checkpoint}.gz"
    for begin, end in ((oldest, min(oldest + kept, size)), (0, oldest + kept - size)):
        if end <= begin:
            continue
        with _opened(path) as (file, shape, dtype):
            if shape[:1] != (size,) or dtype != np.uint8 or len(shape) < 3:
                raise ValueError(f"{path} holds {dtype}{list(shape)}, not {size} frames of bytes.")
            each = int(np.prod(shape[1:]))
            if each > 1 << 24:
                raise ValueError(f"{path} has frames of {each} bytes.")
            for at in range(0, begin, CHUNK):
                _exactly(file, min(CHUNK, begin - at) * each, path)
            for at in range(begin, end, CHUNK):
                count = min(CHUNK, end - at)
                frames = np.frombuffer(_exactly(file, count * each, path), np.uint8).reshape(count, *shape[1:])
                yield from frames[..., 0] if frames.ndim == 4 and shape[-1] == 1 else frames


class _opened:
    """A gzipped npy file behind its header."""

    def __init__(self, path: Path):
        self._path = path

    def __enter__(self) -> tuple[gzip.GzipFile, tuple[int, ...], np.dtype]:
        try:
            self._file = gzip.open(self._path, "rb")
            version = np.lib.format.read_magic(self._file)  # pyright: ignore[reportArgumentType]
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = header(self._file)  # pyright: ignore[reportArgumentType]
        except FileNotFoundError:
            raise ValueError(f"{self._path} is missing.") from None
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ValueError(f"{self._path} is not a gzipped numpy array: {error}.") from None
        if dtype.hasobject or fortran:
            raise ValueError(f"{self._path} holds Python objects or columns first; neither is read.")
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
