"""Tabula rasa for continuous actions: soft actor-critic, and the base of the methods there (Haarnoja et al., 2018).

The actor maximises value and entropy, the critics learn from its newest actions (equations 5 to 9), and the temperature
keeps the entropy at a target (equation 18). With more `members` than are asked it is REDQ (Chen et al., 2021): the goal
is the least of a random subset and the actor follows the mean. The numbers are the authors' second version.
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
    """`learning_rate`, `actor_rate`, `adam_epsilon`: of Adam; the actor's and the temperature's is that of the critics
    unless given. `weight_decay`: as in dqn. `network`: such as actor_critic:width=256,depth=2.

    `temperature`: a constant one, or 0 for one that is learned. `entropy`: that it is learned for, for each number of
    an action. `soft_goal`: whether entropy counts in the critics' goal. `members`: critics; `subset`: of them asked for
    a goal. `layer_norm`: of the critics. `delay`: updates of the critics for one of actor and temperature.

    `explore`: agent steps at first whose actions are drawn uniformly. `warmup`: agent steps before the first update.
    Below 1 both are shares of the steps planned.
    """
    control.check(members, subset)

    def heat(student: Values, obs: Array) -> Array:
        return jnp.exp(student(obs, method="log_temperature")) if temperature == 0.0 else jnp.asarray(temperature)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        keys, heated = jax.random.split(progress.key, 3), jax.lax.stop_gradient(heat(student, batch.obs))
        action, density = policies.drawn(keys[0], student(batch.next_obs, method="policy"))
        worth = policies.least(keys[1], target(batch.next_obs, action=action, method="judge"), subset)
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
