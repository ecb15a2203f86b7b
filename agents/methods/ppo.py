"""Tabula rasa by a policy: proximal policy optimisation with an actor and a critic (Schulman et al., 2017).

Each rollout of many environments is used for a few epochs of small policy steps and then discarded. Advantages are
generalised ones (Schulman et al., 2016): the lambda-return minus the critic's value. As in OpenAI's baselines, two
heads share one network, advantages are normalised in each batch, and the value is clipped.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from ...datasets.transition import Transition
from .. import losses
from ..method import Architecture, Clock, Method, Progress, Terms, Values
from ..networks import parse_network, with_options
from ..ranges import Count, NotNegative, Positive, Share, Whole
from .dqn import dqn

REMEMBERS = ("log-probability of the action", "value of the state")


def remembered(student: Values, obs: Array, action: Array) -> Array:
    """Return the log-probability of the action and the value of the state, [B, 2]."""
    logits, value = student(obs, method="heads")
    return jnp.stack([losses.chosen(jax.nn.log_softmax(logits), action), value], axis=-1)


def normalised(gain: Array) -> Array:
    """Normalise advantages [B] by their mean and standard deviation."""
    return (gain - gain.mean()) / (gain.std() + 1e-8)


def ppo(
    learning_rate: NotNegative = 5e-4,
    adam_epsilon: NotNegative = 1e-5,
    clip: Positive = 0.2,
    clip_value: bool = True,
    value_weight: NotNegative = 0.5,
    entropy: NotNegative = 0.01,
    gradient: Positive = 0.5,
    layer_norm: bool = False,
    network: str = "",
    rollout: Whole = 64,
    epochs: Count = 4,
    trace: Share = 0.95,
    batch_size: Count = 512,
    n_step: Count = 1,
    target_period: Positive = 1.0,
    warmup: NotNegative = 0.0,
    replay_capacity: Count = 20_000,
    **numbers,
) -> Method:
    """Make the base.

    `learning_rate`: initial learning rate of Adam, which falls linearly to 0. `adam_epsilon`: epsilon of Adam.
    `gradient`: greatest norm of the gradient. `clip`: clip range of the probability ratio. `clip_value`: clip range of
    the critic's value, in units of reward. `value_weight`: weight of the critic's term. `entropy`: weight of the
    entropy bonus. `layer_norm`: whether hidden layers have layer norm. `network`: network below both heads, such as
    impala:width=2; empty: the task's own. `rollout`: steps of each environment in a rollout. `trace`: lambda of the
    returns.

    A log was not played by this policy, so these terms do not learn from it. A method with this base may, by its own.
    """
    if rollout < 1:
        raise ValueError("ppo learns from rollouts: give rollout at least 1")
    numbers.pop("explore", None)  # set by methods with a base; a policy samples its actions and has no epsilon
    own = dqn(warmup=warmup)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        played: Any = batch.played
        old, before = played[:, 0], played[:, 1]
        logits, value = student(batch.obs, method="heads")
        log_p, online = losses.chosen(jax.nn.log_softmax(logits), batch.action), 1.0 - progress.offline
        gain = normalised(batch.reward - before)
        terms = {
            "policy": losses.clipped_policy(log_p - old, gain, clip),
            "value": value_weight * losses.clipped_value(value, before, batch.reward, clip if clip_value else 0.0),
            "entropy": -entropy * losses.entropy(logits),
        }
        return {name: jnp.where(online, term, 0.0) for name, term in terms.items()}

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        return jax.random.categorical(progress.key, student(obs))

    def choose(task: Architecture, teacher: Architecture | None) -> Architecture:
        inner = parse_network(network) if network else task
        inner = with_options(inner, norm="layer") if layer_norm else inner
        return Architecture("policy", {"of": inner.name, "options": dict(inner.options)})

    return own._replace(
        loss=loss,
        act=act,
        network=choose,
        learning_rate_factor=lambda progress: 1.0 - progress.spent,
        optimizer=optax.chain(optax.clip_by_global_norm(gradient), optax.adam(learning_rate, eps=adam_epsilon)),
        policy=True,
        remembers=REMEMBERS,
        recall=remembered,
        worth=lambda student, obs: student(obs, method="heads")[1],
        n_step=n_step,
        rollout=rollout,
        epochs=epochs,
        trace=trace,
        batch_size=batch_size,
        target_period=target_period,
        replay_capacity=replay_capacity,
        **numbers,
    )
