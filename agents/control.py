"""Network, exploration and initialisation shared by the bases for continuous control."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from .method import ActHook, Architecture, LossHook, Method, Progress
from .networks import parse_network
from .resets import renewed
from .schedules import share_of

SLOW = ("actor", "temperature")


def network(text: str, task: Architecture, **options: Any) -> Architecture:
    """Return the actor-critic that `text` names, else the task's, else one of default size, with these options."""
    given = parse_network(text) if text else task
    if text and given.name != "actor_critic":
        raise ValueError(f"the network {given.name!r} has no actor: write actor_critic:width=256,depth=2")
    own = given.options if given.name == "actor_critic" else {}
    return Architecture("actor_critic", {**own, **options})


def at_random(progress: Progress, explore: float, key: Array, action: Array) -> Array:
    """Return the action [N, D], or a uniform one in the first `explore` agent steps."""
    anything = jax.random.uniform(key, action.shape, minval=-1.0, maxval=1.0)
    return jnp.where(progress.spent < share_of(explore, progress.planned), anything, action)


def learns(
    loss: LossHook, act: ActHook, network: Any, adam: optax.GradientTransformation, numbers: Mapping[str, Any]
) -> Method:
    """Make a base of these hooks and numbers, with defaults for the others: no log online, no change at the start."""
    return Method(
        loss=loss,
        act=act,
        learning_rate_factor=lambda progress: 1.0,
        log_share=lambda progress: progress.offline,  # offline, the log is the only source
        init=lambda learner, teacher: learner,
        go_online=lambda learner: learner,
        evolve=lambda key, learners, scores: learners,
        network=network,
        renew=renewed,
        optimizer=adam,
        continuous=True,
        delayed=SLOW,
    )._replace(**numbers)


def check(members: int, subset: int) -> None:
    """Raise ValueError if the subset is larger than the ensemble of critics."""
    if not 1 <= subset <= members:
        raise ValueError(f"{subset} of {members} critics cannot be asked: give a subset from 1 to {members}")
