"""RL with prior data: half of every batch from the log, an ensemble with layer norm, many updates (Ball et al., 2023).

The target is the largest value over the actions of the minimum over a random subset of the ensemble (algorithm 1). The
defaults are those of the authors' code for states: 10 networks, subsets of 2, and 20 updates a step.

With continuous actions this is the authors' algorithm: the base learns with such an ensemble, whose mean its actor
follows, and the actor and the temperature have one update for 20 of the critics.
"""

from ...datasets.transition import Transition
from .. import ensembles
from ..method import Architecture, Factory, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Share
from .dqn import dqn


def rlpd(
    base: Factory = dqn,
    share: Share = 0.5,
    members: Count = 10,
    subset: Count = 2,
    layer_norm: bool = True,
    updates_per_step: Endless = 20.0,
    batch_size: Count = 256,
    n_step: Count = 1,
    learning_rate: NotNegative = 3e-4,
    adam_epsilon: NotNegative = 1e-8,
    target_rate: Share = 0.005,
    **numbers,
) -> Method:
    """Make the method; a base for values defines exploration and the optimizer, and its loss is not used.

    `share`: share of a batch from the log. `layer_norm`: whether hidden layers have layer norm. `members`: networks in
    the ensemble. `subset`: size of the subset for a target.
    """
    numbers |= {"updates_per_step": updates_per_step, "batch_size": batch_size, "n_step": n_step}
    numbers |= {"learning_rate": learning_rate, "adam_epsilon": adam_epsilon, "target_rate": target_rate}
    own = base(**numbers)
    ensembles.check(members, subset, "rlpd")

    def log_share(progress: Progress) -> float:
        return max(share, progress.offline)

    if own.continuous:
        own = base(members=members, subset=subset, layer_norm=layer_norm, **numbers)
        return own._replace(log_share=log_share)

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        ahead = ensembles.least(progress.key, target(batch.next_obs, method="each"), subset).max(axis=-1)
        goal = batch.reward + batch.discount * ahead
        return {"td": ensembles.squared(student(batch.obs, method="each"), batch.action, goal)}

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        return ensembles.network(own.network(task, teacher), members, layer_norm, "rlpd")

    return own._replace(loss=loss, network=network, log_share=log_share)
