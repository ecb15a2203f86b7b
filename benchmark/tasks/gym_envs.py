"""Any Gymnasium environment by its id: `CartPole-v1`, `module:EnvId`, with optional wrappers: `EnvId+Wrapper`.

A wrapper is the name of one of Gymnasium's own, or `module:Class`; `=NUMBER` gives it an argument, as in
`MyEnv-v0+TimeLimit=500`. Results are checked at every step, and errors name the environment that broke its contract.
"""

import importlib
import math
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from ...agents.working_folder import importable
from ...datasets.transition import Actions, Box
from .environment import EnvironmentFault, Step
from .family import Drawn, Task

LIMIT = 27_000  # agent steps per episode if the environment has no time limit, as in ALE's protocol
OLD_API = ": it has the API of old Gym; `reset(seed=...)` must give two values and `step` five"

MOST_ACTIONS, MOST_SEEN = 1 << 16, 1 << 24  # a picture of 2,000 by 2,000 pixels in colours
LARGEST = float(np.finfo(np.float32).max)  # largest reward that can be stored
RATE = 30  # frames per second of a film if the environment does not specify it


class GymFamily:
    """Tasks gym/<id>."""

    name, package, sticky, alone = "gym", "gymnasium", False, False

    def known(self) -> list[tuple[str, str]]:
        any_id = "any Gymnasium environment: gym/CartPole-v1, gym/Pendulum-v1, gym/FrozenLake-v1+FlattenObservation"
        return [("<id>", any_id), ("<module>:<id>", "an environment that your module registers when imported")]

    def named(self, text: str) -> str:
        return ""

    def task(self, game: str) -> Task | None:
        return Task(f"{self.name}/{game}", self.name, game) if game else None

    def make(self, task: Task, seed: np.ndarray, threads: int) -> "Gym":
        return Gym(task, seed, threads)

    def draw(self, task: Task, seed: int, actions: Sequence[Any]) -> tuple[float, Drawn]:
        try:
            env = opened(task.env, render_mode="rgb_array")
            env.reset(seed=seed)
            env.render()
        except Exception as error:
            raise ValueError(f"{task.env} cannot be drawn here: {' '.join(str(error).split())[:300]}") from None
        rate, told = float(env.metadata.get("render_fps") or RATE), _told(env.action_space)
        return rate, (
            (np.asarray(env.render(), np.uint8), float(np.float32(_scalar(env.step(told(a))[1])))) for a in actions
        )


