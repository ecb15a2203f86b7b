"""Cal-QL: conservative Q-learning that pushes no value below the log's own returns (Nakamoto et al., 2023).

The observed return of a logged step bounds its values from below. Online, half of every batch comes from the log, and
the pessimism stays. The defaults are those of the authors' code.
"""

from ...datasets.transition import Transition
from .. import losses
from ..method import Factory, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Positive, Share
from .dqn import dqn


def cal_ql(
    base: Factory = dqn,
    weight: NotNegative = 5.0,
    temperature: Positive = 1.0,
    share: Share = 0.5,
    offline_share: Share = 0.6,
    explore: NotNegative = 0.0,
    updates_per_step: Endless = 1.0,
    batch_size: Count = 256,
    n_step: Count = 1,
    learning_rate: NotNegative = 3e-4,
    adam_epsilon: NotNegative = 1e-8,
    target_rate: Share = 0.005,
    **numbers,
) -> Method:
    """Make the method.

    `weight`: weight of the pessimism. `temperature`: temperature of the pessimism's log-sum-exp. `share`: probability
    that a transition of an online batch comes from the log.
    """
    numbers |= {
        "offline_share": offline_share,
        "explore": explore,
        "updates_per_step": updates_per_step,
        "batch_size": batch_size,
    }
    numbers |= {"n_step": n_step, "target_rate": target_rate}
    own = base(learning_rate=learning_rate, adam_epsilon=adam_epsilon, **numbers)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        pessimism = losses.calibrated(student(batch.obs), batch.action, batch.return_to_go, temperature)
        return {**own.loss(student, target, teacher, batch, progress), "conservative": weight * pessimism}

    return own._replace(loss=loss, log_share=lambda progress: max(share, progress.offline), needs_return_to_go=True)
