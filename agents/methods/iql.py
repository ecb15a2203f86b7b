"""Implicit Q-learning: learn values without asking for actions that the log lacks, and clone its better half.

As Kostrikov et al. (2022) have it, for discrete actions. V(s) is an upper expectile of the target critics' Q(s, a) on
the log's actions (equation 5), Q's goal is r + discount * V(s') (equation 6), and the policy clones the log's actions,
each weighted by exp(sharpness * (Q - V)), 100 at most (equation 7). Online it continues in the same way, its replay
begins with the log, and actions are drawn from the policy. What is scored is the policy.
"""

import jax
from jax import Array

from ...datasets.transition import Transition
from .. import ensembles, losses
from ..method import Architecture, Clock, Factory, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Share
from .dqn import dqn


def judged(student: Values, target: Values, batch: Transition, expectile: float):
    """Return the losses of V and Q, and the advantage [B] of the batch's actions, by the target critics' least."""
    here = target(batch.obs, method="each").min(axis=0)
    worth = student(batch.obs, method="state")
    goal = batch.reward + batch.discount * student(batch.next_obs, method="state")
    gain = losses.chosen(here, batch.action) - worth
    return {
        "value": losses.expectile(gain, expectile),
        "td": ensembles.squared(student(batch.obs, method="each"), batch.action, goal),
    }, gain


def network_of(inner: Architecture, members: int, whose: str, **more) -> Architecture:
    """Return a policy, critics and V, all of this kind."""
    inner = ensembles.of_values(inner, whose)
    return Architecture("implicit", {"of": inner.name, "options": inner.options, "members": members, **more})


def iql(
    base: Factory = dqn,
    expectile: Share = 0.9,
    sharpness: NotNegative = 10.0,
    members: Count = 2,
    offline_share: Share = 0.6,
    keep_log: bool = True,
    warmup: NotNegative = 0.0,
    updates_per_step: Endless = 1.0,
    batch_size: Count = 256,
    n_step: Count = 1,
    learning_rate: NotNegative = 3e-4,
    adam_epsilon: NotNegative = 1e-8,
    target_rate: Share = 0.005,
    **numbers,
) -> Method:
    """Make the method; the base says how to step, and neither its loss nor its exploration is used.

    `expectile`: 0.5 is the mean, 1 the best action seen. `sharpness`: the inverse temperature of the weights.
    `members`: critics, of which the least counts.
    """
    numbers |= {"offline_share": offline_share, "keep_log": keep_log, "updates_per_step": updates_per_step}
    numbers |= {"warmup": warmup, "batch_size": batch_size, "n_step": n_step, "target_rate": target_rate}
    own = base(learning_rate=learning_rate, adam_epsilon=adam_epsilon, **numbers)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        terms, gain = judged(student, target, batch, expectile)
        return {**terms, "policy": losses.advantage_weighted(student(batch.obs), batch.action, gain, sharpness)}

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        return jax.random.categorical(progress.key, student(obs))

    return own._replace(
        loss=loss, act=act, network=lambda task, teacher: network_of(own.network(task, teacher), members, "iql")
    )
