"""What a balloon observes: 1,099 numbers, those that Perciatelli44 was trained on (Bellemare et al., 2020).

The first 16 describe the balloon. Then follow three for each of 361 levels of pressure, centred on the balloon: how
uncertain the wind is, how far from the station it blows, and how fast. Levels out of reach have 0, 1 and 1.
"""

from typing import NamedTuple

import numpy as np

from . import sun, vehicle, wind
from .air import AIR, GAS, at_pressure, pressure_at
from .estimate import Estimate
from .safety import BUFFER, LOWEST, Safety
from .vehicle import CAPACITY, DOWN, MOST_SUPERPRESSURE, STAY, UP, Balloons, Place

LEAST, MOST, LEVELS, ABOUT = 5_000.0, 14_000.0, 181, 16  # pressures [Pa], levels between them, numbers before these
FEATURES = ABOUT + 3 * (2 * LEVELS - 1)
PRESSURES = np.linspace(LEAST, MOST, LEVELS)
TINY = 1e-5
UNREACHABLE = np.array([0.0, 1.0, 1.0])  # a strong wind from the station, for sure
RATIOS = np.array([1.08, 1.11, 1.14, 1.17, 1.2, 1.23, 1.26])  # pressure ratios between the rows of the table below
CHARGES = np.array(  # shares of the battery's charge between the columns
    [[0.3, 0.4, 0.5], [0.3, 0.4, 0.7], [0.3, 0.4, 0.6], [0.3, 0.4, 0.5], [0.3, 0.4, 0.5], [0.4, 0.4, 0.5]]
    + [[0.5, 0.5, 0.6]] * 2
)
DESCENT = np.array(  # power that a descent takes [W]
    [
        [0, 150, 175, 200],
        [0, 200, 200, 225],
        [0, 225, 225, 250],
        [0, 200, 225, 250],
        [0, 225, 250, 275],
        [0, 0, 275, 300],
        [0, 0, 300, 325],
        [0, 0, 325, 350],
    ]
)


class Floats(NamedTuple):
    """Where balloons could float, in an atmosphere: N balloons, K = 22 pressures."""

    pressure: np.ndarray  # [N, K]: the least and the greatest possible, then 20 that do not depend on them [Pa]
    ambient: np.ndarray  # temperatures [N, K]
    ballast: np.ndarray  # air in the ballonet [N, K, mol]


class Sky(NamedTuple):
    """The sun above N balloons."""

    elevation: np.ndarray  # [N, deg]
    flux: np.ndarray  # [N, W/m^2]
    phase: np.ndarray  # 0 at sunrise, pi at sunset, 2 pi at the next sunrise
    excess: np.ndarray  # bool, the battery is full and the panels yield more than the balloon needs


def floats(place: Place) -> Floats:
    """Return where balloons could float: at least without air in the ballonet, at most at the lowest height allowed."""
    greatest = pressure_at(place.air, LOWEST)
    column = np.linspace(1000.0, greatest, 20, axis=1)
    dense = column / at_pressure(place.air, column)[1]
    empty = vehicle.EMPTY * GAS / (AIR * vehicle.VOLUME)
    k = np.clip((dense < empty).sum(1), 1, 19)[:, None]
    (low, high), (p, q) = ([np.take_along_axis(of, k - d, 1)[:, 0] for d in (1, 0)] for of in (dense, column))
    least = p + (empty - low) * (q - p) / (high - low)
    pressure = np.column_stack([least, greatest, column])
    ambient = at_pressure(place.air, pressure)[1]
    return Floats(pressure, ambient, vehicle.floating_ballast(pressure, ambient))


def look(now: Balloons, place: Place) -> Sky:
    """Return the sun above balloons."""
    latitude, longitude = vehicle.coordinates(place, now.x, now.y)
    orbit = sun.orbit(now.time)
    elevation = sun.elevation(latitude, longitude, orbit)
    sunrise, sunset = sun.next_sunrise_sunset(latitude, longitude, now.time)
    day = sunset < sunrise
    began, ends = np.where(day, sunrise, sunset) - sun.DAY, np.where(day, sunset, sunrise)
    phase = np.where(day, 0.0, np.pi) + np.pi * (now.time - began) / (ends - began)
    excess = (sun.panel_power(elevation, now.pressure) > vehicle.DAY_LOAD) & (now.charge / CAPACITY > 0.99)
    return Sky(elevation, orbit.flux, phase, excess)


