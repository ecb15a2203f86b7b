"""MinAtar's games on a device: one traced function takes a step of N games, with random numbers from keys.

Random numbers differ from those of `streams`: a seed gives other episodes than on the host, by the same rules.
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
    """N games, their observations, and the source of their random numbers."""

    play: Play
    frame: Array  # [N, 10, 10, C] bool
    seed: Array  # [N] int32, one stream of random numbers each
    step: Array  # steps of all games since the start; selects the random numbers


def draws(world: World, count: int) -> Keys:
    """Return the random numbers of a step."""
    return Keys(jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), world.step))(world.seed), count)


def firm(world: World) -> World:
    """Return the world without weak types, so that programs are compiled only once."""
    return jax.tree.map(lambda part: part.astype(part.dtype), world)


class OnDevice:
    """N games as an `ArrayEnvironment`: stepped by the host, or by `advance` within a program."""

    def __init__(self, game: str, sticky: float, limit: int, seed: np.ndarray):
        """Make the games. `sticky`: probability of repeating the previous action. `limit`: maximum steps of an
        episode."""
        self.n, self._game, self._sticky, self._limit = len(seed), GAMES[game], sticky, limit
        self.actions = self._game.actions
        self._advance, self._renew = jax.jit(self.advance), jax.jit(partial(_renewed, self._game))
        self.world: World = jax.jit(partial(_begun, self._game))(jnp.asarray(seed, jnp.int32))

    def advance(self, world: World, actions: Array) -> tuple[World, Outcome]:
        """Take one action [N] in each game: a pure function that can be traced."""
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
