"""What defines a task and a family of tasks. A family is one object in one file, with an entry in `task.FAMILIES`."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from .environment import Environment

SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)  # of the planned agent steps
Drawn = Iterator[tuple[np.ndarray, float]]  # a picture [H, W, 3] before an action, and the reward of that action


class Task(NamedTuple):
    """A task and its protocol. Steps are agent steps; an environment frame is `1 / frame_skip` of one."""

    name: str  # as given on the command line: atari/Pong
    family: str  # key in task.FAMILIES: atari, minatar, mujoco, dmc, balloon or gym
    env: str  # the environment's name in its own library
    frame_skip: int = 1
    stack: int = 1  # frames per observation
    sticky: float = 0.0  # probability that the environment repeats the previous action
    max_steps: int = 0  # agent steps after which an episode is truncated; 0: the environment decides
    clip: bool = False  # whether rewards are clipped to [-1, 1] for learning; returns never are
    evaluation_epsilon: float = 0.0
    evaluation_episodes: int = 20  # minimum, together with the next field, unless the user sets a number
    evaluation_steps: int = 0  # minimum agent steps of an evaluation: rounds of whole episodes until then
    points: tuple[float, ...] = SHARES  # sample budgets: shares of a run; above 1, agent steps
    network: str = "mlp"
    teacher: str = ""  # reference of the pinned teacher; empty if there is none
    log: str = ""  # reference of the pinned log
    traced: bool = False  # whether the last picture of a film shows the whole episode
    share: str = ""  # name of the share of an episode's steps with a reward above 0.5, if it is reported
    known_as: str = ""  # the environment's public id, if it differs from `env`
    same_as: str = ""  # name of the task whose episodes it has, by another simulator

    @property
    def environment(self) -> str:
        """Return the environment's public id: ALE/Pong-v5, MinAtar/breakout, CartPole-v1."""
        return self.known_as or self.env

    def protocol(self) -> dict:
        """Return the settings that two runs must share to be comparable, for records and cards."""
        keys = ("env", "frame_skip", "stack", "sticky", "max_steps", "clip", "evaluation_epsilon", "evaluation_steps")
        return {key: value for key, value in self._asdict().items() if key in keys}


class Family(Protocol):
    """The tasks of one library."""

    name: str  # part before the slash of a task's name
    package: str  # distribution whose version affects the task
    sticky: bool  # whether it supports sticky actions
    alone: bool  # whether a batch waits for its slowest environment, so that batches are kept small

    def known(self) -> list[tuple[str, str]]:
        """Return the listed games, each with a one-line description."""
        ...

    def named(self, text: str) -> str:
        """Return the family's own name of a game that others call `name`; None if it has no such game."""
        ...

    def task(self, game: str) -> Task | None:
        """Return the task of a game with its protocol but no teacher or log; None if there is no such game."""
        ...

    def make(self, task: Task, seed: np.ndarray, threads: int) -> Environment:
        """Make len(seed) environments, each started with its own seed."""
        ...

    def draw(self, task: Task, seed: int, actions: Sequence[Any]) -> tuple[float, Drawn]:
        """Return frames per second, and the pictures; ValueError in one sentence if the task cannot be drawn."""
        ...


def game_of(environment: str) -> str:
    """Return the bare name of a game, without library, version and wrappers: ALE/SpaceInvaders-v5 -> spaceinvaders."""
    name = environment.partition("+")[0].rpartition(":")[2]
    return re.sub(r"^(ALE|MinAtar)/|NoFrameskip|Deterministic|-v\d+$|[_-]", "", name).lower()
