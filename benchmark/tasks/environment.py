"""What an environment is to the harness: N games stepped together, and what they answer."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ...datasets.transition import Actions

ENVIRONMENTS = 8  # stepped together unless told otherwise


class EnvironmentFault(ValueError):
    """What an environment did that no run can go on with: its name, the step, and what came."""


class Step(NamedTuple):
    """What N environments answer. Those that are done have already started their next episode."""

    reward: np.ndarray  # [N] float32, unclipped
    terminated: np.ndarray  # [N] bool, the game ended
    truncated: np.ndarray  # [N] bool, it was cut off
    final: np.ndarray  # [N, *frame] the last frame of the episode, valid where it ended


class Environment(Protocol):
    """N environments stepped together."""

    n: int

    @property
    def actions(self) -> Actions:
        """What can be done: a number of choices, or the bounds of numbers."""
        ...

    def observe(self) -> np.ndarray:
        """Return the observations [N, S, *frame]; the caller must not change it, and the next step may."""
        ...

    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each: [N] int, or [N, D] within their bounds."""
        ...

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        """Begin a new episode in the environments `which` [K], each with its own seed [K]."""
        ...


@runtime_checkable
class ArrayEnvironment(Environment, Protocol):
    """N environments made of arrays that a device holds: a program may take many steps without the host."""

    world: Any  # a tree of arrays; `frame` [N, *frame] is what is to be seen

    def advance(self, world: Any, actions: Any, /) -> tuple[Any, Any]:
        """Return the world a step later, and what a `Step` has; a pure function, to be traced."""
        ...
