"""Deep Q-learning from demonstrations: a margin on the teacher's action (Hester et al., 2018).

As Agarwal et al. (2022) adapted it: the teacher labels every step, the excess over the margin
is averaged over all actions, its weight follows the shortfall, the learning rate does not.
"""

from .. import losses
from ..method import Method
from ..schedules import share_of
from .dqn import dqn, greedy
from .qdagger import shortfall, weaned


def dqfd(
    base=dqn,
    weight: float = 1.0,
    size: float = 1.0,
    original: bool = False,
    squared: bool = False,
    deadline: float = 0.6,
    hold: float = 0.1,
    offline: float = 0.6,
    explore: float = 0.0,
    learning_rate: float = 1e-4,
    **numbers,
) -> Method:
    """`original`: the margin of the most tempting action only.

    `squared`: the shortfall counts twice, as in their code.
    """
    own = base(offline=offline, explore=explore, learning_rate=learning_rate, **numbers)
    excess = losses.margin if original else losses.mean_margin

    def until(progress):
        return share_of(own.warmup, progress.planned) + hold

    def guidance(progress):
        return weight * shortfall(progress, deadline, until(progress)) ** (2 if squared else 1)

    def loss(student, target, teacher, batch, progress):
        return {
            **own.loss(student, target, teacher, batch, progress),
            "margin": guidance(progress) * excess(student(batch.obs), greedy(teacher(batch.obs)), size),
        }

    return own._replace(
        loss=loss, scored=True, weaned=lambda progress: weaned(progress, deadline, until(progress)), guidance=guidance
    )
