"""The Arcade Learning Environment: full games under the protocol of Machado et al. (2018)."""

from collections.abc import Callable, Sequence

import numpy as np

from .environment import Step
from .family import SHARES, Drawn, Task, game_of

FOR_TWO = ("combat", "joust", "maze_craze", "warlords")  # games that ALE cannot start for one player
RATE = 60  # frames per second of the console


class Ale:
    """Tasks atari/<Game>."""

    name, package, sticky, alone = "atari", "ale-py", True, True

    def known(self) -> list[tuple[str, str]]:
        return [(game, "full games, sticky actions 0.25, frame skip 4") for game in atari_games()]

    def named(self, text: str) -> str:
        family, _, game = text.removeprefix("gym/").partition("/")
        if family not in ("ALE", "atari"):
            return ""
        return next((known for known in atari_games() if game_of(known) == game_of(game)), "")

    def task(self, game: str) -> Task | None:
        if game not in atari_games():
            return None
        return Task(
            f"{self.name}/{game}", self.name, rom(game), frame_skip=4, stack=4, sticky=0.25, max_steps=27_000,
            clip=True, evaluation_epsilon=0.001, evaluation_steps=25_000, points=(*SHARES, 100_000.0), network="nature",
            known_as=f"ALE/{_camel(rom(game))}-v5",
        )  # fmt: skip

    def make(self, task: Task, seed: np.ndarray, threads: int) -> "Atari":
        return Atari(task, seed, threads)

    def draw(self, task: Task, seed: int, actions: Sequence[int]) -> tuple[float, Drawn]:
        look = {"grayscale": False, "img_height": 210, "img_width": 160, "stack_num": 1}
        env = Atari(task, np.array([seed], np.int32), 1, **look)
        return RATE / task.frame_skip, (
            (env.observe()[0, 0], float(env.step(np.array([a])).reward[0])) for a in actions
        )


class Atari:
    """Wrap ALE's own vector environment. Every setting is explicit, because its defaults differ from the protocol.

    `look` overrides settings for people who want to watch.
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
        return self.begin(actions)()

    def begin(self, actions: np.ndarray) -> Callable[[], Step]:
        self._env.send(np.asarray(actions, np.int64))
        return self._told

    def _told(self) -> Step:
        obs, reward, terminated, truncated, info = self._env.recv()
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


def atari_games() -> list[str]:
    """Return the games that ship with ale-py under their environment names: SpaceInvaders, TicTacToe3D."""
    from ale_py import roms

    return sorted(_camel(game) for game in roms.get_all_rom_ids() if game not in FOR_TWO)


def rom(game: str) -> str:
    """Return the name of a game's ROM in ale-py: SpaceInvaders -> space_invaders; the lower-cased name if there is
    none."""
    from ale_py import roms

    plain = game.replace("_", "").lower()
    return next((name for name in roms.get_all_rom_ids() if name.replace("_", "") == plain), game.lower())


def _camel(name: str) -> str:
    return name.title().replace("_", "")
