"""QDagger that does not forget: once weaned it still distils, but only where its teacher's log has been.

Fine-tuned agents forget what they could do in states that they no longer visit; keeping an auxiliary loss on the
pretrained policy's own states is the remedy of Wolczyk et al. (2024, section 2.2). Online a share of every batch comes
from the log, learned from like the rest, and on it the distillation term of Agarwal et al. (2022) keeps a weight to
the end. What the teacher would say of new states is not asked for any more once the student is weaned.
"""

import jax.numpy as jnp

from ...datasets.transition import Transition
from .. import losses
from ..method import Factory, Method, Progress, Terms, Values
from ..ranges import NotNegative, Positive, Share
from .dqn import dqn
from .qdagger import qdagger


def retain(
    base: Factory = dqn,
    keep: NotNegative = 1.0,
    share: Share = 0.25,
    weight: NotNegative | None = None,
    temperature: Positive = 0.1,
    deadline: Share | None = None,
    hold: Share = 0.1,
    offline_share: Share = 0.6,
    explore: NotNegative = 0.0,
    learning_rate: NotNegative = 1e-4,
    slow: Share = 0.1,
    **numbers,
) -> Method:
    """Make the method; the other keywords are those of qdagger.

    `keep`: the least weight of distillation on the log's states. `share`: the probability of each place in an online
    batch to come from the log.

    `weight`: of the term of distillation. `temperature`: of both policies in it. `deadline`, `hold`, `slow`: as in
    qdagger.
    """
    own = qdagger(base, weight, temperature, deadline, hold, offline_share, explore, learning_rate, slow, **numbers)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        terms = own.loss(student, target, teacher, batch, progress)
        short = jnp.maximum(keep - own.guidance(progress), 0.0)  # what is missing there once the rest has faded
        held = batch.from_teacher * short * losses.distill(student(batch.obs), teacher(batch.obs), temperature)
        return {**terms, "retain": (1.0 - progress.offline) * held}

    return own._replace(
        loss=loss,
        log_share=lambda progress: max(share, progress.offline),
        guidance=lambda progress: jnp.maximum(keep, own.guidance(progress)),
        weaned=lambda progress: False,
    )
