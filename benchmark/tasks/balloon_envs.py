"""The Balloon Learning Environment (Greaves et al., 2021): keep a stratospheric balloon within 50 km of a station.

It runs its own simulator, see `balloon/genuine.py`. An episode has 960 steps of 3 minutes; the actions are 0 sink, 1
stay and 2 rise; an observation has 1,099 features. The reward is 0.65 to 1 within 50 km and at most 0.4 outside, so the
steps with a reward above 0.5 measure the time within the radius.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .balloon import genuine
from .environment import EnvironmentFault, Step
from .family import Drawn, Task

GAME, STEPS, FEATURES, ACTIONS = "station_keeping", 960, 1099, 3
SUITES = {  # the environment's own suites: the number of seeds, counted from 0
    "micro_eval": 1,
    "tiny_eval": 10,
    "small_eval": 100,
    "medium_eval": 1_000,
    "big_eval": 10_000,
}
RATE = 24  # frames per second of a film: two days take 40 seconds


class BalloonFamily:
    """The task balloon/station_keeping."""

    name, package, sticky, alone = "balloon", genuine.WHEEL, False, False

    def known(self) -> list[tuple[str, str]]:
        line = "960 steps of 3 minutes, 1,099 features, besides the return the time within 50 km (TWR50)"
        return [(GAME, line if genuine.installed() else f"{line}; needs {genuine.INSTALL}")]

    def named(self, text: str) -> str:
        return GAME if text.removeprefix("gym/") in ("BalloonLearningEnvironment-v0", "balloon") else ""

    def task(self, game: str) -> Task | None:
        if game != GAME:
            return None
        return Task(
            f"{self.name}/{game}", self.name, game, max_steps=STEPS, evaluation_episodes=SUITES["tiny_eval"],
            known_as="BalloonLearningEnvironment-v0", share="TWR50",
        )  # fmt: skip

    def make(self, task: Task, seed: np.ndarray, threads: int) -> "Balloon":
        return Balloon(task, seed)

    def draw(self, task: Task, seed: int, actions: Sequence[int]) -> tuple[float, Drawn]:
        from .balloon.picture import Picture

        env = Balloon(task, np.array([seed], np.int32))
        picture = Picture()
        return RATE, ((picture.after(env.flight(0)), float(env.step(np.array([a])).reward[0])) for a in actions)


class Balloon:
    """N balloons, each in its own wind."""

    actions = ACTIONS

    def __init__(self, task: Task, seed: np.ndarray):
        simulator = genuine.simulator()
        self.n, self._name, self._limit = len(seed), task.name, task.max_steps
        with genuine.draws():
            self._envs = [simulator.BalloonEnv(seed=0) for _ in seed]
        self._age = np.zeros(self.n, int)
        self._obs = np.zeros((self.n, FEATURES), np.float32)
        self.restart(np.arange(self.n), seed)

    def observe(self) -> np.ndarray:
        return self._obs[:, None]

    def step(self, actions: np.ndarray) -> Step:
        final, reward, terminated = np.empty_like(self._obs), np.zeros(self.n, np.float32), np.zeros(self.n, bool)
        for i, env in enumerate(self._envs):
            final[i], reward[i], terminated[i] = self._answer(i, env.step, int(actions[i]))[:3]
        self._age += 1
        truncated = ~terminated & (self._age >= self._limit)
        self._obs = final.copy()
        for i in np.flatnonzero(terminated | truncated):
            self._reset(int(i), None)
        return Step(reward, terminated, truncated, final)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self._obs = self._obs.copy()
        for i, s in zip(which, seed, strict=True):
            self._reset(int(i), int(s))

    def flight(self, i: int) -> tuple[float, float, float, float]:
        """Return the position of balloon `i`: east and north of the station [km], pressure [Pa], battery [0, 1]."""
        state = self._envs[i].get_simulator_state().balloon_state
        return state.x.kilometers, state.y.kilometers, float(state.pressure), float(state.battery_soc)

    def _reset(self, i: int, seed: int | None) -> None:
        self._age[i] = 0
        with genuine.draws():
            self._obs[i] = self._answer(i, lambda s: self._envs[i].reset(seed=s), seed)

    def _answer(self, i: int, ask: Any, given: Any) -> Any:
        try:
            return ask(given)
        except (AssertionError, ValueError, FloatingPointError) as error:  # a failed assumption of the simulator
            where = f"{self._name} at step {self._age[i]:,} of an episode"
            raise EnvironmentFault(f"the simulator of {where} failed: {' '.join(str(error).split())[:200]}") from error
