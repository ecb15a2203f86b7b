"""Clone the log's actions, then train with RL, held near the clone (Baker et al., 2022; Silver et al., 2016).

The clone's logits are its values divided by the temperature; a policy network gives logits already. After the offline
phase the optimizer restarts, the base's loss takes over, and a KL term to the frozen clone decays geometrically.

With continuous actions a draw of the actor clones the log's actions, by the squared distance, while the critics learn
the clone's values; online, its mean action is held near the frozen clone's.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ...datasets.transition import Transition
from .. import control, losses, policies
from ..method import Architecture, Factory, Learner, Method, Params, Progress, Terms, Values
from ..ranges import NotNegative, Positive, Share
from .dqn import dqn


def remember(params: Params) -> Params:
    """Return the weights with the network's present ones in the place of those it is held to."""
    mine = params["params"]
    if "actor" in mine:
        return {"params": {**mine, "frozen": mine["actor"]}}
    return {"params": {**mine, "memory": mine["student"]}}


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
    """Make the method.

    `weight`: weight of the KL term, 0 for none. `fade`: factor on that weight over the whole run, 1 for a constant
    (AlphaStar). `temperature`: temperature of the policies in the imitation and KL terms. `slow`: factor on the online
    learning rate.
    """
    own = base(offline_share=offline_share, explore=explore, learning_rate=learning_rate, **numbers)
    heat = 1.0 if own.policy else temperature  # logits need no temperature
    held = weight > 0.0 and offline_share > 0.0  # else there is no clone to stay near

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        online, q = 1.0 - progress.offline, student(batch.obs)
        terms = {n: online * term for n, term in own.loss(student, target, teacher, batch, progress).items()}
        terms["imitate"] = progress.offline * losses.imitate(q, batch.action, heat)
        if held:
            clone = student(batch.obs, method="past")
            terms["distill"] = online * weight * fade**progress.spent * losses.distill(q, clone, heat)
        return terms

    def steer(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        online, terms = 1.0 - progress.offline, own.loss(student, target, teacher, batch, progress)
        mine, _ = policies.drawn(jax.random.fold_in(progress.key, 1), student(batch.obs, method="policy"))
        terms |= {name: online * terms[name] for name in own.delayed if name in terms}
        terms["imitate"] = progress.offline * policies.apart(mine, batch.action)
        if held:
            far = policies.apart(student(batch.obs), student(batch.obs, method="past"))
            terms["distill"] = online * weight * fade**progress.spent * control.scaled(own, terms, far)
        return terms

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        inner = own.network(task, teacher)
        if own.continuous:
            return Architecture(inner.name, {**inner.options, "memory": held})
        return Architecture("anchored", {"of": inner.name, "options": inner.options}) if held else inner

    def go_online(learner: Learner) -> Learner:
        params = remember(learner.params) if held else learner.params
        return own.go_online(learner._replace(params=params))._replace(opt_state=own.optimizer.init(params))

    def factor(progress: Progress) -> Any:
        return jnp.where(progress.offline, 1.0, slow)

    hooks = {"loss": steer, "delayed": control.slow(own, "imitate", "distill")} if own.continuous else {"loss": loss}
    return own._replace(network=network, go_online=go_online, learning_rate_factor=factor)._replace(**hooks)
