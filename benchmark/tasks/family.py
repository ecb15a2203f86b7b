"""What a task is, and what a family of tasks answers: one object in one file, and an entry in `task.FAMILIES`."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from .environment import Environment

SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)  # of the planned agent steps
Drawn = Iterator[tuple[np.ndarray, float]]  # what is to be seen [H, W, 3] before an action, and its reward


class Task(NamedTuple):
    """What is played and how. Steps are agent steps; an environment frame is `1 / frame_skip` of one."""

    name: str  # as given on the command line: atari/Pong
    family: str  # of task.FAMILIES: atari, minatar, mujoco, dmc, balloon or gym
    env: str  # the environment's name in its own library
    frame_skip: int = 1
    stack: int = 1  # frames in an observation
    sticky: float = 0.0  # probability that the environment repeats the action before
    max_steps: int = 0  # agent steps after which an episode is truncated, 0: as the environment has it
    clip: bool = False  # whether rewards are cut to [-1, 1] for learning; returns never are
    evaluation_epsilon: float = 0.0
    evaluation_episodes: int = 20  # at least; with the next line unless a number of episodes is asked for
    evaluation_steps: int = 0  # agent steps of an evaluation, at least: rounds of whole episodes are played until then
    points: tuple[float, ...] = SHARES  # sample budgets: shares of a run, above 1 agent steps
    network: str = "mlp"
    teacher: str = ""  # reference of the pinned teacher, empty if there is none
    log: str = ""  # reference of its pinned log
    share: str = ""  # what the share of an episode's steps with a reward above one half is called, if it is told
    known_as: str = ""  # the environment's id, where that is not its name in its own library

    @property
    def environment(self) -> str:
        """The environment's id as others know it: ALE/Pong-v5, MinAtar/breakout, CartPole-v1."""
        return self.known_as or self.env

    def protocol(self) -> dict:
        """Return what two runs must share to be compared, for records and cards."""
        keys = ("env", "frame_skip", "stack", "sticky", "max_steps", "clip", "evaluation_epsilon", "evaluation_steps")
        return {key: value for key, value in self._asdict().items() if key in keys}


class Family(Protocol):
    """Tasks of one library."""

    name: str  # what stands before the slash
    package: str  # the distribution whose version shapes what is played
    sticky: bool  # whether it can repeat the action before
    alone: bool  # whether an environment waits for the slowest of its batch, so that batches are kept small

    def known(self) -> list[tuple[str, str]]:
        """Return the games that can be named, each with a line about it."""
        ...

    def named(self, text: str) -> str:
        """Return its own name of a game for a name that others give it, or nothing."""
        ...

    def task(self, game: str) -> Task | None:
        """Return the task of a game with its protocol, without a teacher and a log; None if there is no such game."""
        ...

    def make(self, task: Task, seed: np.ndarray, threads: int) -> Environment:
        """Return len(seed) environments, each started with its own seed."""
        ...

    def draw(self, task: Task, seed: int, actions: Sequence[Any]) -> tuple[float, Drawn]:
        """Return frames a second, and what is to be seen; ValueError with one sentence where nothing can be drawn."""
        ...


def game_of(environment: str) -> str:
    """Return what is played, without library, version and wrappers: ALE/SpaceInvaders-v5 -> spaceinvaders."""
    name = environment.partition("+")[0].rpartition(":")[2]
    return re.sub(r"^(ALE|MinAtar)/|NoFrameskip|Deterministic|-v\d+$|[_-]", "", name).lower()
