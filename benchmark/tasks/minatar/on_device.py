"""MinAtar's games where a device holds them: one traced function takes a step of N games, with chance from keys.

What is drawn differs from `streams`, so a seed gives other episodes than on the host, by the same rules.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..environment import Step
from .game import Array
from .games import GAMES, Outcome, Play, act, again, begin
from .keys import Keys


class World(NamedTuple):
    """N games, what is to be seen of them, and where their chance comes from."""

    play: Play
    frame: Array  # [N, 10, 10, C] bool
    seed: Array  # [N] int32, each its own stream of draws
    step: Array  # steps of all together since the start, which choose the draws


def draws(world: World, count: int) -> Keys:
    """Return the chance of a step."""
    return Keys(jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), world.step))(world.seed), count)


def firm(world: World) -> World:
    """Return the world with types that do not depend on where it comes from, so that programs are compiled once."""
    return jax.tree.map(lambda part: part.astype(part.dtype), world)


class OnDevice:
    """N games as an `ArrayEnvironment`: stepped by the host like all others, or by `advance` within a program."""

    def __init__(self, game: str, sticky: float, limit: int, seed: np.ndarray):
        """`sticky`: the chance that an action repeats the one before. `limit`: steps of an episode at most."""
        self.n, self._game, self._sticky, self._limit = len(seed), GAMES[game], sticky, limit
        self.actions = self._game.actions
        self._advance, self._renew = jax.jit(self.advance), jax.jit(partial(_renewed, self._game))
        self.world: World = jax.jit(partial(_begun, self._game))(jnp.asarray(seed, jnp.int32))

    def advance(self, world: World, actions: Array) -> tuple[World, Outcome]:
        """Take one action [N] in each game: a pure function, to be traced."""
        chance = draws(world, self._game.draws)
        play, told = act(self._game, world.play, actions.astype(int), chance, self._sticky, self._limit)
        return firm(World(play, told.obs, world.seed, world.step + 1)), told

    def observe(self) -> np.ndarray:
        """Return [N, 1, 10, 10, C] bool."""
        return np.asarray(self.world.frame)[:, None]

    def step(self, actions: np.ndarray) -> Step:
        """Take one action [N] in each game."""
        self.world, told = self._advance(self.world, jnp.asarray(actions))
        return Step(*(np.asarray(part) for part in (told.reward, told.terminated, told.truncated, told.final)))

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        """Begin a new episode in the games `which` [K], each with its own seed [K]."""
        seeds, new = np.array(self.world.seed), np.isin(np.arange(self.n), which)
        seeds[which] = seed
        self.world = self._renew(self.world._replace(seed=jnp.asarray(seeds)), new)


def _begun(game, seed: Array) -> World:
    world = World(None, None, seed, jnp.zeros((), jnp.int32))  # type: ignore[arg-type]
    play = begin(game, draws(world, game.draws))
    return firm(World(play, game.look(jnp, play.state), seed, world.step + 1))


def _renewed(game, world: World, new: Array) -> World:
    play = again(game, world.play, new, draws(world, game.draws))
    play = play._replace(before=jnp.where(new, 0, play.before))
    return firm(World(play, game.look(jnp, play.state), world.seed, world.step + 1))
