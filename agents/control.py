"""What the bases of continuous control share: their network, their exploration, and how they begin.

And what the methods for both kinds of actions ask of either kind.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from .method import ActHook, Architecture, LossHook, Method, Progress, Terms
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


def best(own: Method, told: Array) -> Array:
    """Return what a policy plays by what it says: its best action [B], or the action [B, D] that it gives."""
    return told if own.continuous else jnp.argmax(told, axis=-1)


def either(which: Array, one: Array, other: Array) -> Array:
    """Return rows of one array where `which` [B] holds, and of the other elsewhere: [B, ...], [B, ...] -> [B, ...]."""
    return jnp.where(which.reshape(-1, *[1] * (one.ndim - 1)), one, other)


def scaled(own: Method, terms: Terms, pull: Array) -> Array:
    """Return what pulls at an actor [B], times the mean size of the actor's own term; at values as it is.

    Values are of any size and a distance of actions is not; so both keep their proportion (Fujimoto and Gu, 2021,
    equation 5).
    """
    return jax.lax.stop_gradient(jnp.abs(terms["actor"]).mean()) * pull if own.continuous else pull


def slow(own: Method, *names: str) -> tuple[str, ...]:
    """Return what learns only in every so many updates, with more terms that train the actor; () for values."""
    return (*own.delayed, *names) if own.continuous else ()


def stochastic(own: Method, wanted: bool, whose: str) -> None:
    """Raise ValueError if a base for continuous actions has a policy of the other kind than the method needs."""
    if own.continuous and own.network(Architecture(""), None).options["stochastic"] != wanted:
        why = "needs the densities of a stochastic policy" if wanted else "works on a deterministic policy"
        raise ValueError(f"{whose} {why}: take base={'sac' if wanted else 'td3'}")


def check(members: int, subset: int) -> None:
    """Raise ValueError if the subset is larger than the ensemble of critics."""
    if not 1 <= subset <= members:
        raise ValueError(f"cannot draw {subset} of {members} critics: give a subset from 1 to {members}")
