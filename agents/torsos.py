"""Plain networks: convolutions, residual blocks or dense layers, and a value for each action.

`layers` documents their options; `networks` nests them in other networks, and builds them by name.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
from jax import Array

from .layers import conv, flat, hidden, image, implied, values
from .pooling import max_pool


class Torso(nn.Module):
    """Options of all plain networks."""

    actions: int
    width: float = 1.0
    layer_norm: bool = False
    norm: str = ""  # "layer": of convolutions too
    dueling: bool = False
    noisy: bool = False
    bfloat16: bool = False
    atoms: int = 1  # values per action


class Conv(Torso):
    """Convolutions (features, kernel, stride[, padding]), then dense layers, then one value per action."""

    layers: Sequence[Sequence[Any]] = ()
    dense: int = 512
    depth: int = 1  # dense layers
    padding: str = "VALID"

    @nn.compact
    def __call__(self, obs: Array, waves: Array | None = None) -> Array:
        x = image(obs)
        for features, kernel, stride, *padding in self.layers:
            x = nn.relu(conv(self, x, features, kernel, stride, padding[0] if padding else self.padding))
        x = implied(self, x.reshape(x.shape[0], -1), waves)
        for _ in range(self.depth):
            x = hidden(self, x, self.dense)
        return values(self, x)


class Impala(Torso):
    """Three stages of residual blocks (Espeholt et al., 2018), without the LSTM.

    `pool_padding`: padding of the pooling on every side in pixels, as in torch; -1: SAME padding.
    """

    stages: Sequence[int] = (16, 32, 32)
    blocks: int = 2  # in each stage
    pool_padding: int = -1
    dense: int = 512
    depth: int = 1  # dense layers

    @nn.compact
    def __call__(self, obs: Array, waves: Array | None = None) -> Array:
        x, padding = image(obs), [(self.pool_padding, self.pool_padding)] * 2 if self.pool_padding >= 0 else "SAME"
        for features in self.stages:
            x = conv(self, x, features, 3)
            x = max_pool(x, 3, 2, padding)
            for _ in range(self.blocks):
                y = conv(self, nn.relu(x), features, 3)
                x += conv(self, nn.relu(y), features, 3)
        x = implied(self, nn.relu(x).reshape(x.shape[0], -1), waves)
        for _ in range(self.depth):
            x = hidden(self, x, self.dense)
        return values(self, x)


class MLP(Torso):
    """Dense layers on the flattened observation: `depth` layers of `size` units, or layers of the given `sizes`."""

    size: int = 128
    depth: int = 2
    sizes: Sequence[int] = ()
    activation: str = "relu"  # or another of limits.NAMES

    @nn.compact
    def __call__(self, obs: Array, waves: Array | None = None) -> Array:
        x = flat(obs)
        *first, last = self.sizes or (self.size,) * self.depth or (0,)
        for size in first:
            x = hidden(self, x, size)
        x = implied(self, x, waves)
        return values(self, hidden(self, x, last) if last else x)
