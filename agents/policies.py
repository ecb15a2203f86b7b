"""Policies over continuous actions in [-1, 1], and per-example losses [B] of actors and critics.

A sample of a normal distribution is squashed by the hyperbolic tangent (Haarnoja et al., 2018, appendix C). Networks,
optimizers and schedules are not known here.
"""

import jax
import jax.numpy as jnp
from jax import Array

NARROWEST = -5.0  # log of a deviation that cloning makes no smaller
EDGE = 1.0 - 1e-6  # actions at the bounds would be infinite before the hyperbolic tangent


def log_normal(draw: Array, mean: Array, log_std: Array) -> Array:
    """Return the log-density of samples [B, D] of normal distributions, summed over D."""
    scaled = (draw - mean) * jnp.exp(-log_std)
    return (-0.5 * jnp.square(scaled) - log_std - 0.5 * jnp.log(2.0 * jnp.pi)).sum(axis=-1)


def stretched(draw: Array) -> Array:
    """Return log|d tanh(u) / du| = log(1 - tanh(u)^2), summed over D, in a form that is stable for large u."""
    return (2.0 * (jnp.log(2.0) - draw - jax.nn.softplus(-2.0 * draw))).sum(axis=-1)


def drawn(key: Array, policy: tuple[Array, Array]) -> tuple[Array, Array]:
    """Sample actions [B, D] and their log-densities [B], given a policy's mean and log-deviation [B, D]."""
    mean, log_std = policy
    draw = mean + jnp.exp(log_std) * jax.random.normal(key, mean.shape)
    return jnp.tanh(draw), log_normal(draw, mean, log_std) - stretched(draw)


def log_probability(policy: tuple[Array, Array], action: Array) -> Array:
    """Return the log-density [B] of given actions [B, D]."""
    draw = jnp.arctanh(jnp.clip(action, -EDGE, EDGE))
    return log_normal(draw, *policy) - stretched(draw)


def noised(key: Array, action: Array, deviation: float, most: float = jnp.inf) -> Array:
    """Add normal noise, clipped to `most`, to actions [B, D], and clip them to their bounds (Fujimoto et al., 2018)."""
    noise = jnp.clip(deviation * jax.random.normal(key, action.shape), -most, most)
    return jnp.clip(action + noise, -1.0, 1.0)


def few(key: Array, members: int, subset: int) -> Array | None:
    """Draw the members of an ensemble that a target asks, [subset]; None for all (Chen et al., 2021: REDQ)."""
    return None if subset >= members else jax.random.choice(key, members, (subset,), replace=False)


def squared(each: Array, goal: Array) -> Array:
    """Return the squared error to a target without gradient, mean over the members: [E, B], [B] -> [B]."""
    return jnp.square(each - jax.lax.stop_gradient(goal)).mean(axis=0)


def conservative(each: Array, density: Array, logged: Array, temperature: float) -> Array:
    """Push down the values of K actions that were drawn, and hold up those of the logged one: [E, B, K], [B, K], [E, B]
    -> [B].

    Each counts by the inverse of its log-`density`, so that the log-sum is over all actions: CQL(H) with importance
    sampling (Kumar et al., 2020, appendix F); mean over the members.
    """
    weighted = (each - jax.lax.stop_gradient(density)) / temperature
    return (temperature * jax.nn.logsumexp(weighted, axis=-1) - logged).mean(axis=0)


def weighted(policy: tuple[Array, Array], action: Array, gain: Array, sharpness: float, most: float = 100.0) -> Array:
    """Return minus the log-density of actions [B, D], times exp(sharpness * gain), `most` at most (Peng et al., 2019:
    AWR).

    Neither the weight nor the actions get a gradient. Of deviations below exp(-5) none is learned: the density of a
    policy that never errs has no bound.
    """
    mean, log_std = policy
    weight = jnp.minimum(jnp.exp(sharpness * jax.lax.stop_gradient(gain)), most)
    return -weight * log_probability((mean, jnp.maximum(log_std, NARROWEST)), jax.lax.stop_gradient(action))


def apart(action: Array, guide: Array) -> Array:
    """Return the squared distance [B] to a teacher's actions [B, D]: the KL of normal policies of equal deviation."""
    return jnp.square(action - jax.lax.stop_gradient(guide)).sum(axis=-1)


def cooler(log_temperature: Array, log_density: Array, wanted: float) -> Array:
    """Return the loss [B] that raises the temperature while the entropy is below `wanted` (Haarnoja et al., 2018)."""
    return -log_temperature * jax.lax.stop_gradient(log_density + wanted)
