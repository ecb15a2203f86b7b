"""Clone the log's actions, then learn on, held near the clone (Baker et al., 2022; Silver et al., 2016).

Values divided by the temperature are the clone's logits; a policy's outputs are its logits already. After the offline
phase the optimizer starts anew, the base's own loss takes over, and a KL term to the frozen clone fades geometrically.
"""

from typing import Any

import jax.numpy as jnp

from ...datasets.transition import Transition
from .. import losses
from ..method import Architecture, Factory, Learner, Method, Params, Progress, Terms, Values
from ..ranges import NotNegative, Positive, Share
from .dqn import dqn


def remember(params: Params) -> Params:
    """Return the weights with the network's present ones in the place of those it is held to."""
    return {"params": {**params["params"], "memory": params["params"]["student"]}}


def bc_rl(
    base: Factory = dqn,
    weight: NotNegative = 0.2,
    fade: Share = 0.1,
    temperature: Positive = 0.1,
    offline_share: Share = 0.6,
    explore: NotNegative = 0.0,
    learning_rate: NotNegative = 1e-4,
    slow: Share = 0.1,
    **numbers,
) -> Method:
    """`weight`: of the KL term, 0 for none. `fade`: its factor over the run, 1 for a constant (AlphaStar).

    `temperature`: of the policies in the terms of imitation and KL. `slow`: the factor on the learning rate online.
    """
    own = base(offline_share=offline_share, explore=explore, learning_rate=learning_rate, **numbers)
    heat = 1.0 if own.policy else temperature  # logits are a policy without one
    held = weight > 0.0 and offline_share > 0.0  # else there is nothing to hold on to

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        online, q = 1.0 - progress.offline, student(batch.obs)
        terms = {n: online * term for n, term in own.loss(student, target, teacher, batch, progress).items()}
        terms["imitate"] = progress.offline * losses.imitate(q, batch.action, heat)
        if held:
            clone = student(batch.obs, method="past")
            terms["distill"] = online * weight * fade**progress.spent * losses.distill(q, clone, heat)
        return terms

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        inner = own.network(task, teacher)
        return Architecture("anchored", {"of": inner.name, "options": inner.options}) if held else inner

    def go_online(learner: Learner) -> Learner:
        params = remember(learner.params) if held else learner.params
        return own.go_online(learner._replace(params=params))._replace(opt_state=own.optimizer.init(params))

    def factor(progress: Progress) -> Any:
        return jnp.where(progress.offline, 1.0, slow)

    return own._replace(loss=loss, network=network, go_online=go_online, learning_rate_factor=factor)
