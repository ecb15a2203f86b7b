"""Tabula rasa with the schedule of Dopamine's DQN, which trained the teachers of Agarwal et al. (2022).

1-step squared error, Adam at 6.25e-5, epsilon 1 to 0.01 over 250,000 agent steps (Castro et al., 2018).
"""

from ..method import Factory, Method
from ..ranges import Count, NotNegative
from .dqn import dqn


def dopamine_dqn(
    base: Factory = dqn, explore: NotNegative = 250_000.0, huber: bool = False, n_step: Count = 1, **numbers
) -> Method:
    """Make the base with this schedule; takes the keywords of dqn."""
    return base(explore=explore, huber=huber, n_step=n_step, **numbers)
