"""Schedules that follow the plan of a run, so that a setting means the same in short and long runs.

`warmup`, `explore`, `settle` and `target_period` are amounts: below 1 a share of the planned number, from 1 on an
absolute number.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from .method import Progress


def share_of(amount: float, planned: Any) -> Any:
    """Return an amount as a share of the planned number: 0.02 stays 0.02, and so does 50,000 of 2.5 million."""
    return amount if amount < 1.0 else amount / planned


def annealed(progress: Progress, final: float, explore: float, warmup: float) -> Array:
    """Return epsilon: 1 until the first update, then falling linearly to `final` within `explore` agent steps.

    The decay starts with the first update (Castro et al., 2018). With `explore=0` epsilon is `final` at once.
    """
    length = share_of(explore, progress.planned)
    left = 1.0 - (progress.spent - share_of(warmup, progress.planned)) / jnp.maximum(length, 1e-9)
    return final + (1.0 - final) * jnp.clip(left, 0.0, 1.0) * (explore > 0.0)


def period(target_period: float, updates: Any) -> Any:
    """Return the number of updates between two syncs of the target network, at least 1."""
    if target_period >= 1.0:
        return int(target_period)
    return jnp.maximum(jnp.round(target_period * updates), 1).astype(jnp.int32)
