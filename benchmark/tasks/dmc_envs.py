"""Tasks of dm_control's suite (Tassa et al., 2018): dmc/humanoid-run, dmc/cheetah-run, dmc/walker-walk and others.

Tasks are as in dm_control: an agent step is one control step, an observation is all of its observations in one row, and
rewards are in [0, 1]. Nearly all episodes are truncated after 1,000 steps, so the value of the last state is still
bootstrapped. An episode terminates only where dm_control's discount is 0.
"""

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...agents.keywords import meant
from ...datasets.transition import Box
from .environment import EnvironmentFault, Step
from .family import Drawn, Task
from .mujoco_envs import check_drawing, hear, missing

NAMED = ("humanoid-run", "cheetah-run", "walker-walk")  # listed by name; any other task can be named too
STEPS = 1_000  # per episode; episodes of the task lqr can terminate
INSTALL = 'pip install "reincarnate[dmc]"'
HEIGHT, WIDTH = 240, 320  # pixels of a film


class DmcFamily:
    """Tasks dmc/<domain>-<task>."""

    name, package, sticky, alone = "dmc", "dm_control", False, False

    def known(self) -> list[tuple[str, str]]:
        line = f"continuous actions, whole episodes of {STEPS:,} steps"
        line += f"; needs {INSTALL}" if missing("dm_control") else ""
        return [*((game, line) for game in NAMED), ("<domain>-<task>", "any other task of dm_control's suite")]

    def named(self, text: str) -> str:
        return ""

    def task(self, game: str) -> Task | None:
        if not re.fullmatch(r"[A-Za-z_]+-[a-z0-9_]+", game):
            return None
        return Task(f"{self.name}/{game}", self.name, game, max_steps=STEPS)

    def make(self, task: Task, seed: np.ndarray, threads: int) -> "Dmc":
        return Dmc(task, seed)

    def draw(self, task: Task, seed: int, actions: Sequence[Any]) -> tuple[float, Drawn]:
        check_drawing(task.name)
        env = Dmc(task, np.array([seed]))
        return env.rate, ((env.picture(), float(env.step(np.asarray(a)[None]).reward[0])) for a in actions)


class Dmc:
    """N environments of dm_control, each with its own random numbers."""

    def __init__(self, task: Task, seed: np.ndarray):
        self.n, self._name, self._limit = len(seed), task.name, task.max_steps
        self._envs = [loaded(task.env) for _ in seed]
        hear()
        bounds = self._envs[0].action_spec()
        if not np.isfinite([bounds.minimum, bounds.maximum]).all():
            raise ValueError(f"{task.name} has actions without bounds, which cannot be learned: take another task")
        self.actions = Box(*(tuple(map(float, end)) for end in (bounds.minimum, bounds.maximum)))
        self._age = np.zeros(self.n, int)
        self._obs = np.stack([self._reset(i, int(s)) for i, s in enumerate(seed)])

    def observe(self) -> np.ndarray:
        return self._obs[:, None]

    def step(self, actions: np.ndarray) -> Step:
        final, reward = np.empty_like(self._obs), np.zeros(self.n, np.float32)
        terminated, truncated = np.zeros(self.n, bool), np.zeros(self.n, bool)
        self._age += 1
        for i, env in enumerate(self._envs):
            told = self._told(i, lambda env=env, i=i: env.step(np.asarray(actions[i], float)))
            final[i], reward[i] = _row(told), told.reward
            terminated[i] = told.last() and told.discount == 0.0
            truncated[i] = not terminated[i] and (told.last() or self._age[i] >= self._limit)
        self._obs = final.copy()
        for i in np.flatnonzero(terminated | truncated):
            self._obs[i] = self._reset(int(i), None)
        return Step(reward, terminated, truncated, final)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self._obs = self._obs.copy()
        for i, s in zip(which, seed, strict=True):
            self._obs[i] = self._reset(int(i), int(s))

    @property
    def rate(self) -> float:
        """Return the number of steps per second."""
        return 1.0 / self._envs[0].control_timestep()

    def picture(self) -> np.ndarray:
        """Return a picture of the first environment, [H, W, 3] bytes."""
        return self._envs[0].physics.render(height=HEIGHT, width=WIDTH, camera_id=0)

    def _reset(self, i: int, seed: int | None) -> np.ndarray:
        self._age[i], env = 0, self._envs[i]
        if seed is not None:
            env.task.random.seed(seed)
        return _row(self._told(i, env.reset))

    def _told(self, i: int, ask: Any) -> Any:
        try:
            return ask()
        except _library().rl.control.PhysicsError as error:
            where = f"{self._name} at step {self._age[i]:,} of an episode"
            raise EnvironmentFault(f"the physics of {where} failed: {' '.join(str(error).split())[:200]}") from error


def loaded(game: str) -> Any:
    """Return dm_control's environment for `<domain>-<task>`; ValueError in one sentence if there is none."""
    if missing("dm_control"):
        raise ValueError(f"dmc/{game} needs dm_control, not installed here: {INSTALL}")
    domain, _, task = game.partition("-")
    with _quiet():
        suite = _library().suite
        if (domain, task) not in suite.ALL_TASKS:
            known = ["-".join(one) for one in suite.ALL_TASKS]
            every = f"it has {', '.join(known)}"
            raise ValueError(f"dm_control has no {game!r}: {meant(game, known) or every}")
        return suite.load(domain, task, environment_kwargs={"flat_observation": True})


def _library() -> Any:
    """Import dm_control; ValueError if it does not support the installed version of MuJoCo."""
    try:
        import dm_control.rl.control  # pyright: ignore[reportMissingImports]
        import dm_control.suite  # pyright: ignore[reportMissingImports]
    except (ImportError, AttributeError) as error:
        said = " ".join(str(error).split())[:200]
        raise ValueError(f"dm_control is incompatible with the installed MuJoCo ({said}): {INSTALL}") from None
    return dm_control


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings at loading that nobody can act on: no display, and models in an older format."""
    log = logging.getLogger("absl")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def _row(told: Any) -> np.ndarray:
    """Return all observations of a time step as one row of float32."""
    return np.asarray(told.observation["observations"], np.float32)
