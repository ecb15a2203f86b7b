"""Periodic resets of the learner, with schedules of n and the discount that restart after each.

These parts of BBF (Schwarzer et al., 2023) need no other network or loss: shrink-and-perturb resets (D'Oro et al.,
2023), an n that falls and a discount that rises after each reset. All are counted in gradient updates.
"""

from typing import Any

import jax

from .method import Learner, Method

ENCODER, FROZEN = "Conv", "memory"  # parts of the names of layers that read images, and of copies that never learn


def renewed(learner: Learner, fresh: Learner, shrink: float) -> Learner:
    """Shrink the layers that read images towards fresh ones, replace all others, and start a new optimizer.

    A weight w becomes shrink * w + (1 - shrink) * fresh, in the student and in its target. If no layer reads images,
    all layers are shrunk. The count of updates continues.
    """
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(fresh.params)[0]]
    reads_images = any(ENCODER in name for name in names)

    def mixed(path: Any, old: Any, new: Any) -> Any:
        name = jax.tree_util.keystr(path)
        if FROZEN in name:
            return old
        return shrink * old + (1.0 - shrink) * new if ENCODER in name or not reads_images else new

    params, target = (
        jax.tree_util.tree_map_with_path(mixed, old, fresh.params) for old in (learner.params, learner.target)
    )
    return learner._replace(params=params, target=target, opt_state=fresh.opt_state)


def latest(method: Method, done: int, planned: int) -> int:
    """Return the update count of the latest reset, 0 if there was none.

    Resets come every `reset_period` updates, as long as that many updates are left to recover in.
    """
    if not method.reset_period:
        return 0
    most = max(planned // method.reset_period - 1, 0)
    return min(done // method.reset_period, most) * method.reset_period


def due(method: Method, done: int, planned: int) -> bool:
    """Return whether a reset follows right after this many updates."""
    return done > 0 and latest(method, done, planned) == done


def receding(since: int, period: int, first: float, last: float) -> float:
    """Interpolate geometrically from `first` to `last` over `period` updates, then stay at `last`."""
    left = max(1.0 - since / period, 0.0)
    return first**left * last ** (1.0 - left)


def n_step(method: Method, since: int) -> int:
    """Return n, `since` updates after the start or the latest reset."""
    if not method.first_n_step:
        return method.n_step
    return round(receding(since, method.anneal, method.first_n_step, method.n_step))


def discount(method: Method, since: int) -> float:
    """Return the discount, `since` updates after the start or the latest reset; 1 - discount changes geometrically."""
    if not method.first_discount:
        return method.discount
    return 1.0 - receding(since, method.anneal, 1.0 - method.first_discount, 1.0 - method.discount)


def longest(method: Method) -> int:
    """Return the largest n of the run; every batch has room for it."""
    return max(method.n_step, method.first_n_step)
