"""Batches of a task's environments, and their seeds."""

from collections.abc import Callable
from functools import cache

import numpy as np

from ...datasets.transition import Actions
from ..machine import cores
from .environment import ArrayEnvironment, Environment, EnvironmentFault, Step
from .task import FAMILIES, Task

__all__ = ["ArrayEnvironment", "Environment", "EnvironmentFault", "Step"]  # in addition to what is defined here

STREAMS = ("train", "validation", "test", "random", "log", "promotion", "verification")  # they share no seed
RESUMED = 7 * 2**28  # seeds of later attempts, after an interruption, start here


def seeds(stream: str, seed: int, n: int, member: int = 0, attempt: int = 0) -> np.ndarray:
    """Return [n] seeds that differ for every purpose, run and member of a population.

    Attempts after an interruption use a separate range of seeds.
    """
    if not 0 <= seed < 2**14:
        raise ValueError(f"the seed is {seed}: choose one from 0 to {2**14 - 1}")
    if n > 2**10 or member >= 2**4:
        raise ValueError("there are seeds for only 1024 environments or episodes and 16 members: ask for fewer")
    if attempt:
        drawn = np.random.SeedSequence([STREAMS.index(stream), seed, member, attempt]).generate_state(n)
        return (RESUMED + drawn % 2**28).astype(np.int32)
    return (STREAMS.index(stream) * 2**28 + seed * 2**14 + member * 2**10 + np.arange(n)).astype(np.int32)


def make(task: Task, seed: np.ndarray, threads: int = 0) -> Environment:
    """Return len(seed) environments of a task, each started with its own seed; `threads=0` lets the library choose."""
    return FAMILIES[task.family].make(task, seed, threads)


def on_device(task: Task, seed: np.ndarray) -> ArrayEnvironment:
    """Like `make`, but on a device; ValueError if the task's environments are not made of arrays.

    The same seed gives other episodes than on the host; the rules are the same.
    """
    return array_maker(task)(task, seed)


def array_maker(task: Task) -> Callable[[Task, np.ndarray], ArrayEnvironment]:
    """Return the function that makes a task's environments on a device; ValueError if they are not made of arrays."""
    made = getattr(FAMILIES[task.family], "on_device", None)
    if made is None:
        raise ValueError(
            f"the environments of {task.name} are not written in arrays: leave out --fused, or play minatar/..."
        )
    return made


def actions_of(task: Task) -> Actions:
    """Return the action space of a task: a number of discrete actions, or the bounds of continuous ones."""
    return _actions(task._replace(evaluation_episodes=1, evaluation_steps=0))


@cache
def _actions(task: Task) -> Actions:
    return make(task, seeds("random", 0, 1)).actions


def blocks(task: Task, seed: np.ndarray, threads: int = 0) -> list[Environment]:
    """Like `make`, but in blocks that are stepped one after another: a block whose episodes are all over is skipped.

    ALE steps all environments of a vector, and an episode in which no ball is ever served lasts 40 times as long as
    others. For ALE a block therefore has at most as many environments as threads; other families use a single block.
    """
    size = (threads or cores()) if FAMILIES[task.family].alone else len(seed)
    return [make(task, seed[at : at + size], threads) for at in range(0, len(seed), size)]
