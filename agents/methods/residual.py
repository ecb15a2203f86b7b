"""Residual RL: the student adds to what a frozen teacher does (Johannink et al., 2019; Silver et al., 2018).

The action is the sum of both, cut to the bounds (Johannink et al., equation 4), and the critics judge that sum. The
student's part starts at zero, so that it begins as its teacher, and until the end of `burn_in` the critics learn alone,
as Silver et al. have it: an actor that followed untrained critics would undo what the teacher knows. The teacher stays
within the student, for ever: it is scored with it, and what it costs is in the student's own price.
"""

from typing import Any

import jax.numpy as jnp

from .. import control
from ..actor_critic import OF_ACTOR
from ..method import Architecture, Factory, Learner, Method, Params, Progress, Teacher
from ..ranges import NotNegative, Share
from .td3 import td3


def silent(params: Params) -> Params:
    """Return the weights with an actor whose last layer is zero, and so are its actions."""
    mine = params["params"]
    last = {name: jnp.zeros_like(leaf) for name, leaf in mine["actor"]["mean"].items()}
    return {"params": {**mine, "actor": {**mine["actor"], "mean": last}}}


def residual(base: Factory = td3, burn_in: Share = 0.1, explore: NotNegative = 0.0, **numbers) -> Method:
    """Make the method; the base says how to learn, and takes its keywords.

    `burn_in`: share of the steps in which only the critics learn.
    """
    own = base(explore=explore, **numbers)
    if not own.continuous:
        raise ValueError("residual adds to continuous actions: take base=td3")
    control.stochastic(own, False, "residual")

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        if teacher is None:
            raise ValueError("this method adds to a teacher's actions: give a teacher")
        inner, given = own.network(task, None), dict(teacher.options)
        if given.get("beneath") or given.get("expanded"):
            raise ValueError("residual adds to one actor, and this teacher has two: take another teacher")
        beneath: dict[str, Any] = {name: given[name] for name in OF_ACTOR if name in given}
        return Architecture(inner.name, {**inner.options, "beneath": beneath or {"depth": 2}})

    def init(learner: Learner, teacher: Teacher) -> Learner:
        params = silent(learner.params)
        params = {"params": {**params["params"], "frozen": teacher.params["params"]["actor"]}}
        return own.init(learner._replace(params=params, target=params), teacher)

    def factor(progress: Progress) -> Any:
        return jnp.where(progress.spent < burn_in, 0.0, own.learning_rate_factor(progress))

    return own._replace(network=network, init=init, learning_rate_factor=factor, inherits=True)
