"""Tabula rasa with the schedule of the Nature paper: RMSProp, 1-step, epsilon 1 to 0.1 (Mnih et al., 2015).

As in Dopamine: centred RMSProp at 2.5e-4, epsilon over a million agent steps, 50,000 steps before the first update, and
a new target every 10,000 steps (2,500 updates).
"""

import optax

from ..method import Factory, Method
from ..ranges import Count, NotNegative, Positive, Share
from .dqn import dqn


def nature_dqn(
    base: Factory = dqn,
    learning_rate: NotNegative = 2.5e-4,
    decay: Share = 0.95,
    rms_epsilon: NotNegative = 1e-5,
    epsilon: Share = 0.1,
    explore: NotNegative = 1_000_000.0,
    n_step: Count = 1,
    target_period: Positive = 2_500.0,
    warmup: NotNegative = 50_000.0,
    **numbers,
) -> Method:
    """Make the base; the rest are the keywords of dqn.

    `decay`: decay of RMSProp's averages. `rms_epsilon`: epsilon of RMSProp.
    """
    numbers |= {"epsilon": epsilon, "explore": explore, "n_step": n_step}
    own = base(target_period=target_period, warmup=warmup, **numbers)
    return own._replace(optimizer=optax.rmsprop(learning_rate, decay, rms_epsilon, centered=True))
