"""The script that clones a log, whose returns docs/settings.md shows."""

import jax.numpy as jnp
import numpy as np

from .learning.clone import act, cloned


def test_a_clone_does_what_it_was_shown():
    obs = jnp.asarray(np.random.default_rng(0).uniform(-1.0, 1.0, (64, 3)), jnp.float32)
    actions = jnp.stack([obs[:, 0], -0.5 * obs[:, 1]], axis=1)
    first, last = (act(cloned(obs, actions, 1e-3, updates), obs) for updates in (0, 300))
    assert first.shape == last.shape == (64, 2)
    assert float(jnp.abs(last - actions).max()) < 0.1 < float(jnp.abs(first - actions).max())
