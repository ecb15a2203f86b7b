"""Deep Q-learning from demonstrations: a margin on the teacher's action (Hester et al., 2018).

As adapted by Agarwal et al. (2022): the teacher labels every step, and the excess over the margin is averaged over all
actions. Its weight follows the student's shortfall; the learning rate stays.
"""

from ...datasets.transition import Transition
from .. import losses
from ..method import Factory, Method, Progress, Terms, Values
from ..ranges import NotNegative, Share
from ..schedules import share_of
from .dqn import dqn, greedy
from .qdagger import shortfall, weaned


def dqfd(
    base: Factory = dqn,
    weight: NotNegative = 1.0,
    size: NotNegative = 1.0,
    original: bool = False,
    squared: bool = False,
    deadline: Share = 0.6,
    hold: Share = 0.1,
    offline_share: Share = 0.6,
    explore: NotNegative = 0.0,
    learning_rate: NotNegative = 1e-4,
    **numbers,
) -> Method:
    """Make the method.

    `weight`: weight of the margin term. `size`: the margin. `deadline`, `hold`: as in qdagger. `original`: whether only
    the action of largest excess counts, as in Hester et al. `squared`: whether the weight follows the squared
    shortfall, as in the code of Agarwal et al.
    """
    own = base(offline_share=offline_share, explore=explore, learning_rate=learning_rate, **numbers)
    excess = losses.margin if original else losses.mean_margin

    def until(progress: Progress):
        return share_of(own.warmup, progress.planned) + hold

    def guidance(progress: Progress):
        return weight * shortfall(progress, deadline, until(progress)) ** (2 if squared else 1)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        return {
            **own.loss(student, target, teacher, batch, progress),
            "margin": guidance(progress) * excess(student(batch.obs), greedy(teacher(batch.obs)), size),
        }

    return own._replace(
        loss=loss,
        scored=hold < deadline,
        weaned=lambda progress: weaned(progress, deadline, until(progress)),
        guidance=guidance,
    )
