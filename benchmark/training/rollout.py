"""The newest steps of N environments, for methods that learn from them once and discard them (`Method.rollout`)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...agents.method import Method
from ...agents.resets import longest
from ...datasets.replay.replay import Replay
from ...datasets.transition import Batch
from ..tasks.environment import ENVIRONMENTS


def environments(method: Method) -> int:
    """Return a method's default number of environments."""
    return 1 if method.continuous else 128 if method.rollout else ENVIRONMENTS


def per_step(method: Method, environments: int) -> float:
    """Return the updates per agent step; for rollouts they follow from the size, the batches and the epochs."""
    if not method.rollout:
        return method.updates_per_step
    steps = method.rollout * environments
    return method.epochs * (steps // method.batch_size) / steps


def check(method: Method, environments: int, mixed: bool) -> None:
    """Raise ValueError for methods that cannot learn from rollouts; `mixed`: batches come from a log as well."""
    if not method.rollout:
        return
    if method.prioritized or method.keep_log or mixed:
        raise ValueError(
            "a method with a rollout learns only from its newest steps once it plays: set keep_log=false, or choose "
            "another base for a method that mixes a log or replays by priority"
        )
    if method.updates_per_step not in (Method._field_defaults["updates_per_step"], math.inf):  # inf limits nothing
        raise ValueError("with a rollout, epochs and batch_size set the number of updates: leave out updates_per_step")
    if method.rollout * environments < method.batch_size:
        raise ValueError(
            f"{environments} environments with {method.rollout} steps each are less than a batch of "
            f"{method.batch_size}: use more environments, a longer rollout or a smaller batch"
        )


def room(method: Method, environments: int, stack: int) -> int:
    """Return the replay rows that a rollout needs if each step ends an episode; 0 without rollouts."""
    return environments * (2 * method.rollout + stack + 1) if method.rollout else 0


class Rollout:
    """The places of the newest steps in a replay, and the batches drawn from them once there are enough."""

    def __init__(self, method: Method, environments: int):
        self._method, self._n = method, environments
        self._rows: list[np.ndarray] = []  # [N] the absolute index of each step in its stream
        self._cut: list[np.ndarray] = []  # [N] whether its episode ended
        self._whole: Batch | None = None
        self._order = np.empty(0, int)

    def add(self, rows: np.ndarray, cut: np.ndarray) -> bool:
        """Add a step of all environments: [N] each. True if the rollout is complete; the next step starts a new one."""
        if len(self._rows) == self._method.rollout:
            self._rows, self._cut = [], []
        self._rows.append(rows)
        self._cut.append(cut)
        return len(self._rows) == self._method.rollout

    @property
    def updates(self) -> int:
        """The number of gradient updates on a complete rollout."""
        return self._method.epochs * (self._method.rollout * self._n // self._method.batch_size)

    def label(self, replay: Replay, newest: np.ndarray, clip: bool, look: Callable[..., tuple[Any, Any]]) -> None:
        """Compute the returns of a complete rollout.

        `newest` [N, *frame]: the frames after the last steps, which the replay does not hold yet where episodes
        continue. `look`: (observations [T * N, S, *frame], actions [T * N], the next observations) -> values [T * N] of
        the next observations, and the remembered numbers [T * N, K] or None, both by the network that played.
        """
        method, rows, cut = self._method, np.stack(self._rows), np.stack(self._cut)
        streams = np.tile(np.arange(self._n), len(rows))
        batch = replay.gather(streams, rows.reshape(-1), 1, method.discount, clip, method.needs_return_to_go)
        open_ = np.flatnonzero(~cut[-1]) + (len(rows) - 1) * self._n
        batch.window[open_, -1], batch.discount[open_] = newest[~cut[-1]], method.discount
        value, played = look(batch.window[:, :-1], batch.action, batch.window[:, 1:])
        reward, discount, value = (part.reshape(cut.shape) for part in (batch.reward, batch.discount, value))
        target = method.returns(reward, discount, value, cut, method.trace).reshape(-1)
        rest = [(0, 0), (0, longest(method) - 1), *[(0, 0)] * (batch.window.ndim - 2)]
        window = np.pad(batch.window, rest) if longest(method) > 1 else batch.window
        none = np.zeros_like(batch.discount)
        self._whole = batch._replace(window=window, reward=target, discount=none, played=played)
        self._order = np.empty(0, int)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw the next batch. An epoch uses each step once, except for those that do not fill a batch."""
        size, whole = self._method.batch_size, self._whole
        assert whole is not None
        if len(self._order) < size:
            self._order = rng.permutation(len(whole.action))
        pick, self._order = self._order[:size], self._order[size:]
        return Batch(*(part if part is None else part[pick] for part in whole))
