"""These tests compile many small programs, often the same one for many methods, and run each a few times."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def in_haste():
    """Compile in haste, since compiling is nearly all that these tests cost."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
