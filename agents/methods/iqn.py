"""Tabula rasa with implicit quantiles: the network gives any quantile of the return (Dabney et al., 2018: IQN).

The network maps an observation and a fraction to that quantile. To act, it takes the mean over `asked` random
fractions; an update compares 64 with 64 (equation 3). In evaluation the fractions are evenly spaced.
"""

from ...datasets.transition import Transition
from .. import ensembles, losses
from ..method import Architecture, Factory, Method, Progress, Terms, Values
from ..ranges import Count
from .dqn import dqn, greedy


def iqn(
    base: Factory = dqn, quantiles: Count = 64, goals: Count = 64, asked: Count = 32, double: bool = False, **numbers
) -> Method:
    """Make the base; the rest are the keywords of dqn.

    `quantiles`: quantiles of the student in an update. `goals`: quantiles of the target in an update. `asked`:
    quantiles averaged to act.
    """
    own = base(double=double, **numbers)

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        inner = ensembles.of_values(own.network(task, teacher), "iqn")
        return Architecture("implicit_quantile", {"of": inner.name, "options": dict(inner.options), "asked": asked})

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        best = greedy((student if double else target)(batch.next_obs))
        ahead = losses.chosen_row(target(batch.next_obs, method="draws", count=goals)[0], best)
        goal = batch.reward[:, None] + batch.discount[:, None] * ahead
        values, places = student(batch.obs, method="draws", count=quantiles)
        return {"td": losses.quantile_td(losses.chosen_row(values, batch.action), places, goal)}

    return own._replace(loss=loss, network=network, noisy=True)  # the random fractions are its noise
