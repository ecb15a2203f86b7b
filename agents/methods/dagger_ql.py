"""Dagger and Q-learning together: QDagger that is never weaned (Agarwal et al., 2022, an ablation)."""

from .. import losses
from ..method import Method
from .dqn import dqn


def dagger_ql(
    base=dqn,
    weight: float | None = None,
    temperature: float = 0.1,
    offline: float = 0.6,
    explore: float = 0.0,
    learning_rate: float = 1e-4,
    **numbers,
) -> Method:
    """The distillation weight and the learning rate stay as they are for the whole run; `weight` as in qdagger."""
    own = base(offline=offline, explore=explore, learning_rate=learning_rate, **numbers)
    most = own.taught[0] if weight is None else weight

    def loss(student, target, teacher, batch, progress):
        return {
            **own.loss(student, target, teacher, batch, progress),
            "distill": most * losses.distill(student(batch.obs), teacher(batch.obs), temperature),
        }

    return own._replace(loss=loss, guidance=lambda progress: most)
