"""N balloons flown together, as arrays: begin episodes, fly three minutes, and what is then observed and rewarded."""

from typing import Any

import numpy as np

from . import air, draws, features, sun, vehicle, wind
from . import safety as layers
from .estimate import Estimate
from .genuine import draws as on_the_cpu
from .vehicle import DOWN, FLYING, STAY, Balloons, Place

RADIUS, OUTSIDE, HALF = 50_000.0, 0.4, 100_000.0  # of the reward: 1 within [m], less outside, halved every [m]


class Simulator:
    """N balloons, each above a station of its own, in its own wind."""

    def __init__(self, seeds: np.ndarray):
        n = len(seeds)
        self.now = Balloons(*(np.zeros(n) for _ in range(10)), *(np.zeros(n, int) for _ in range(3)))
        self.place = Place(np.zeros(n), np.zeros(n), np.zeros(n), air.between(np.zeros(n)))
        self.safety = layers.begin(np.zeros(n, int), np.zeros(n, int))
        self.features = np.zeros((n, features.FEATURES), np.float32)
        self._float = features.floats(self.place)
        self._fields = np.zeros((n, wind.SIDE, wind.SIDE, wind.HEIGHTS, wind.TIMES, 2), np.float32)
        self._noise: list[Any] = [None] * n
        self._keys: list[Any] = [None] * n
        self._wind, self._command, self._excess = np.zeros((n, 2)), np.full(n, STAY), np.zeros(n, bool)
        self._known = Estimate(n)
        self.restart(np.arange(n), seeds)

    def restart(self, which: np.ndarray, seeds: np.ndarray) -> None:
        """Begin the episodes of some seeds [K] with the balloons `which` [K]."""
        with on_the_cpu():
            for i, seed in zip(which, seeds, strict=True):
                self._keys[i] = draws.key_of(int(seed))
        self.again(which)

    def again(self, which: np.ndarray) -> None:
        """Begin the next episodes with the balloons `which` [K]."""
        begun = []
        with on_the_cpu():
            for i in which:
                self._keys[i], start = draws.start(self._keys[i])
                self._noise[i], self._fields[i] = start.noise, wind.decode(start.latents)
                begun.append(start)
        drawn = {name: np.array([getattr(one, name) for one in begun]) for name in draws.NUMBERS}
        place = Place(drawn["latitude"], drawn["longitude"], drawn["infrared"], air.between(drawn["warmth"]))
        now = vehicle.afloat(place, drawn["x"], drawn["y"], drawn["pressure"], drawn["time"])
        _put(self.place, which, place)
        _put(self.now, which, now)
        above = vehicle.coordinates(place, now.x, now.y)
        _put(self.safety, which, layers.begin(*sun.next_sunrise_sunset(*above, now.time)))
        _put(self._float, which, features.floats(place))
        self._command[which] = STAY
        self._known.forget(which)
        self._observe(which)

    def step(self, command: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fly three minutes; return the rewards [N], and which balloons failed [N]: those must begin again."""
        self.safety, effective = layers.allowed(self.safety, self.now, self.place, command)
        self.now = vehicle.fly(self.now, self.place, self._wind, effective)
        self._command = np.array(command)
        self._observe(np.arange(len(command)))
        return self._reward(), self.now.status != FLYING

    def flight(self, i: int) -> tuple[float, float, float, float]:
        """Return the position of balloon `i`: east and north of the station [km], pressure [Pa], battery [0, 1]."""
        x, y, pressure, charge = (one[i].item() for one in (self.now.x, self.now.y, self.now.pressure, self.now.charge))
        return x / 1000.0, y / 1000.0, pressure, charge / vehicle.CAPACITY

    def _observe(self, which: np.ndarray) -> None:
        """Measure the wind, and update the features of some balloons."""
        now, place, safety, could = (_some(one, which) for one in (self.now, self.place, self.safety, self._float))
        column = wind.column(self._fields, which, now.x, now.y, now.elapsed)
        forecast = wind.at_pressure(column, now.pressure)
        here = np.stack([now.x, now.y, now.pressure, now.elapsed], axis=1)
        self._wind[which] = forecast + wind.noise_at([self._noise[i] for i in which], here / [1e3, 1e3, 1.0, 3600.0])
        self._known.add(which, here, self._wind[which] - forecast)
        sky = features.look(now, place)
        self._excess[which] = sky.excess
        winds = features.winds(now, which, column, features.reach(place, sky, could), self._known)
        self.features[which] = features.vector(now, self._command[which], safety, sky, winds)

    def _reward(self) -> np.ndarray:
        beyond = np.maximum(np.sqrt(self.now.x**2 + self.now.y**2) - RADIUS, 0.0)
        reward = np.where(beyond > 0.0, OUTSIDE * np.exp2(-beyond / HALF), 1.0)
        spent = np.clip((self.now.compressor - 100.0) / 200.0, 0.0, 1.0)  # a descent costs unless power is plentiful
        return reward * np.where((self._command == DOWN) & ~self._excess, 0.95 - 0.3 * spent, 1.0)


def _some(tree: Any, which: np.ndarray) -> Any:
    """Return rows of the arrays of a tuple of arrays and tuples."""
    return type(tree)(*(_some(one, which) if isinstance(one, tuple) else one[which] for one in tree))


def _put(tree: Any, which: np.ndarray, rows: Any) -> None:
    """Write rows of the arrays of a tuple of arrays and tuples."""
    for into, given in zip(tree, rows, strict=True):
        if isinstance(into, tuple):
            _put(into, which, given)
        else:
            into[which] = given
