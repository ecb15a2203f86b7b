"""Pretrain on the log with conservative Q-learning, then continue with plain Q-learning (Kumar et al., 2020).

As in the offline pretraining of Agarwal et al. (2022), values are divided by the temperature, and the optimizer
restarts online at a tenth of the learning rate.
"""

from typing import Any

import jax.numpy as jnp

from ...datasets.transition import Transition
from .. import losses
from ..method import Factory, Learner, Method, Progress, Terms, Values
from ..ranges import NotNegative, Positive, Share
from .dqn import dqn


def cql(
    base: Factory = dqn,
    weight: NotNegative = 1.0,
    temperature: Positive = 0.1,
    offline_share: Share = 0.6,
    explore: NotNegative = 0.0,
    learning_rate: NotNegative = 1e-4,
    slow: Share = 0.1,
    **numbers,
) -> Method:
    """Make the method.

    `slow`: factor on the learning rate after the offline phase. `weight`: weight of the pessimism. `temperature`:
    temperature of the pessimism's log-sum-exp.
    """
    own = base(offline_share=offline_share, explore=explore, learning_rate=learning_rate, **numbers)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        pessimism = losses.conservative(student(batch.obs), batch.action, temperature)
        return {
            **own.loss(student, target, teacher, batch, progress),
            "conservative": weight * progress.offline * pessimism,
        }

    def go_online(learner: Learner) -> Learner:
        return own.go_online(learner)._replace(opt_state=own.optimizer.init(learner.params))

    def factor(progress: Progress) -> Any:
        return jnp.where(progress.offline, 1.0, slow)

    return own._replace(loss=loss, go_online=go_online, learning_rate_factor=factor)
