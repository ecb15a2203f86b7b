"""Implicit Q-learning: learn values from the log's actions alone, and clone the better ones (Kostrikov et al., 2022).

For discrete actions. V(s) is an upper expectile of the target critics' Q(s, a) on the log's actions (equation 5). Q's
target is r + discount * V(s') (equation 6). The policy clones the log's actions, weighted by exp(sharpness * (Q - V)),
at most 100 (equation 7). Online training continues in the same way: the replay starts with the log, and actions are
sampled from the policy. The score is that of the policy.
"""

import jax
from jax import Array

from ...datasets.transition import Transition
from .. import ensembles, losses
from ..method import Architecture, Clock, Factory, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Share
from .dqn import dqn


def judged(student: Values, target: Values, batch: Transition, expectile: float):
    """Return the losses of V and Q, and the advantage [B] of the batch's actions by the minimum target critic."""
    here = target(batch.obs, method="each").min(axis=0)
    worth = student(batch.obs, method="state")
    goal = batch.reward + batch.discount * student(batch.next_obs, method="state")
    gain = losses.chosen(here, batch.action) - worth
    return {
        "value": losses.expectile(gain, expectile),
        "td": ensembles.squared(student(batch.obs, method="each"), batch.action, goal),
    }, gain


def network_of(inner: Architecture, members: int, whose: str, **more) -> Architecture:
    """Return the architecture of a policy, critics and V, all networks of this kind."""
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
    """Make the method; the base defines the optimizer, and neither its loss nor its exploration is used.

    `expectile`: expectile of V; 0.5 is the mean, 1 the best action seen. `sharpness`: inverse temperature of the
    weights. `members`: number of critics, whose minimum counts.
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
