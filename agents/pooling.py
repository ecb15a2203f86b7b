"""Max-pooling whose gradient is fast on a CPU."""

from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import Array

Pads = tuple[tuple[int, int], tuple[int, int]]  # before and after the rows and the columns


def max_pool(x: Array, size: int, stride: int, padding: str | list[tuple[int, int]]) -> Array:
    """Max-pool [B, H, W, C] by windows of `size` rows and columns, `stride` <= `size` apart, as `nn.max_pool` does.

    The gradient of a tie goes to the first maximum, too. `nn.max_pool` scatters it, and slices alone would have it
    compare all again, which take five and four times as long on a CPU as remembering which was the maximum.
    """
    if isinstance(padding, str):
        padding = list(jax.lax.padtype_to_pads(x.shape[1:3], (size, size), (stride, stride), padding))
    (top, bottom), (left, right) = padding
    return _pooled(x, size, stride, ((top, bottom), (left, right)))


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _pooled(x: Array, size: int, stride: int, pads: Pads) -> Array:
    return _forward(x, size, stride, pads)[0]


def _forward(x: Array, size: int, stride: int, pads: Pads) -> tuple[Array, tuple[Array, Array]]:
    """Return the maxima [B, h, w, C], and what the gradient needs: the place of each in its window, and the shape of
    the input as that of an array without content."""
    rows, columns = pads
    wide = jax.lax.pad(x, jnp.asarray(-jnp.inf, x.dtype), [(0, 0, 0), (*rows, 0), (*columns, 0), (0, 0, 0)])
    height, width = wide.shape[1] - size + 1, wide.shape[2] - size + 1  # possible window starts
    parts = [wide[:, i : i + height : stride, j : j + width : stride] for i in range(size) for j in range(size)]
    best, place = parts[0], jnp.zeros(parts[0].shape, jnp.int32)
    for number, part in enumerate(parts[1:], 1):
        more = part > best
        best, place = jnp.where(more, part, best), jnp.where(more, number, place)
    return best, (place.astype(jnp.int8), jnp.zeros((0, *x.shape[1:3])))


def _backward(size: int, stride: int, pads: Pads, kept: tuple[Array, Array], slope: Array) -> tuple[Array]:
    """Sum, for each cell, the slopes of the windows whose maximum it is.

    Cells are taken by their phase within a stride: those of one phase are at the same places of their windows.
    """
    place, like = kept
    more = (size - 1) // stride  # windows before its own that may reach a cell

    def of(i: int, j: int) -> Array:
        (down, _), (right, _) = divmod(i, stride), divmod(j, stride)
        chosen = jnp.where(place == i * size + j, slope, 0.0)
        return jnp.pad(chosen, [(0, 0), (down, more - down), (right, more - right), (0, 0)])

    def phase(a: int, b: int) -> Array:
        return reduce(jnp.add, [of(i, j) for i in range(a, size, stride) for j in range(b, size, stride)])

    lines = [jnp.stack([phase(a, b) for b in range(stride)], axis=3) for a in range(stride)]
    cells = jnp.stack(lines, axis=2)  # [B, h + more, stride, w + more, stride, C]
    shape = (len(slope), cells.shape[1] * stride, cells.shape[3] * stride, slope.shape[-1])
    ends = [
        (-before, before + kept - covered, 0)
        for (before, _), kept, covered in zip(pads, like.shape[1:], shape[1:3], strict=True)
    ]
    zero = jnp.zeros((), slope.dtype)
    return (jax.lax.pad(cells.reshape(shape), zero, [(0, 0, 0), *ends, (0, 0, 0)]),)


_pooled.defvjp(_forward, _backward)
