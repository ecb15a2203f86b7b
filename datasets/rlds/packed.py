"""Frames kept compressed in memory, each by itself, and decoded when they are gathered: for where the disk is short."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..transition import Steps
from .folder import Log, Shard
from .images import inflate, inflater
from .read import by_shard, joined, read_shards

LEVEL = 1  # of zlib: higher ones take several times as long and gain little


class PackedFrames:
    """Stands for an array [T, *frame], of which only numbers and arrays of numbers can be taken."""

    def __init__(self, packed: list[bytes], shape: tuple[int, ...], dtype: np.dtype):
        self._packed = packed
        self.shape, self.dtype, self.ndim = (len(packed), *shape), dtype, 1 + len(shape)

    def __len__(self) -> int:
        """T."""
        return len(self._packed)

    @property
    def nbytes(self) -> int:
        """Of memory, not of the frames."""
        return sum(map(len, self._packed))

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return the frames [*index, *frame], decoded anew."""
        index = np.asarray(index)
        frame = self.shape[1:]
        out = np.empty((index.size, *frame), self.dtype)
        raw = out.reshape(index.size, -1).view(np.uint8)
        for place, number in enumerate(index.ravel().tolist()):
            raw[place] = np.frombuffer(inflate(self._packed[number], raw.shape[1], number), np.uint8)
        return out.reshape(*index.shape, *frame)


def packed(folder: str | os.PathLike, split: str | Sequence[str] | None = None) -> Steps:
    """Return a log's steps with their frames packed: of Atari play, 2 to 10 % of what they take decoded."""
    parts = by_shard(folder, split, _pack)
    steps = joined([step for _, part in parts for step in part])
    frames = [frame for part, _ in parts for frame in part]
    stand_in: Any = PackedFrames(frames, steps.frame.shape[1:], steps.frame.dtype)
    return steps._replace(frame=stand_in)


def _pack(log: Log, shards: Sequence[Shard], begin: int) -> tuple[list[bytes], list[Steps]]:
    """Return the packed frames of some shards, and all else of their episodes' steps."""
    frames, steps = [], []
    for episode in read_shards(log, shards):
        frames += [inflater.compress(frame.tobytes(), LEVEL) for frame in episode.steps.frame]
        steps.append(joined([episode.steps._replace(frame=episode.steps.frame[:0])]))  # a copy: they are views
    return frames, steps
