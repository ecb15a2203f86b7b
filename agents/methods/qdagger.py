"""QDagger: distil the teacher on its log, then wean the student off it (Agarwal et al., 2022).

The distillation term and the learning rate follow the student's shortfall, 1 - score, where the teacher scores 1. Once
the student is as good with confidence, both stay low.

Values are distilled as the softmax policies that they make. Of an actor and its critics only the actor is distilled, as
the paper's authors say that they did, by the squared distance of its mean action to the teacher's.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from ...datasets.transition import Transition
from .. import control, losses, policies
from ..method import Factory, Method, Progress, Terms, Values
from ..ranges import NotNegative, Positive, Share
from ..schedules import share_of
from .dqn import dqn

TAUGHT = {
    "rainbow": (1.0, 1.0),
    "drq": (3.0, 1.0),
}  # base -> weight of distillation, its deadline


def taught(base: Factory, weight: float | None, deadline: float | None = None) -> tuple[float, float]:
    """Return the given weight and deadline, or the paper's for a student of this base."""
    own = TAUGHT.get(getattr(base, "__name__", ""), (3.0, 0.6))
    return own[0] if weight is None else weight, own[1] if deadline is None else deadline


def distilled(own: Method, q: Array, guide: Array, temperature: float) -> Array:
    """Return the KL divergence [B] from the teacher's policy to the student's at the temperature.

    A student whose network gives the logits of a policy has one already: the temperature is then the teacher's alone.
    Of continuous actions it is that of normal policies of one deviation, the squared distance of their means.
    """
    if own.continuous:
        return policies.apart(q, guide)
    return losses.distill(q, guide, temperature, 1.0 if own.policy else None)


def weaned(progress: Progress, deadline: float = 1.0, hold: float = 0.0) -> Any:
    """Return whether the student is past `deadline`, or past `hold` and was once as good as the teacher, at 95 %."""
    as_good = (progress.best >= 1.0) & (progress.spent >= hold)
    return (progress.offline == 0.0) & (as_good | (progress.spent > deadline))


def shortfall(progress: Progress, deadline: float = 1.0, hold: float = 0.0) -> Any:
    """Return 1 offline and until `hold`, then 1 - score, and 0 for good once weaned."""
    now = jnp.where(weaned(progress, deadline, hold), 0.0, jnp.maximum(1.0 - progress.score, 0.0))
    return jnp.where((progress.offline > 0.0) | (progress.spent < jnp.minimum(hold, deadline)), 1.0, now)


def held(student: Values, progress: Progress, until: float) -> Values:
    """Return the student; between the first step and `until`, losses do not change its order of the actions."""

    def values(obs: Array, **options):
        if options:
            raise ValueError("catch_up needs plain action values: take a base without distributions")
        q = student(obs)
        catching = (progress.offline == 0.0) & (progress.spent < until)
        return jnp.where(catching, losses.steadied(q), q)

    return values


def qdagger(
    base: Factory = dqn,
    weight: NotNegative | None = None,
    temperature: Positive = 0.1,
    deadline: Share | None = None,
    hold: Share = 0.1,
    offline_share: Share = 0.6,
    explore: NotNegative = 0.0,
    learning_rate: NotNegative = 1e-4,
    slow: Share = 0.1,
    catch_up: Share = 0.0,
    **numbers,
) -> Method:
    """Make the method.

    `temperature`: temperature of both policies in the distillation term. `slow`: factor on the learning rate once
    weaned. `offline_share`: share of all updates made on the log. `deadline`: share of the steps after which the
    student is weaned; None: the paper's, 0.6 for dqn, 1 for rainbow and drq. `hold`: share of the steps, counted from
    the end of the warm-up, in which the score is ignored; from the deadline on, nothing is validated. `weight`: weight
    of the distillation term; None: the paper's, 3 for dqn and drq, 1 for rainbow. `catch_up`: share of the steps until
    which the online TD term moves only the mean of a state's values over the actions, so that they catch up with the
    returns while the teacher's order of the actions stays; 0: never. Not for bases of distributions.
    """
    own = base(offline_share=offline_share, explore=explore, learning_rate=learning_rate, **numbers)
    most, end = taught(base, weight, deadline)
    if own.continuous and catch_up:
        raise ValueError("catch_up needs action values, which an actor does not have: leave it out")

    def until(progress: Progress):
        return share_of(own.warmup, progress.planned) + hold

    def guidance(progress: Progress):
        return most * shortfall(progress, end, until(progress))

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        learner = held(student, progress, catch_up) if catch_up else student
        terms = own.loss(learner, target, teacher, batch, progress)
        far = distilled(own, student(batch.obs), teacher(batch.obs), temperature)
        return {**terms, "distill": guidance(progress) * control.scaled(own, terms, far)}

    def factor(progress: Progress) -> Any:
        return slow + (1.0 - slow) * jnp.minimum(shortfall(progress, end, until(progress)), 1.0)

    return own._replace(
        loss=loss,
        delayed=control.slow(own, "distill"),
        learning_rate_factor=factor,
        scored=hold < end,  # else it is weaned by the deadline alone, and its score is never read
        guidance=guidance,
        weaned=lambda progress: weaned(progress, end, until(progress)),
    )
