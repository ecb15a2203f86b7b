"""WSRL: pretrain on the log, warm up with the frozen student, then learn fast without the log (Zhou et al., 2025).

Offline it is Cal-QL. The first online steps are played but not learned from; they fill the replay with what the
student meets. Then come plain Q-learning, many updates a step, and no pessimism.
"""

from .. import losses
from ..method import Method
from ..networks import adapted
from .dqn import dqn


def wsrl(
    base=dqn,
    weight: float = 1.0,
    temperature: float = 0.1,
    layer_norm: bool = True,
    offline: float = 0.6,
    explore: float = 0.0,
    learning_rate: float = 1e-4,
    warmup: float = 5_000.0,
    updates_per_step: float = 1.0,
    **numbers,
) -> Method:
    """`warmup`: agent steps that the frozen student plays; below 1 a share of those planned.

    `layer_norm`: of its network.
    """
    numbers |= {"offline": offline, "explore": explore, "learning_rate": learning_rate}
    own = base(warmup=warmup, updates_per_step=updates_per_step, **numbers)

    def loss(student, target, teacher, batch, progress):
        pessimism = losses.calibrated(student(batch.obs), batch.action, batch.ahead, temperature)
        return {
            **own.loss(student, target, teacher, batch, progress),
            "conservative": weight * progress.offline * pessimism,
        }

    def network(task, teacher):
        inner = own.network(task, teacher)
        return adapted(inner, layer_norm=True) if layer_norm else inner

    return own._replace(loss=loss, network=network, foresees=True)
