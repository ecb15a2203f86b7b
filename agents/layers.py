"""Building blocks of all networks: stacked images as channels, plain or noisy dense layers, plain or dueling heads.

The functions are called inside a network and read its options: `width` scales the hidden layers, `layer_norm`
normalises the dense ones and `norm=layer` all of them, `activation` follows each, `noisy` makes the dense ones noisy,
`dueling` splits the last one, and `bfloat16` sets the compute type; parameters and values stay float32.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from math import inf
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import Array

XAVIER = nn.initializers.xavier_uniform()
NOISE = "noise"  # name of the random key of noisy layers
CACHED = 2**18  # numbers that stay in a core's cache
MOST: ContextVar[float] = ContextVar("most", default=0)  # numbers in all patches of convolutions traced as products


def by_products(call: Callable[..., Any], most: float = inf) -> Callable[..., Any]:
    """Return the function with convolutions that are fast on a CPU: as products of matrices, if all their patches hold
    at most so many numbers.

    In a loop this is faster for all convolutions, elsewhere only for those whose patches stay in the cache.
    """

    @wraps(call)
    def traced(*arguments: Any) -> Any:
        before = MOST.set(max(most, MOST.get()) if jax.default_backend() == "cpu" else 0)
        try:
            return call(*arguments)
        finally:
            MOST.reset(before)

    return traced


def image(obs: Array) -> Array:
    """Turn [B, S, H, W] or [B, S, H, W, C] into [B, H, W, S * C] float32; bytes are scaled to [0, 1]."""
    x = obs if obs.ndim == 5 else obs[..., None]
    x = jnp.moveaxis(x, 1, -2).reshape(x.shape[0], *x.shape[2:4], -1)
    scale = 255.0 if obs.dtype == jnp.uint8 else 1.0
    return x.astype(jnp.float32) / scale


def flat(obs: Array) -> Array:
    """Flatten observations to float32, bytes scaled to [0, 1]: [B, ...] -> [B, F]."""
    x = obs.reshape(obs.shape[0], -1).astype(jnp.float32)
    return x / 255.0 if obs.dtype == jnp.uint8 else x


class Noisy(nn.Module):
    """A dense layer with factorised Gaussian noise of learned scale on its weights (Fortunato et al., 2018).

    Without a random key it uses the mean weights, as in evaluation.
    """

    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (x.shape[-1], self.features)
        bound = shape[0] ** -0.5

        def uniform(key, shape):
            return jax.random.uniform(key, shape, minval=-bound, maxval=bound)

        sizes = nn.initializers.constant(0.5 * bound)
        kernel, bias = self.param("kernel", uniform, shape), self.param("bias", uniform, shape[1:])
        kernel_noise, bias_noise = self.param("kernel_noise", sizes, shape), self.param("bias_noise", sizes, shape[1:])
        if self.has_rng(NOISE):
            before, after = (jax.random.normal(self.make_rng(NOISE), (size,)) for size in shape)
            before, after = (jnp.sign(z) * jnp.sqrt(jnp.abs(z)) for z in (before, after))
            kernel, bias = kernel + kernel_noise * jnp.outer(before, after), bias + bias_noise * after
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        return x @ kernel + bias


def precision(net: Any) -> Any:
    """Return the network's compute type; None for that of its inputs and weights."""
    return jnp.bfloat16 if net.bfloat16 else None


def normalised(net: Any, x: Array) -> Array:
    """Apply layer norm over the features if the option `norm` is "layer"."""
    return nn.LayerNorm(dtype=precision(net))(x) if net.norm == "layer" else x


def conv(net: Any, x: Array, features: int, kernel: int, stride: int = 1, padding: str = "SAME") -> Array:
    """Return a convolution [B, H, W, C] -> [B, H', W', width * features]."""
    size, strides = (kernel, kernel), (stride, stride)
    features = round(net.width * features)
    how = by_product if 0 < x.size * (kernel / stride) ** 2 <= MOST.get() else None
    made = nn.Conv(features, size, strides, padding, kernel_init=XAVIER, dtype=precision(net), conv_general_dilated=how)
    return normalised(net, made(x))


def by_product(x: Array, kernel: Array, strides: Any, padding: Any, *, dimension_numbers: Any, **unused: Any) -> Array:
    """Convolve [B, H, W, C] with [h, w, C, D] as one matrix product.

    On a CPU, XLA runs convolutions inside a loop by slow fallback code, and small ones at half the speed of their
    product.
    """
    height, width, _, features = kernel.shape
    ends = (
        jax.lax.padtype_to_pads(x.shape[1:3], (height, width), strides, padding)
        if isinstance(padding, str)
        else padding
    )
    x = jnp.pad(x, [(0, 0), *ends, (0, 0)])
    rows, columns = (x.shape[1] - height) // strides[0] + 1, (x.shape[2] - width) // strides[1] + 1
    parts = [
        x[:, i : i + (rows - 1) * strides[0] + 1 : strides[0], j : j + (columns - 1) * strides[1] + 1 : strides[1]]
        for i in range(height)
        for j in range(width)
    ]
    seen = jnp.concatenate(parts, axis=-1).reshape(len(x) * rows * columns, -1)
    return (seen @ kernel.reshape(-1, features)).reshape(len(x), rows, columns, features)


def dense(net: Any, x: Array, features: int) -> Array:
    """Return a dense layer [B, C] -> [B, features]."""
    if net.noisy:
        return Noisy(features, dtype=precision(net))(x)
    return nn.Dense(features, kernel_init=XAVIER, dtype=precision(net))(x)


def hidden(net: Any, x: Array, features: int) -> Array:
    """Return a hidden dense layer [B, C] -> [B, width * features]."""
    x = dense(net, x, round(net.width * features))
    activation = getattr(nn, getattr(net, "activation", "relu"))
    return activation(nn.LayerNorm(dtype=precision(net))(x) if net.layer_norm else normalised(net, x))


def implied(net: Any, x: Array, waves: Array | None) -> Array:
    """Combine features [B, C] with the cosine embedding of K quantile fractions [B, K, 64] -> [B * K, C], b-major.

    The embedding passes through a dense layer and multiplies the features (Dabney et al., 2018: IQN, equation 4).
    Without it the features are returned unchanged.
    """
    if waves is None:
        return x
    told = nn.relu(nn.Dense(x.shape[-1], kernel_init=XAVIER, dtype=precision(net), name="places")(waves))
    return (x[:, None, :] * told).reshape(-1, x.shape[-1])


def values(net: Any, x: Array) -> Array:
    """Return the last layer [B, C] -> [B, actions * atoms] float32.

    Dueling: one stream for the state, one for each action's advantage over their mean (Wang et al., 2016).
    """
    q = dense(net, x, net.actions * net.atoms)
    if net.dueling:
        advantage, state = q.reshape(-1, net.actions, net.atoms), dense(net, x, net.atoms)[:, None]
        q = (state + advantage - advantage.mean(axis=1, keepdims=True)).reshape(q.shape)
    return q.astype(jnp.float32)
