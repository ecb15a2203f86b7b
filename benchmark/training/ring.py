"""The replay on a device: the rows of `datasets/replay/replay.py`, as pure functions that can be traced.

Rows have the same layout as in a `Replay`, and the same places give the same batch. The places that are sampled differ,
since a device uses JAX's keys.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ...datasets.replay.replay import COLUMNS, Replay
from ...datasets.transition import Batch

CANDIDATES = 4  # places drawn per place needed, since a few rows of a ring cannot be sampled


class Ring(NamedTuple):
    """Rows [streams * R] of a replay: row r of stream s is at s * R + r."""

    frame: Array  # [rows, *frame]
    action: Array
    reward: Array
    age: Array
    is_last: Array
    is_terminal: Array
    added: Array  # [streams] int32, the number of steps ever added to each stream

    @property
    def rows(self) -> int:
        """The number of rows of a stream."""
        return len(self.age) // len(self.added)


class Window(NamedTuple):
    """The shape of the windows that make up a batch."""

    size: int
    stack: int
    n_step: int
    discount: float
    clip: bool


def of(replay: Replay) -> Ring:
    """Copy a replay to the device."""
    columns = (jnp.array(getattr(replay, f"_{name}")) for name in COLUMNS)
    return Ring._make((*columns, jnp.asarray(replay.added, jnp.int32)))


def place(ring: Ring, stream: Array, index: Array) -> Array:
    """Return the rows of steps, given their absolute indices."""
    return stream * ring.rows + index % ring.rows


def add(ring: Ring, step: tuple[Array, ...], end: tuple[Array, Array], over: Array) -> Ring:
    """Append a step to each stream, and the end of its episode where it is `over` [N].

    `step`: frame [N, *frame], action, reward, age [N]; `end`: the last frame [N, *frame], whether it is terminal [N].
    """
    streams, no = jnp.arange(len(ring.added)), jnp.zeros_like(over)
    at = place(ring, streams, ring.added)
    last = jnp.where(over, place(ring, streams, ring.added + 1), len(ring.age))  # out of bounds is dropped
    columns = (
        column.at[at].set(first).at[last].set(second, mode="drop")
        for column, first, second in zip(
            ring[:-1], (*step, no, no), (end[0], 0, 0.0, step[3] + 1, over, end[1]), strict=True
        )
    )
    return Ring._make((*columns, ring.added + 1 + over))


def usable(ring: Ring, s: Array, t: Array, how: Window) -> Array:
    """Return whether the ring holds a place's whole stack and its n steps, or those up to the end of its episode."""
    at, added = place(ring, s, t), ring.added[s]
    oldest = t - jnp.minimum(ring.age[at], how.stack - 1)
    ahead = t + jnp.arange(1, how.n_step + 1)[:, None]
    ended = (ring.is_last[place(ring, s, ahead)] & (ahead < added)).any(axis=0)
    whole = ended | (t + how.n_step < added)
    return ~ring.is_last[at] & (oldest >= 0) & (oldest >= added - ring.rows) & whole


def draw(ring: Ring, key: Array, how: Window) -> tuple[Array, Array]:
    """Sample (stream, absolute index) [size] each, uniformly over the places that can be sampled; there must be some.

    Draws more places than needed and takes the first valid ones, repeating some if there are too few.
    """
    ends = jnp.cumsum(jnp.minimum(ring.added, ring.rows))
    number = jax.random.randint(key, (CANDIDATES * how.size,), 0, ends[-1])
    s = jnp.searchsorted(ends, number, side="right")
    t = ring.added[s] - (ends[s] - number)
    good = usable(ring, s, t, how)
    chosen = jnp.argsort(~good, stable=True)[jnp.arange(how.size) % jnp.maximum(good.sum(), 1)]
    return s[chosen], t[chosen]


def gather(ring: Ring, s: Array, t: Array, how: Window) -> Batch:
    """Return the batch at the given places [B], identical to `Replay.gather`."""
    stack, n_step = how.stack, how.n_step
    places = place(ring, s, t + jnp.arange(1 - stack, n_step + 1)[:, None])  # [S + n, B]
    at = places[stack - 1]
    ended = jax.lax.cummax(ring.is_last[places[stack:]].astype(int), axis=0)  # [n, B], after k + 1 steps
    span = jnp.minimum(n_step + 1 - ended.sum(axis=0), n_step)
    power = np.float32(how.discount) ** np.arange(n_step + 1, dtype=np.float32)
    reward = ring.reward[places[stack - 1 : -1]]
    reward = reward.clip(-1.0, 1.0) if how.clip else reward
    reward = jnp.where(jnp.arange(n_step)[:, None] < span, reward * power[:-1, None], 0.0)
    window = ring.frame[places.T]
    young = jnp.arange(1 - stack, 1) < -ring.age[at][:, None]  # [B, S], before the start of the episode
    blank = jnp.concatenate([young, jnp.zeros((len(s), n_step), bool)], axis=1)
    window = jnp.where(blank.reshape(*blank.shape, *[1] * (window.ndim - 2)), jnp.zeros((), window.dtype), window)
    discount = jnp.where(ring.is_terminal[place(ring, s, t + span)], 0.0, jnp.asarray(power)[span])
    real = jnp.ones(len(s), jnp.float32)
    return Batch(window, span, ring.action[at], reward.sum(axis=0), discount, 0.0 * real, real, at)


def newest(ring: Ring, since: Array, count: int) -> dict[str, Array]:
    """Return `count` rows [N, count, ...] of each stream, starting at the absolute index `since` [N], and `added`."""
    at = place(ring, jnp.arange(len(since))[:, None], since[:, None] + jnp.arange(count))
    return {name: column[at] for name, column in zip(COLUMNS, ring[:-1], strict=True)} | {"added": ring.added}


def put(replay: Replay, since: np.ndarray, rows: dict[str, np.ndarray]) -> None:
    """Append the result of `newest` to a replay."""
    new = rows["added"].astype(np.int64)
    there = np.arange(rows["age"].shape[1]) < (new - since)[:, None]
    replay.put({"first": since, "added": new} | {name: rows[name][there] for name in COLUMNS})
