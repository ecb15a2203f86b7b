"""The games with what all of them share: sticky actions, a step limit, and new episodes."""

from typing import Any, NamedTuple

from . import asterix, breakout, freeway, seaquest, space_invaders
from .game import Array, Chance, Game, might

GAMES: dict[str, Game] = {
    "asterix": asterix.GAME,
    "breakout": breakout.GAME,
    "freeway": freeway.GAME,
    "seaquest": seaquest.GAME,
    "space_invaders": space_invaders.GAME,
}


class Play(NamedTuple):
    """N games in progress."""

    state: Any  # of the game
    before: Array  # [N] the last action, kept across episodes
    age: Array  # [N] steps in this episode


class Outcome(NamedTuple):
    """The result of a step."""

    reward: Array  # [N] float32
    terminated: Array  # [N] bool
    truncated: Array  # [N] bool
    final: Array  # [N, 10, 10, C] bool, after the step
    obs: Array  # the observation: `final`, or the start of the next episode where this one ended


def begin(game: Game, chance: Chance) -> Play:
    """Return N new games."""
    xp, n = chance.xp, chance.n
    new = game.start(chance, xp.ones(n, bool))
    state = type(new)(*(xp.broadcast_to(xp.asarray(field), (*field.shape[:-1], n)) for field in new))
    return Play(state, xp.zeros(n, int), xp.zeros(n, int))


def again(game: Game, play: Play, where: Array, chance: Chance) -> Play:
    """Start new episodes in the games `where` [N]; the last actions are kept."""
    new = game.start(chance, where)
    fields = (chance.xp.where(where, field, old) for field, old in zip(new, play.state, strict=True))
    return Play(type(new)(*fields), play.before, chance.xp.where(where, 0, play.age))


def act(game: Game, play: Play, actions: Array, chance: Chance, sticky: float, limit: int) -> tuple[Play, Outcome]:
    """Take one action [N] in each game, or repeat the previous one with probability `sticky`; restart games that
    end."""
    xp = chance.xp
    actions = xp.where(chance.uniform() < sticky, play.before, actions)
    state, reward, terminated = game.step(play.state, actions, chance)
    age = play.age + 1
    truncated = (age >= limit) & ~terminated
    over = terminated | truncated
    obs = final = game.look(xp, state)
    play = Play(state, actions, age)
    if might(xp, over):
        play = again(game, play, over, chance)
        obs = game.look(xp, play.state)
    return play, Outcome(reward.astype("float32"), terminated, truncated, final, obs)
