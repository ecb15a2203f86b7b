"""Tasks by name, from the table of families, and the pinned teachers and logs of some."""

import re

import numpy as np

from ...agents import keywords
from .ale import Ale, atari_games
from .balloon_envs import BalloonFamily
from .dmc_envs import DmcFamily
from .family import Family, Task, game_of
from .gym_envs import GymFamily
from .minatar_envs import MINATAR, MinAtarFamily
from .mujoco_envs import MujocoFamily

FAMILIES: dict[str, Family] = {
    one.name: one for one in (Ale(), MinAtarFamily(), MujocoFamily(), DmcFamily(), BalloonFamily(), GymFamily())
}

PINNED: dict[str, tuple[str, str]] = {  # task -> the teacher and log that ship with the package
    "atari/Breakout": (
        "reincarnate/breakout-rainbow@80de0604ba70e397f68454af16a9087aaadc6931",
        "reincarnate/breakout-rainbow-log@5b4adfc356a41da85ff013be448ac0bc3ea2303b",
    ),
    "atari/Pong": (
        "reincarnate/pong-rainbow-long@6f557712ee9a7bc7ed1d931c5bc80cd2dfe477e3",
        "reincarnate/pong-rainbow-long-log@9cea31a7540ff19f4b871384900b4a4e61c6f97a",
    ),
    "gym/Pendulum-v1": (
        "reincarnate/pendulum-sac@38e6aa23b85989074aa73e554bcf22296daae640",
        "reincarnate/pendulum-sac-log@6eb7ef6acc5399774d3841a78cfe6788672fe13f",
    ),
    "minatar/asterix": (
        "reincarnate/minatar-asterix@7a77a96ec361ea93b399609c72ee6af25e8bf2b2",
        "reincarnate/minatar-asterix-log@0d7504e15cbd52d2eefc21e07ce8876fa04c96e8",
    ),
    "minatar/breakout": (
        "reincarnate/minatar-breakout@428ab60827e91a1f3da690883a2f4c2efdba38f2",
        "reincarnate/minatar-breakout-log@4a1d07b4ce1583a1fbcaa0bfec1c6de692887483",
    ),
    "minatar/freeway": (
        "reincarnate/minatar-freeway@73d90c8d25bd9df084d50318304523270d1c6cfb",
        "reincarnate/minatar-freeway-log@7c0cde8bc438ed473ce4796d34626f411a040aeb",
    ),
    "minatar/seaquest": (
        "reincarnate/minatar-seaquest@7078158376b9636d43e78e14cce6bee6e0215cb1",
        "reincarnate/minatar-seaquest-log@a027a2f7e53fea68ebc5e58d39da549d100a33ff",
    ),
    "minatar/space_invaders": (
        "reincarnate/minatar-space-invaders@78cd223d642c764cb604117930a15f70508dffb4",
        "reincarnate/minatar-space-invaders-log@e1ca75f52e062a16197d4e600a48809adb057bc7",
    ),
}
SMALL_IMAGE, LARGE_IMAGE = 5, 36  # pixels per side that MinAtar's and Nature's convolutions need


def canonical(name: str) -> str:
    """Return our name of a task for one that others use; unknown names are returned unchanged.

    `atari/pong`, `ALE/Pong-v5`, `gym/ALE/Pong-v5` -> `atari/Pong`; `MinAtar/Breakout-v1` -> `minatar/breakout`.
    """
    return next((f"{family.name}/{game}" for family in FAMILIES.values() if (game := family.named(name))), name)


def find(name: str) -> Task:
    """Return the task of a name such as atari/<Game>, mujoco/<Game>-v5 or gym/<id>; ValueError if there is none.

    Other names of the same game work too, see `canonical`.
    """
    name = canonical(name)
    first, _, game = name.partition("/")
    family, (teacher, log) = FAMILIES.get(first), PINNED.get(name, ("", ""))
    meant = _meant(name) if first == "gym" or not family else ""
    if family and not meant and (found := family.task(game)):
        return found._replace(teacher=teacher, log=log)
    if meant:
        raise ValueError(f"{name} is played here as {meant}: use that name")
    every = "see `reincarnate tasks`, or name atari/<Game>, minatar/<game>, mujoco/<Game>-v5, gym/<id>"
    hint = keywords.meant(name, (one for one, _ in known() if "<" not in one))
    raise ValueError(f"there is no task {name!r}: {hint or every}")


def _meant(name: str) -> str:
    """Return the task meant by the id of an older ALE, or by a name without its family; otherwise an empty text."""
    old = re.fullmatch(r"(?:gym/)?([A-Za-z0-9]+?)(?:NoFrameskip|Deterministic)?-v\d+", name)
    word = old[1] if old else name
    game = next((known for known in atari_games() if game_of(known) == game_of(word)), None)
    if game and old and not _registered(name.removeprefix("gym/")):
        return f"atari/{game}, whole games with sticky actions 0.25"
    if re.fullmatch(r"[\w:]+-v\d+(\+[\w.:=]+)*", name):
        return f"gym/{name}"
    if name.startswith("gym/"):
        return ""
    small = next((known for known in MINATAR if game_of(known) == game_of(word)), None)
    return " or ".join([*([f"atari/{game}"] if game else []), *([f"minatar/{small}"] if small else [])])


def _registered(environment: str) -> bool:
    """Return whether a package other than ALE has registered this id with Gymnasium."""
    from gymnasium.envs.registration import registry

    found = registry.get(environment)
    return found is not None and not str(found.entry_point).startswith("ale_py")


def network_for(task: Task, obs: np.ndarray) -> str:
    """Return the student's network for observations [N, S, *frame]; byte images get a convolutional one."""
    if task.family != "gym" or obs.dtype != np.uint8 or obs.ndim not in (4, 5):
        return task.network
    smallest = min(obs.shape[2:4])
    channels_first = obs.ndim == 5 and obs.shape[-1] > obs.shape[2]
    if smallest < SMALL_IMAGE or channels_first:
        return task.network
    return "nature" if smallest >= LARGE_IMAGE else "minatar"


def known() -> list[tuple[str, str]]:
    """Return (name, description) of the listed tasks; any gym/<id> and dmc/<domain>-<task> works too."""
    lines = []
    for family in FAMILIES.values():
        for game, line in family.known():
            name = f"{family.name}/{game}"
            lines.append((name, f"{line}; teacher and log bundled" if name in PINNED else line))
    return lines


def tasks() -> dict[str, str]:
    """Return the listed tasks: {name: description}."""
    return dict(known())
