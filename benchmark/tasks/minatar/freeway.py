"""Freeway: a chicken crosses eight lanes of cars, which pays 1; a car sends it back. The game ends after a fixed time.

The rules are those of MinAtar (Young and Tian, 2019, arXiv:1903.03176).
"""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from .game import SIDE, Array, Chance, Game, mark, might, takes

PLANES = 7  # chicken, car, and trails of cars that move every step, every second one, up to every fifth
COLUMN = 4  # of the chicken
LANES = np.arange(1, 9)[:, None]
PAUSE, LIMIT = 3, 2500  # steps between the chicken's moves, and in a game

# A car is a number: 60 times its column + 10 times the steps until it moves + its pace. Paces 0 to 4 go left and 5 to 9
# go right; each group moves every 1 to 5 steps. 600 is none.
CARS = np.arange(SIDE * 6 * 10)
AT, WAIT, PACE = CARS // 60, CARS // 10 % 6, CARS % 10
STEP = np.where(PACE >= 5, 1, -1)
NOW = np.where(WAIT == 0, (AT + STEP) % SIDE, AT)
NEXT = 60 * NOW + 10 * np.where(WAIT == 0, PACE % 5 + 1, WAIT - 1) + PACE
HITS = (AT == COLUMN) | (NOW == COLUMN)  # before or after the car moves
NONE = np.full((1, 1), len(CARS))
SHOWN = np.zeros((len(CARS) + 1, SIDE, PLANES), bool)  # the lane of each car
SHOWN[CARS, AT, 1] = True
SHOWN[CARS, (AT - STEP) % SIDE, 2 + PACE % 5] = True


class State(NamedTuple):
    """N games."""

    y: Array  # [N] the chicken
    pause: Array  # [N] steps until it can move
    left: Array  # [N] steps until the game ends
    cars: Array  # [8, N] of lanes 1 to 8


def start(chance: Chance, where: Array) -> State:
    """Start below the lanes, with all cars on the left."""
    return State(np.array(9), np.array(PAUSE), np.array(LIMIT), _paced(chance, where))


def _paced(chance: Chance, where: Array) -> Array:
    """Return [8, N] cars in column 0 with new speeds and directions."""
    speed = chance.below(5, where, 8)  # minus one
    right = chance.uniform(where, 8) > 1 / 2
    return 10 * (speed + 1) + speed + 5 * right


def step(state: State, action: Array, chance: Chance) -> tuple[State, Array, Array]:
    """Take one of: nothing, up, down."""
    xp, take, cars = chance.xp, takes(chance.xp), state.cars
    moves = (state.pause == 0) & (action > 0)
    y = xp.minimum(state.y + moves * (2 * action - 3), 9)  # never above row 0: the chicken restarts from there
    won = y == 0
    if might(xp, won):
        cars = xp.where(won, cars // 60 * 60 + _paced(chance, won), cars)
        y = xp.where(won, 9, y)
    hit = (take(HITS, cars) & (xp.asarray(LANES) == y)).any(0)
    pause = xp.maximum(xp.where(moves, PAUSE, state.pause) - 1, 0)
    left = state.left - 1
    return State(xp.where(hit, 9, y), pause, left, take(NEXT, cars)), won, left < 0


def look(xp: ModuleType, state: State) -> Array:
    """Return [N, 10, 10, 7]: the chicken, cars, and trails by speed."""
    none = xp.asarray(NONE) + xp.zeros_like(state.cars[:1])
    rows = xp.concatenate([none, state.cars, none])
    return mark(xp, takes(xp)(SHOWN, rows.T, 0), PLANES * (SIDE * state.y + COLUMN))


GAME = Game(3, PLANES, 33, start, step, look)
