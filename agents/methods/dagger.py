"""Dagger: distil the teacher on its log, then on the student's own states, without rewards (Ross et al., 2011).

With continuous actions only the actor learns, in every update.
"""

from ...datasets.transition import Transition
from .. import control
from ..method import Factory, Method, Progress, Terms, Values
from ..ranges import NotNegative, Positive, Share
from .dqn import dqn
from .qdagger import distilled, taught


def dagger(
    base: Factory = dqn,
    weight: NotNegative | None = None,
    temperature: Positive = 0.1,
    offline_share: Share = 0.6,
    explore: NotNegative = 0.0,
    learning_rate: NotNegative = 1e-4,
    **numbers,
) -> Method:
    """Make QDagger (Agarwal et al., 2022) without the TD term and without weaning.

    `weight`: weight of the distillation term; None: as in qdagger. `temperature`: temperature of both policies in it.
    """
    own = base(offline_share=offline_share, explore=explore, learning_rate=learning_rate, **numbers)
    most, _ = taught(base, weight)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        return {"distill": most * distilled(own, student(batch.obs), teacher(batch.obs), temperature)}

    delayed = control.slow(own, "distill")
    return own._replace(loss=loss, delay=numbers.get("delay", 1), delayed=delayed, guidance=lambda progress: most)