class Gym:
    """N environments of one id with array observations, and discrete actions or one row of bounded numbers."""

    def __init__(self, task: Task, seed: np.ndarray, threads: int = 0):
        self.n, self._name = len(seed), task.name
        self._envs = [opened(task.env) for _ in range(self.n)]
        actions, seen = _spaces(task.env, self._envs[0])
        self.actions, self._told = _actions(actions), _told(actions)
        self._shape, self._dtype = tuple(seen.shape), _storage(np.dtype(seen.dtype))
        self._limit = 0 if _is_limited(self._envs[0]) else task.max_steps or LIMIT
        self._age = np.zeros(self.n, int)
        self._obs = np.stack([self._reset(i, int(s)) for i, s in enumerate(seed)])

    def observe(self) -> np.ndarray:
        return self._obs[:, None]

    def step(self, actions: np.ndarray) -> Step:
        obs, final = np.empty_like(self._obs), np.empty_like(self._obs)
        reward = np.zeros(self.n, np.float32)
        terminated, truncated = np.zeros(self.n, bool), np.zeros(self.n, bool)
        for i in range(self.n):
            self._age[i] += 1
            final[i], reward[i], terminated[i], truncated[i] = self._answer(i, self._told(actions[i]))
            if self._limit and self._age[i] >= self._limit:
                truncated[i] = not terminated[i]
            obs[i] = self._reset(i, None) if terminated[i] or truncated[i] else final[i]
        self._obs = obs
        return Step(reward, terminated, truncated, final)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self._obs = self._obs.copy()
        for i, s in zip(which, seed, strict=True):
            self._obs[i] = self._reset(int(i), int(s))

    def _reset(self, i: int, seed: int | None) -> np.ndarray:
        self._age[i] = 0
        try:
            told = self._envs[i].reset(seed=seed) if seed is not None else self._envs[i].reset()
        except (Exception, SystemExit) as error:
            self._broken(i, f"raised {type(error).__name__} at reset: {error}{_old(error)}", error)
        if not isinstance(told, tuple) or len(told) != 2:
            self._broken(i, f"gave {_words(told)} at reset instead of an observation and a dict{OLD_API}")
        return self._seen(i, told[0])

    def _answer(self, i: int, action: Any) -> tuple[np.ndarray, float, bool, bool]:
        try:
            told: Any = self._envs[i].step(action)
        except (Exception, SystemExit) as error:
            self._broken(i, f"raised {type(error).__name__}: {error}{_old(error)}", error)
        if not isinstance(told, tuple) or len(told) != 5:
            self._broken(i, f"gave {_words(told)} instead of five values{OLD_API}")
        obs, reward, terminated, truncated, _ = told
        number = _scalar(reward)
        if number is None or not abs(number) <= LARGEST:
            self._broken(i, f"gave the reward {_words(reward)}, not a finite number of float32")
        flags = []
        for name, flag in (("terminated", terminated), ("truncated", truncated)):
            truth = _scalar(flag)
            if truth not in (0.0, 1.0):
                self._broken(i, f"gave {_words(flag)} for {name}, neither true nor false")
            flags.append(bool(truth))
        return self._seen(i, obs), number, flags[0], flags[1]

    def _seen(self, i: int, obs: Any) -> np.ndarray:
        """Return the observation as an array of the space's shape and the stored type."""
        try:
            array = np.asarray(obs)
        except ValueError:  # rows of different lengths
            array = np.asarray(None)
        if array.dtype.kind not in "biuf" or array.shape != self._shape:
            promised = f"an array of shape {list(self._shape)}"
            self._broken(i, f"gave the observation {_words(obs)}, but its observation_space promises {promised}")
        with np.errstate(over="ignore"):
            kept = array.astype(self._dtype)
        if array.dtype.kind == "f" and not np.isfinite(kept).all():
            what = "a number beyond float32" if np.isfinite(array).all() else "NaN or infinity"
            self._broken(i, f"gave an observation with {what} in it")
        if np.ma.is_masked(obs):
            self._broken(
                i, "gave an observation of which some values are masked: fill them in with a wrapper of your own"
            )
        if array.dtype.kind in "iu" and array.dtype.itemsize > 2 and (kept.astype(np.longdouble) != array).any():
            self._broken(i, f"gave an observation of {array.dtype}, whose values {self._dtype} cannot hold")
        if self._dtype.kind != "f" and not np.array_equal(kept, array):
            self._broken(i, f"gave an observation of {array.dtype}, whose values {self._dtype} cannot hold")
        return kept

    def _broken(self, i: int, what: str, cause: BaseException | None = None) -> NoReturn:
        where = f" at step {self._age[i]:,} of an episode" if self._age[i] else ""
        what = "".join(letter for letter in " ".join(what.split()) if letter.isprintable())
        raise EnvironmentFault(f"the environment {self._name}{where} {what[:400]}") from cause


@importable()
def opened(text: str, **settings: Any) -> Any:
    """Return one Gymnasium environment in its wrappers; ValueError in one sentence if it cannot be made."""
    import gymnasium

    name, *wrappers = text.split("+")
    module, colon, _ = name.rpartition(":")
    try:
        if colon:
            importlib.import_module(module)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*is out of date", DeprecationWarning)
            env = gymnasium.make(name, disable_env_checker=True, **settings)
    except gymnasium.error.DeprecatedEnv as error:
        raise ValueError(_retired(name) or _sentence(error)) from None
    except gymnasium.error.DependencyNotInstalled as error:
        raise ValueError(f"gym/{name} needs something that is not installed: {_sentence(error)}") from None
    except gymnasium.error.Error as error:
        where = (
            ""
            if colon
            else "; name an environment of your own as gym/module:EnvId; importing the module must register it"
        )
        raise ValueError(f"Gymnasium has no {name!r}: {_sentence(error)}{where}") from None
    except (Exception, SystemExit) as error:  # a script that is imported may end there
        if said := _retired(name):
            raise ValueError(said) from None
        place = f", searched in {os.getcwd()} and Python's package folders" if isinstance(error, ImportError) else ""
        raise ValueError(f"{name} cannot be made: {_sentence(error)}{place}") from error
    for wrapper in wrappers:
        env = _wrapped(env, wrapper, text)
    return env


def _retired(name: str) -> str:
    """Return the replacement for an environment that Gymnasium has removed; empty for others."""
    from .retired import present

    now, difference = present(name)
    return f"{name} is retired: play gym/{now}, where {difference}" if now else ""


