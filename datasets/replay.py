"""A ring of RLDS steps on the host: every frame once, stacks and n-step returns made when a batch is drawn."""

from typing import NamedTuple, Self

import numpy as np

from .transition import Batch


class Steps(NamedTuple):
    """Consecutive steps of one stream, as RLDS has them: an episode of T transitions is T + 1 steps.

    The last step holds the final observation; its action and reward mean nothing.
    """

    frame: np.ndarray  # [T, *frame]
    action: np.ndarray  # [T] int32
    reward: np.ndarray  # [T] float32, unclipped
    is_first: np.ndarray  # [T] bool
    is_last: np.ndarray  # [T] bool
    is_terminal: np.ndarray  # [T] bool, true only where is_last is
    teacher_values: np.ndarray | None = None  # [T, A] float32, the teacher's values or logits on the observation
    behavior_epsilon: np.ndarray | None = None  # [T] float32, chance of a random action


class Replay:
    """Keeps the last `capacity` steps, split evenly over `streams` environments, and samples them uniformly.

    A place is sampled only if the whole of its stack and the next n steps (or
    those to the end of its episode) are in the ring. Truncated episodes
    bootstrap from their last frame, terminated ones from nothing.
    """

    def __init__(self, capacity: int, frame: np.ndarray, stack: int = 1, streams: int = 1):
        """`frame` is an example of one frame. Memory is touched only as steps arrive."""
        self.stack, self._rows = stack, max(capacity // streams, 1)
        shape = (streams, self._rows)
        self._frame = np.zeros((*shape, *frame.shape), frame.dtype)
        self._action = np.zeros(shape, np.int32)
        self._reward = np.zeros(shape, np.float32)
        self._age = np.zeros(shape, np.int32)  # steps since the start of the episode
        self._is_last = np.zeros(shape, bool)
        self._is_terminal = np.zeros(shape, bool)
        self._added = np.zeros(streams, np.int64)
        self._transitions = 0

    @classmethod
    def of(cls, steps: Steps, stack: int) -> Self:
        """A replay of one stream that is exactly full of the given steps; the arrays are used as they are."""
        replay = cls(1, steps.frame[0], stack)
        replay._rows = len(steps.action)
        replay._frame, replay._action, replay._reward = steps.frame[None], steps.action[None], steps.reward[None]
        replay._is_last, replay._is_terminal = steps.is_last[None], steps.is_terminal[None]
        at = np.arange(replay._rows)
        replay._age = (at - np.maximum.accumulate(np.where(steps.is_first, at, 0))).astype(np.int32)[None]
        replay._added = np.array([replay._rows])
        replay._transitions = int(np.sum(~steps.is_last))
        return replay

    def __len__(self) -> int:
        """Transitions in the ring."""
        return self._transitions

    def add(self, who: np.ndarray, frame, action, reward, age, is_last, is_terminal) -> None:
        """Appends one step to each of the streams `who` [K]: frame [K, *frame], the others [K]."""
        row = self._added[who] % self._rows
        overwritten = self._added[who] >= self._rows
        self._transitions -= int(np.sum(overwritten & ~self._is_last[who, row]))
        self._transitions += int(np.sum(~np.asarray(is_last, bool)))
        self._frame[who, row], self._action[who, row], self._reward[who, row] = frame, action, reward
        self._age[who, row], self._is_last[who, row], self._is_terminal[who, row] = age, is_last, is_terminal
        self._added[who] += 1

    def places(self, rng: np.random.Generator, size: int, n_step: int) -> tuple[np.ndarray, np.ndarray] | None:
        """(stream, absolute index) [size] each, uniform over what can be sampled; None if nothing can."""
        streams, index = np.empty(0, np.int64), np.empty(0, np.int64)
        begin = np.maximum(self._added - self._rows, 0)
        total = int(np.sum(self._added - begin))
        edges = np.cumsum(self._added - begin)
        for _ in range(64):
            if total == 0:
                return None
            draw = rng.integers(total, size=2 * (size - len(index)) + 4)
            s = np.searchsorted(edges, draw, side="right")
            t = self._added[s] - (edges[s] - draw)
            good = self._usable(s, t, begin, n_step)
            streams, index = np.concatenate([streams, s[good]])[:size], np.concatenate([index, t[good]])[:size]
            if len(index) == size:
                return streams, index
        return None

    def _usable(self, s, t, begin, n_step) -> np.ndarray:
        row = t % self._rows
        good = ~self._is_last[s, row]
        good &= t - np.minimum(self._age[s, row], self.stack - 1) >= begin[s]
        ends = np.zeros(len(t), bool)
        for k in range(1, n_step + 1):
            there = t + k < self._added[s]
            good &= there | ends
            ends |= there & self._is_last[s, (t + k) % self._rows]
        return good

    def gather(self, s: np.ndarray, t: np.ndarray, n_step: int, discount: float, clip: bool) -> Batch:
        """The batch at the given places. `clip` cuts rewards to [-1, 1] for learning."""
        column = s[:, None]
        ahead = (t[:, None] + np.arange(n_step + 1)) % self._rows
        ended = np.logical_or.accumulate(self._is_last[column, ahead], axis=1)  # [B, n + 1], [:, 0] is False
        span = np.minimum(n_step + 1 - ended.sum(axis=1), n_step).astype(np.int32)
        reward = self._reward[column, ahead[:, :-1]]
        reward = np.clip(reward, -1.0, 1.0) if clip else reward
        power = np.float32(discount) ** np.arange(n_step + 1, dtype=np.float32)
        terminal = self._is_terminal[s, (t + span) % self._rows]
        window = self._frame[column, (t[:, None] + np.arange(1 - self.stack, n_step + 1)) % self._rows]
        age = self._age[s, t % self._rows]
        for back in range(1, self.stack):
            window[age < back, self.stack - 1 - back] = 0
        return Batch(
            window=window,
            span=span,
            action=self._action[s, t % self._rows],
            reward=np.sum(np.where(ended[:, :-1], 0.0, reward) * power[:-1], axis=1, dtype=np.float32),
            discount=np.where(terminal, np.float32(0.0), power[span]),
            from_teacher=np.zeros(len(s), np.float32),
        )

    def sample(self, rng, size: int, n_step: int, discount: float, clip: bool = False) -> Batch | None:
        """A uniform batch, or None while nothing can be sampled."""
        places = self.places(rng, size, n_step)
        return places and self.gather(*places, n_step, discount, clip)


def sample_mix(rng, log: Replay | None, replay: Replay, size: int, share: float, *how) -> Batch | None:
    """Draws each of `size` places from the log with probability `share`, independently, else from the replay."""
    from_log = int(rng.binomial(size, share))
    parts = []
    for source, count, mark in ((log, from_log, 1.0), (replay, size - from_log, 0.0)):
        if count and source is not None:
            part = source.sample(rng, count, *how)
            if part is None:
                return None
            parts.append(part._replace(from_teacher=np.full(count, mark, np.float32)))
    if len(parts) == 1:
        return parts[0]
    return Batch(*(np.concatenate(pair) for pair in zip(*parts, strict=True)))
