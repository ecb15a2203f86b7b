"""A ring buffer of RLDS steps on the host: stores every frame once, and makes stacks and n-step returns per batch."""

from functools import lru_cache
from typing import Self

import numpy as np

from ..transition import Batch, Steps
from .priorities import Priorities

SMALL = 1e-10  # keeps importance weights finite
FORESIGHT = 0.9995  # largest discount assumed when computing returns to the episode's end: 27,626 steps
DISCRETE = np.zeros((), np.int32)  # an example of an action
COLUMNS = ("frame", "action", "reward", "age", "is_last", "is_terminal")


ZERO, ONE = np.float32(0.0), np.float32(1.0)


@lru_cache(maxsize=64)
def _steps(n_step: int, discount: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the next steps [n, 1], and the powers of the discount [n + 1]."""
    step = np.arange(n_step + 1)
    return step[:-1, None], np.float32(discount) ** step.astype(np.float32)


@lru_cache(maxsize=64)
def _around(stack: int, n_step: int) -> np.ndarray:
    """Return what lies around a place: the stack that ends there and the next n steps, [S + n, 1]."""
    return np.arange(1 - stack, n_step + 1)[:, None]


class Replay:
    """Store the last `capacity` steps, split evenly over `streams` environments, and sample them uniformly.

    A step is sampled only if its whole stack and the next n steps (or those to the episode's end) are in the ring.
    Truncated episodes bootstrap from their last frame; terminated ones do not bootstrap.
    """

    def __init__(
        self,
        capacity: int,
        frame: np.ndarray,
        stack: int = 1,
        streams: int = 1,
        prioritized: bool = False,
        action: np.ndarray = DISCRETE,
    ):
        """Make an empty replay; `frame` and `action` are examples. Memory is used only as steps arrive.

        `prioritized`: draw steps in proportion to their priorities, with the highest for new ones.
        """
        self.stack, self._rows = stack, max(capacity // streams, 1)
        size = streams * self._rows  # row r of stream s lies at s * rows + r
        self._frame = np.zeros((size, *frame.shape), frame.dtype)
        self._action = np.zeros((size, *action.shape), action.dtype)
        self._reward = np.zeros(size, np.float32)
        self._age = np.zeros(size, np.int32)  # steps since the start of the episode
        self._is_last = np.zeros(size, bool)
        self._is_terminal = np.zeros(size, bool)
        self._added = np.zeros(streams, np.int64)
        self._transitions = 0
        self._priorities = Priorities(size) if prioritized else None
        self._chosen: np.ndarray | None = None  # [K] rows to sample from, if not all
        self.stated_values: np.ndarray | None = None  # [size, A] a teacher's on each row's observation, as logged
        self.teacher_values: np.ndarray | None = None  # [size, A] this teacher's, for batches to carry

    @classmethod
    def of(cls, steps: Steps, stack: int, chosen: np.ndarray | None = None) -> Self:
        """Return a full replay of one stream over the given steps, without copying the arrays.

        With `chosen` [T] bool, only transitions that begin at these steps are sampled and counted.
        """
        replay = cls(1, steps.frame[0], stack)
        replay._rows = len(steps.action)
        replay._frame, replay._action, replay._reward = steps.frame, steps.action, steps.reward
        replay._is_last, replay._is_terminal = steps.is_last, steps.is_terminal
        at = np.arange(replay._rows, dtype=np.int32)
        replay._age = at - np.maximum.accumulate(np.where(steps.is_first, at, 0), dtype=np.int32)
        replay._added = np.array([replay._rows])
        real = ~steps.is_last if chosen is None else ~steps.is_last & chosen
        replay._transitions = int(np.sum(real))
        replay._chosen = None if chosen is None else np.flatnonzero(real)
        replay.stated_values = steps.teacher_values
        return replay

    @property
    def starts(self) -> np.ndarray:
        """Return the rows [K] of a log at which transitions begin."""
        if self._chosen is not None:
            return self._chosen
        used = (np.arange(self._rows) < self._added[:, None]).ravel()
        return np.flatnonzero(used & ~self._is_last)

    def observations(self, rows: np.ndarray) -> np.ndarray:
        """Return the observations [K, S, *frame] at rows [K] of a log."""
        stacks = self._frame[np.maximum(rows[:, None] + np.arange(1 - self.stack, 1), 0)]
        for young in np.flatnonzero(self._age[rows] < self.stack - 1):
            stacks[young, : self.stack - 1 - self._age[rows[young]]] = 0
        return stacks

    def __len__(self) -> int:
        """Count the transitions in the ring."""
        return self._transitions

    def add(self, who: np.ndarray, frame, action, reward, age, is_last, is_terminal) -> None:
        """Append one step to each of the distinct streams `who` [K]: frame [K, *frame], the others [K]."""
        at = self._at(who, self._added[who])
        overwritten = self._added[who] >= self._rows
        self._transitions -= int(np.sum(overwritten & ~self._is_last[at]))
        self._transitions += int(np.sum(~np.asarray(is_last, bool)))
        self._frame[at], self._action[at], self._reward[at] = frame, action, reward
        self._age[at], self._is_last[at], self._is_terminal[at] = age, is_last, is_terminal
        self._added[who] += 1
        if self._priorities is not None:
            self._priorities.set(at, np.where(is_last, 0.0, self._priorities.highest))

    def rows(self, since: np.ndarray) -> dict[str, np.ndarray]:
        """Return copies of the stored steps added after the first `since` [streams] steps, for `put`."""
        first = np.maximum(since, self._added - self._rows)
        at = np.concatenate(
            [self._at(np.array(s), np.arange(a, b)) for s, (a, b) in enumerate(zip(first, self._added, strict=True))]
        )
        return {"first": first, "added": self._added.copy()} | {name: getattr(self, f"_{name}")[at] for name in COLUMNS}

    def put(self, rows: dict[str, np.ndarray]) -> None:
        """Append the output of `rows` to a replay of the same size; ValueError if steps are missing in between.

        An empty replay may begin at any step: missing earlier ones are never sampled.
        """
        if not self._added.any():
            self._is_last[:] = rows["first"].any()
        elif not (rows["first"] <= np.maximum(self._added, rows["added"] - self._rows)).all():
            raise ValueError("steps are missing between two parts of a replay")
        counts = rows["added"] - rows["first"]
        stream = np.repeat(np.arange(len(counts)), counts)
        index = np.arange(len(stream)) - np.repeat(np.cumsum(counts) - counts, counts) + rows["first"][stream]
        at = self._at(stream, index)
        for name in COLUMNS:
            getattr(self, f"_{name}")[at] = rows[name]
        self._added = rows["added"].copy()
        self._transitions = int(
            sum(np.sum(~self._is_last[s * self._rows :][: min(a, self._rows)]) for s, a in enumerate(self._added))
        )

    @property
    def size(self) -> int:
        """Return the number of rows, used or not."""
        return len(self._action)

    @property
    def priorities(self) -> np.ndarray | None:
        """Return a copy of the priorities [size] of all rows, if the replay is prioritized."""
        return None if self._priorities is None else self._priorities[np.arange(self.size)]

    @priorities.setter
    def priorities(self, values: np.ndarray) -> None:
        assert self._priorities is not None
        self._priorities.set(np.arange(self.size), values)

    @property
    def highest(self) -> float:
        """Return the highest priority so far, which new steps get."""
        assert self._priorities is not None
        return self._priorities.highest

    @highest.setter
    def highest(self, value: float) -> None:
        assert self._priorities is not None
        self._priorities.highest = value

    @property
    def oldest(self) -> np.ndarray:
        """Return the index [streams] of the oldest stored step of each stream."""
        return np.maximum(self._added - self._rows, 0)

    @property
    def added(self) -> np.ndarray:
        """Return the number of steps [streams] ever added to each stream, final steps included."""
        return self._added.copy()

    def prioritize(self, rows: np.ndarray, priorities: np.ndarray) -> None:
        """Set the priorities [K] of the rows [K]."""
        if self._priorities is not None and len(rows):
            self._priorities.set(rows, priorities)

    def _drawn(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw (stream, absolute index) [size] in proportion to the priorities; some may be unusable."""
        assert self._priorities is not None
        rows = np.minimum(self._priorities.draw(rng, size), len(self._action) - 1)
        s, row = np.divmod(rows, self._rows)
        newest = self._added[s] - 1
        return s, newest - (newest - row) % self._rows

    def _at(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Return the row of the step with absolute index t of stream s."""
        return s * self._rows + t % self._rows

    def places(self, rng: np.random.Generator, size: int, n_step: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Draw (stream, absolute index) [size] uniformly from usable steps; None if there are none."""
        ends = np.cumsum(np.minimum(self._added, self._rows))
        total = ends[-1] if self._chosen is None else len(self._chosen)
        streams, index = np.empty(0, np.int64), np.empty(0, np.int64)
        for _ in range(16 if total else 0):
            missing = size + size // 8 + 4 - len(index)
            if self._priorities is None:
                s, t = self._nth(rng.integers(total, size=missing), ends)
            else:
                s, t = self._drawn(rng, missing)
            good = (t >= 0) & self._usable(s, t, n_step)
            streams, index = np.concatenate([streams, s[good]]), np.concatenate([index, t[good]])
            if len(index) >= size:
                kept = slice(size) if self._priorities is None else rng.permutation(len(index))[:size]
                return streams[kept], index[kept]
        # Few steps are usable, as in a ring shorter than its episodes: test all of them.
        s, t = self._nth(np.arange(total), ends)
        usable = np.flatnonzero(self._usable(s, t, n_step))
        if len(usable) == 0:
            return None
        chosen = rng.choice(usable, size)
        return s[chosen], t[chosen]

    def _nth(self, number: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (stream, absolute index) of the numbers [B], which count the stored steps stream by stream.

        With chosen steps there is one stream, and the numbers count only those.
        """
        if self._chosen is not None:
            return np.zeros(len(number), np.int64), self._chosen[number]
        s = np.searchsorted(ends, number, side="right")
        return s, self._added[s] - (ends[s] - number)

    def _usable(self, s: np.ndarray, t: np.ndarray, n_step: int) -> np.ndarray:
        at, added = self._at(s, t), self._added[s]
        oldest = t - np.minimum(self._age[at], self.stack - 1)
        ahead = t + np.arange(1, n_step + 1)[:, None]
        ended = (self._is_last[self._at(s, ahead)] & (ahead < added)).any(axis=0)
        return ~self._is_last[at] & (oldest >= added - self._rows) & (ended | (t + n_step < added))

    def return_to_go(self, s: np.ndarray, t: np.ndarray, discount: float, clip: bool) -> np.ndarray:
        """Return the discounted return [B] from each step to the end of its episode, -inf while unknown.

        Rewards whose discount is below 1e-6 are ignored.
        """
        horizon = np.log(1e-6) / np.log(np.clip(discount, 1e-9, FORESIGHT))
        follow = t[:, None] + np.arange(min(int(np.ceil(horizon)), self._rows))
        at, there = self._at(s[:, None], follow), follow < self._added[s][:, None]
        reward = self._reward[at].clip(-1.0, 1.0) if clip else self._reward[at]
        over = np.logical_or.accumulate(self._is_last[at] & there, axis=1)
        power = np.float32(discount) ** np.arange(follow.shape[1], dtype=np.float32)
        total = np.where(over, np.float32(0.0), reward * power).sum(axis=1)
        known = there | over
        return np.where(known.all(axis=1), total, np.float32(-np.inf))

    def gather(self, s, t, n_step: int, discount: float, clip: bool, to_end: bool = False) -> Batch:
        """Return the batch at the steps (s, t) [B]. `clip`: clip rewards to [-1, 1].

        `to_end`: include the return to the end of each episode.
        """
        # Small arrays are time first, [S + n, B]: numpy is several times faster along the longer axis.
        # `take` is several times faster than brackets, too.
        step, power = _steps(n_step, discount)
        places = self._at(s, t + _around(self.stack, n_step))
        at = places[self.stack - 1]
        ended = np.logical_or.accumulate(self._is_last.take(places[self.stack :]), axis=0)  # [n, B], after k + 1 steps
        span = n_step - ended[:-1].sum(axis=0, dtype=np.int32)
        end = places[span + (self.stack - 1), np.arange(len(s))]
        reward = self._reward.take(places[self.stack - 1 : -1])
        reward = np.minimum(np.maximum(reward, -ONE), ONE) if clip else reward
        reward = np.where(step < span, reward * power[:-1, None], ZERO)
        window = self._frame[np.ascontiguousarray(places.T)]
        if self.stack > 1:
            age = self._age.take(at)
            for young in np.flatnonzero(age < self.stack - 1):
                window[young, : self.stack - 1 - age[young]] = 0
        weight = np.ones(len(s), np.float32)
        if self._priorities is not None:
            weight = (1.0 / np.sqrt(self._priorities[at] + SMALL)).astype(np.float32)
            weight = weight / weight.max()
        return Batch(
            window=window,
            span=span,
            action=self._action[at],
            reward=reward.sum(axis=0, dtype=np.float32),
            discount=np.where(self._is_terminal.take(end), ZERO, power.take(span)),
            from_teacher=np.zeros(len(s), np.float32),
            weight=weight,
            row=at,
            teacher_values=None if self.teacher_values is None else self.teacher_values[at],
            return_to_go=self.return_to_go(s, t, discount, clip) if to_end else None,
        )

    def sample(
        self, rng, size: int, n_step: int, discount: float, clip: bool = False, to_end: bool = False
    ) -> Batch | None:
        """Return a batch, or None while nothing can be sampled."""
        places = self.places(rng, size, n_step)
        return places and self.gather(*places, n_step, discount, clip, to_end)
