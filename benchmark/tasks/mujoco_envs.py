"""Gymnasium's MuJoCo tasks in version 5: HalfCheetah, Hopper, Walker2d, Ant, Humanoid and others.

Tasks are as in Gymnasium: no additional stacking or frame skip, actions are rows of bounded numbers, and rewards are
unchanged. Episodes are truncated after `max_steps`, so the value of the last state is still bootstrapped.
"""

import importlib
import importlib.util
import re
import subprocess
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from .family import Drawn, Task
from .gym_envs import Gym, GymFamily

GAMES = {  # of version 5, with the agent steps after which Gymnasium truncates an episode
    **dict.fromkeys(("HalfCheetah", "Hopper", "Walker2d", "Ant", "Humanoid"), 1_000),
    **dict.fromkeys(("HumanoidStandup", "Swimmer", "InvertedPendulum", "InvertedDoublePendulum"), 1_000),
    **{"Pusher": 100, "Reacher": 50},
}
NEEDED = ("mujoco", "imageio")  # what Gymnasium's tasks import
TIME = r"\s*Time = [\d.]+"  # of the simulation, with which each warning would be another
INSTALL = 'pip install "reincarnate[mujoco]"'
PROBE = """
import mujoco
context = mujoco.GLContext(8, 8)
context.make_current()
mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), mujoco.mjtFontScale.mjFONTSCALE_100)
"""


def missing(*names: str) -> list[str]:
    """Return which of these modules are not installed, without importing any."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def check_drawing(whose: str) -> None:
    """Raise ValueError in one sentence if nothing can be drawn here."""
    if not _draws():
        cure = "set MUJOCO_GL=egl or MUJOCO_GL=osmesa, and install what it needs"
        raise ValueError(f"{whose} cannot be drawn here, since MuJoCo finds no OpenGL: {cure}")


@cache
def _draws() -> bool:
    """Try in a child process, since a missing OpenGL library may end the process."""
    try:
        done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def hear() -> None:
    """Have MuJoCo's warnings told as Python's, each once, instead of written to a file in the working folder.

    What is deprecated in a model is its authors' concern, here Gymnasium's, and is left out. dm_control sets its own
    way to tell them when it is imported, so that this is called for each environment.
    """
    importlib.import_module("mujoco").set_mju_user_warning(_tell)  # an extra


def _tell(text: str) -> None:
    if "deprecated" not in text:
        warnings.warn(f"MuJoCo: {re.sub(TIME, '', text)}", RuntimeWarning, stacklevel=2)


class MujocoFamily:
    """Tasks mujoco/<Game>-v5."""

    name, package, sticky, alone = "mujoco", "mujoco", False, False

    def known(self) -> list[tuple[str, str]]:
        line = "continuous actions, whole episodes of at most {} steps"
        line += f"; needs {INSTALL}" if missing(*NEEDED) else ""
        return [(f"{game}-v5", line.format(f"{steps:,}")) for game, steps in GAMES.items()]

    def named(self, text: str) -> str:
        game = text.removeprefix("gym/")
        return game if game.removesuffix("-v5") in GAMES and game.endswith("-v5") else ""

    def task(self, game: str) -> Task | None:
        if not self.named(game):
            return None
        return Task(f"{self.name}/{game}", self.name, game, max_steps=GAMES[game.removesuffix("-v5")])

    def make(self, task: Task, seed: np.ndarray, threads: int) -> Gym:
        if lacking := missing(*NEEDED):
            raise ValueError(f"{task.name} needs {', '.join(lacking)}, not installed here: {INSTALL}")
        hear()
        return Gym(task, seed, threads)

    def draw(self, task: Task, seed: int, actions: Sequence[Any]) -> tuple[float, Drawn]:
        check_drawing(task.name)
        hear()
        return GymFamily().draw(task, seed, actions)
