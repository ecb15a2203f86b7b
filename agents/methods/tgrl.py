"""Teacher-guided RL: a multiplier sets the teacher's weight by how much it helps (Shenfeld et al., 2023).

Two students learn from the same steps and play alternate episodes. The guided student also earns the log-probability of
its actions under the teacher: a separate critic learns the discounted sum of that reward under the guided policy, and
is added to the action values with a weight. The other student learns from rewards alone. While the guided student is
worth more than the other, the teacher's weight grows, else it falls.
"""

import jax
import jax.numpy as jnp
from jax import Array

from ...datasets.transition import Transition
from .. import ensembles, losses
from ..method import Architecture, Clock, Factory, Method, Progress, Terms, Values
from ..ranges import Count, NotNegative, Positive, Share
from .dqn import dqn, greedy


def tgrl(
    base: Factory = dqn,
    weight: NotNegative = 1.0,
    temperature: Positive = 0.1,
    speed: NotNegative = 10.0,
    deadline: Share = 0.6,
    n_step: Count = 1,
    learning_rate: NotNegative = 3e-4,
    adam_epsilon: NotNegative = 1e-8,
    target_rate: Share = 0.005,
    **numbers,
) -> Method:
    """Make the method; the base defines exploration and the optimizer, and its loss is not used.

    `weight`: weight of the teacher's reward, divided by 1 + the multiplier. `temperature`: temperature of the teacher's
    policy. `speed`: learning rate of the multiplier's logarithm, relative to that of the weights. `deadline`: share of
    the steps after which the teacher's weight is 0, so that the final student has trained without it.

    ValueError unless `n_step` is 1: a batch does not have the teacher's reward at the steps in between.
    """
    numbers |= {"n_step": n_step, "target_rate": target_rate}
    own = base(learning_rate=learning_rate, adam_epsilon=adam_epsilon, **numbers)
    if own.n_step != 1 or own.first_n_step > 1:
        raise ValueError("tgrl asks the teacher about every step: leave n_step at 1")
    rest = max(1.0 - own.discount, 1e-3)  # the critic of hints learns a mean over the horizon of 1 / rest steps

    def weaned(progress: Progress):
        return progress.spent >= deadline

    def counts(number, progress: Progress):
        """Return the weight of the teacher's rewards: [] -> []."""
        now = weight / (1.0 + jnp.exp(speed * jax.lax.stop_gradient(number)))
        return jnp.where(weaned(progress), 0.0, now) / rest

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        number, there = student(batch.obs, method="multiplier"), batch.next_obs
        guided, alone, hints = target(there), target(there, method="alone"), target(there, method="hints")
        action = greedy(guided + counts(number, progress) * hints)
        agrees = losses.chosen(jax.nn.log_softmax(teacher(batch.obs) / temperature), batch.action)
        worth = [losses.chosen(guided, action), alone.max(axis=-1), losses.chosen(hints, action)]
        rewards = batch.reward, batch.reward, rest * agrees
        goals = [reward + batch.discount * ahead for reward, ahead in zip(rewards, worth, strict=True)]
        return {
            "td": losses.td(student(batch.obs), batch.action, goals[0]),
            "alone": losses.td(student(batch.obs, method="alone"), batch.action, goals[1]),
            "hints": jnp.where(weaned(progress), 0.0, 1.0)
            * losses.td(student(batch.obs, method="hints"), batch.action, goals[2]),
            "multiplier": number * jax.lax.stop_gradient(worth[0] - worth[1]),
        }

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        now = counts(student(obs, method="multiplier"), progress)
        guided = student(obs) + now * student(obs, method="hints")
        values = jnp.where(clock.episode[:, None] % 2 == 0, guided, student(obs, method="alone"))
        return own.act(lambda obs, **options: values, teacher, obs, clock, progress)

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        inner = ensembles.of_values(own.network(task, teacher), "tgrl")
        return Architecture("guided", {"of": inner.name, "options": inner.options})

    return own._replace(loss=loss, act=act, network=network, weaned=weaned)
