"""What the machine can do at most: products of matrices, measured where the rest is measured."""

import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp


def peak(seconds: float = 1.0, size: int = 2048, kind: Any = jnp.float32) -> float:
    """Return FLOPs a second of [size, size] products in float32 or bfloat16, the median of some."""
    multiply = jax.jit(lambda a: (a @ a) * (1.0 / size))
    a = jax.block_until_ready(multiply(jnp.ones((size, size), kind)))
    begun, rates = time.perf_counter(), []
    while not rates or time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        for _ in range(8):
            a = multiply(a)
        jax.block_until_ready(a)
        rates.append(8 * 2 * size**3 / (time.perf_counter() - started))
    return statistics.median(rates)
