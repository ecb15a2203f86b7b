"""The sun above balloons: its elevation and flux, what its light yields, when it rises and sets.

The positions follow NOAA's solar calculator (Meeus, *Astronomical Algorithms*). All functions take arrays that
broadcast: latitudes and longitudes in radians, times in whole seconds since 1970 (UTC), elevations in degrees and
pressures in Pa.
"""

from typing import NamedTuple

import numpy as np

HORIZON = -4.242  # elevation at which the sun rises, seen from 17.5 km [deg]
DAY, STEP = 86_400, 180  # a day and the grid of sunrises [s]
SEA_LEVEL = 101_325.0  # pressure [Pa]
PANELS = ((4, 35.0, 3.3), (2, 65.0, 2.7))  # number, tilt [deg] and depth below the balloon [m]; 210 W each at most
BALLOON_RADIUS, BALLOON_HEIGHT, SHADE = 8.69275, 10.41603, 0.4392  # [m], and the light left in the balloon's shadow


class Orbit(NamedTuple):
    """The sun's place at a time, the same for every place on Earth."""

    of_day: np.ndarray  # time since midnight UTC, as a fraction of a day
    equation: np.ndarray  # equation of time, before conversion to degrees
    declination: np.ndarray  # [rad]
    flux: np.ndarray  # above the atmosphere [W/m^2]


def orbit(time: np.ndarray) -> Orbit:
    """Return where the sun is at a time."""
    of_day = time % DAY / DAY
    century = (time // DAY + 2_440_587.5 + of_day - 2_451_545.0) / 36_525.0
    longitude = np.radians(280.46646 + century * (36_000.76983 + century * 0.0003032))
    anomaly = np.radians(357.52911 + century * (35_999.05029 - 0.0001537 * century))
    node = np.radians(125.04 - 1_934.136 * century)
    eccentricity = 0.016708634 - century * (0.000042037 + 0.0000001267 * century)
    seconds = 21.448 - century * (46.815 + century * (0.00059 - century * 0.001813))
    obliquity = np.radians(23.0 + (26.0 + seconds / 60.0) / 60.0) + np.radians(0.00256 * np.cos(node))
    sine, sine2 = np.sin(anomaly), np.sin(2.0 * anomaly)
    y = np.tan(obliquity / 2.0) ** 2
    equation = 4.0 * (
        y * np.sin(2.0 * longitude)
        - 2.0 * eccentricity * sine
        + 4.0 * eccentricity * y * sine * np.cos(2.0 * longitude)
        - 0.5 * y * y * np.sin(4.0 * longitude)
        - 1.25 * eccentricity * eccentricity * sine2
    )
    center = sine * (1.914602 - century * (0.004817 + 0.000014 * century))
    center = center + sine2 * (0.019993 - 0.000101 * century) + np.sin(3.0 * anomaly) * 0.000289
    apparent = longitude + np.radians(center) - np.radians(0.00569 - 0.00478 * np.sin(node))
    swing = ((1 + eccentricity) / (1 - eccentricity)) ** 2 - 1
    flux = 1366.0 * (1 + 0.5 * swing * np.cos(anomaly))
    return Orbit(of_day, equation, np.arcsin(np.sin(obliquity) * np.sin(apparent)), flux)


def elevation(latitude: np.ndarray, longitude: np.ndarray, sun: Orbit) -> np.ndarray:
    """Return how high the sun stands above the horizon, refraction included [deg]."""
    minutes = np.fmod(1440.0 * sun.of_day + np.degrees(sun.equation) + 4.0 * np.degrees(longitude), 1440.0)
    hour = np.radians(minutes) / 4.0
    hour = np.where(hour < 0, hour + np.pi, hour - np.pi)
    height = np.sin(latitude) * np.sin(sun.declination)
    height = height + np.cos(latitude) * np.cos(sun.declination) * np.cos(hour)
    bare = 90.0 - np.degrees(np.arccos(np.clip(height, -1.0, 1.0)))
    with np.errstate(divide="ignore", invalid="ignore"):  # of the formulas for other elevations
        tangent = np.tan(np.radians(bare))
        high = 58.1 / tangent - 0.07 / tangent**3 + 0.000086 / tangent**5
        low = 1735.0 + bare * (-518.2 + bare * (103.4 + bare * (-12.79 + bare * 0.711)))
        refraction = np.where(bare > 5.0, high, np.where(bare > -0.575, low, -20.772 / tangent))
    return bare + np.where(bare > 85.0, 0.0, refraction) / 3600.0


def transmission(height: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Return the share of the sunlight that reaches a pressure; none before sunrise."""
    slant = 614.0 * np.sin(np.radians(height))
    mass = 0.34764 * (pressure / SEA_LEVEL) * (np.sqrt(1229.0 + slant * slant) - slant)
    return np.where(height < HORIZON, 0.0, 0.5 * (np.exp(-0.65 * mass) + np.exp(-0.95 * mass)))


def facing(height: np.ndarray) -> np.ndarray:
    """Return how many panels' full power the sun's elevation gives, the balloon's shadow included."""
    total = np.zeros_like(height)
    for number, tilt, depth in PANELS:
        top = np.degrees(np.arctan2(np.sqrt(depth * (BALLOON_HEIGHT + depth)), BALLOON_RADIUS))
        total = total + number * np.cos(np.radians(height - tilt)) * np.where(height >= top, SHADE, 1.0)
    return total


def panel_power(height: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Return the power of the panels [W]."""
    return 210.0 * transmission(height, pressure) * facing(height)


def next_sunrise_sunset(latitude: np.ndarray, longitude: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the next sunrise and the next sunset, each at most a day ahead, on a grid of 3 minutes from noon or
    midnight. For the tropics: between the polar circles, a day needs both."""

    def height(when: np.ndarray) -> np.ndarray:
        return elevation(latitude, longitude, orbit(when))

    now, soon = height(np.stack([time, time + 1]))
    afternoon = soon < now  # midnight comes before noon
    half = np.stack([~afternoon, afternoon]) * (DAY // 2)
    sign = np.array([[1.0], [-1.0]])
    midnight, noon = _least(lambda when: sign * height(when), time + half, np.full(half.shape, DAY // 2 // STEP))
    begins = np.stack([np.where(afternoon, midnight, midnight - DAY), np.where(afternoon, noon - DAY, noon)])
    ends = np.stack([noon, midnight])
    turns = _least(lambda when: np.abs(height(when) - HORIZON), begins, (ends - begins) // STEP)
    sunrise, sunset = np.where(turns < time, turns + DAY, turns)
    return sunrise, sunset


def _least(loss, begin: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the times on a grid at which a loss with one minimum is least, by halving the interval."""
    low, high = np.zeros_like(steps), steps
    at_low, at_high = loss(begin), loss(begin + STEP * high)
    while (wide := high > low + 1).any():
        first = at_low < at_high  # the minimum is in the first half
        middle = np.where(first, low + high + 1, low + high) // 2
        at_middle = loss(begin + STEP * middle)
        down, up = wide & first, wide & ~first
        high, at_high = np.where(down, middle, high), np.where(down, at_middle, at_high)
        low, at_low = np.where(up, middle, low), np.where(up, at_middle, at_low)
    return begin + STEP * np.where(at_low < at_high, low, high)
