"""WSRL: pretrain on the log, warm up with the frozen student, then learn fast without the log (Zhou et al., 2025).

Offline this is Cal-QL with an ensemble. The frozen student plays the first online steps, which fill the replay. Then
plain Q-learning follows, with many updates a step and without pessimism. The defaults are those of the authors' code:
10 networks with layer norm, subsets of 2, and 4 updates a step.

With continuous actions this is Cal-QL's pessimism on such an ensemble, then the base as it is.
"""

import jax

from ...datasets.transition import Transition
from .. import control, ensembles, losses
from ..method import Architecture, Factory, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Positive, Share
from .cal_ql import pessimism
from .dqn import dqn


def wsrl(
    base: Factory = dqn,
    weight: NotNegative = 5.0,
    temperature: Positive = 1.0,
    members: Count = 10,
    subset: Count = 2,
    layer_norm: bool = True,
    draws: Count = 10,
    offline_share: Share = 0.6,
    explore: NotNegative = 0.0,
    warmup: NotNegative = 5_000.0,
    updates_per_step: Endless = 4.0,
    batch_size: Count = 256,
    n_step: Count = 1,
    learning_rate: NotNegative = 3e-4,
    adam_epsilon: NotNegative = 1e-8,
    target_rate: Share = 0.005,
    **numbers,
) -> Method:
    """Make the method; a base for values defines exploration and the optimizer, and its loss is not used.

    `weight`: weight of the pessimism. `temperature`: temperature of the pessimism's log-sum-exp. `draws`: as in
    cal_ql. `layer_norm`: whether
    hidden layers have layer norm. `members`: networks in the ensemble. `subset`: size of the subset for a target.
    `warmup`: agent steps that the frozen student plays; below 1, a share of the planned steps.
    """
    numbers |= {
        "offline_share": offline_share,
        "explore": explore,
        "warmup": warmup,
        "updates_per_step": updates_per_step,
    }
    numbers |= {"batch_size": batch_size, "n_step": n_step, "target_rate": target_rate}
    numbers |= {"learning_rate": learning_rate, "adam_epsilon": adam_epsilon}
    own = base(**numbers)
    ensembles.check(members, subset, "wsrl")
    if own.continuous:
        own = base(members=members, subset=subset, layer_norm=layer_norm, **numbers)
        control.stochastic(own, True, "wsrl")
    calibrated = jax.vmap(losses.calibrated, in_axes=(0, None, None, None))

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        each = student(batch.obs, method="each")
        ahead = ensembles.least(progress.key, target(batch.next_obs, method="each"), subset).max(axis=-1)
        pessimism = calibrated(each, batch.action, batch.return_to_go, temperature).mean(axis=0)
        return {
            "td": ensembles.squared(each, batch.action, batch.reward + batch.discount * ahead),
            "conservative": weight * progress.offline * pessimism,
        }

    def steer(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        low = pessimism(student, batch, jax.random.fold_in(progress.key, 1), draws, temperature)
        terms = own.loss(student, target, teacher, batch, progress)
        return {**terms, "conservative": weight * progress.offline * low}

    if own.continuous:
        return own._replace(loss=steer, offline_only=("conservative",), needs_return_to_go=True)

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        return ensembles.network(own.network(task, teacher), members, layer_norm, "wsrl")

    return own._replace(loss=loss, network=network, needs_return_to_go=True)
