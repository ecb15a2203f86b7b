"""Per-example losses on action values.

Every function takes arrays with a leading batch axis and returns one loss per example, [B]. Networks, optimizers and
schedules are not known here.
"""

import jax
import jax.numpy as jnp
import optax
from jax import Array


def chosen(q: Array, action: Array) -> Array:
    """Take q[b, action[b]]: [B, A], [B] -> [B]."""
    return jnp.take_along_axis(q, action[:, None], axis=-1)[:, 0]


def chosen_row(each: Array, action: Array) -> Array:
    """Take each[b, action[b]]: [B, A, N], [B] -> [B, N]."""
    return jnp.take_along_axis(each, action[:, None, None], axis=1)[:, 0]


def td(q: Array, action: Array, target: Array) -> Array:
    """Return the Huber loss between the chosen value and a target without gradient."""
    return optax.huber_loss(chosen(q, action), jax.lax.stop_gradient(target))


def squared_td(q: Array, action: Array, target: Array) -> Array:
    """Return the squared error of the chosen value, as in Dopamine's DQN (Adam + MSE)."""
    return jnp.square(chosen(q, action) - jax.lax.stop_gradient(target))


def match(q: Array, guide: Array) -> Array:
    """Return the mean squared difference to the teacher's values over the actions: distillation of values."""
    return jnp.square(q - jax.lax.stop_gradient(guide)).mean(axis=-1)


def project(support: Array, probability: Array, places: Array) -> Array:
    """Project the mass at `places` onto neighbouring atoms: [N], [B, N], [B, N] -> [B, N] (Bellemare et al., 2017)."""
    places = jnp.clip(places, support[0], support[-1])
    step = support[1] - support[0]
    near = jnp.clip(1.0 - jnp.abs(places[:, None, :] - support[None, :, None]) / step, 0.0, 1.0)  # [B, atoms, places]
    return jnp.einsum("bij,bj->bi", near, probability)


def categorical_td(logits: Array, action: Array, target: Array) -> Array:
    """Return the cross-entropy between the chosen action's distribution and a target without gradient.

    [B, A, N], [B], [B, N] -> [B].
    """
    log_p = jax.nn.log_softmax(logits)[jnp.arange(action.shape[0]), action]
    return -jnp.sum(jax.lax.stop_gradient(target) * log_p, axis=-1)


def quantile_td(quantiles: Array, places: Array, goals: Array) -> Array:
    """Return the quantile Huber loss of values at fractions `places` in [0, 1] against targets without gradient.

    [B, N], [B, N], [B, M] -> [B]: |place - 1[goal < value]| times the Huber loss, summed over the values, mean over the
    targets (Dabney et al., 2018, equation 10).
    """
    error = jax.lax.stop_gradient(goals)[:, None, :] - quantiles[:, :, None]
    weight = jnp.abs(places[:, :, None] - (error < 0.0))
    return (weight * optax.huber_loss(error)).mean(axis=2).sum(axis=1)


def distill(q: Array, guide: Array, temperature: float = 1.0, own: float | None = None) -> Array:
    """Return the KL divergence from the teacher's softmax policy to the student's (Agarwal et al., 2022).

    Both are taken at `temperature`, unless the student has its `own`: 1 for the logits of a policy.
    """
    p, log_q = jax.nn.softmax(guide / temperature), jax.nn.log_softmax(q / (temperature if own is None else own))
    return optax.losses.kl_divergence(log_q, p)


def clipped_policy(log_ratio: Array, gain: Array, clip: float) -> Array:
    """Return PPO's policy loss: -min(ratio * gain, clip(ratio, 1 - clip, 1 + clip) * gain).

    `log_ratio` [B]: log of the action's probability now over that when it was played. `gain` [B]: its advantage
    (Schulman et al., 2017, equation 7).
    """
    ratio, gain = jnp.exp(log_ratio), jax.lax.stop_gradient(gain)
    return -jnp.minimum(ratio * gain, jnp.clip(ratio, 1.0 - clip, 1.0 + clip) * gain)


def clipped_value(value: Array, old: Array, goal: Array, clip: float) -> Array:
    """Return half the larger squared error of a value [B] and of the value clipped to within `clip` of `old`.

    As in OpenAI's baselines for PPO; with `clip=0` half the plain squared error.
    """
    error = jnp.square(value - jax.lax.stop_gradient(goal))
    if clip > 0.0:
        near = old + jnp.clip(value - old, -clip, clip)
        error = jnp.maximum(error, jnp.square(near - jax.lax.stop_gradient(goal)))
    return 0.5 * error


def entropy(logits: Array) -> Array:
    """Return the entropy of a softmax policy in nats: [B, A] -> [B]."""
    log_p = jax.nn.log_softmax(logits)
    return -(jnp.exp(log_p) * log_p).sum(axis=-1)


def imitate(q: Array, action: Array, temperature: float = 1.0) -> Array:
    """Return the cross-entropy of the softmax policy to the logged action: behaviour cloning."""
    return optax.softmax_cross_entropy_with_integer_labels(q / temperature, action)


def margin(q: Array, action: Array, size: float = 0.8) -> Array:
    """Return DQfD's large-margin loss: other actions stay `size` below the given one (Hester et al., 2018)."""
    others = size * (1.0 - jax.nn.one_hot(action, q.shape[-1]))
    return jnp.max(q + others, axis=-1) - chosen(q, action)


def mean_margin(q: Array, action: Array, size: float = 1.0) -> Array:
    """Return the margin loss of Agarwal et al. (2022): the mean over all actions of their excess over the bound."""
    others = size * (1.0 - jax.nn.one_hot(action, q.shape[-1]))
    return jnp.maximum(q + others - chosen(q, action)[:, None], 0.0).mean(axis=-1)


def conservative(q: Array, action: Array, temperature: float = 1.0) -> Array:
    """Push down all values but the logged one: CQL(H) (Kumar et al., 2020)."""
    return jax.nn.logsumexp(q / temperature, axis=-1) - chosen(q, action) / temperature


def calibrated(q: Array, action: Array, floor: Array, temperature: float = 1.0) -> Array:
    """Return CQL(H) with values clipped from below at `floor` [B], such as the observed return (Cal-QL)."""
    above = jnp.maximum(q, floor[:, None])
    return jax.nn.logsumexp(above / temperature, axis=-1) - chosen(q, action) / temperature


def expectile(gain: Array, share: float) -> Array:
    """Return the expectile loss |share - 1[gain < 0]| * gain^2 of a value's shortfall (Kostrikov et al., 2022)."""
    return jnp.where(gain < 0.0, 1.0 - share, share) * jnp.square(gain)


def advantage_weighted(logits: Array, action: Array, gain: Array, sharpness: float, most: float = 100.0) -> Array:
    """Return the cross-entropy of the policy to the action, weighted by min(exp(sharpness * gain), most).

    [B, A], [B], [B] -> [B]; the weight has no gradient (Peng et al., 2019: AWR).
    """
    weight = jnp.minimum(jnp.exp(sharpness * jax.lax.stop_gradient(gain)), most)
    return weight * imitate(logits, action)


def steadied(q: Array) -> Array:
    """Return the same values [B, A], with a gradient only for their mean over the actions: their order stays."""
    mean = q.mean(axis=-1, keepdims=True)
    return mean + jax.lax.stop_gradient(q - mean)
