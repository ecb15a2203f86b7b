"""Tabula rasa: DQN, which ignores its teacher and is the base of the other methods (Mnih et al., 2015).

n-step Huber TD, uniform replay, Adam. The defaults are those of the student of Agarwal et al. (2022): n = 3, batch 32,
one update every 4 steps, epsilon from 1 to 0.01.
"""

import jax
import jax.numpy as jnp
from jax import Array

from ...datasets.transition import Transition
from .. import losses
from ..method import Architecture, Clock, Method, Progress, Terms, Values
from ..networks import parse_network
from ..optimizers import adam
from ..ranges import NotNegative, Share
from ..resets import renewed
from ..schedules import annealed


def greedy(values: Array) -> Array:
    """Return the best action: [B, A] -> [B]."""
    return jnp.argmax(values, axis=-1)


def epsilon_greedy(key: Array, values: Array, epsilon: Array) -> Array:
    """Return the best action, or with probability epsilon a uniform one: [B, A] -> [B]."""
    explore, choose = jax.random.split(key)
    anything = jax.random.randint(choose, values.shape[:1], 0, values.shape[-1])
    return jnp.where(jax.random.uniform(explore, values.shape[:1]) < epsilon, anything, greedy(values))


def dqn(
    learning_rate: NotNegative = 6.25e-5,
    adam_epsilon: NotNegative = 1.5e-4,
    weight_decay: NotNegative = 0.0,
    epsilon: Share = 0.01,
    explore: NotNegative = 50_000.0,
    warmup: NotNegative = 20_000.0,
    double: bool = False,
    dueling: bool = False,
    noisy: bool = False,
    target_acts: bool = False,
    huber: bool = True,
    network: str = "",
    **numbers,
) -> Method:
    """Make the base.

    `warmup`: agent steps before the first update; below 1, a share of the planned steps. `explore`: agent steps of the
    decay of epsilon after the warm-up; below 1, a share of the planned steps. `epsilon`: final probability of a random
    action. `learning_rate`: learning rate of Adam. `adam_epsilon`: epsilon of Adam. `huber`: whether the loss is the
    Huber loss, not the squared error. `weight_decay`: decoupled weight decay (AdamW: Loshchilov and Hutter, 2019).

    `network`: network such as impala:width=2; empty: the task's own. `double`: whether the student chooses the next
    action and the target values it (van Hasselt et al., 2016). `dueling`: whether the network is dueling (Wang et al.,
    2016). `noisy`: whether the network is noisy, in place of epsilon (Fortunato et al., 2018). `target_acts`: whether
    the target network chooses the actions in training, as in BBF (Schwarzer et al., 2023).

    `**numbers` are the numeric fields of Method.
    """
    error = losses.td if huber else losses.squared_td
    extras = {name: True for name, wanted in (("dueling", dueling), ("noisy", noisy)) if wanted}

    polyak = numbers.get("target_rate", 1.0) < 1.0  # then the target is an average, never a copy

    def choose(task: Architecture, teacher: Architecture | None) -> Architecture:
        chosen = parse_network(network) if network else task
        return Architecture(chosen.name, {**chosen.options, **extras})

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        best = greedy((student if double else target)(batch.next_obs))
        goal = batch.reward + batch.discount * losses.chosen(target(batch.next_obs), best)
        return {"td": error(student(batch.obs), batch.action, goal)}

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        if noisy:
            return greedy(student(obs))
        return epsilon_greedy(progress.key, student(obs), annealed(progress, epsilon, explore, warmup))

    return Method(
        loss=loss,
        act=act,
        learning_rate_factor=lambda progress: 1.0,
        log_share=lambda progress: progress.offline,  # offline, the log is the only source
        init=lambda learner, teacher: learner,
        go_online=lambda learner: learner if polyak else learner._replace(target=learner.params),
        evolve=lambda key, learners, scores: learners,
        network=choose,
        renew=renewed,
        noisy=noisy,
        warmup=warmup,
        target_acts=target_acts,
        optimizer=adam(learning_rate, adam_epsilon, weight_decay),
    )._replace(**numbers)
