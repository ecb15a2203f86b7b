"""N superpressure balloons: buoyancy, heat, envelope, altitude control system and battery, in steps of ten seconds.

After Bellemare et al., *Autonomous navigation of stratospheric balloons using reinforcement learning* (Nature, 2020),
and the Balloon Learning Environment. A balloon sinks by pumping air into its ballonet, and rises by letting it out.
"""

from typing import Any, NamedTuple

import numpy as np

from . import sun
from .air import AIR, GAS, GRAVITY, HELIUM, Air, at_pressure

DOWN, STAY, UP = 0, 1, 2
FLYING, OUT_OF_POWER, BURST, ZERO_PRESSURE = 0, 1, 2, 3
SECONDS, SUBSTEPS = 10, 18  # a step of the physics, and how many make a step of the agent
EARTH = 6_371_000.0  # radius [m]
LIFT = 6830.0  # helium [mol]
ENVELOPE, PAYLOAD = 68.5, 92.5  # masses [kg]
EMPTY = HELIUM * LIFT + ENVELOPE + PAYLOAD  # without air in the ballonet [kg]
VOLUME, STRETCH, DRAG = 1804.0, 0.0199, 0.25  # [m^3], more of it by superpressure [m^3/Pa], drag coefficient
MOST_SUPERPRESSURE = 2380.0  # the envelope bursts beyond [Pa]
CAPACITY, FULL = 3058.56, 2905.6  # of the battery, and its charge at the beginning [Wh]
NIGHT_LOAD, DAY_LOAD = 183.7, 120.4  # power of all but the compressor [W]
VALVE = 0.62 * np.pi * 0.04**2 / 4.0  # effective area [m^2]
SUN_VIEW, EARTH_VIEW = 0.25, 0.4605  # shares of the envelope that see the sun and the Earth
REFLECTED, STEFAN_BOLTZMANN, FILM_HEAT = 0.0291, 5.6704e-8, 1500.0  # [W/(m^2 K^4)], [J/(kg K)]
RATIOS, POWERS = np.array([1.0, 1.05, 1.2, 1.25, 1.35]), np.array([100.0, 100.0, 300.0, 400.0, 400.0])
EFFICIENCY = np.array(  # of the compressor, by power 100, 200, 300, 400 W and pressure ratio 1.05, 1.075, ... 1.35
    [
        [0.4, 0.4, 0.3, 0.2, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.4, 0.3, 0.3, 0.3, 0.25, 0.23, 0.2, 0.15, 0.12, 0.1, 0.0, 0.0, 0.0],
        [0.0, 0.3, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2, 0.15, 0.13, 0.12, 0.11],
        [0.0, 0.23, 0.23, 0.23, 0.23, 0.23, 0.2, 0.2, 0.2, 0.18, 0.16, 0.15, 0.13],
    ]
)


class Place(NamedTuple):
    """What stays the same during an episode."""

    latitude: np.ndarray  # of the station [rad]
    longitude: np.ndarray
    infrared: np.ndarray  # radiation from below [W/m^2]
    air: Air


class Balloons(NamedTuple):
    """The state of N balloons, an array [N] each."""

    x: np.ndarray  # east of the station [m]
    y: np.ndarray  # north of it [m]
    pressure: np.ndarray  # of the air around [Pa]
    ambient: np.ndarray  # its temperature [K]
    inside: np.ndarray  # temperature of the gas [K]
    ballast: np.ndarray  # air in the ballonet [mol]
    volume: np.ndarray  # [m^3]
    superpressure: np.ndarray  # [Pa]
    compressor: np.ndarray  # power [W]
    charge: np.ndarray  # of the battery [Wh]
    time: np.ndarray  # seconds since 1970
    elapsed: np.ndarray  # seconds since the episode began
    status: np.ndarray  # FLYING, OUT_OF_POWER, BURST or ZERO_PRESSURE

    def pressure_ratio(self) -> np.ndarray:
        """Return the pressure inside by the pressure outside."""
        return (self.pressure + np.maximum(self.superpressure, 0.0)) / self.pressure