def reach(place: Place, sky: Sky, could: Floats) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the greatest pressure [N] at which a balloon can float with a safe superpressure.

    ValueError if there is none.
    """
    inside = vehicle.steady_temperature(place, could.pressure, could.ambient, sky.elevation, sky.flux)
    strain = vehicle.inflated(could.ballast, inside, could.pressure)[1]
    up, down = could.pressure[:, 2:], could.pressure[:, :1:-1]
    above = _first_safe(could.pressure[:, :1], strain[:, :1], up, strain[:, 2:], up >= could.pressure[:, :1])
    below = _first_safe(could.pressure[:, 1:2], strain[:, 1:2], down, strain[:, :1:-1], down <= could.pressure[:, 1:2])
    return above, below


def _first_safe(end, strain_at_end, pressure, strain, plausible) -> np.ndarray:
    """Return the first safe pressure from an end [N, 1] along a column [N, K], between its points by interpolation."""
    pressure = np.concatenate([end, np.where(plausible, pressure, end)], axis=1)
    strain = np.concatenate([strain_at_end, np.where(plausible, strain, strain_at_end)], axis=1)
    safe = (strain >= BUFFER) & (strain <= MOST_SUPERPRESSURE - BUFFER)
    if not safe.any(1).all():
        raise ValueError("a balloon cannot float safely at any pressure")
    rows, first = np.arange(len(safe)), safe.argmax(1)
    before = np.maximum(first - 1, 0)
    unsafe, found = strain[rows, before], strain[rows, first]
    limit = np.where(unsafe < BUFFER, BUFFER, MOST_SUPERPRESSURE - BUFFER)
    share = np.divide(limit - unsafe, found - unsafe, out=np.zeros_like(found), where=first > 0)
    return pressure[rows, before] + share * (pressure[rows, first] - pressure[rows, before])


def vector(now: Balloons, command: np.ndarray, safety: Safety, sky: Sky, winds: np.ndarray) -> np.ndarray:
    """Return the observations [N, 1099] of balloons after a command, given what `winds` says."""
    n = len(now.x)
    features = np.empty((n, FEATURES), np.float32)
    ratio, charge = now.pressure_ratio(), now.charge / CAPACITY
    heading, far = np.arctan2(-now.x, -now.y), np.sqrt(now.x * now.x + now.y * now.y) / 1000.0
    row = np.searchsorted(RATIOS, ratio, side="right")
    column = (CHARGES[row] <= charge[:, None]).sum(1)
    paused = safety.paused()
    about = (
        np.clip((now.pressure - LEAST) / (MOST - LEAST), 0.0, 1.0), charge,
        np.clip((sky.elevation + 90.0) / 180.0, 0.0, 1.0), np.sin(sky.phase), np.cos(sky.phase),
        np.sin(heading), np.cos(heading), far / (far + 250.0), command == UP, command == STAY, command == DOWN,
        paused, ~paused, sky.excess, np.clip((DESCENT[row, column] - 100.0) / 200.0, 0.0, 1.0), ratio,
    )  # fmt: skip
    features[:, :ABOUT] = np.stack(about, axis=1)
    centred = features[:, ABOUT:].reshape(n, 2 * LEVELS - 1, 3)
    centred[:] = UNREACHABLE
    nearest = np.rint((np.clip(now.pressure, LEAST, MOST) - LEAST) / (PRESSURES[1] - PRESSURES[0])).astype(int)
    centred[np.arange(n)[:, None], LEVELS - 1 - nearest[:, None] + np.arange(LEVELS)] = winds
    return features


def winds(now: Balloons, which: np.ndarray, column: np.ndarray, bounds: tuple, known: Estimate) -> np.ndarray:
    """Return what the balloons `which` [N] know of the wind at all levels [N, 181, 3], given forecasts [N, 10, 2] and
    the pressures in reach: how uncertain it is, the angle between it and the way to the station, how fast it is."""
    n = len(now.x)
    mean, uncertain = np.zeros((n, LEVELS, 2)), np.zeros((n, LEVELS))
    where = np.stack([now.x, now.y, now.pressure, now.elapsed], axis=1)
    first, last = np.searchsorted(PRESSURES, bounds[0]), np.searchsorted(PRESSURES, bounds[1], side="right")
    for i in range(n):
        reached = slice(first[i], last[i])
        mean[i, reached], uncertain[i, reached] = known.at(which[i], where[i], PRESSURES[reached])
    mean += BETWEEN @ column
    far, speed = np.sqrt(now.x * now.x + now.y * now.y)[:, None], np.sqrt((mean * mean).sum(2))
    station = -np.stack([now.x, now.y], axis=1)[:, None] / (far + TINY)[:, None]
    cosine = (mean * station).sum(2) / (speed + TINY)
    angle = np.where(speed < TINY, np.pi, np.arccos(np.clip(cosine, -1.0, 1.0)))
    told = np.stack([uncertain, np.where(far < TINY, 0.0, angle / np.pi), speed / (speed + 30.0)], axis=2)
    level = np.arange(LEVELS)
    return np.where(((level >= first[:, None]) & (level < last[:, None]))[..., None], told, UNREACHABLE)


def _between_heights() -> np.ndarray:
    """Return the weights with which levels take the wind of a field's heights [181, 10]."""
    place = (PRESSURES - wind.LOW) / ((wind.HIGH - wind.LOW) / (wind.HEIGHTS - 1))
    return np.maximum(1.0 - np.abs(place[:, None] - np.arange(wind.HEIGHTS)), 0.0)


BETWEEN = _between_heights()
