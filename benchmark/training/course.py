"""What all parts of the loop share: what is trained, the plan, the state of the run and what it has spent."""

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

WEANED_UPDATES = 64  # updates between two questions to the method whether it still needs its teacher


class Training(NamedTuple):
    """What is trained, from what prior computation, and under which limits."""

    task: Task
    method: Method
    architecture: Architecture
    teacher: Teacher
    log: Replay | Mixture | None
    seed: int
    budget: Budget
    points: Sequence[float] = ()  # evaluation points: shares [0, 1] of the planned steps; above 1, agent steps


class Course:
    """The shared state of a training, and the progress reported to the method."""

    def __init__(self, what: Training, watch: Stopwatch):
        self.what, self.method, self.task = what, what.method, what.task
        self.meter, self.watch, self.plan = Meter(what.budget), watch, Plan(0, 0, 0)
        self.state = TrainingState([], self.meter.spent, watch.seconds, [], {})

    def share(self) -> float:
        """Return the share of the planned steps that are spent."""
        return min(self.meter.spent["steps"] / max(self.plan.steps, 1), 1.0)

    def credit(self, m: Member, reward: np.ndarray, over: np.ndarray) -> None:
        """Add the rewards [N] of a step to the running returns, and record those of episodes that ended [N]."""
        m.returns += reward
        self.state.recent.extend(m.returns[over].tolist())
        m.returns[over] = 0.0

    def progress(self, m: Member, offline: float) -> Progress:
        """Return the progress for the method, with a fresh key."""
        self.state.count += 1
        return self.progress_now(m, offline)

    def progress_now(self, m: Member, offline: float) -> Progress:
        """Return the progress for the method with the latest key, where no fresh one is needed."""
        numbers = [np.float32(x) for x in (offline, self.share(), max(self.plan.steps, 1), m.score, m.best)]
        updates = np.float32(max(self.plan.updates, 1))
        return Progress(*numbers, key=key_of(self.what.seed, self.state.count), updates=updates)

    def weans(self, m: Member) -> bool:
        """Return whether the method now says that it no longer needs its teacher; asked every WEANED_UPDATES
        updates."""
        if m.weaned or self.meter.spent["updates"] % WEANED_UPDATES:
            return False
        return bool(self.method.weaned(self.progress_now(m, float(not self.state.online))))

    def clock(self) -> dict[str, float]:
        """Update the times and return what is spent."""
        self.meter.spent |= {"seconds": self.watch.total(), "device": self.watch.device()}
        return self.meter.spent

    def resume(self, state: TrainingState) -> None:
        """Continue from a state."""
        self.state, self.meter.spent, self.watch.seconds = state, state.spent, state.phases
        for unit in FREE:  # older versions may not have counted it
            self.meter.spent.setdefault(unit, 0.0)
