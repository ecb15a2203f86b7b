"""Tabula rasa without a replay: parallelised Q-learning with layer norm and lambda-returns (Gallici et al., 2024).

Each rollout of many environments is learned from a few times and forgotten; there is no target network. The defaults
are those that the authors published for MinAtar.
"""

import optax

from ...datasets.transition import Transition
from .. import losses
from ..method import Architecture, Method, Progress, Terms, Values
from ..networks import with_options
from ..ranges import Count, NotNegative, Positive, Share, Whole
from .dqn import dqn


def pqn(
    learning_rate: NotNegative = 5e-4,
    epsilon: Share = 0.05,
    explore: NotNegative = 0.1,
    clip: Positive = 10.0,
    layer_norm: bool = True,
    network: str = "",
    offline_share: Share = 0.0,
    n_step: Count = 1,
    rollout: Whole = 32,
    epochs: Count = 2,
    trace: Share = 0.65,
    batch_size: Count = 128,
    target_period: Positive = 1.0,
    warmup: NotNegative = 0.0,
    replay_capacity: Count = 20_000,
    **numbers,
) -> Method:
    """`learning_rate`: of rectified Adam. `epsilon`: the probability of a random action that is left in the end.

    `network`: such as impala:width=2, else the task's own. `clip`: of the gradient's norm. `layer_norm`: of all hidden
    layers. The rate falls linearly to 0.

    `explore`: agent steps until epsilon is reached; below 1 a share of those planned.
    `rollout`: steps of each environment; `trace`: the lambda of their returns. Where a method that has this one as its
    base learns from a log first (`offline_share`), it uses `n_step` returns and the values of the newest network.
    """
    if rollout < 1:
        raise ValueError("pqn learns from rollouts: give rollout at least 1, or take dqn")
    own = dqn(learning_rate, epsilon=epsilon, explore=explore, warmup=warmup, network=network)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        goal = batch.reward  # a rollout's lambda-returns
        if offline_share > 0.0:  # else nothing is to be added, at the price of a forward pass
            goal += batch.discount * target(batch.next_obs).max(axis=-1)
        return {"td": 0.5 * losses.squared_td(student(batch.obs), batch.action, goal)}

    def choose(task: Architecture, teacher: Architecture | None) -> Architecture:
        inner = own.network(task, teacher)
        return with_options(inner, norm="layer") if layer_norm else inner

    return own._replace(
        loss=loss,
        network=choose,
        learning_rate_factor=lambda progress: 1.0 - progress.spent,
        optimizer=optax.chain(optax.clip_by_global_norm(clip), optax.radam(learning_rate)),
        offline_share=offline_share,
        n_step=n_step,
        rollout=rollout,
        epochs=epochs,
        trace=trace,
        batch_size=batch_size,
        target_period=target_period,
        replay_capacity=replay_capacity,
        **numbers,
    )
