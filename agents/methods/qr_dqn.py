"""Tabula rasa with quantiles of the return's distribution (Dabney et al., 2018: QR-DQN).

Each of an action's N outputs is the midpoint of an N-th of the probability mass, so returns need no bounds. The target
is the target network's distribution for its best action; an action's value is the mean.
"""

import jax.numpy as jnp

from ...datasets.transition import Transition
from .. import ensembles, losses
from ..method import Architecture, Factory, Method, Progress, Terms, Values
from ..ranges import Count
from .dqn import dqn, greedy


def qr_dqn(
    base: Factory = dqn, quantiles: Count = 51, double: bool = False, prioritized: bool = False, **numbers
) -> Method:
    """Make the base; the rest are the keywords of dqn.

    `quantiles`: quantiles per action; 200 in the paper, 51 for the balloons of Bellemare et al. (2020).
    """
    own = base(double=double, prioritized=prioritized, **numbers)
    middles = (jnp.arange(quantiles) + 0.5) / quantiles

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        inner = ensembles.of_values(own.network(task, teacher), "qr_dqn")
        return Architecture("quantile", {"of": inner.name, "options": dict(inner.options), "quantiles": quantiles})

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        best = greedy((student if double else target)(batch.next_obs))
        ahead = losses.chosen_row(target(batch.next_obs, method="spread"), best)
        goal = batch.reward[:, None] + batch.discount[:, None] * ahead
        mine = losses.chosen_row(student(batch.obs, method="spread"), batch.action)
        return {"td": losses.quantile_td(mine, jnp.broadcast_to(middles, mine.shape), goal)}

    return own._replace(loss=loss, network=network)
