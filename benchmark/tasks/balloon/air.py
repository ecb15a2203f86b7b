"""The air: temperature and height by pressure, after the U.S. Standard Atmosphere 1976 with a tropical tropopause.

Each balloon has an atmosphere of its own, between a cold and a warm one. Only the layers up to 47 km are modelled.
"""

from typing import NamedTuple

import numpy as np

GRAVITY = 9.80665  # [m/s^2]
GAS = 8.3144621  # [J/(mol K)]
AIR, HELIUM = 0.028964922481160, 0.004002602  # molar masses [kg/mol]
DRY = GAS / AIR  # [J/(kg K)]
HEIGHTS = np.array([-610.0, 17_000.0, 21_000.0, 32_000.0, 47_000.0])  # bounds of the layers [m]
COLD, WARM = np.array([-0.007, 0.006, 0.001, 0.0028]), np.array([-0.0058, 0.005, 0.001, 0.0028])  # lapse rates [K/m]
GROUND_TEMPERATURE, GROUND_PRESSURE = 300.0, 108_870.8213  # at the lowest height [K, Pa]


class Air(NamedTuple):
    """Atmospheres of N balloons: values at the bottom of each layer [N, 4]."""

    lapse: np.ndarray  # [K/m]
    temperature: np.ndarray  # [K]
    pressure: np.ndarray  # [Pa]


def between(warmth: np.ndarray) -> Air:
    """Return atmospheres between the cold one (0) and the warm one (1) [N]."""
    lapse = (1 - warmth[:, None]) * COLD + warmth[:, None] * WARM
    temperature, pressure = np.full_like(lapse, GROUND_TEMPERATURE), np.full_like(lapse, GROUND_PRESSURE)
    for i, thickness in enumerate(np.diff(HEIGHTS)[:-1]):
        temperature[:, i + 1] = temperature[:, i] + lapse[:, i] * thickness
        ratio = temperature[:, i + 1] / temperature[:, i]
        pressure[:, i + 1] = pressure[:, i] * ratio ** (-GRAVITY / (DRY * lapse[:, i]))
    return Air(lapse, temperature, pressure)


def at_pressure(air: Air, pressure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return height [m] and temperature [K] at pressures [N] or [N, K]."""
    rows = np.arange(len(pressure)).reshape(-1, *[1] * (pressure.ndim - 1))
    layer = sum((pressure <= air.pressure[rows, i]).astype(int) for i in range(1, len(COLD)))
    lapse, base = air.lapse[rows, layer], air.temperature[rows, layer]
    rise = ((pressure / air.pressure[rows, layer]) ** (-DRY * lapse / GRAVITY) - 1) * base / lapse
    height = rise + HEIGHTS[layer]
    return height, base + lapse * (height - HEIGHTS[layer])


def pressure_at(air: Air, height: float) -> np.ndarray:
    """Return the pressure [N] at a height [m]."""
    i = int(np.searchsorted(HEIGHTS, height, side="right")) - 1
    ratio = (air.temperature[:, i] + air.lapse[:, i] * (height - HEIGHTS[i])) / air.temperature[:, i]
    return air.pressure[:, i] * ratio ** (-GRAVITY / (DRY * air.lapse[:, i]))
