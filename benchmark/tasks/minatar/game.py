"""What the five games have in common: states as arrays, chance from outside, and a few steps that all of them need.

Rules are written once, for numpy and for JAX: `xp` is the one or the other. N games are played at once; every array of
a state ends with the axis [N], and is replaced, never changed. Where few cases are possible, a rule is a table: an
array that is made once, with an entry for each case.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

Array = Any  # of numpy or of JAX
SIDE = 10  # cells of the field
NOWHERE = 2**30  # the place of what is not to be seen


class Chance(Protocol):
    """Draws for N games, each from its own stream; a game that is not of `where` [N] uses nothing of its stream."""

    xp: ModuleType
    n: int

    def uniform(self, where: Array | None = None, times: int | None = None) -> Array:
        """Return [N] floats in [0, 1), or [times, N]; valid where drawn."""
        ...

    def below(self, high: Array | int, where: Array, times: int | None = None) -> Array:
        """Return [N] integers in [0, high), or [times, N]; valid where drawn and `high`, if [N], is above 0."""
        ...


class Game(NamedTuple):
    """One game as pure functions: the same arguments and draws give the same results."""

    actions: int  # those that do something (the minimal set); 0 is to do nothing
    planes: int
    draws: int  # the most that a step and the start of the next game make
    start: Callable[[Chance, Array], Any]  # (chance, where [N]) -> a new game, to be broadcast to states of N
    step: Callable[[Any, Array, Chance], tuple[Any, Array, Array]]  # state, action [N] -> state, reward [N], over [N]
    look: Callable[[ModuleType, Any], Array]  # (xp, state) -> [N, 10, 10, planes] bool


def might(xp: ModuleType, mask: Array) -> bool:
    """Return whether any of `mask` is set: numpy leaves out what concerns no game, a JAX program holds everything."""
    return xp is not np or bool(np.count_nonzero(mask))


def takes(xp: ModuleType) -> Callable[..., Array]:
    """Return take(table, integers of any shape, axis=None): the entries of a table there."""
    if xp is np:
        return np.ndarray.take
    return lambda table, at, axis=None: xp.asarray(table).take(at, axis=axis)


def pushed(xp: ModuleType, new: Array, rows: Array) -> Array:
    """Return rows [K, N] with `new` [N] before them, and without the last."""
    return xp.concatenate([new[None], rows[:-1]])


def first(xp: ModuleType, mask: Array) -> Array:
    """Return mask [K, N] with only the first that is set in each column."""
    return mask & (xp.cumsum(mask, axis=0) == 1)


def last(xp: ModuleType, mask: Array) -> Array:
    """Return mask [K, N] with only the last that is set in each column."""
    return first(xp, mask[::-1])[::-1]


def mark(xp: ModuleType, planes: Array, *places: Array) -> Array:
    """Set bits of `planes` [N, ...], which must be fresh, at `places` [N] or [M, N] counted within each game's.

    Places [M, N] from NOWHERE on set nothing.
    """
    n, flat = len(planes), planes.reshape(-1)
    begin = len(flat) // n * xp.arange(n)
    for some in places:
        if xp is not np:
            flat = flat.at[(some + begin).reshape(-1)].set(True, mode="drop")
        elif some.ndim == 1:
            flat[some + begin] = True
        else:
            flat[(some + begin)[some < NOWHERE]] = True
    return flat.reshape(planes.shape)
