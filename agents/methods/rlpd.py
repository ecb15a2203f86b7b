"""RL with prior data: half of every batch from the log, a layer-normed ensemble, many updates (Ball et al., 2023).

The goal is the least of a random subset of the ensemble's targets, for every action, at the best action.
"""

import jax

from .. import losses
from ..method import Architecture, Method
from .dqn import dqn


def rlpd(
    base=dqn,
    share: float = 0.5,
    members: int = 4,
    subset: int = 2,
    layer_norm: bool = True,
    updates_per_step: float = 1.0,
    **numbers,
) -> Method:
    """The base says how to act and step; its loss is not used.

    `share`: of a batch from the log. `members`: networks in the ensemble. `subset`: those asked for a goal.
    """
    own = base(updates_per_step=updates_per_step, **numbers)
    if not 1 <= subset <= members:
        raise ValueError(f"rlpd cannot ask {subset} of {members} members: give a subset from 1 to {members}")

    def loss(student, target, teacher, batch, progress):
        some = jax.random.choice(progress.key, members, (subset,), replace=False)
        ahead = target(batch.next_obs, method="each")[some].min(axis=0).max(axis=-1)
        goal = batch.reward + batch.discount * ahead
        each = jax.vmap(losses.td, in_axes=(0, None, None))(student(batch.obs, method="each"), batch.action, goal)
        return {"td": each.sum(axis=0)}

    def network(task, teacher):
        inner = own.network(task, teacher)
        if inner.name == "categorical":
            raise ValueError("rlpd learns values, not their distributions: leave its base out")
        options = {**inner.options, "layer_norm": True} if layer_norm else inner.options
        return Architecture("ensemble", {"of": inner.name, "options": options, "members": members})

    return own._replace(loss=loss, network=network, mix=lambda progress: max(share, progress.offline))
