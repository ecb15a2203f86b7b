"""What the five games share: states as arrays, random numbers from outside, and a few helpers.

Rules are written once, for numpy and for JAX; `xp` is either module. N games are played at once. Every array of a state
has [N] as its last axis, and is replaced rather than changed. Where few cases are possible a rule is a table: an array
with one entry per case, made once.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

Array = Any  # from numpy or JAX
SIDE = 10  # cells of the field


class Chance(Protocol):
    """Random numbers for N games, one stream per game; a game outside of `where` [N] consumes nothing of its stream."""

    xp: ModuleType
    n: int

    def uniform(self, where: Array | None = None, times: int | None = None) -> Array:
        """Return [N] floats in [0, 1), or [times, N]; valid where drawn."""
        ...

    def below(self, high: Array | int, where: Array, times: int | None = None) -> Array:
        """Return [N] integers in [0, high), or [times, N]; valid where drawn and `high`, if it is [N], is above 0."""
        ...


class Game(NamedTuple):
    """One game as pure functions: the same arguments and draws give the same results."""

    actions: int  # the minimal action set; action 0 does nothing
    planes: int
    draws: int  # the most draws that a step and the start of the next game need
    start: Callable[[Chance, Array], Any]  # (chance, where [N]) -> a new game, to be broadcast to states of N
    step: Callable[[Any, Array, Chance], tuple[Any, Array, Array]]  # state, action [N] -> state, reward [N], over [N]
    look: Callable[[ModuleType, Any], Array]  # (xp, state) -> [N, 10, 10, planes] bool


def might(xp: ModuleType, mask: Array) -> bool:
    """Return whether any of `mask` is set, so that numpy can skip a rule; always True in JAX, whose programs hold all
    rules."""
    return xp is not np or bool(np.count_nonzero(mask))


def takes(xp: ModuleType) -> Callable[..., Array]:
    """Return take(table, integers of any shape, axis=None), which looks up entries of a table."""
    if xp is np:
        return np.ndarray.take
    return lambda table, at, axis=None: xp.asarray(table).take(at, axis=axis)


def put(xp: ModuleType, rows: Array, at: Array, where: Array, value: Array | int) -> Array:
    """Return rows [K, N] with `value` in row `at` [N] of the games `where` [N]."""
    if xp is not np:
        return xp.where(where & (xp.arange(len(rows))[:, None] == at), value, rows)
    which, new = where.nonzero()[0], rows.copy()
    new[at[which], which] = value if isinstance(value, int) else value[which]
    return new


def pushed(xp: ModuleType, new: Array, rows: Array) -> Array:
    """Return rows [K, N] shifted by one: `new` [N] comes first and the last row is dropped."""
    return xp.concatenate([new[None], rows[:-1]])


def first(xp: ModuleType, mask: Array) -> Array:
    """Return mask [K, N] with only the first set entry of each column."""
    return mask & (xp.cumsum(mask, axis=0) == 1)


def last(xp: ModuleType, mask: Array) -> Array:
    """Return mask [K, N] with only the last set entry of each column."""
    return first(xp, mask[::-1])[::-1]


def mark(xp: ModuleType, planes: Array, places: Array) -> Array:
    """Set bits of `planes` [N, ...], a fresh array, at `places` [N] or [M, N], which index each game's own bits."""
    flat = planes.reshape(-1)
    places = places + xp.arange(0, len(flat), len(flat) // len(planes))
    if xp is not np:
        return flat.at[places.reshape(-1)].set(True).reshape(planes.shape)
    flat[places] = True
    return planes
