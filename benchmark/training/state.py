"""The state of a run: what a checkpoint saves and a resumed run starts from."""

import dataclasses
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from ...agents.method import Clock, Learner
from ...datasets.replay.replay import Replay
from ..tasks.environments import Environment
from .rollout import Rollout


class Pending(NamedTuple):
    """New priorities from an update, which the replay gets before the next one."""

    rows: np.ndarray  # [B] as in the batch
    own: np.ndarray  # [B] bool, whether they are rows of the student's replay
    values: Any  # [B] on the device

    def ready(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the replay's own rows and their priorities, [K] each; waits for the device."""
        return self.rows[self.own], np.asarray(self.values)[self.own]


@dataclasses.dataclass
class Member:
    """One student of the population, with its own environments and replay."""

    number: int
    learner: Learner
    env: Environment
    replay: Replay
    clock: Clock
    returns: np.ndarray  # [N] of the current episodes
    score: float = 0.0  # at the last validation
    best: float = 0.0  # highest lower bound of its scores
    proof: tuple[float, float, int] | None = None  # the validation with that bound: score, bound, episodes
    updates_due: float = 0.0  # not yet made
    made: int = 0  # updates of this member
    weaned: bool = False  # whether the teacher is no longer asked
    weaning: dict[str, Any] | None = None  # when that was and why, as in the record
    rollout: Rollout | None = None  # of methods that learn from their newest steps; lost at an interruption
    pending: Pending | None = None  # of the latest update, if the replay is prioritized
    last_frames: np.ndarray | None = None  # [N, *frame] if the last step was not paid for in all environments

    def shown(self) -> np.ndarray:
        """Return the frames [N, *frame] that the last paid steps led to."""
        return self.env.observe()[:, -1] if self.last_frames is None else self.last_frames

    def cut(self, frames: np.ndarray) -> list[list[int]]:
        """Start new episodes, as after a crash; the current ones end as truncated in `frames` [N].

        Returns [member, stream, step] of these ends.
        """
        open_ = np.flatnonzero(self.clock.step > 0)
        cuts = [[self.number, int(s), int(self.replay.added[s])] for s in open_]
        if len(open_):
            yes = np.ones(len(open_), bool)
            self.replay.add(open_, frames[open_], 0, 0.0, self.clock.step[open_], yes, ~yes)
        self.clock = Clock(self.clock.episode + self.env.n * (self.clock.step > 0), np.zeros_like(self.clock.step))
        self.returns = np.zeros(self.env.n)
        return cuts


@dataclasses.dataclass
class TrainingState:
    """A run between two acts. Counters are in the meter's units."""

    members: list[Member]
    spent: dict[str, float]
    phases: dict[str, float]  # seconds
    due: list[int]  # agent steps of the remaining evaluation points
    rng_state: dict[str, Any]  # of the generator that samples batches
    count: int = 0  # keys used
    shown: int = 0  # snapshots so far
    checked: int = 0  # tenths of the steps whose validation is done
    turn: int = 0  # acts of the loop, which takes turns between members
    online: bool = False
    over: bool = False  # a limit does not cover the next act
    losses: dict[str, float] = dataclasses.field(default_factory=dict)  # of the latest update that was read
    cuts: list[list[int]] = dataclasses.field(default_factory=list)  # ends of episodes due to interruptions
    recent: deque = dataclasses.field(default_factory=lambda: deque(maxlen=20))  # training returns
    read: np.ndarray | None = None  # [T] bool, transitions of the log that were learned from
