"""What others see of a running run, and what they may do: watch, keep its state, stop it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...agents.method import Learner, Params
from .budget import Budget, Plan
from .state import TrainingState


class Snapshot(NamedTuple):
    """The best member at a checkpoint, and what the run has spent so far."""

    spent: dict[str, float]
    params: Params
    last: bool
    phases: dict[str, float]  # seconds
    due: int = -1  # the agent steps at which it was to be taken, which may be passed by some; -1 at the end
    opt_state: Any = ()  # what its optimizer keeps
    weaning: dict[str, Any] | None = None  # when and why it was weaned, as the record has it
    planned: int = 0  # agent steps of the whole plan, of which points are shares


class Status(NamedTuple):
    """What a watcher sees while the loop runs."""

    phase: str  # "offline" or "online"
    spent: dict[str, float]
    phases: dict[str, float]  # seconds
    plan: Plan
    returns: Sequence[float]  # of the latest training episodes, unclipped
    losses: dict[str, float]
    extra: dict[str, float]  # of the first member: score, best, factor on the learning rate, whether it is weaned
    budget: Budget
    evaluations: int = 0  # that are still to come

    def limits(self) -> dict[str, tuple[float, float]]:
        """Return {unit: (spent, limit)} for the limits that were given."""
        return {unit: (self.spent[unit], limit) for unit, limit in self.budget.limits().items()}


class Interrupted(Exception):
    """The run was asked to stop, and has saved where it is."""


class Observer:
    """What becomes of a run's state; this one keeps nothing."""

    def load(self, state: TrainingState, go_online: Callable[[Learner], Learner]) -> TrainingState:
        """Return what to start from, given the state of a run that has not begun;
        `turn` ends a learner's offline phase."""
        return state

    keeps_all = False  # whether steps that the replay drops must have been saved before

    def due(self) -> bool:
        """Return whether it is time to save."""
        return False

    def save(self, state: TrainingState, force: bool) -> None:
        """Save the state; called between two acts, when it is due,
        and with `force` wherever something would be lost."""

    def weaned(self, told: dict[str, Any]) -> None:
        """Take note that a student has been weaned, with what the record will say of it."""

    def stop(self) -> bool:
        """Return whether the run should stop here."""
        return False
