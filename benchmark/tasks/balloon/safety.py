"""What keeps N balloons from running out of power, from bursting or going slack, and from flying too low.

Three layers change a command before it takes effect, each on top of the one before. Two of them remember that they
intervened, and end it a little later than they began it.
"""

from typing import NamedTuple

import numpy as np

from .air import at_pressure
from .sun import DAY
from .vehicle import CAPACITY, DOWN, MOST_SUPERPRESSURE, NIGHT_LOAD, STAY, UP, Balloons, Place

FOOT = 0.3048  # [m]
LOWEST, MARGIN = 50_000 * FOOT, 500 * FOOT  # heights [m]
CRITICAL, BUFFER, AGAIN = 150.0, 250.0, 50.0  # superpressures from either end [Pa]
EDGES = np.array([CRITICAL, BUFFER, BUFFER + AGAIN, *MOST_SUPERPRESSURE - np.array([BUFFER + AGAIN, BUFFER, CRITICAL])])
LEAST, RESTART = 0.025, 0.05  # charges of the battery, as shares of its capacity
AFTER_SUNRISE = 1800  # when the panels yield enough [s]


class Safety(NamedTuple):
    """The memory of the layers, an array [N] each."""

    sunrise: np.ndarray  # the next one, half an hour late [s since 1970]
    sunset: np.ndarray
    saving: np.ndarray  # bool, the battery must last until sunrise
    strain: np.ndarray  # superpressure: -2 critically low, -1 low, 0 fine, 1 high, 2 critically high
    depth: np.ndarray  # height: 0 fine, 1 low, 2 too low

    def paused(self) -> np.ndarray:
        """Return who may not descend."""
        return self.saving | (self.strain != 0) | (self.depth != 0)


def begin(sunrise: np.ndarray, sunset: np.ndarray) -> Safety:
    """Return layers that have not intervened, given the next sunrise and sunset."""
    strain, depth = np.zeros((2, len(sunset)), int)
    return Safety(sunrise + AFTER_SUNRISE, sunset, strain > 0, strain, depth)


def allowed(safety: Safety, now: Balloons, place: Place, command: np.ndarray) -> tuple[Safety, np.ndarray]:
    """Return the layers' memory and the commands that take effect."""
    sunrise = safety.sunrise + DAY * np.ceil(np.maximum(now.time - safety.sunrise, 0) / DAY).astype(int)
    sunset = safety.sunset + DAY * np.ceil(np.maximum(now.time - safety.sunset, 0) / DAY).astype(int)
    needed = NIGHT_LOAD * ((sunrise - now.time) / 3600.0)
    at_night = safety.saving | ((now.charge - needed) / CAPACITY < LEAST)
    saving = np.where(sunset < sunrise, safety.saving & (now.charge / CAPACITY < RESTART), at_night)
    strain = _strain(safety.strain, now.superpressure)
    depth = _depth(safety.depth, at_pressure(place.air, now.pressure)[0])
    held = np.where((saving | (strain != 0) | (depth != 0)) & (command == DOWN), STAY, command)
    effective = np.where((np.abs(strain) == 2) | (depth == 2), UP, held)
    return Safety(sunrise, sunset, saving, strain, depth), effective


def _strain(before: np.ndarray, superpressure: np.ndarray) -> np.ndarray:
    band = np.searchsorted(EDGES, superpressure, side="right")
    plain = np.array([-2, -1, 0, 0, 0, 1, 2])[band]
    return np.where((band == 2) & (before < 0), -1, np.where((band == 4) & (before > 0), 1, plain))


def _depth(before: np.ndarray, height: np.ndarray) -> np.ndarray:
    low = (height < LOWEST + MARGIN) | ((height < LOWEST + MARGIN + MARGIN) & (before > 0))
    return np.where(height < LOWEST, 2, low.astype(int))
