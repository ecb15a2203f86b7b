"""Environments, many at once: ALE, MinAtar, and whatever Gymnasium makes."""

import numpy as np

from ..machine import cores
from .environment import Environment, EnvironmentFault, Step
from .gym_envs import Gym
from .minatar.games import GAMES, act, again, begin
from .minatar.streams import Streams
from .task import Task

__all__ = ["Environment", "EnvironmentFault", "Step"]  # beside what is made here

STREAMS = ("train", "validation", "test", "random", "log", "promotion", "verification")  # they never share a seed
RESUMED = 7 * 2**28  # what is played after an interruption begins here


def seeds(stream: str, seed: int, n: int, member: int = 0, attempt: int = 0) -> np.ndarray:
    """[n] seeds, different for every purpose, run and member of a population.

    Later attempts at the same, after interruptions, draw theirs from a range of their own.
    """
    if not 0 <= seed < 2**14:
        raise ValueError(f"the seed is {seed}: choose one from 0 to {2**14 - 1}")
    if n > 2**10 or member >= 2**4:
        raise ValueError("there are seeds for 1024 environments or episodes and 16 members: ask for fewer")
    if attempt:
        drawn = np.random.SeedSequence([STREAMS.index(stream), seed, member, attempt]).generate_state(n)
        return (RESUMED + drawn % 2**28).astype(np.int32)
    return (STREAMS.index(stream) * 2**28 + seed * 2**14 + member * 2**10 + np.arange(n)).astype(np.int32)


def make(task: Task, seed: np.ndarray, threads: int = 0) -> Environment:
    """len(seed) environments of a task, each started with its own seed. `threads`: 0 lets the library choose."""
    makers = {"atari": Atari, "minatar": MinAtar, "gym": Gym}
    return makers[task.family](task, seed, threads)


def blocks(task: Task, seed: np.ndarray, threads: int = 0) -> list[Environment]:
    """As `make`, in blocks to be stepped one after another, so that one whose episodes are over need not be.

    ALE steps all environments of a vector, and an episode in which nobody serves the ball lasts 40 times as long as
    others: a block has no more environments than threads. The other families are cheap.
    """
    size = len(seed) if task.family != "atari" else threads or cores()
    return [make(task, seed[at : at + size], threads) for at in range(0, len(seed), size)]


class Atari:
    """ALE's own vector environment, with every setting given: its defaults are not the protocol.

    `look` has settings for people who want to watch.
    """

    def __init__(self, task: Task, seed: np.ndarray, threads: int, **look):
        from ale_py import ALEInterface, LoggerMode
        from ale_py.vector_env import AtariVectorEnv

        ALEInterface.setLoggerMode(LoggerMode.Error)
        self.n = len(seed)
        settings = dict(
            batch_size=0,
            num_threads=threads,
            thread_affinity_offset=-1,
            max_num_frames_per_episode=task.max_steps * task.frame_skip,
            repeat_action_probability=task.sticky,
            full_action_space=False,
            continuous=False,
            continuous_action_threshold=0.5,
            autoreset_mode="SameStep",
            img_height=84,
            img_width=84,
            grayscale=True,
            stack_num=task.stack,
            frameskip=task.frame_skip,
            maxpool=True,
            noop_max=0,
            episodic_life=False,
            life_loss_info=False,
            reward_clipping=False,
            use_fire_reset=False,
        )
        self._env = AtariVectorEnv(task.env, self.n, **{**settings, **look})
        self.actions = int(self._env.single_action_space.n)  # pyright: ignore[reportAttributeAccessIssue]
        self._obs = np.asarray(self._env.reset(seed=seed)[0])

    def observe(self) -> np.ndarray:
        return self._obs

    def step(self, actions: np.ndarray) -> Step:
        obs, reward, terminated, truncated, info = self._env.step(np.asarray(actions, np.int64))
        self._obs = np.asarray(obs)
        final = info["final_obs"][:, -1] if "final_obs" in info else self._obs[:, -1]
        return Step(np.asarray(reward, np.float32), terminated, truncated, final)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        mask = np.isin(np.arange(self.n), which)
        order = np.argsort(which)
        obs, _ = self._env.reset(seed=np.asarray(seed, np.int32)[order], options={"reset_mask": mask})
        shown = self._obs.copy()
        shown[mask] = np.asarray(obs)[mask]
        self._obs = shown


class MinAtar:
    """MinAtar's games (Young and Tian, 2019): minimal actions, difficulty ramping, planes [10, 10, C] of booleans.

    The games are this package's own (`minatar/`); with the same seed and actions they show what MinAtar's own
    package shows, sticky actions included.
    """

    def __init__(self, task: Task, seed: np.ndarray, threads: int):
        self.n, self._task, self._game = len(seed), task, GAMES[task.env]
        self.actions, self._chance = self._game.actions, Streams(seed)
        self._play = begin(self._game, self._chance)
        self._obs = self._game.look(np, self._play.state)

    def observe(self) -> np.ndarray:
        return self._obs[:, None]

    def step(self, actions: np.ndarray) -> Step:
        task = self._task
        self._play, told = act(self._game, self._play, actions, self._chance, task.sticky, task.max_steps)
        self._obs = told.obs
        return Step(told.reward, told.terminated, told.truncated, told.final)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self._chance.renew(which, seed)
        new = np.isin(np.arange(self.n), which)
        play = again(self._game, self._play, new, self._chance)
        self._play = play._replace(before=np.where(new, 0, play.before))
        self._obs = self._game.look(np, self._play.state)
