"""Tabula rasa for continuous actions: soft actor-critic, and the base of other methods (Haarnoja et al., 2018).

The actor maximises value and entropy, the critics learn from its latest actions (equations 5 to 9), and the temperature
holds the entropy at a target (equation 18). With `members` above `subset` this is REDQ (Chen et al., 2021): the target
is the minimum over a random subset, and the actor follows the mean. The defaults are those of the authors' second
version.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from ...datasets.transition import Transition
from .. import control, optimizers, policies
from ..method import Architecture, Clock, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Range, Share


def sac(
    learning_rate: NotNegative = 3e-4,
    actor_rate: NotNegative | None = None,
    adam_epsilon: NotNegative = 1e-8,
    weight_decay: NotNegative = 0.0,
    temperature: NotNegative = 0.0,
    entropy: Annotated[float, Range(-100, 0)] = -1.0,
    soft_goal: bool = True,
    members: Count = 2,
    subset: Count = 2,
    layer_norm: bool = False,
    explore: NotNegative = 5_000.0,
    warmup: NotNegative = 5_000.0,
    delay: Count = 1,
    updates_per_step: Endless = 1.0,
    batch_size: Count = 256,
    n_step: Count = 1,
    target_rate: Share = 0.005,
    network: str = "",
    **numbers,
) -> Method:
    """Make the base.

    `learning_rate`: learning rate of the critics. `actor_rate`: learning rate of actor and temperature; None: that of
    the critics. `adam_epsilon`: epsilon of Adam. `weight_decay`: as in dqn. `network`: network such as
    actor_critic:width=256,depth=2; empty: the task's own.

    `temperature`: a constant temperature, or 0 for a learned one. `entropy`: target entropy per action dimension.
    `soft_goal`: whether the critics' target includes entropy. `members`: number of critics. `subset`: critics in a
    target. `layer_norm`: whether the critics have layer norm. `delay`: updates of the critics per update of actor and
    temperature.

    `explore`: agent steps with uniform actions at the start; below 1, a share of the planned steps. `warmup`: agent
    steps before the first update; below 1, a share of the planned steps.
    """
    control.check(members, subset)

    def heat(student: Values, obs: Array) -> Array:
        return jnp.exp(student(obs, method="log_temperature")) if temperature == 0.0 else jnp.asarray(temperature)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        keys, heated = jax.random.split(progress.key, 3), jax.lax.stop_gradient(heat(student, batch.obs))
        action, density = policies.drawn(keys[0], student(batch.next_obs, method="policy"))
        some = policies.few(keys[1], members, subset)
        worth = target(batch.next_obs, action=action, method="judge", members=some).min(axis=0)
        worth = worth - heated * density if soft_goal else worth
        mine, own = policies.drawn(keys[2], student(batch.obs, method="policy"))
        advice = student(batch.obs, action=mine, method="advise")
        advice = advice.mean(axis=0) if subset < members else advice.min(axis=0)
        terms = {
            "td": policies.squared(
                student(batch.obs, action=batch.action, method="judge"), batch.reward + batch.discount * worth
            ),
            "actor": heated * own - advice,
        }
        if temperature == 0.0:
            wanted = entropy * batch.action.shape[-1]
            terms["temperature"] = policies.cooler(student(batch.obs, method="log_temperature"), own, wanted)
        return terms

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        draw, anything = jax.random.split(progress.key)
        action, _ = policies.drawn(draw, student(obs, method="policy"))
        return control.at_random(progress, explore, anything, action)

    def choose(task: Architecture, teacher: Architecture | None) -> Architecture:
        return control.network(network, task, stochastic=True, members=members, layer_norm=layer_norm)

    adam = optimizers.by_part(learning_rate, actor_rate, None, adam_epsilon, weight_decay)
    numbers |= {"delay": delay, "warmup": warmup, "updates_per_step": updates_per_step, "batch_size": batch_size}
    numbers |= {"n_step": n_step, "target_rate": target_rate}
    return control.learns(loss, act, choose, adam, numbers)
