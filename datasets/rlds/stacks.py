"""Tell stacks of frames from colours and planes: a stack repeats, shifted, from one step to the next."""

from typing import NamedTuple

import numpy as np

SIZE = 4  # frames in a stack of the suite's tasks; axes of other sizes are left alone


class Stack(NamedTuple):
    """How four frames are stacked in an observation [*frame]."""

    axis: int  # 0 or -1 of the observation
    newest: int  # index of the newest frame on that axis, 0 or -1


KINDS = (Stack(-1, -1), Stack(0, -1), Stack(-1, 0), Stack(0, 0))


def possible(frames: np.ndarray) -> frozenset[Stack]:
    """Return the kinds of stack that the bytes [T, *frame] of one episode may be.

    A blank observation at the end, which stands for one that was not stored, is ignored.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4:
        return frozenset()
    frames = _stored(frames)
    return frozenset(kind for kind in KINDS if _repeats(frames, kind))


def alone(frames: np.ndarray) -> Stack | None:
    """Return the kind of stack of an episode's observations, judged by this episode alone; None if none."""
    kinds = possible(frames) if len(frames) > 1 and len(_stored(frames)) > 1 else ()
    return next((kind for kind in KINDS if kind in kinds), None)


def proved(frames: np.ndarray, kind: Stack) -> bool:
    """Return whether frames within an episode's stacks differ, so that the repetition is not a coincidence."""
    planes = _last(_stored(frames), kind)
    return len(planes) > 1 and bool((planes[..., 1:] != planes[..., :-1]).any())


def newest(frames: np.ndarray, kind: Stack | None) -> np.ndarray:
    """Return the newest frame [T, *frame] of each stack; without a kind, the frames unchanged."""
    return frames if kind is None else _last(frames, kind)[..., kind.newest]


def padding(frames: np.ndarray, kind: Stack) -> str:
    """Return what precedes the first frame in an episode's first stack: "zeros", "its repetition" or "frames"."""
    first = _last(frames[:1], kind)[0]
    before = np.delete(first, kind.newest, axis=-1)
    if not before.any():
        return "zeros"
    return "its repetition" if (before == first[..., kind.newest, None]).all() else "frames"


def _stored(frames: np.ndarray) -> np.ndarray:
    """Return the observations without a blank one at the end."""
    return frames if frames[-1].any() else frames[:-1]


def _last(frames: np.ndarray, kind: Stack) -> np.ndarray:
    return np.moveaxis(frames, 1, -1) if kind.axis == 0 else frames


def _repeats(frames: np.ndarray, kind: Stack) -> bool:
    planes = _last(frames, kind)
    if planes.shape[-1] != SIZE:
        return False
    older, newer = (slice(None, -1), slice(1, None)) if kind.newest else (slice(1, None), slice(None, -1))
    return np.array_equal(planes[1:][..., older], planes[:-1][..., newer])
