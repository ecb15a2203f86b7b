"""What N balloons know of the wind: a Gaussian process of the forecast's errors, measured in the last six hours.

The kernel is Matérn's with nu = 1/2: s^2 exp(-d), where d is the distance in space, pressure and time, each by its
scale. All is divided by s^2 here. The inverse of the measurements' kernel is kept up to date: a measurement that comes
or goes changes it by a matrix of rank one, and an error of rounding goes with the measurements that it came with.
"""

import importlib

import numpy as np

KEPT = 120  # measurements, one every three minutes
SCALE = np.array([357_000.0, 357_000.0, 326.0, 34_560.0])  # x and y [m], pressure [Pa], time [s]
NOISE = 0.05 / 3.6**2  # variance of a measurement by that of the errors, s^2


class Estimate:
    """The measurements of N balloons."""

    def __init__(self, n: int):
        self._plus_outer = importlib.import_module("scipy.linalg.blas").dger  # not at every start: it takes time
        self._at, self._error = np.zeros((n, KEPT, 4)), np.zeros((n, KEPT, 2))
        self._inverse = np.zeros((n, KEPT, KEPT))  # of the kernel; zero where there is no measurement
        self._count = np.zeros(n, int)

    def forget(self, which: np.ndarray) -> None:
        """Drop all measurements of some balloons."""
        self._count[which], self._inverse[which] = 0, 0.0

    def add(self, which: np.ndarray, where: np.ndarray, error: np.ndarray) -> None:
        """Add a measurement of each of the balloons `which` [K]: place and time [K, 4], and forecast's error [K, 2]."""
        slots = self._count[which] % KEPT  # the oldest one is six hours old
        self._at[which, slots], self._error[which, slots] = where / SCALE, error
        apart = self._at[which] - (where / SCALE)[:, None]
        for i, slot, kernel in zip(which, slots, np.exp(-np.sqrt((apart * apart).sum(2))), strict=True):
            inverse = self._inverse[i].T
            if self._count[i] >= KEPT:
                gone = inverse[slot].copy()
                self._plus_outer(-1.0 / gone[slot], gone, gone, a=inverse, overwrite_a=1)
                inverse[slot] = inverse[:, slot] = 0.0
            known = inverse @ kernel
            unknown = 1.0 + NOISE - known @ kernel
            known[slot] = -1.0
            self._plus_outer(1.0 / unknown, known, known, a=inverse, overwrite_a=1)
        self._count[which] += 1

    def at(self, i: int, where: np.ndarray, pressures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return for balloon `i` the errors expected at a place and time [4] but at other pressures [L]: mean [L, 2],
        and variance as a share of what it is without measurements [L]."""
        n = min(self._count[i], KEPT)
        at, here = self._at[i, :n], where / SCALE
        kernel = np.subtract.outer(pressures / SCALE[2], at[:, 2])  # of levels and measurements [L, n], in place
        np.multiply(kernel, kernel, out=kernel)
        kernel += ((at[:, (0, 1, 3)] - here[[0, 1, 3]]) ** 2).sum(1)
        np.sqrt(kernel, out=kernel)
        np.negative(kernel, out=kernel)
        np.exp(kernel, out=kernel)
        weights = kernel @ self._inverse[i, :n, :n]
        return weights @ self._error[i, :n], np.maximum(1.0 - np.einsum("ln,ln->l", weights, kernel), 0.0)
