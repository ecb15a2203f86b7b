"""Policy expansion: freeze the offline policy, add a new one, and let the critics choose (Zhang et al., 2023).

Offline this is IQL. Online, the new policy samples an action, the frozen one proposes its best, and one of the two is
drawn from the softmax of their values (equation 6). The new policy clones the drawn action, weighted by its advantage,
as in the authors' code. Half of every online batch is from the log. As its authors do, the score is that of the better
of the two policies' best actions by value.
"""

import jax
import jax.numpy as jnp
from jax import Array

from ...datasets.transition import Transition
from .. import losses
from ..method import Architecture, Clock, Factory, Learner, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Positive, Share
from .dqn import dqn, greedy
from .iql import judged, network_of


def pex(
    base: Factory = dqn,
    temperature: Positive = 0.1,
    share: Share = 0.5,
    expectile: Share = 0.9,
    sharpness: NotNegative = 10.0,
    members: Count = 2,
    offline_share: Share = 0.6,
    warmup: NotNegative = 5_000.0,
    updates_per_step: Endless = 1.0,
    batch_size: Count = 256,
    n_step: Count = 1,
    learning_rate: NotNegative = 3e-4,
    adam_epsilon: NotNegative = 1e-8,
    target_rate: Share = 0.005,
    **numbers,
) -> Method:
    """Make the method; the base defines the optimizer, and neither its loss nor its exploration is used.

    `temperature`: temperature of the choice between the two policies. `share`: probability that a transition of an
    online batch comes from the log. `expectile`, `sharpness`, `members`: as in iql.
    """
    numbers |= {
        "offline_share": offline_share,
        "warmup": warmup,
        "updates_per_step": updates_per_step,
        "batch_size": batch_size,
    }
    numbers |= {"n_step": n_step, "target_rate": target_rate}
    own = base(learning_rate=learning_rate, adam_epsilon=adam_epsilon, **numbers)

    def drawn(key: Array, student: Values, obs: Array) -> Array:
        """Draw between the new policy's sample and the frozen policy's best action [B] by their values."""
        first, second = jax.random.split(key)
        proposals = jax.random.categorical(first, student(obs, method="policy")), greedy(student(obs, method="past"))
        least = student(obs, method="each").min(axis=0)
        worth = jnp.stack([losses.chosen(least, action) for action in proposals])
        choice = jax.random.categorical(second, worth / temperature, axis=0)
        return jnp.where(choice == 1, proposals[1], proposals[0])

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        terms, gain = judged(student, target, batch, expectile)
        clone = losses.advantage_weighted(student(batch.obs, method="first"), batch.action, gain, sharpness)
        action = drawn(progress.key, student, batch.obs)
        worth = losses.chosen(target(batch.obs, method="each").min(axis=0), action)
        better = worth - student(batch.obs, method="state")
        own_way = losses.advantage_weighted(student(batch.obs, method="policy"), action, better, sharpness)
        return {**terms, "policy": progress.offline * clone + (1.0 - progress.offline) * own_way}

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        return drawn(progress.key, student, obs)

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        return network_of(own.network(task, teacher), members, "pex", expanded=True)

    def go_online(learner: Learner) -> Learner:  # new moments, so that parameters without a gradient stay
        return own.go_online(learner)._replace(opt_state=own.optimizer.init(learner.params))

    def log_share(progress: Progress) -> float:
        return max(share, progress.offline)

    return own._replace(loss=loss, act=act, network=network, go_online=go_online, log_share=log_share)