def coordinates(place: Place, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude [rad] of points by their offsets from the station [..., N]."""
    heading, angle = np.arctan2(x, y), np.sqrt(x * x + y * y) / EARTH
    sine, cosine = np.sin(place.latitude), np.cos(place.latitude)
    high = np.cos(angle) * sine + np.sin(angle) * cosine * np.cos(heading)
    east = np.arctan2(np.sin(angle) * cosine * np.sin(heading), np.cos(angle) - sine * high)
    longitude = place.longitude + east
    return np.arcsin(np.clip(high, -1.0, 1.0)), longitude - 2 * np.pi * np.round(longitude / (2 * np.pi))


def fly(now: Balloons, place: Place, wind: np.ndarray, command: np.ndarray) -> Balloons:
    """Return the balloons three minutes later in a steady wind [N, 2, m/s]; one that fails stays as it failed."""
    after = SECONDS * np.arange(SUBSTEPS)[:, None]
    latitude, longitude = coordinates(place, now.x + wind[:, 0] * after, now.y + wind[:, 1] * after)
    orbit = sun.orbit(now.time + after)
    height = sun.elevation(latitude, longitude, orbit)
    by_day, facing, earth = height > sun.HORIZON, sun.facing(height), _from_below(place.infrared)
    for i in range(SUBSTEPS):
        light = sun.transmission(height[i], now.pressure)
        heat = light * orbit.flux[i] * SUN_VIEW * _absorbed(0.01435) + earth
        power = np.where(by_day[i], 210.0 * light * facing[i], 0.0), np.where(by_day[i], DAY_LOAD, NIGHT_LOAD)
        later = _ten_seconds(now, place.air, command, heat, power)
        later = later._replace(x=now.x + wind[:, 0] * SECONDS, y=now.y + wind[:, 1] * SECONDS)
        flying = now.status == FLYING
        now = later if flying.all() else Balloons(*(np.where(flying, b, a) for a, b in zip(now, later, strict=True)))
    return now


def _ten_seconds(now: Balloons, air: Air, command: np.ndarray, heat: np.ndarray, power: tuple) -> Balloons:
    """Take one explicit step: all rates are those of the state before it."""
    density = now.pressure * AIR / (GAS * now.ambient)
    mass = EMPTY + AIR * now.ballast
    excess = density * now.volume - mass
    sign = np.where(excess >= 0, 1.0, -1.0)
    speed = np.sqrt(np.abs(2 * excess * GRAVITY / (density * (DRAG * now.volume ** (2.0 / 3.0)))))
    heights, temperatures = at_pressure(air, np.stack([now.pressure, now.pressure + sign], axis=1))
    climb = sign / (heights[:, 1] - heights[:, 0]) * (sign * speed)  # [Pa/s]
    radius = _radius(now.volume)
    warming = _warming(now.inside, heat, now.ambient, radius, _convection(radius, now.ambient, now.pressure))
    volume, superpressure = inflated(now.ballast, now.inside, now.pressure)
    compressor, flow = _altitude_control(now, command)
    charge = np.clip(now.charge + (power[0] - (power[1] + compressor)) * (SECONDS / 3600.0), 0.0, CAPACITY)
    status = np.where(superpressure > MOST_SUPERPRESSURE, BURST, now.status)
    status = np.where(superpressure <= 0.0, ZERO_PRESSURE, status)
    return Balloons(
        now.x,
        now.y,
        now.pressure + climb * SECONDS,
        temperatures[:, 0],
        now.inside + warming * SECONDS,
        np.maximum(now.ballast + flow / AIR * SECONDS, 0.0),
        volume,
        superpressure,
        compressor,
        charge,
        now.time + SECONDS,
        now.elapsed + SECONDS,
        np.where(charge <= 0.0, OUT_OF_POWER, status),
    )


def _altitude_control(now: Balloons, command: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the compressor's power [W] and the air that enters the ballonet [kg/s]."""
    ratio = now.pressure_ratio()
    compressor = np.where(command == DOWN, np.interp(ratio, RATIOS, POWERS), 0.0)
    pumped = _efficiency(ratio, compressor) * compressor / 3600.0
    density = (now.superpressure + now.pressure) * AIR / (GAS * now.inside)
    vented = -VALVE * np.sqrt(2.0 * now.superpressure * density)
    return compressor, np.where(command == UP, vented, pumped)


def _efficiency(ratio: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Return the compressor's efficiency, bilinear between its measured points and constant beyond."""
    across, down = np.clip((ratio - 1.05) / 0.025, 0.0, 12.0), np.clip((power - 100.0) / 100.0, 0.0, 3.0)
    i, j = np.minimum(across.astype(int), 11), np.minimum(down.astype(int), 2)
    a, b = across - i, down - j
    near = EFFICIENCY[j, i] * (1 - a) + EFFICIENCY[j, i + 1] * a
    return near * (1 - b) + (EFFICIENCY[j + 1, i] * (1 - a) + EFFICIENCY[j + 1, i + 1] * a) * b


def inflated(ballast: np.ndarray, inside: np.ndarray, pressure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return volume [m^3] and superpressure [Pa]: from V = V0 + k (p - p_out) and p V = n R T once it is full."""
    free = (LIFT + ballast) * GAS * inside / pressure  # the volume of the gas without an envelope
    b = VOLUME - STRETCH * pressure
    volume = 0.5 * (b + np.sqrt(b * b + 4 * STRETCH * free * pressure))
    full = free > VOLUME
    return np.where(full, volume, free), np.where(full, pressure * free / volume - pressure, 0.0)


def _radius(volume: np.ndarray | float) -> Any:
    return (3 * volume / (4 * np.pi)) ** (1 / 3)


def _absorbed(share: Any) -> Any:
    """Return what the film absorbs in all, given what it absorbs of a ray that passes once."""
    return share * (1.0 + (1.0 - share - REFLECTED) / (1.0 - REFLECTED))


def _absorbed_infrared(temperature: np.ndarray) -> np.ndarray:
    return _absorbed(0.04587 + 0.000232 * (temperature - 210.0))


def _from_below(infrared: np.ndarray) -> np.ndarray:
    """Return the heat from the Earth by area of the envelope [W/m^2]."""
    return infrared * EARTH_VIEW * _absorbed_infrared((infrared / STEFAN_BOLTZMANN) ** 0.25)


def _convection(radius: Any, ambient: np.ndarray, pressure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the Rayleigh number by kelvin of difference, and the conductivity of the air by diameter."""
    viscosity = 1.458e-6 * ambient**1.5 / (ambient + 110.4)
    density = pressure * AIR / (GAS * ambient)
    grashof = 9.80665 * density**2 * (2 * radius) ** 3 / (ambient * viscosity**2)
    return (0.804 - 3.25e-4 * ambient) * grashof, 0.0241 * (ambient / 273.15) ** 0.9 / (2 * radius)


def _warming(inside: np.ndarray, heat: np.ndarray, ambient: np.ndarray, radius: Any, convection: tuple) -> np.ndarray:
    """Return how fast the gas warms [K/s], given radiation by area [W/m^2]."""
    gap = ambient - inside
    rayleigh = convection[0] * np.abs(gap)
    nusselt = 2 + 0.457 * np.sqrt(np.sqrt(rayleigh)) + (1 + 2.69e-8 * rayleigh) ** (1.0 / 12.0)
    emitted = STEFAN_BOLTZMANN * inside**4 * _absorbed_infrared(inside)
    area = 4 * np.pi * radius * radius
    return area * (heat + nusselt * convection[1] * gap - emitted) / (FILM_HEAT * ENVELOPE)


def floating_ballast(pressure: np.ndarray, ambient: np.ndarray) -> np.ndarray:
    """Return the air in the ballonet with which a balloon floats at a pressure [mol]."""
    lifted = pressure * AIR * VOLUME / (GAS * ambient) - EMPTY
    return np.maximum(lifted / AIR, 0.0)


def afloat(place: Place, x: np.ndarray, y: np.ndarray, pressure: np.ndarray, time: np.ndarray) -> Balloons:
    """Return balloons that float steadily at a pressure, their batteries almost full."""
    none, ambient = np.zeros(len(x)), at_pressure(place.air, pressure)[1]
    orbit = sun.orbit(time)
    height = sun.elevation(*coordinates(place, x, y), orbit)
    inside = steady_temperature(place, pressure[:, None], ambient[:, None], height, orbit.flux)[:, 0]
    ballast = floating_ballast(pressure, ambient)
    volume, superpressure = inflated(ballast, inside, pressure)
    counts = time, none.astype(int), np.full(len(x), FLYING)
    return Balloons(x, y, pressure, ambient, inside, ballast, volume, superpressure, none, none + FULL, *counts)


def steady_temperature(
    place: Place, pressure: np.ndarray, ambient: np.ndarray, height: np.ndarray, flux: np.ndarray
) -> np.ndarray:
    """Return the temperature at which the gas no longer warms [N, K], at pressures [N, K], under a sun of an elevation
    and a flux [N]; by Newton's method from 206 K, ten steps at most."""
    light = sun.transmission(height[:, None], pressure) * flux[:, None]
    heat = light * SUN_VIEW * _absorbed(0.01435) + _from_below(place.infrared)[:, None]
    radius = _radius(VOLUME)
    convection = _convection(radius, ambient, pressure)
    inside, moving = np.full_like(pressure, 206.0), np.ones(pressure.shape, bool)
    for _ in range(10):
        below = _warming(inside - 0.005, heat, ambient, radius, convection)
        above = _warming(inside + 0.005, heat, ambient, radius, convection)
        slope, mean = (above - below) / 0.01, (above + below) / 2.0
        step = np.divide(mean, slope, out=np.zeros_like(mean), where=moving & (slope != 0.0))
        inside = inside - step
        moving &= np.abs(mean) >= 1e-5
        if not moving.any():
            break
    return inside
