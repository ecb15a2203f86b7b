"""Tabula rasa: the DQN that ignores its teacher, and the base of the other methods (Mnih et al., 2015).

n-step Huber TD, uniform replay, Adam; the defaults are the student's of Agarwal
et al. (2022): n = 3, batch 32, one update per 4 steps, epsilon 1 to 0.01.
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
    """Return the best action, or with probability epsilon any: [B, A] -> [B]."""
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
    """`warmup`: agent steps before the first update. `explore`: agent steps after it until epsilon is reached. Below 1
    both are shares of the steps planned. `epsilon`: the probability of a random action that is left in the end.
    `learning_rate`, `adam_epsilon`: of Adam. `huber`: else the loss is the squared error. `weight_decay`: the
    share of every weight that an update takes away, times the learning rate (AdamW: Loshchilov and Hutter, 2019).

    `network`: such as impala:width=2, else the task's own. `double`: the student chooses the next action and the
    target values it (van Hasselt et al., 2016). `dueling`: of the network (Wang et al., 2016). `noisy`: of the
    network, and then exploration is left to it: no action is drawn at random (Fortunato et al., 2018). `target_acts`:
    in training the target's weights choose the actions, as in BBF (Schwarzer et al., 2023).

    `numbers` are the fields of Method that are numbers.
    """
    error = losses.td if huber else losses.squared_td
    extras = {name: True for name, wanted in (("dueling", dueling), ("noisy", noisy)) if wanted}

    polyak = numbers.get("target_rate", 1.0) < 1.0  # then the target keeps moving, and is never a copy

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
        log_share=lambda progress: progress.offline,  # there is nothing but the log then
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
