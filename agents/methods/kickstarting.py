"""Add a fading distillation term to the student's own learning (Schmitt et al., 2018).

As Agarwal et al. (2022) have it: QDagger with no offline phase."""

from ..method import Method
from .dqn import dqn
from .qdagger import qdagger


def kickstarting(
    base=dqn,
    weight: float | None = None,
    temperature: float = 0.1,
    deadline: float | None = None,
    hold: float = 0.1,
    offline: float = 0.0,
    explore: float = 50_000.0,
    learning_rate: float = 1e-4,
    slow: float = 0.1,
    **numbers,
) -> Method:
    """The keywords are those of qdagger."""
    return qdagger(base, weight, temperature, deadline, hold, offline, explore, learning_rate, slow, **numbers)
