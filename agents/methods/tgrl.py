"""Teacher-guided RL: a multiplier lets the teacher count for as much as it helps (Shenfeld et al., 2023).

Two students learn from the same steps and play every other episode each: one follows its values plus the teacher's
log-probabilities, the other its values alone. Where the first is worth more than the second, the teacher counts for
more, else for less.
"""

import jax
import jax.numpy as jnp

from .. import losses
from ..method import Architecture, Method
from .dqn import dqn, greedy


def tgrl(
    base=dqn, weight: float = 1.0, temperature: float = 0.1, speed: float = 10.0, deadline: float = 1.0, **numbers
) -> Method:
    """The base says how to act and step; its loss is not used.

    `weight`: of the log-probabilities, over 1 + the multiplier. `speed`: how much faster than a weight the
    multiplier's logarithm learns. `deadline`: the share of the steps after which the teacher counts for nothing.
    """
    own = base(**numbers)

    def weaned(progress):
        return progress.spent >= deadline

    def hint(number, values, progress):
        """What the teacher adds to the values: [], [B, A] -> [B, A]."""
        now = weight / (1.0 + jnp.exp(speed * jax.lax.stop_gradient(number)))
        return jnp.where(weaned(progress), 0.0, now) * jax.nn.log_softmax(values / temperature)

    def loss(student, target, teacher, batch, progress):
        number, there = student(batch.obs, method="multiplier"), batch.next_obs
        guided, alone = target(there), target(there, method="alone")
        action = greedy(guided + hint(number, teacher(there), progress))
        ahead = losses.chosen(guided, action), alone.max(axis=-1)
        goals = [batch.reward + batch.discount * value for value in ahead]
        gain = jax.lax.stop_gradient(ahead[0] - ahead[1])
        return {
            "td": losses.td(student(batch.obs), batch.action, goals[0]),
            "alone": losses.td(student(batch.obs, method="alone"), batch.action, goals[1]),
            "multiplier": number * gain,
        }

    def act(student, teacher, obs, clock, progress):
        number = student(obs, method="multiplier")
        guided, alone = student(obs) + hint(number, teacher(obs), progress), student(obs, method="alone")
        values = jnp.where(clock.episode[:, None] % 2 == 0, guided, alone)
        return own.act(lambda obs: values, teacher, obs, clock, progress)

    def network(task, teacher):
        inner = own.network(task, teacher)
        if inner.name == "categorical":
            raise ValueError("tgrl learns values, not their distributions: leave its base out")
        return Architecture("guided", {"of": inner.name, "options": inner.options})

    return own._replace(loss=loss, act=act, network=network, weaned=weaned)
