"""Distil the teacher on the student's own states, then switch to RL at once (Akkaya et al., 2019; Rusu et al., 2016).

The student acts and the teacher labels: the loss is the KL divergence of the policies and the squared difference of the
values, without rewards. When the student is as good as the teacher, or at the deadline, the base's loss takes over.
With offline_share=1 this is distillation on the log alone.
"""

import jax
import jax.numpy as jnp
from jax import Array

from ...datasets.transition import Transition
from .. import losses
from ..method import Factory, Method, Progress, Terms, Values
from ..ranges import NotNegative, Positive, Share
from .dqn import dqn
from .qdagger import distilled, weaned


def matched(own: Method, student: Values, obs: Array, guide: Array) -> Array:
    """Return the squared difference [B] to the teacher's values; a policy's critic is compared to the best action's."""
    if own.policy:
        return jnp.square(own.worth(student, obs) - jax.lax.stop_gradient(guide.max(axis=-1)))
    return losses.match(student(obs), guide)


def distillation(
    base: Factory = dqn,
    weight: NotNegative = 1.0,
    value_weight: NotNegative = 1.0,
    temperature: Positive = 0.1,
    deadline: Share = 0.5,
    learning_rate: NotNegative = 1e-4,
    **numbers,
) -> Method:
    """Make the method.

    `weight`: weight of the policy term. `temperature`: temperature of both policies in it. `value_weight`: weight of
    the value term; 0 for a teacher without action values. `deadline`: share of the steps after which the student
    switches to the base's loss, even if it is not yet as good as the teacher.
    """
    own = base(learning_rate=learning_rate, **numbers)

    def copies(progress: Progress):
        return jnp.where(weaned(progress, deadline), 0.0, 1.0)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        copying = copies(progress)
        learning = own.loss(student, target, teacher, batch, progress)
        q, guide = student(batch.obs), teacher(batch.obs)
        return {
            **{name: (1.0 - copying) * term for name, term in learning.items()},
            "distill": copying * weight * distilled(own, q, guide, temperature),
            "match": copying * value_weight * matched(own, student, batch.obs, guide),
        }

    return own._replace(
        loss=loss,
        needs_values=value_weight > 0.0,
        scored=True,
        weaned=lambda progress: weaned(progress, deadline),
        guidance=lambda progress: weight * copies(progress),
    )
