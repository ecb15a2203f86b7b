"""Copy the teacher where the student goes, then switch to RL at once (Akkaya et al., 2019; Rusu et al., 2016).

The student acts and the teacher labels: KL between the policies and the squared difference of the values, no
reward. When the student is as good, or at the deadline, the base's own loss takes over.
With offline=1 it is distillation on the log alone.
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
    """Return the squared difference [B] to the teacher's values of all actions; of a policy's critic to the best."""
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
    """`weight`: of the term that copies the policy. `temperature`: of both policies in it.

    `value_weight`: of the term that copies the values; 0 for a teacher whose outputs are not action values. `deadline`:
    the share of the steps after which, if not sooner as good as the teacher, the student learns as its base.
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
