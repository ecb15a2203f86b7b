"""Tabula rasa for continuous actions: a deterministic actor, the minimum of two critics (Fujimoto et al., 2018: TD3).

The target is the minimum value of the target actor's action with clipped noise (equation 14). The actor follows the
first critic; actor and targets move at every second update (algorithm 1). The defaults are those of the authors' code.
"""

import jax
from jax import Array

from ...datasets.transition import Transition
from .. import control, optimizers, policies
from ..method import Architecture, Clock, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Share


def td3(
    learning_rate: NotNegative = 3e-4,
    actor_rate: NotNegative | None = None,
    adam_epsilon: NotNegative = 1e-8,
    weight_decay: NotNegative = 0.0,
    noise: NotNegative = 0.1,
    smoothing: NotNegative = 0.2,
    clip: NotNegative = 0.5,
    members: Count = 2,
    subset: Count = 2,
    layer_norm: bool = False,
    explore: NotNegative = 25_000.0,
    warmup: NotNegative = 25_000.0,
    delay: Count = 2,
    updates_per_step: Endless = 1.0,
    batch_size: Count = 256,
    n_step: Count = 1,
    target_rate: Share = 0.005,
    network: str = "",
    **numbers,
) -> Method:
    """Make the base.

    `learning_rate`: learning rate of the critics. `actor_rate`: learning rate of the actor; None: that of the critics.
    `adam_epsilon`: epsilon of Adam. `weight_decay`: as in dqn. `network`: network such as
    actor_critic:width=256,depth=2; empty: the task's own.

    `noise`: standard deviation of the exploration noise; actions span 2. `smoothing`: standard deviation of the noise
    in the target. `clip`: bound of the noise in the target. `members`: number of critics. `subset`: critics in a
    target. `layer_norm`: whether the critics have layer norm. `delay`: updates of the critics per update of actor and
    targets.

    `explore`: agent steps with uniform actions at the start; below 1, a share of the planned steps. `warmup`: agent
    steps before the first update; below 1, a share of the planned steps.
    """
    control.check(members, subset)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        smooth, draw = jax.random.split(progress.key)
        action = policies.noised(smooth, target(batch.next_obs), smoothing, clip)
        some = policies.few(draw, members, subset)
        worth = target(batch.next_obs, action=action, method="judge", members=some).min(axis=0)
        judged = student(batch.obs, action=batch.action, method="judge")
        return {
            "td": policies.squared(judged, batch.reward + batch.discount * worth),
            "actor": -student(batch.obs, action=student(batch.obs), method="advise")[0],
        }

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        shake, anything = jax.random.split(progress.key)
        return control.at_random(progress, explore, anything, policies.noised(shake, student(obs), noise))

    def choose(task: Architecture, teacher: Architecture | None) -> Architecture:
        return control.network(network, task, stochastic=False, members=members, layer_norm=layer_norm)

    adam = optimizers.by_part(learning_rate, actor_rate, 0.0, adam_epsilon, weight_decay)
    numbers |= {"delay": delay, "warmup": warmup, "updates_per_step": updates_per_step, "batch_size": batch_size}
    numbers |= {"n_step": n_step, "target_rate": target_rate, "target_waits": True}
    return control.learns(loss, act, choose, adam, numbers)
