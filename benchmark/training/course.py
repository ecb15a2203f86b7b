"""What every part of the loop looks at: what is trained, the plan, where the run is and what it has spent."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...agents.learner import key_of
from ...agents.method import Architecture, Method, Progress, Teacher
from ...datasets.replay.mixture import Mixture
from ...datasets.replay.replay import Replay
from ..tasks.task import Task
from .budget import FREE, Budget, Meter, Plan
from .state import Member, TrainingState
from .stopwatch import Stopwatch

WEANED_UPDATES = 64  # how often a method is asked whether its teacher still matters


class Training(NamedTuple):
    """What is trained, from what, and under which limits."""

    task: Task
    method: Method
    architecture: Architecture
    teacher: Teacher
    log: Replay | Mixture | None
    seed: int
    budget: Budget
    points: Sequence[float] = ()  # where the student is shown: shares [0, 1] of the planned steps, above 1 agent steps


class Course:
    """The state of a training that its parts share, and what the method is told of it."""

    def __init__(self, what: Training, watch: Stopwatch):
        self.what, self.method, self.task = what, what.method, what.task
        self.meter, self.watch, self.plan = Meter(what.budget), watch, Plan(0, 0, 0)
        self.state = TrainingState([], self.meter.spent, watch.seconds, [], {})

    def share(self) -> float:
        """Return the share of the planned steps that is spent."""
        return min(self.meter.spent["steps"] / max(self.plan.steps, 1), 1.0)

    def credit(self, m: Member, reward: np.ndarray, over: np.ndarray) -> None:
        """Add the rewards [N] of a step to the returns, and keep those of the episodes that are over [N]."""
        m.returns += reward
        self.state.recent.extend(m.returns[over].tolist())
        m.returns[over] = 0.0

    def progress(self, m: Member, offline: float) -> Progress:
        """Return what the method is told, with a fresh key."""
        self.state.count += 1
        return self.progress_now(m, offline)

    def progress_now(self, m: Member, offline: float) -> Progress:
        """Return what the method is told, with the latest key: for what needs no fresh one."""
        numbers = [np.float32(x) for x in (offline, self.share(), max(self.plan.steps, 1), m.score, m.best)]
        updates = np.float32(max(self.plan.updates, 1))
        return Progress(*numbers, key=key_of(self.what.seed, self.state.count), updates=updates)

    def weans(self, m: Member) -> bool:
        """Return whether the method says now, when it is asked, that its teacher does not matter any more."""
        if m.weaned or self.meter.spent["updates"] % WEANED_UPDATES:
            return False
        return bool(self.method.weaned(self.progress_now(m, float(not self.state.online))))

    def clock(self) -> dict[str, float]:
        """Return what is spent, with the times up to date."""
        self.meter.spent |= {"seconds": self.watch.total(), "device": self.watch.device()}
        return self.meter.spent

    def resume(self, state: TrainingState) -> None:
        """Go on from a state."""
        self.state, self.meter.spent, self.watch.seconds = state, state.spent, state.phases
        for unit in FREE:  # an older version may not have counted it
            self.meter.spent.setdefault(unit, 0.0)
