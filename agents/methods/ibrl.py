"""Imitation bootstrapped RL: the teacher proposes actions, to play and for the goals to learn from (Hu et al., 2024).

An ensemble of critics judges the teacher's proposal and the student's by the least of some of its members. The
replay starts with the log in it.
"""

import jax
import jax.numpy as jnp

from .. import losses
from ..method import Architecture, Method
from .dqn import dqn, greedy


def ibrl(
    base=dqn,
    members: int = 2,
    subset: int = 2,
    deadline: float = 1.0,
    explore: float = 0.0,
    keep_log: bool = True,
    learning_rate: float = 1e-4,
    **numbers,
) -> Method:
    """The base says how to act and step; its loss is not used.

    `members`: networks in the ensemble. `subset`: those that judge, drawn anew each time. `deadline`: the share of
    the steps after which the teacher no longer proposes.
    """
    own = base(explore=explore, keep_log=keep_log, learning_rate=learning_rate, **numbers)
    if not 1 <= subset <= members:
        raise ValueError(f"ibrl cannot ask {subset} of {members} members: give a subset from 1 to {members}")

    def weaned(progress):
        return progress.spent >= deadline

    def judged(key, each, mine, theirs, progress):
        """The better of two actions [B], and its worth: [E, B, A], [B], [B] -> [B], [B]."""
        least = each[jax.random.choice(key, members, (subset,), replace=False)].min(axis=0)
        worth = [losses.chosen(least, action) for action in (mine, theirs)]
        better = (worth[1] > worth[0]) & ~weaned(progress)
        return jnp.where(better, theirs, mine), jnp.where(better, worth[1], worth[0])

    def loss(student, target, teacher, batch, progress):
        after = target(batch.next_obs, method="each")
        proposals = greedy(after.mean(axis=0)), greedy(teacher(batch.next_obs))
        goal = batch.reward + batch.discount * judged(progress.key, after, *proposals, progress)[1]
        each = jax.vmap(losses.td, in_axes=(0, None, None))(student(batch.obs, method="each"), batch.action, goal)
        return {"td": each.sum(axis=0)}

    def act(student, teacher, obs, clock, progress):
        each = student(obs, method="each")
        mine = own.act(lambda obs: each.mean(axis=0), teacher, obs, clock, progress)
        return judged(jax.random.fold_in(progress.key, 1), each, mine, greedy(teacher(obs)), progress)[0]

    def network(task, teacher):
        inner = own.network(task, teacher)
        if inner.name == "categorical":
            raise ValueError("ibrl learns values, not their distributions: leave its base out")
        return Architecture("ensemble", {"of": inner.name, "options": inner.options, "members": members})

    return own._replace(loss=loss, act=act, network=network, weaned=weaned)
