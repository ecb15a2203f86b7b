"""Population-based training on the budget of one student: the worst are reborn from the best (Jaderberg et al., 2017).

Theirs has hundreds of generations and more hyperparameters. A factor on the learning rate lives in each learner's
optimizer state: copying a learner copies it, and a reborn learner's is perturbed.
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
    """Return the learner with its factor multiplied by `down` or `up`, each half of the time."""
    state, scale = learner.opt_state
    factor = scale.hyperparams["step_size"] * jax.random.choice(key, np.array([down, up], np.float32))
    return learner._replace(opt_state=(state, scale._replace(hyperparams={"step_size": factor})))


def inside(hook: Callable[..., Learner]) -> Callable[..., Learner]:
    """Call a hook of the base with the optimizer state that it knows."""

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

    `quantile`: the share that is reborn at each tenth of the steps, and of those that it is reborn from.
    `down`, `up`: a reborn student's learning rate is multiplied by one of them.
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
