"""QDagger that does not forget: once weaned it still distils, but only on the states of the teacher's log.

Fine-tuned agents forget states that they no longer visit; Wolczyk et al. (2024, section 2.2) keep an auxiliary loss on
the pretrained policy's own states. Online, a share of every batch comes from the log, and there the distillation term
of Agarwal et al. (2022) keeps a minimum weight to the end. Once weaned, the student does not query the teacher on new
states.
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

    `keep`: least weight of distillation on the log's states. `share`: probability that a transition of an online batch
    comes from the log. `weight`: weight of the distillation term. `temperature`: temperature of both policies in it.
    `deadline`, `hold`, `slow`: as in qdagger.
    """
    own = qdagger(base, weight, temperature, deadline, hold, offline_share, explore, learning_rate, slow, **numbers)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        terms = own.loss(student, target, teacher, batch, progress)
        short = jnp.maximum(keep - own.guidance(progress), 0.0)  # missing on the log once the other term has decayed
        held = batch.from_teacher * short * losses.distill(student(batch.obs), teacher(batch.obs), temperature)
        return {**terms, "retain": (1.0 - progress.offline) * held}

    return own._replace(
        loss=loss,
        log_share=lambda progress: max(share, progress.offline),
        guidance=lambda progress: jnp.maximum(keep, own.guidance(progress)),
        weaned=lambda progress: False,
    )
