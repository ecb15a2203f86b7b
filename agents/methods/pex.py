"""Policy expansion: freeze the offline policy, add a new one, and let the critics choose (Zhang et al., 2023).

Offline this is IQL. Online, the new policy samples an action, the frozen one proposes its best, and one of the two is
drawn from the softmax of their values (equation 6). The new policy clones the drawn action, weighted by its advantage,
as in the authors' code. Half of every online batch is from the log. As its authors do, the score is that of the better
of the two policies' best actions by value.

With continuous actions a policy's best is its mean, and cloning is by its density.
"""

import jax
import jax.numpy as jnp
from jax import Array

from ...datasets.transition import Transition
from .. import control, losses, policies
from ..method import ActHook, Architecture, Clock, Factory, Learner, LossHook, Method, Progress, Terms, Values
from ..ranges import Count, Endless, NotNegative, Positive, Share
from .dqn import dqn, greedy
from .iql import judged, network_of


def expanded(inner: Architecture) -> Architecture:
    """Return an actor-critic with a frozen actor beside its own, of which the better acts, and with V."""
    return Architecture(inner.name, {**inner.options, "memory": True, "state": True, "expanded": True})


def begun(own: Method, learner: Learner) -> Learner:
    """Freeze what the log's policy has become, and begin with the fresh one that stood beside it, and no moments."""
    turned = [
        {"params": {**part["params"], "actor": part["params"]["frozen"], "frozen": part["params"]["actor"]}}
        for part in (learner.params, learner.target)
    ]
    after = own.go_online(learner._replace(params=turned[0], target=turned[1]))
    return after._replace(opt_state=own.optimizer.init(after.params))


def proposed(key: Array, student: Values, obs: Array, temperature: float) -> Array:
    """Choose between the new policy's draw and the frozen one's mean [B, D], drawn by the softmax of their values."""
    first, second = jax.random.split(key)
    new, _ = policies.drawn(first, student(obs, method="policy"))
    both = (new, student(obs, method="past"))
    worth = jnp.stack([student(obs, action=action, method="judge").min(axis=0) for action in both])
    return control.either(jax.random.categorical(second, worth / temperature, axis=0) == 1, both[1], both[0])


def playing(temperature: float) -> ActHook:
    """Return the hook that plays one of the two proposals."""

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        return proposed(progress.key, student, obs, temperature)

    return act


def steering(temperature: float, expectile: float, sharpness: float) -> LossHook:
    """Return the loss of V, the critics and the policy that learns, for continuous actions."""

    def loss(student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress) -> Terms:
        logged = target(batch.obs, action=batch.action, method="judge").min(axis=0)
        worth, ahead = student(batch.obs, method="worth"), student(batch.next_obs, method="worth")
        action = proposed(progress.key, student, batch.obs, temperature)
        better = target(batch.obs, action=action, method="judge").min(axis=0) - worth
        policy, offline = student(batch.obs, method="policy"), progress.offline
        clone = policies.weighted(policy, batch.action, logged - worth, sharpness)
        own_way = policies.weighted(policy, action, better, sharpness)
        return {
            "value": losses.expectile(logged - worth, expectile),
            "td": policies.squared(
                student(batch.obs, action=batch.action, method="judge"), batch.reward + batch.discount * ahead
            ),
            "actor": offline * clone + (1.0 - offline) * own_way,
        }

    return loss


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
    control.stochastic(own, True, "pex")

    def log_share(progress: Progress) -> float:
        return max(share, progress.offline)

    if own.continuous:
        made = own._replace(delay=1, log_share=log_share, network=lambda *given: expanded(own.network(*given)))
        hooks = {"loss": steering(temperature, expectile, sharpness), "act": playing(temperature)}
        return made._replace(**hooks, go_online=lambda learner: begun(own, learner))

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

    return own._replace(loss=loss, act=act, network=network, go_online=go_online, log_share=log_share)
