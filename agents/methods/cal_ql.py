"""Cal-QL: conservative Q-learning that pushes no value below the log's own returns (Nakamoto et al., 2023).

The observed return of a logged step bounds its values from below. Online, half of every batch comes from the log, and
the pessimism stays. The defaults are those of the authors' code.

With continuous actions the log-sum is estimated from draws, as in the authors' code: uniform ones, and the policy's at
the state and at the next one, each weighted by its density. The bound holds for the policy's (equation 5.4).
"""

import jax
import jax.numpy as jnp
from jax import Array

from ...datasets.transition import Transition
from .. import control, losses, policies
from ..method import Factory, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Positive, Share
from .dqn import dqn


def pessimism(student: Values, batch: Transition, key: Array, draws: int, temperature: float) -> Array:
    """Return the calibrated pessimism [B] of critics, by three times as many draws; the actor gets no gradient."""
    (size, numbers), keys = batch.action.shape, jax.random.split(key, 3)
    anything = jax.random.uniform(keys[0], (size, draws, numbers), minval=-1.0, maxval=1.0)
    found = [(anything, jnp.full((size, draws), -numbers * jnp.log(2.0)))]
    for drawing, obs in zip(keys[1:], (batch.obs, batch.next_obs), strict=True):
        policy = tuple(jnp.repeat(part, draws, axis=0) for part in student(obs, method="policy"))
        action, density = policies.drawn(drawing, (policy[0], policy[1]))
        found.append((action.reshape(anything.shape), density.reshape(size, draws)))
    action, density = (jax.lax.stop_gradient(jnp.concatenate(part, axis=1)) for part in zip(*found, strict=True))
    here = jnp.repeat(batch.obs, 3 * draws, axis=0)
    each = student(here, action=action.reshape(-1, numbers), method="judge").reshape(-1, size, 3 * draws)
    ours = jnp.arange(3 * draws) >= draws
    each = jnp.maximum(each, jnp.where(ours, batch.return_to_go[:, None], -jnp.inf))
    return policies.conservative(each, density, student(batch.obs, action=batch.action, method="judge"), temperature)


def cal_ql(
    base: Factory = dqn,
    weight: NotNegative = 5.0,
    temperature: Positive = 1.0,
    share: Share = 0.5,
    draws: Count = 10,
    offline_share: Share = 0.6,
    explore: NotNegative = 0.0,
    updates_per_step: Endless = 1.0,
    batch_size: Count = 256,
    n_step: Count = 1,
    learning_rate: NotNegative = 3e-4,
    adam_epsilon: NotNegative = 1e-8,
    target_rate: Share = 0.005,
    **numbers,
) -> Method:
    """Make the method.

    `weight`: weight of the pessimism. `temperature`: temperature of the pessimism's log-sum-exp. `draws`: draws of each
    of the three kinds, of continuous actions. `share`: probability
    that a transition of an online batch comes from the log.
    """
    numbers |= {
        "offline_share": offline_share,
        "explore": explore,
        "updates_per_step": updates_per_step,
        "batch_size": batch_size,
    }
    numbers |= {"n_step": n_step, "target_rate": target_rate}
    own = base(learning_rate=learning_rate, adam_epsilon=adam_epsilon, **numbers)

    control.stochastic(own, True, "cal_ql")

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        if own.continuous:
            low = pessimism(student, batch, jax.random.fold_in(progress.key, 1), draws, temperature)
        else:
            low = losses.calibrated(student(batch.obs), batch.action, batch.return_to_go, temperature)
        return {**own.loss(student, target, teacher, batch, progress), "conservative": weight * low}

    return own._replace(loss=loss, log_share=lambda progress: max(share, progress.offline), needs_return_to_go=True)
