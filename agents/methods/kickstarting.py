"""Add a fading distillation term to the student's own learning (Schmitt et al., 2018).

As Agarwal et al. (2022) have it: QDagger with no offline phase."""

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
    """Take the keywords of qdagger.

    `weight`: of the term of distillation. `temperature`: of both policies in it. `deadline`, `hold`, `slow`: as in
    qdagger.
    """
    return qdagger(base, weight, temperature, deadline, hold, offline_share, explore, learning_rate, slow, **numbers)
