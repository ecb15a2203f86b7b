"""Add a decaying distillation term to the student's own loss (Schmitt et al., 2018).

As in Agarwal et al. (2022): QDagger without an offline phase."""

from ..method import Factory, Method
from ..ranges import NotNegative, Positive, Share
from .dqn import dqn
from .qdagger import qdagger


def kickstarting(
    base: Factory = dqn,
    weight: NotNegative | None = None,
    temperature: Positive = 0.1,
    deadline: Share | None = None,
    hold: Share = 0.1,
    offline_share: Share = 0.0,
    explore: NotNegative = 50_000.0,
    learning_rate: NotNegative = 1e-4,
    slow: Share = 0.1,
    **numbers,
) -> Method:
    """Make the method; takes the keywords of qdagger.

    `weight`: weight of the distillation term. `temperature`: temperature of both policies in it. `deadline`, `hold`,
    `slow`: as in qdagger.
    """
    return qdagger(base, weight, temperature, deadline, hold, offline_share, explore, learning_rate, slow, **numbers)
