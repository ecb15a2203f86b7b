"""MinAtar (Young and Tian, 2019): five small games, reimplemented in this package."""

from collections.abc import Sequence

import numpy as np

from .environment import ArrayEnvironment, Step
from .family import Drawn, Task, game_of
from .minatar.games import GAMES, act, again, begin
from .minatar.streams import Streams

MINATAR = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
RATE = 10  # frames per second of a film
COLOURS = np.array(  # of the empty field and MinAtar's planes: far apart, and distinguishable for most people
    [[20, 20, 24], [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0]]
    + [[204, 121, 167], [240, 240, 240], [150, 150, 150], [120, 80, 200], [90, 60, 30]],
    np.uint8,
)


class MinAtarFamily:
    """Tasks minatar/<game>."""

    name, package, sticky, alone = "minatar", "reincarnate", True, False

    def known(self) -> list[tuple[str, str]]:
        return [(game, "10x10 planes, sticky actions 0.1") for game in MINATAR]

    def named(self, text: str) -> str:
        family, _, game = text.removeprefix("gym/").partition("/")
        if family not in ("MinAtar", "minatar"):
            return ""
        return next((known for known in MINATAR if game_of(known) == game_of(game)), "")

    def task(self, game: str) -> Task | None:
        if game not in MINATAR:
            return None
        played = {"sticky": 0.1, "max_steps": 10_000, "evaluation_steps": 10_000}
        return Task(f"{self.name}/{game}", self.name, game, **played, network="minatar", known_as=f"MinAtar/{game}")

    def make(self, task: Task, seed: np.ndarray, threads: int) -> "MinAtar":
        return MinAtar(task, seed, threads)

    def on_device(self, task: Task, seed: np.ndarray) -> ArrayEnvironment:
        from .minatar.on_device import OnDevice  # here, because it imports JAX

        return OnDevice(task.env, task.sticky, task.max_steps, seed)

    def draw(self, task: Task, seed: int, actions: Sequence[int]) -> tuple[float, Drawn]:
        env = MinAtar(task, np.array([seed], np.int32), 1)

        def draw() -> np.ndarray:
            planes = env.observe()[0, 0]  # [10, 10, C], the last plane on top
            return COLOURS[np.where(planes.any(-1), planes.shape[-1] - planes[..., ::-1].argmax(-1), 0)]

        return RATE, ((draw(), float(env.step(np.array([a])).reward[0])) for a in actions)


class MinAtar:
    """MinAtar's games (Young and Tian, 2019): minimal actions, difficulty ramping, boolean planes [10, 10, C].

    The games are this package's own (`minatar/`). With the same seed and actions they give the same observations as
    MinAtar's package, sticky actions included.
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
