"""Tabula rasa without a replay: parallelised Q-learning with layer norm and lambda-returns (Gallici et al., 2024).

Each rollout of many environments is used for a few epochs and then discarded; there is no target network. The defaults
are the authors' for MinAtar.
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
    """Make the base.

    `learning_rate`: initial learning rate of rectified Adam, which falls linearly to 0. `epsilon`: final probability of
    a random action. `network`: network such as impala:width=2; empty: the task's own. `clip`: greatest norm of the
    gradient. `layer_norm`: whether hidden layers have layer norm. `explore`: agent steps of the decay of epsilon; below
    1, a share of the planned steps. `rollout`: steps of each environment in a rollout. `trace`: lambda of the returns.

    A method with this base that learns from a log first uses n-step returns and the newest network's values there.
    """
    if rollout < 1:
        raise ValueError("pqn learns from rollouts: give rollout at least 1, or take dqn")
    own = dqn(learning_rate, epsilon=epsilon, explore=explore, warmup=warmup, network=network)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        goal = batch.reward  # a rollout's lambda-returns
        if offline_share > 0.0:  # else this would cost a forward pass for nothing
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
