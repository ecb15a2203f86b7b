"""Dagger and Q-learning together: QDagger that is never weaned (Agarwal et al., 2022, an ablation)."""

from ...datasets.transition import Transition
from ..method import Factory, Method, Progress, Terms, Values
from ..ranges import NotNegative, Positive, Share
from .dqn import dqn
from .qdagger import distilled, taught


def dagger_ql(
    base: Factory = dqn,
    weight: NotNegative | None = None,
    temperature: Positive = 0.1,
    offline_share: Share = 0.6,
    explore: NotNegative = 0.0,
    learning_rate: NotNegative = 1e-4,
    **numbers,
) -> Method:
    """Make QDagger with a constant distillation weight and learning rate.

    `weight`: weight of the distillation term; None: as in qdagger. `temperature`: temperature of both policies in it.
    """
    own = base(offline_share=offline_share, explore=explore, learning_rate=learning_rate, **numbers)
    most, _ = taught(base, weight)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        return {
            **own.loss(student, target, teacher, batch, progress),
            "distill": most * distilled(own, student(batch.obs), teacher(batch.obs), temperature),
        }

    return own._replace(loss=loss, guidance=lambda progress: most)
