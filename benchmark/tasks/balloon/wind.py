"""The wind around N balloons: a forecast that a network draws for two days, and noise that the forecast does not know.

The network is the decoder of a variational autoencoder of historical winds (Greaves et al., 2021), whose weights come
with the Balloon Learning Environment's wheel. Its stream functions make each layer of the wind free of divergence. The
noise is OpenSimplex noise on five scales of space and time for each direction of the wind.
"""

import importlib
import itertools
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from . import genuine

LATENTS, STREAM, SIDE, HEIGHTS, TIMES = 64, 7, 21, 10, 9  # sizes of the network and of a field
FAR, LOW, HIGH, HOURS = 500.0, 5_000.0, 14_000.0, 48.0  # a field's extent [km, Pa, Pa, h]; beyond, its edge is repeated
SCALES = np.array(  # of the noise: weight, then x [km], y [km], pressure [Pa], time [h]; for u and for v
    [
        [
            [0.1445, 702.269, 2116.987, 2587.802, 245.0],
            [0.2766, 1483.570, 752.124, 646.208, 16.39],
            [0.2627, 276.810, 147.040, 587.702, 3.836],
            [0.2137, 10214.525, 1512.216, 965.629, 41.780],
            [0.1025, 181.286, 420.942, 8500.0, 245.0],
        ],
        [
            [0.2716, 1974.228, 2028.814, 713.697, 26.435],
            [0.2684, 699.738, 541.845, 632.116, 9.530],
            [0.2348, 217.750, 196.522, 686.825, 3.546],
            [0.1186, 47.500, 43.048, 66.553, 8.424],
            [0.1066, 3663.291, 232.023, 7499.741, 225.0],
        ],
    ]
)
WEIGHTS = SCALES[..., 0] * np.sqrt(1.02 / 0.0569)  # the noise has a deviation of about 1 m/s
WEIGHTS /= np.sqrt(SCALES[..., 0].sum(1) * (SCALES[..., 0] ** 2).sum(1))[:, None]


class Noise(NamedTuple):
    """The noise around one balloon."""

    generators: list[Any]  # ten, five for u and then five for v
    offset: np.ndarray  # where each begins [2, 5, 4]


def noise_of(seeds: np.ndarray, offset: np.ndarray) -> Noise:
    """Return the noise of ten seeds [2, 5] and offsets [2, 5, 4]."""
    opensimplex = importlib.import_module("opensimplex")  # from the extra
    return Noise([opensimplex.OpenSimplex(seed) for seed in seeds.ravel().tolist()], offset)


def noise_at(noises: list[Noise], point: np.ndarray) -> np.ndarray:
    """Return the noise [N, 2, m/s] at points [N, 4]: x and y [km], pressure [Pa], time [h].

    NumPy 2 adds a number of Python to one of single precision in single precision. In the wheel these are the time and,
    at an episode's beginning, the place. It is the same here, as a rounding error can change a teacher's choice.
    """
    offset = np.stack([noise.offset for noise in noises])
    place = point[:, None, None] / SCALES[..., 1:]
    single = place.astype(np.float32) + offset
    first = point[:, 3] == 0.0
    place = np.concatenate([place[..., :3] + offset[..., :3], single[..., 3:]], axis=-1)
    found = np.empty((len(noises), 10))
    for i, noise in enumerate(noises):
        places = list(single[i].reshape(10, 4)) if first[i] else place[i].reshape(10, 4).tolist()
        found[i] = [one.noise4(*at) for one, at in zip(noise.generators, places, strict=True)]
    return (found.reshape(-1, 2, 5) * WEIGHTS).sum(2)


@cache
def _layers() -> list[tuple[Any, Any]]:
    from flax import serialization

    stored = (genuine.folder() / "models" / "offlineskies22_decoder.msgpack").read_bytes()
    layers = serialization.msgpack_restore(stored)["params"]
    return [(layers[f"Dense_{i}"]["kernel"], layers[f"Dense_{i}"]["bias"]) for i in range(4)]


def decode(latents: Any) -> np.ndarray:
    """Return the forecast that the network draws from random numbers [64]: m/s, [x, y, pressure, time, direction]."""
    import jax
    import jax.numpy as jnp

    hidden = jnp.asarray(latents)
    for kernel, bias in _layers()[:-1]:
        hidden = jax.nn.relu(hidden @ kernel + bias)
    kernel, bias = _layers()[-1]
    stream = (hidden @ kernel + bias).reshape(STREAM, STREAM, HEIGHTS * TIMES)
    stream = np.asarray(jax.image.resize(stream, (SIDE + 2, SIDE + 2, HEIGHTS * TIMES), "linear"))
    u = (stream[2:, 1:-1] - stream[:-2, 1:-1]) / np.float32(2)
    v = (stream[1:-1, :-2] - stream[1:-1, 2:]) / np.float32(2)
    return np.stack([u, v], axis=-1).reshape(SIDE, SIDE, HEIGHTS, TIMES, 2)


def column(fields: np.ndarray, which: np.ndarray, x: np.ndarray, y: np.ndarray, elapsed: np.ndarray) -> np.ndarray:
    """Return the forecasts of the fields `which` [N] above points x, y [m] after `elapsed` seconds: [N, 10, 2, m/s], at
    5,000 Pa, 6,000 Pa and so on."""
    across, over = _grid()
    turn = elapsed / 3600.0 % (2 * HOURS)  # after two days, time runs back
    axes = [_between(across, np.clip(at / 1000.0, -FAR, FAR)) for at in (x, y)]
    axes.append(_between(over, np.minimum(turn, 2 * HOURS - turn)))
    found = np.zeros((len(x), HEIGHTS, 2))
    for corner in itertools.product(*([(low, 1 - share), (low + 1, share)] for low, share in axes)):
        (i, a), (j, b), (k, c) = corner
        found += (a * b * c)[:, None, None] * fields[which, i, j, :, k]
    return found


def at_pressure(column: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Return the forecasts [N, 2] of columns [N, 10, 2] at pressures [N]."""
    low, share = _between(np.linspace(LOW, HIGH, HEIGHTS), np.clip(pressure, LOW, HIGH))
    rows, share = np.arange(len(pressure)), share[:, None]
    return column[rows, low] * (1 - share) + column[rows, low + 1] * share


@cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Return the grid points of a field in x or y [km], with the wheel's rounding, and in time [h]."""
    import jax.numpy as jnp

    return np.asarray(jnp.linspace(-FAR, FAR, SIDE), float), np.linspace(0.0, HOURS, TIMES)


def _between(grid: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the grid point before each place, and how far the place is beyond it [0, 1], by single precision."""
    place = place.astype(np.float32).astype(float)
    low = np.clip(np.searchsorted(grid, place, side="right") - 1, 0, len(grid) - 2)
    return low, (place - grid[low]) / (grid[low + 1] - grid[low])
