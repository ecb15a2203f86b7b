"""Random numbers for JAX: one key per game, for N games at once."""

import jax
import jax.numpy as jnp

from .game import Array


class Keys:
    """Random numbers for one step of N games, for traced functions; the keys [N] must not be used for anything else.

    All `draws` of a game are made at once, and depend only on its own key.
    """

    xp = jnp

    def __init__(self, keys: Array, draws: int):
        self.n, self._used = len(keys), 0
        self._floats = jax.vmap(lambda key: jax.random.uniform(key, (draws,)))(keys).T  # [draws, N]

    def uniform(self, where: Array | None = None, times: int | None = None) -> Array:
        """Return [N] floats in [0, 1), or [times, N]."""
        begin, self._used = self._used, self._used + (times or 1)
        if self._used > len(self._floats):
            raise ValueError(f"a step makes {self._used} or more draws, but the game states {len(self._floats)}")
        return self._floats[begin] if times is None else self._floats[begin : self._used]

    def below(self, high: Array | int, where: Array, times: int | None = None) -> Array:
        """Return [N] integers in [0, high), or [times, N], uniform to within 1 in 2**20."""
        return jnp.minimum((self.uniform(where, times) * high).astype(int), jnp.maximum(jnp.asarray(high) - 1, 0))
