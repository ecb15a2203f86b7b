"""Tabula rasa with C51: learn the distribution of the return, not only its mean (Bellemare et al., 2017).

Agarwal et al. (2022) call this student Rainbow: C51, n-step returns and prioritised replay, without noisy layers,
dueling and double. Importance weights multiply every term of the loss. With `noisy`, `dueling` and `double` it is the
full Rainbow (Hessel et al., 2018).
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from ...datasets.transition import Transition
from .. import losses
from ..method import Architecture, Factory, Method, Progress, Terms, Values
from ..ranges import Positive, Range
from .dqn import dqn, greedy


def rainbow(
    base: Factory = dqn,
    atoms: Annotated[int, Range(2)] = 51,
    v_max: Positive = 10.0,
    double: bool = False,
    prioritized: bool = True,
    **numbers,
) -> Method:
    """Make the base; the rest are the keywords of dqn.

    `atoms`: number of atoms from -v_max to v_max. `v_max`: largest return that can be represented; larger ones are
    clipped, so set it by the task's returns.
    """
    own = base(double=double, prioritized=prioritized, **numbers)

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        inner = own.network(task, teacher)
        options = {"of": inner.name, "options": dict(inner.options), "atoms": atoms, "v_max": v_max}
        return Architecture("categorical", options)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        support = target(batch.next_obs, method="support")
        after = target(batch.next_obs, method="logits")
        chooser = student(batch.next_obs, method="logits") if double else after
        best = greedy(jax.nn.softmax(chooser) @ support)
        probability = jax.nn.softmax(after)[jnp.arange(best.shape[0]), best]
        places = batch.reward[:, None] + batch.discount[:, None] * support
        goal = losses.project(support, probability, places)
        return {"td": losses.categorical_td(student(batch.obs, method="logits"), batch.action, goal)}

    return own._replace(loss=loss, network=network)
