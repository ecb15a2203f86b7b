"""Tabula rasa by a policy: proximal policy optimisation (Schulman et al., 2017), with a critic beside the actor.

Each rollout of many environments is learned from a few times, with steps that change the policy little, and forgotten.
Advantages are generalised ones (Schulman et al., 2016): the lambda-return less the critic's value. Two heads on one
network, advantages normalised in each batch and a clipped value, as OpenAI's baselines have it.
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
    """Return advantages [B] less their mean, over their deviation."""
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
    """`learning_rate`, `adam_epsilon`: of Adam; the rate falls linearly to 0. `gradient`: the largest norm of its sum.

    `clip`: how far the probability of an action may move from what it was when it was played, as a share of it, before
    nothing more is gained. `clip_value`: so does the critic's value, in units of reward. `value_weight`: of the
    critic's term. `entropy`: weight of the policy's entropy, which keeps it exploring. `layer_norm`: of all hidden
    layers. `network`: such as impala:width=2, else the task's own; both heads stand on it.

    `rollout`: steps of each environment; `trace`: the lambda of their returns. What a log shows is not play
    of this policy: from it only a method learns that has this one as its base, by its own terms.
    """
    if rollout < 1:
        raise ValueError("ppo learns from rollouts: give rollout at least 1")
    numbers.pop("explore", None)  # of methods with a base: a policy draws its actions, and has no epsilon
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
