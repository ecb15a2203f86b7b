"""The interface of those who observe a run: they may watch it, save its state and stop it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...agents.method import Learner, Params
from .budget import Budget, Plan
from .state import TrainingState


class Snapshot(NamedTuple):
    """The best member at an evaluation point, and what the run has spent so far."""

    spent: dict[str, float]
    params: Params
    last: bool
    phases: dict[str, float]  # seconds
    due: int = -1  # the agent steps at which it was due, possibly exceeded; -1 at the end
    opt_state: Any = ()  # state of its optimizer
    weaning: dict[str, Any] | None = None  # when and why it was weaned, as in the record
    planned: int = 0  # agent steps of the whole plan; points are shares of them


class Status(NamedTuple):
    """The progress of a run as a watcher sees it."""

    phase: str  # "offline" or "online"
    spent: dict[str, float]
    phases: dict[str, float]  # seconds
    plan: Plan
    returns: Sequence[float]  # of the latest training episodes, unclipped
    losses: dict[str, float]
    extra: dict[str, float]  # of the first member: score, best, learning-rate factor, whether it is weaned
    budget: Budget
    evaluations: int = 0  # remaining

    def limits(self) -> dict[str, tuple[float, float]]:
        """Return {unit: (spent, limit)} for the limits that were set."""
        return {unit: (self.spent[unit], limit) for unit, limit in self.budget.limits().items()}


class Interrupted(Exception):
    """The run was asked to stop and has saved its state."""


class Observer:
    """Decide what happens to a run's state; this one saves nothing."""

    def load(self, state: TrainingState, go_online: Callable[[Learner], Learner]) -> TrainingState:
        """Return the state to start from, given the state of a run that has not started; `turn` ends a learner's
        offline phase."""
        return state

    keeps_all = False  # whether steps must be saved before the replay drops them

    def due(self) -> bool:
        """Return whether it is time to save."""
        return False

    def save(self, state: TrainingState, force: bool) -> None:
        """Save the state; called between two acts when it is due, and with `force` where something would be lost
        otherwise."""

    def weaned(self, told: dict[str, Any]) -> None:
        """Note that a student was weaned, with the facts for the record."""

    def stop(self) -> bool:
        """Return whether the run should stop now."""
        return False
