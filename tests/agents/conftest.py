"""These tests compile many small programs and run each a few times."""

import jax
import pytest


@pytest.fixture(autouse=True)
def in_haste():
    """Compiling is nearly all that they cost."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
