"""What an episode draws at random, from a key of JAX: the station, the atmosphere, the balloon's state and its wind.

The draws and their order are those of the Balloon Learning Environment, so that a seed begins the same episode in both.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from . import air, wind

FIRST, LAST = (int(datetime(*day, tzinfo=UTC).timestamp()) for day in ((2011, 1, 1), (2014, 12, 31)))
LEAST_INFRARED, MOST_INFRARED = 225.0, 315.0  # [W/m^2]
LEAST_PRESSURE, LOWEST = 6_500.0, 15_240.0  # the highest and the lowest start [Pa, m]
NOISES = 1_634_753_849  # seeds of the noise


NUMBERS = ("warmth", "time", "x", "y", "latitude", "longitude", "pressure", "infrared")  # fields of the next


class Start(NamedTuple):
    """The draws of one episode."""

    warmth: float  # of the atmosphere, 0 to 1
    time: int  # seconds since 1970
    x: float  # from the station [m]
    y: float
    latitude: float  # of the station [rad]
    longitude: float
    pressure: float  # [Pa]
    infrared: float  # radiation from below [W/m^2]
    noise: wind.Noise
    latents: Any  # of the forecast [64]


def key_of(seed: int) -> Any:
    """Return the key of a seed."""
    import jax

    return jax.random.PRNGKey(seed)


def start(key: Any) -> tuple[Any, Start]:
    """Return the next episode's key, and this episode's draws."""
    import jax
    import jax.numpy as jnp

    split, uniform = jax.random.split, jax.random.uniform
    later, key = split(key)
    key, of_air, of_time = split(key, 3)
    key, of_radius, of_angle, of_station, of_pressure, of_infrared = split(key, 6)
    _, of_wind = split(key)
    of_noise, of_forecast = split(of_wind)
    warmth = uniform(of_air).item()
    most = air.pressure_at(air.between(np.array([warmth])), LOWEST).item()
    radius = 200_000.0 * jax.random.beta(of_radius, 1.2, 2.0).item()
    angle = uniform(of_angle, (), minval=0.0, maxval=2.0 * jnp.pi).item()
    of_latitude, of_longitude = split(of_station)
    keys = jnp.concatenate([split(one, 5) for one in split(of_noise)])
    seeds = np.asarray(jax.vmap(lambda one: jax.random.randint(one, (), 0, NOISES))(keys))
    offset = np.asarray(jax.vmap(lambda one: uniform(one, (4,)))(keys) * 2.0 - 1.0)
    return later, Start(
        warmth,
        FIRST + jax.random.randint(of_time, (), 0, LAST - FIRST).item(),
        np.cos(angle) * radius,
        np.sin(angle) * radius,
        np.radians(uniform(of_latitude, (), minval=-10.0, maxval=10.0).item()),
        np.radians(uniform(of_longitude, (), minval=-175.0, maxval=175.0).item()),
        uniform(of_pressure, minval=LEAST_PRESSURE, maxval=most).item(),
        _infrared(of_infrared),
        wind.noise_of(seeds, offset.reshape(2, 5, 4)),
        jax.random.normal(of_forecast, (wind.LATENTS,)),
    )


def _infrared(key: Any) -> float:
    """Draw a logit-normal variable until it is large enough."""
    import jax

    while True:
        drawn = (MOST_INFRARED * jax.nn.sigmoid(2.0 + 315.0 * jax.random.normal(key))).item()
        if drawn >= LEAST_INFRARED:
            return drawn
        key, _ = jax.random.split(key)
