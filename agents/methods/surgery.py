"""Grow the teacher into a wider and deeper student that computes the same function (OpenAI, 2019; Chen et al., 2016).

The optimizer's moments are kept, padded with zeros.

With continuous actions the actor and each of the critics grow, and their optimizer starts anew.
"""

from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np
import optax

from ..growth import embed, grow
from ..method import Architecture, Factory, Learner, Method, Progress, Teacher
from ..moments import changed
from ..ranges import Count, NotNegative, Range, Whole
from ..schedules import share_of
from .dqn import dqn
from .fine_tuning import fine_tuning


def surgery(
    base: Factory = dqn,
    width: Annotated[float, Range(1)] = 1.5,
    deeper: Whole = 0,
    copies: bool = False,
    settle: NotNegative = 40_000.0,
    learning_rate: NotNegative = 1e-5,
    explore: NotNegative = 0.0,
    keep_log: bool = True,
    n_step: Count = 1,
    warmup: NotNegative = 0.0,
    **numbers,
) -> Method:
    """Make fine-tuning of the grown student.

    `width`: factor on the width of every hidden layer. `deeper`: number of identity layers added after the convolutions
    (or of residual blocks with zero output in each stage), and before the last layer. `copies`: whether added units are
    copies of old ones (Net2WiderNet), not random ones with zero output weights. `settle`: agent steps after the warm-up
    in which the optimizer only accumulates moments; below 1, a share of the planned steps.
    """
    own = fine_tuning(base, learning_rate, explore, keep_log, n_step, warmup, **numbers)
    if width < 1.0:
        raise ValueError(f"surgery cannot make a network narrower: give a width of at least 1, not {width}")

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        return grow(own.network(task, teacher), width, deeper)

    def init(learner: Learner, teacher: Teacher) -> Learner:
        old, new, start = (
            teacher.architecture,
            network(teacher.architecture, teacher.architecture),
            own.init(learner, teacher),
        )
        rng = np.random.default_rng(0) if copies else None
        params = embed(old, new, teacher.params, learner.params, rng)
        if own.continuous:
            return start._replace(params=params, target=params, opt_state=own.optimizer.init(params))
        nothing = optax.tree.zeros_like(learner.params)
        state = changed(start.opt_state, teacher.params, lambda part: embed(old, new, part, nothing, one=0.0))
        return start._replace(params=params, target=params, opt_state=state)

    def learning_rate_factor(progress: Progress) -> Any:
        until = share_of(own.warmup, progress.planned) + share_of(settle, progress.planned)
        return jnp.where(progress.offline, 1.0, progress.spent >= until) * own.learning_rate_factor(progress)

    return own._replace(network=network, init=init, learning_rate_factor=learning_rate_factor)