def _wrapped(env: Any, text: str, whole: str) -> Any:
    """Wrap an environment: `Name`, `Name=3` or `module:Name`."""
    import gymnasium

    place, equals, number = text.partition("=")
    module, colon, name = place.rpartition(":")
    try:
        found = getattr(importlib.import_module(module) if colon else gymnasium.wrappers, name)
        given = [float(number) if "." in number else int(number)] if equals else []
        return found(env, *given)
    except (ImportError, AttributeError):
        raise ValueError(
            f"there is no wrapper {place!r}: name one of gymnasium.wrappers, or your own as module:Class"
        ) from None
    except (Exception, SystemExit) as error:
        raise ValueError(f"{place} cannot wrap {whole.split('+')[0]}: {_sentence(error)}") from error


def _spaces(text: str, env: Any) -> tuple[Any, Any]:
    """Return the spaces of actions and of observations; ValueError if they cannot be learned from."""
    from gymnasium import spaces

    try:
        actions, seen = env.action_space, env.observation_space
    except (Exception, SystemExit) as error:
        raise ValueError(f"{text} does not say what its actions and observations are: {_sentence(error)}") from error
    if not isinstance(actions, spaces.Discrete) and not _is_bounded(actions):
        kinds = "only discrete ones and one row of bounded numbers can be learned"
        raise ValueError(f"{text} has the actions {str(actions)[:99]}: {kinds}")
    if isinstance(actions, spaces.Discrete) and not 1 <= actions.n <= MOST_ACTIONS:
        raise ValueError(f"{text} has {actions.n:,} actions, where 1 to {MOST_ACTIONS:,} can be learned")
    if isinstance(seen, spaces.Box):
        if not 1 <= (size := math.prod(seen.shape)) <= MOST_SEEN:
            raise ValueError(f"{text} shows {size:,} numbers at once, where 1 to {MOST_SEEN:,} can be learned from")
        return actions, seen
    name = str(seen)[:99]
    if not getattr(seen, "is_np_flattenable", False):
        raise ValueError(
            f"{text} shows {name}: only arrays (Box) can be learned from; put a wrapper of your own around it"
        )
    raise ValueError(f"{text} shows {name}: only arrays (Box) can be learned from; name gym/{text}+FlattenObservation")


def _is_bounded(actions: Any) -> bool:
    """Return whether actions are one row of numbers with finite bounds."""
    from gymnasium import spaces

    row = isinstance(actions, spaces.Box) and len(actions.shape) == 1 and actions.dtype.kind == "f"
    return row and bool(np.isfinite([actions.low, actions.high]).all() and (actions.low < actions.high).all())


def _actions(space: Any) -> Actions:
    if hasattr(space, "n"):
        return int(space.n)
    return Box(tuple(map(float, space.low)), tuple(map(float, space.high)))


def _told(space: Any) -> Callable[[Any], Any]:
    """Return a function that converts our actions to the environment's."""
    if hasattr(space, "n"):
        return lambda action: int(action) + int(space.start)
    return lambda action: np.asarray(action, space.dtype)


def _is_limited(env: Any) -> bool:
    """Return whether Gymnasium itself truncates episodes."""
    from gymnasium.wrappers import TimeLimit

    while env is not None:
        if isinstance(env, TimeLimit):
            return True
        env = getattr(env, "env", None)
    return False


def _scalar(value: Any) -> float | None:
    """Return a number, or the single element of an array, as a float; None for anything else."""
    try:
        array = np.asarray(value)
        return float(array.reshape(())) if array.size == 1 and array.dtype.kind in "biuf" else None
    except ValueError:
        return None


def _old(error: BaseException) -> str:
    """Return a hint for errors that the old Gym API causes; empty for others."""
    unpacked = isinstance(error, ValueError) and "values to unpack" in str(error)
    return OLD_API if unpacked or (isinstance(error, TypeError) and "'seed'" in str(error)) else ""


def _words(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}" if value.size != 1 else f"{value}"
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, list | tuple | dict) else f"{value!r:.60}"


def _sentence(error: BaseException) -> str:
    """Return an error's message in one line, with its type if there is none or it ended the process."""
    said = " ".join(str(error).split())[:300].rstrip(".")
    return said if said and isinstance(error, Exception) else f"{type(error).__name__} {said}".rstrip()


def _storage(dtype: np.dtype) -> np.dtype:
    """Keep bytes and booleans as they are, and turn other numbers into float32."""
    return dtype if dtype in (np.uint8, np.bool_) else np.dtype(np.float32)
