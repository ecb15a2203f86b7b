"""Population-based training on one student's budget: the worst become copies of the best (Jaderberg et al., 2017).

The original has hundreds of generations and more hyperparameters. Each learner's optimizer state holds a factor on its
learning rate: copying a learner copies the factor, which is then perturbed.
"""

from collections.abc import Callable, Sequence

import jax
import numpy as np
import optax
from jax import Array

from ..method import Factory, Learner, Method
from ..ranges import Count, NotNegative, Share
from .qdagger import qdagger


def perturb(key: Array, learner: Learner, down: float, up: float) -> Learner:
    """Multiply the learner's factor by `down` or `up`, with equal probability."""
    state, scale = learner.opt_state
    factor = scale.hyperparams["step_size"] * jax.random.choice(key, np.array([down, up], np.float32))
    return learner._replace(opt_state=(state, scale._replace(hyperparams={"step_size": factor})))


def inside(hook: Callable[..., Learner]) -> Callable[..., Learner]:
    """Call a hook of the base with the base's part of the optimizer state."""

    def wrapped(learner: Learner, *rest) -> Learner:
        state, scale = learner.opt_state
        after = hook(learner._replace(opt_state=state), *rest)
        return after._replace(opt_state=(after.opt_state, scale))

    return wrapped


def pbt_small(
    base: Factory = qdagger,
    population: Count = 4,
    quantile: Share = 0.25,
    down: NotNegative = 0.8,
    up: NotNegative = 1.2,
    **numbers,
) -> Method:
    """Make the method.

    `quantile`: share of the population replaced at each tenth of the steps, and share of the best that replaces it.
    `down`, `up`: a replaced student's learning rate is multiplied by one of the two.
    """
    own = base(population=population, **numbers)

    def evolve(key: Array, learners: Sequence[Learner], scores: Sequence[float]) -> Sequence[Learner]:
        order = np.argsort(scores)
        few = min(max(int(quantile * len(order)), 1), len(order) // 2)
        parents = dict(zip(order[:few], order[::-1][:few], strict=True))
        return [
            perturb(jax.random.fold_in(key, i), learners[int(parents[i])], down, up) if i in parents else learner
            for i, learner in enumerate(learners)
        ]

    def renew(learner: Learner, fresh: Learner, shrink: float) -> Learner:
        after = own.renew(learner, fresh, shrink)
        return after._replace(opt_state=(after.opt_state[0], learner.opt_state[1]))  # the factor stays

    return own._replace(
        evolve=evolve,
        renew=renew,
        init=inside(own.init),
        go_online=inside(own.go_online),
        optimizer=optax.chain(own.optimizer, optax.inject_hyperparams(optax.scale)(step_size=1.0)),
        scored=True,
    )
