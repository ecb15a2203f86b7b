"""DrQ(eps): augment images by random shifts and brightness, to learn more from few steps (Yarats et al., 2021).

The student for small budgets of Agarwal et al. (2021, 2022): 10-step, double and dueling, one update per step, a target
synced at every update, epsilon from 1 to 0.01. The teacher sees the original images.
"""

import jax
import jax.numpy as jnp
from jax import Array

from ...datasets.transition import Transition
from ..method import Factory, Method
from ..ranges import Count, Endless, NotNegative, Positive
from .dqn import dqn

HEIGHT = 84  # height of the images that Yarats et al. shift by 4 pixels


def shifted(key: Array, obs: Array, most: int) -> Array:
    """Shift each stack [B, S, H, W, ...] as a whole by up to `most` pixels, repeating its border."""
    if obs.ndim < 4:
        raise ValueError("drq shifts images, and these observations are not images: take another base, such as dqn")
    if not most:
        return obs
    height, width = obs.shape[2:4]
    padding = [(0, 0), (0, 0), (most, most), (most, most), *[(0, 0)] * (obs.ndim - 4)]
    corners = jax.random.randint(key, (len(obs), 2), 0, 2 * most + 1)

    def cut(image: Array, corner: Array) -> Array:
        rows = jax.lax.dynamic_slice_in_dim(image, corner[0], height, axis=1)
        return jax.lax.dynamic_slice_in_dim(rows, corner[1], width, axis=2)

    return jax.vmap(cut)(jnp.pad(obs, padding, "edge"), corners)


def scaled(shift: float, obs: Array) -> int:
    """Scale `shift`, in pixels of an image 84 high, to the height of these images [B, S, H, W, ...]."""
    return round(shift / HEIGHT * obs.shape[2])


def brightened(key: Array, obs: Array, scale: float) -> Array:
    """Multiply each stack [B, S, ...] by 1 + scale * z, z normal, clipped to [-2, 2]; bytes become floats in [0, 1].

    Planes of booleans have no brightness and are returned unchanged.
    """
    if obs.dtype == bool:
        return obs
    x = obs.astype(jnp.float32) / (255.0 if obs.dtype == jnp.uint8 else 1.0)
    z = jnp.clip(jax.random.normal(key, (len(obs), *[1] * (obs.ndim - 1))), -2.0, 2.0)
    return x * (1.0 + scale * z)


def drq(
    base: Factory = dqn,
    shift: NotNegative = 4,
    intensity: NotNegative = 0.05,
    n_step: Count = 10,
    double: bool = True,
    dueling: bool = True,
    learning_rate: NotNegative = 1e-4,
    explore: NotNegative = 5_000.0,
    updates_per_step: Endless = 1.0,
    target_period: Positive = 1.0,
    warmup: NotNegative = 1_600.0,
    **numbers,
) -> Method:
    """Make the base.

    `shift`: largest shift, in pixels of an image 84 high; scaled to other heights, so 0 in MinAtar. `intensity`:
    standard deviation of the brightness, clipped at two of them; planes of booleans have none.
    """
    numbers |= {"learning_rate": learning_rate, "explore": explore, "updates_per_step": updates_per_step}
    numbers |= {"n_step": n_step, "target_period": target_period, "warmup": warmup}
    own = base(double=double, dueling=dueling, **numbers)

    def augment(key: Array, batch: Transition) -> Transition:
        def changed(number: int, obs: Array) -> Array:
            where, how = jax.random.split(jax.random.fold_in(key, number))
            return brightened(how, shifted(where, obs, scaled(shift, obs)), intensity)

        return batch._replace(obs=changed(0, batch.obs), next_obs=changed(1, batch.next_obs))

    return own._replace(augment=augment)
