"""These tests compile many small programs, often the same one for many methods, and run each a few times."""

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

HASTE = {
    "jax_disable_most_optimizations": True,
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


@pytest.fixture(autouse=True, scope="module")
def in_haste(tmp_path_factory):
    """Compiling is nearly all that they cost."""
    settings = {**HASTE, "jax_compilation_cache_dir": str(tmp_path_factory.getbasetemp() / "compiled")}
    before = {name: jax.config.values[name] for name in settings}
    configure(settings)
    yield
    configure(before)


def configure(settings):
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # JAX reads these settings only once, before its first compilation
