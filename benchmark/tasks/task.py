"""Tasks: an environment, its protocol, and the teacher and log that are pinned for it."""

import re
from typing import NamedTuple

import numpy as np

PINNED: dict[str, tuple[str, str]] = {  # task -> the teacher and the log that ship with the package
    "atari/Breakout": (
        "reincarnate/breakout-rainbow@80de0604ba70e397f68454af16a9087aaadc6931",
        "reincarnate/breakout-rainbow-log@5b4adfc356a41da85ff013be448ac0bc3ea2303b",
    ),
    "atari/Pong": (
        "reincarnate/pong-rainbow@68b55d63959d717c133347968de84a8dcdd4eede",
        "reincarnate/pong-rainbow-log@8866b8780ba0e1e0d7e2d77f996057c86f93cf4d",
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
SMALL_IMAGE, LARGE_IMAGE = 5, 36  # pixels of a side: what the convolutions of MinAtar's and of Nature's network need
SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)  # of the planned agent steps


class Task(NamedTuple):
    """What is played and how. Steps are agent steps; an environment frame is `1 / frame_skip` of one."""

    name: str  # as given on the command line: atari/Pong
    family: str  # atari, minatar or gym
    env: str  # the environment's name in its own library
    frame_skip: int = 1
    stack: int = 1  # frames in an observation
    sticky: float = 0.0  # probability that the environment repeats the action before
    max_steps: int = 0  # agent steps after which an episode is truncated, 0: as the environment has it
    clip: bool = False  # whether rewards are cut to [-1, 1] for learning; returns never are
    evaluation_epsilon: float = 0.0
    evaluation_episodes: int = 20  # at least; with the next line unless a number of episodes is asked for
    evaluation_steps: int = 0  # agent steps of an evaluation, at least; so many rounds of whole episodes are played
    points: tuple[float, ...] = SHARES  # sample budgets: shares of a run, above 1 agent steps
    network: str = "mlp"
    teacher: str = ""  # reference of the pinned teacher, empty if there is none
    log: str = ""  # reference of its pinned log

    @property
    def environment(self) -> str:
        """The environment's id as others know it: ALE/Pong-v5, MinAtar/breakout, CartPole-v1."""
        return {"atari": f"ALE/{_camel(self.env)}-v5", "minatar": f"MinAtar/{self.env}"}.get(self.family, self.env)

    def protocol(self) -> dict:
        """What two runs must share to be compared, for records and cards."""
        keys = ("env", "frame_skip", "stack", "sticky", "max_steps", "clip", "evaluation_epsilon", "evaluation_steps")
        return {key: value for key, value in self._asdict().items() if key in keys}


MINATAR = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
FOR_TWO = ("combat", "joust", "maze_craze", "warlords")  # games that ALE cannot start for one player


def canonical(name: str) -> str:
    """Return a task's own name for one by which others know it; names that are not known come back as they are.

    `atari/pong`, `ALE/Pong-v5`, `gym/ALE/Pong-v5` -> `atari/Pong`; `MinAtar/Breakout-v1` -> `minatar/breakout`.
    """
    family, _, game = name.removeprefix("gym/").partition("/")
    if family in ("ALE", "atari"):
        return next((f"atari/{known}" for known in atari_games() if game_of(known) == game_of(game)), name)
    if family in ("MinAtar", "minatar"):
        return next((f"minatar/{known}" for known in MINATAR if game_of(known) == game_of(game)), name)
    return name


def game_of(environment: str) -> str:
    """Return what is played, without library, version and wrappers: ALE/SpaceInvaders-v5 -> spaceinvaders."""
    name = environment.partition("+")[0].rpartition(":")[2]
    return re.sub(r"^(ALE|MinAtar)/|NoFrameskip|Deterministic|-v\d+$|[_-]", "", name).lower()


def find(name: str) -> Task:
    """The task of a name: atari/<Game>, minatar/<game> or gym/<id>; ValueError if there is none.

    Other names of the same game are understood, see `canonical`.
    """
    name = canonical(name)
    family, _, game = name.partition("/")
    teacher, log = PINNED.get(name, ("", ""))
    if family == "atari" and game in atari_games():
        protocol = {"frame_skip": 4, "stack": 4, "sticky": 0.25, "max_steps": 27_000, "clip": True}
        judged = {"evaluation_epsilon": 0.001, "evaluation_steps": 25_000, "points": (*SHARES, 100_000.0)}
        return Task(name, family, rom(game), **protocol, **judged, network="nature", teacher=teacher, log=log)
    if family == "minatar" and game in MINATAR:
        played = {"sticky": 0.1, "max_steps": 10_000, "evaluation_steps": 10_000}
        return Task(name, family, game, **played, network="minatar", teacher=teacher, log=log)
    if meant := _meant(name):
        raise ValueError(f"{name} is played here as {meant}: name that")
    if family == "gym" and game:
        return Task(name, family, game, teacher=teacher, log=log)
    raise ValueError(
        f"there is no task {name!r}: see `reincarnate tasks`, or name atari/<Game>, minatar/<game>, gym/<id>"
    )


def _meant(name: str) -> str:
    """The task that is meant by the id of an older ALE, or by a Gymnasium id without its family; else empty."""
    old = re.fullmatch(r"(?:gym/)?([A-Za-z0-9]+?)(?:NoFrameskip|Deterministic)-v\d+", name)
    game = next((known for known in atari_games() if game_of(known) == game_of(old[1])), None) if old else None
    if game:
        return f"atari/{game}, whole games with sticky actions 0.25"
    return f"gym/{name}" if re.fullmatch(r"[\w:]+-v\d+(\+[\w.:=]+)*", name) else ""


def network_for(task: Task, obs: np.ndarray) -> str:
    """Return the name of a student's network for observations [N, S, *frame]: bytes of images get a convolution."""
    if task.family != "gym" or obs.dtype != np.uint8 or obs.ndim not in (4, 5):
        return task.network
    smallest = min(obs.shape[2:4])
    channels_first = obs.ndim == 5 and obs.shape[-1] > obs.shape[2]
    if smallest < SMALL_IMAGE or channels_first:
        return task.network
    return "nature" if smallest >= LARGE_IMAGE else "minatar"


def known() -> list[tuple[str, str]]:
    """(name, one line) of the tasks that are there by name; any gym/<id> with discrete actions works too."""
    lines = []
    for name in [f"atari/{game}" for game in atari_games()]:
        has = "teacher and log bundled" if name in PINNED else "bring a teacher, or train one with --method dqn"
        lines.append((name, f"full games, sticky actions 0.25, frame skip 4; {has}"))
    for name in [f"minatar/{game}" for game in MINATAR]:
        has = "; teacher and log bundled" if name in PINNED else ""
        lines.append((name, f"10x10 planes, sticky actions 0.1{has}"))
    any_id = "any Gymnasium environment with discrete actions: gym/CartPole-v1, gym/FrozenLake-v1+FlattenObservation"
    return [*lines, ("gym/<id>", any_id), ("gym/<module>:<id>", "one that importing a module of yours registers")]


def tasks() -> dict[str, str]:
    """Return what can be played: the name of each task, and what it is."""
    return dict(known())


def atari_games() -> list[str]:
    """The games that ship with ale-py, as in its environment names: SpaceInvaders, TicTacToe3D."""
    from ale_py import roms

    return sorted(_camel(game) for game in roms.get_all_rom_ids() if game not in FOR_TWO)


def rom(game: str) -> str:
    """SpaceInvaders -> space_invaders, the ROM that ships with ale-py; in small letters if there is none."""
    from ale_py import roms

    plain = game.replace("_", "").lower()
    return next((name for name in roms.get_all_rom_ids() if name.replace("_", "") == plain), game.lower())


def _camel(name: str) -> str:
    return name.title().replace("_", "")
