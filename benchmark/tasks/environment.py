"""The interface of environments: N games stepped together, and the result of a step."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ...datasets.transition import Actions

ENVIRONMENTS = 8  # stepped together by default
MOST_THREADS = 1024  # more than any machine has cores; libraries die of millions


class EnvironmentFault(ValueError):
    """An environment broke its contract and the run cannot continue; names the environment, the step and the value."""


class Step(NamedTuple):
    """The result of a step in N environments. Environments whose episode ended have already started the next one."""

    reward: np.ndarray  # [N] float32, unclipped
    terminated: np.ndarray  # [N] bool, the episode reached a terminal state
    truncated: np.ndarray  # [N] bool, the episode was cut off
    final: np.ndarray  # [N, *frame] the last frame of the episode, valid where it ended


class Environment(Protocol):
    """N environments stepped together."""

    n: int

    @property
    def actions(self) -> Actions:
        """Return the action space: a number of choices, or the bounds of continuous actions."""
        ...

    def observe(self) -> np.ndarray:
        """Return the observations [N, S, *frame]. Callers must not change the array; the next step may overwrite it."""
        ...

    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each environment: [N] int, or [N, D] within the bounds."""
        ...

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        """Begin a new episode in the environments `which` [K], each with its own seed [K]."""
        ...


@runtime_checkable
class Concurrent(Protocol):
    """What environments with threads of their own have besides."""

    def begin(self, actions: np.ndarray) -> Callable[[], Step]:
        """Begin a step in each environment; what is returned waits for its result."""
        ...


@runtime_checkable
class ArrayEnvironment(Environment, Protocol):
    """N environments made of arrays on a device, so that a program can take many steps without the host."""

    world: Any  # a tree of arrays; `frame` [N, *frame] is the observation

    def advance(self, world: Any, actions: Any, /) -> tuple[Any, Any]:
        """Return the world after a step and the fields of a `Step`; a pure function that can be traced."""
        ...
