"""Suites: named lists of tasks that are played together."""

from typing import Any

from ...agents.keywords import meant
from .minatar_envs import MINATAR
from .task import find

SUITES: dict[str, tuple[str, ...]] = {
    "minatar5": tuple(f"minatar/{game}" for game in MINATAR),
    "pendulum": ("gym/Pendulum-v1",),
    "balloon": ("balloon/station_keeping",),
    "halfcheetah": ("mujoco/HalfCheetah-v5",),
    "walker-walk": ("dmc/walker-walk",),
    "mujoco3": ("mujoco/HalfCheetah-v5", "mujoco/Hopper-v5", "mujoco/Walker2d-v5"),
    "atari-small": ("atari/Pong", "atari/Breakout"),
    "atari10": tuple(  # the games of Agarwal et al. (2022)
        f"atari/{game}"
        for game in (
            *("Asterix", "Breakout", "SpaceInvaders", "Seaquest", "Qbert"),
            *("BeamRider", "Enduro", "MsPacman", "Bowling", "Riverraid"),
        )
    ),
}


def tasks_of(text: str) -> tuple[str, ...]:
    """Return the tasks of a suite, or of a list such as minatar/breakout,gym/CartPole-v1; ValueError otherwise."""
    names = SUITES.get(text) or tuple(part.strip() for part in text.split(",") if part.strip())
    if not names or (len(names) == 1 and "/" not in names[0]):
        known = meant(text, SUITES) or f"use one of {', '.join(SUITES)}, or comma-separated tasks"
        raise ValueError(f"there is no suite {text!r}: {known}")
    if len(set(names)) < len(names):
        raise ValueError(f"{text} names a task twice: give each once")
    for name in names:
        find(name)
    return names


def filled(value: Any, task: str) -> Any:
    """Replace {task} and {game} in a text, or in several, by the task's names as repositories write them.

    For minatar/space_invaders they are minatar-space-invaders and space-invaders.
    """
    if not isinstance(value, str):
        return [filled(one, task) for one in value]
    named = task.replace("_", "-")
    return value.replace("{task}", named.replace("/", "-")).replace("{game}", named.partition("/")[2])
