"""Imitation bootstrapped RL: the teacher proposes actions for acting and for the targets (Hu et al., 2024).

An ensemble of critics compares the teacher's proposal with the student's by the minimum over a subset of its members
(algorithm 1); in the targets the target network's members do. The replay starts with the log. The defaults are those of
the authors' code for states: 5 critics, subsets of 2, and 5 updates every 2 steps.

With continuous actions the student is a TD3: in the targets its proposal is its target actor's, with clipped noise, and
the actor follows the minimum over a subset of the members.
"""

import jax
import jax.numpy as jnp
from jax import Array

from ...datasets.transition import Transition
from .. import control, ensembles, losses, policies
from ..method import Architecture, Clock, Factory, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Share
from .dqn import dqn, greedy

NOISE, CLIP = 0.1, 0.3  # deviation of what is added to the student's proposal in a goal, and the most of it


def ibrl(
    base: Factory = dqn,
    members: Count = 5,
    subset: Count = 2,
    layer_norm: bool = True,
    deadline: Share = 0.6,
    explore: NotNegative = 0.0,
    keep_log: bool = True,
    updates_per_step: Endless = 2.5,
    batch_size: Count = 256,
    learning_rate: NotNegative = 1e-4,
    adam_epsilon: NotNegative = 1e-8,
    target_rate: Share = 0.01,
    target_acts: bool = True,
    **numbers,
) -> Method:
    """Make the method; the base defines exploration and the optimizer, and its loss is not used. Continuous
    actions need td3.

    `layer_norm`: whether hidden layers have layer norm. `members`: networks in the ensemble. `subset`: size of the
    subset that judges, drawn anew each time. `deadline`: share of the steps after which the teacher no longer proposes,
    so that the final student has trained without it.
    """
    numbers |= {"explore": explore, "keep_log": keep_log, "updates_per_step": updates_per_step}
    numbers |= {"batch_size": batch_size, "target_rate": target_rate, "target_acts": target_acts}
    numbers |= {"learning_rate": learning_rate, "adam_epsilon": adam_epsilon}
    own = base(**numbers)
    ensembles.check(members, subset, "ibrl")
    if own.continuous:
        own = base(members=members, subset=subset, layer_norm=layer_norm, **numbers)
        control.stochastic(own, False, "ibrl")

    def weaned(progress: Progress):
        return progress.spent >= deadline

    def judged(key: Array, each, mine, theirs, progress: Progress):
        """Return the better of two actions [B] and its value: [E, B, A], [B], [B] -> [B], [B]."""
        least = ensembles.least(key, each, subset)
        worth = [losses.chosen(least, action) for action in (mine, theirs)]
        better = (worth[1] > worth[0]) & ~weaned(progress)
        return jnp.where(better, theirs, mine), jnp.where(better, worth[1], worth[0])

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        after = target(batch.next_obs, method="each")
        proposals = greedy(after.mean(axis=0)), greedy(teacher(batch.next_obs))
        goal = batch.reward + batch.discount * judged(progress.key, after, *proposals, progress)[1]
        return {"td": ensembles.squared(student(batch.obs, method="each"), batch.action, goal)}

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        each = student(obs, method="each")
        mine = own.act(lambda obs, **options: each.mean(axis=0), teacher, obs, clock, progress)
        return judged(jax.random.fold_in(progress.key, 1), each, mine, greedy(teacher(obs)), progress)[0]

    def rated(key: Array, values: Values, obs: Array, mine: Array, theirs: Array, progress: Progress):
        """Return the better of two actions [B, D], and its worth [B]."""
        some = policies.few(key, members, subset)
        worth = [values(obs, action=action, method="judge", members=some).min(axis=0) for action in (mine, theirs)]
        better = (worth[1] > worth[0]) & ~weaned(progress)
        return control.either(better, theirs, mine), jnp.where(better, worth[1], worth[0])

    def steer(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        judge, shake, follow = jax.random.split(progress.key, 3)
        mine, after = policies.noised(shake, target(batch.next_obs), NOISE, CLIP), batch.next_obs
        ahead = rated(judge, target, after, mine, teacher(after), progress)[1]
        asked = {"method": "advise", "members": policies.few(follow, members, subset)}
        return {
            "td": policies.squared(
                student(batch.obs, action=batch.action, method="judge"), batch.reward + batch.discount * ahead
            ),
            "actor": -student(batch.obs, action=student(batch.obs), **asked).min(axis=0),
        }

    def play(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        mine = own.act(student, teacher, obs, clock, progress)
        return rated(jax.random.fold_in(progress.key, 1), student, obs, mine, teacher(obs), progress)[0]

    if own.continuous:
        return own._replace(loss=steer, act=play, weaned=weaned)

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        return ensembles.network(own.network(task, teacher), members, layer_norm, "ibrl")

    return own._replace(loss=loss, act=act, network=network, weaned=weaned)
