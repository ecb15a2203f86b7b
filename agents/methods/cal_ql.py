"""Cal-QL: conservative Q-learning that pushes no value below what the log's own policy got (Nakamoto et al., 2023).

The return that followed a logged step is the least that its values are pushed down to. Online half of every batch
comes from the log, and the pessimism stays.
"""

from .. import losses
from ..method import Method
from .dqn import dqn


def cal_ql(
    base=dqn,
    weight: float = 1.0,
    temperature: float = 0.1,
    share: float = 0.5,
    offline: float = 0.6,
    explore: float = 0.0,
    learning_rate: float = 1e-4,
    **numbers,
) -> Method:
    """`share`: the probability of each place in an online batch to come from the log."""
    own = base(offline=offline, explore=explore, learning_rate=learning_rate, **numbers)

    def loss(student, target, teacher, batch, progress):
        pessimism = losses.calibrated(student(batch.obs), batch.action, batch.ahead, temperature)
        return {**own.loss(student, target, teacher, batch, progress), "conservative": weight * pessimism}

    return own._replace(loss=loss, mix=lambda progress: max(share, progress.offline), foresees=True)
