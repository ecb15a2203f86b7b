"""The Balloon Learning Environment (Greaves et al., 2021): keep a stratospheric balloon within 50 km of a station.

An episode has 960 steps of 3 minutes; the actions are 0 sink, 1 stay and 2 rise; an observation has 1,099 features. The
reward is 0.65 to 1 within 50 km and at most 0.4 outside, so the steps with a reward above 0.5 measure the time within
the radius. `station_keeping` flies all balloons together as arrays, see `balloon/simulator.py`, and
`station_keeping_genuine` runs the environment's own simulator, see `balloon/genuine.py`: the same seed and actions give
the same episode in both.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .balloon import genuine
from .balloon.simulator import Simulator
from .environment import EnvironmentFault, Step
from .family import Drawn, Task

GAME, GENUINE = "station_keeping", "station_keeping_genuine"
STEPS, FEATURES, ACTIONS = 960, 1099, 3
SUITES = {  # the environment's own suites: the number of seeds, counted from 0
    "micro_eval": 1,
    "tiny_eval": 10,
    "small_eval": 100,
    "medium_eval": 1_000,
    "big_eval": 10_000,
}
RATE = 24  # frames per second of a film: two days take 40 seconds


class BalloonFamily:
    """The task balloon/station_keeping, and the same by the environment's own simulator."""

    name, package, sticky, alone = "balloon", genuine.WHEEL, False, False

    def known(self) -> list[tuple[str, str]]:
        line = "960 steps of 3 minutes, 1,099 features, besides the return the time within 50 km (TWR50)"
        needs = "" if genuine.installed() else f"; needs {genuine.INSTALL}"
        return [(GAME, line + needs), (GENUINE, f"the same by the environment's own simulator, 20 times slower{needs}")]

    def named(self, text: str) -> str:
        return GAME if text.removeprefix("gym/") in ("BalloonLearningEnvironment-v0", "balloon") else ""

    def task(self, game: str) -> Task | None:
        if game not in (GAME, GENUINE):
            return None
        return Task(
            f"{self.name}/{game}", self.name, game, max_steps=STEPS, evaluation_episodes=SUITES["tiny_eval"],
            known_as="BalloonLearningEnvironment-v0", share="TWR50",
            traced=True, same_as=f"{self.name}/{GAME}" if game == GENUINE else "",
        )  # fmt: skip

    def make(self, task: Task, seed: np.ndarray, threads: int) -> "Balloons | GenuineBalloons":
        return (GenuineBalloons if task.env == GENUINE else Balloons)(task, seed)

    def draw(self, task: Task, seed: int, actions: Sequence[int]) -> tuple[float, Drawn]:
        from .balloon.picture import Picture

        env = self.make(task, np.array([seed], np.int32), 1)
        picture = Picture()
        return RATE, ((picture.after(env.flight(0)), float(env.step(np.array([a])).reward[0])) for a in actions)


class Balloons:
    """N balloons flown together, each in its own wind."""

    actions = ACTIONS

    def __init__(self, task: Task, seed: np.ndarray):
        genuine.folder()
        self.n, self._name, self._limit = len(seed), task.name, task.max_steps
        self._age = np.zeros(self.n, int)
        self._simulator = Simulator(seed)

    def observe(self) -> np.ndarray:
        return self._simulator.features[:, None]

    def step(self, actions: np.ndarray) -> Step:
        try:
            reward, terminated = self._simulator.step(actions)
        except ValueError as error:
            raise EnvironmentFault(f"the simulator of {self._name} failed: {error}") from error
        self._age += 1
        truncated = ~terminated & (self._age >= self._limit)
        final = self._simulator.features.copy()
        over = np.flatnonzero(terminated | truncated)
        if len(over):
            self._age[over] = 0
            self._simulator.again(over)
        return Step(reward.astype(np.float32), terminated, truncated, final)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self._age[which] = 0
        self._simulator.restart(which, seed)

    def flight(self, i: int) -> tuple[float, float, float, float]:
        """Return the position of balloon `i`: east and north of the station [km], pressure [Pa], battery [0, 1]."""
        return self._simulator.flight(i)


class GenuineBalloons:
    """The same by the environment's own simulator, one balloon after another."""

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
