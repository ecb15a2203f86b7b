"""Chance for JAX: one key a game, for N games at once."""

import jax
import jax.numpy as jnp

from .game import Array


class Keys:
    """The draws of one step of N games, for a traced function, from keys [N] that are used for nothing else.

    There are `draws` for each game at most, made at once; those of a game depend on its own key only.
    """

    xp = jnp

    def __init__(self, keys: Array, draws: int):
        self.n, self._used = len(keys), 0
        self._floats = jax.vmap(lambda key: jax.random.uniform(key, (draws,)))(keys).T  # [draws, N]

    def uniform(self, where: Array | None = None, times: int | None = None) -> Array:
        """Return [N] floats in [0, 1), or [times, N]."""
        begin, self._used = self._used, self._used + (times or 1)
        if self._used > len(self._floats):
            raise ValueError(f"a step makes {self._used} draws or more, and the game says {len(self._floats)}")
        return self._floats[begin] if times is None else self._floats[begin : self._used]

    def below(self, high: Array | int, where: Array, times: int | None = None) -> Array:
        """Return [N] integers in [0, high), or [times, N]: each as likely as the others to 1 in 2**20."""
        return jnp.minimum((self.uniform(where, times) * high).astype(int), jnp.maximum(jnp.asarray(high) - 1, 0))
