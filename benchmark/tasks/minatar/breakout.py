"""Breakout: a ball that flies diagonally, a paddle, three rows of bricks. A brick pays 1; a missed ball ends the game.

The rules are those of MinAtar (Young and Tian, 2019, arXiv:1903.03176).
"""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from .game import SIDE, Array, Chance, Game, mark, might, takes

PLANES = 4  # paddle, ball, trail, brick
WALL = 2**30 - 1  # all bricks: bit 10 (y - 1) + x for the rows 1, 2 and 3
SHIFT = np.array([30, 0, 10, 20, 30, 30, 30, 30, 30, 30])[:, None]  # first bit of each row
BRICKS = np.zeros((2**SIDE, SIDE, PLANES), bool)  # a row with the bricks of these bits
BRICKS[..., 3] = np.arange(2**SIDE)[:, None] >> np.arange(SIDE) & 1
PADDLE = np.array([[x, max(x - 1, 0), min(x + 1, 9)] for x in range(SIDE)]).reshape(-1)  # 3 paddle + action -> paddle

# A ball is a number: 4 (10 y + x) + 2 if it moves right + 1 if it moves down.
BALLS = np.arange(4 * SIDE * SIDE)
SHOWN = BALLS // 4 * PLANES + 1  # the bit of the ball; the next bit is that of its trail


def _flight(paddle: np.ndarray, broken: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the balls a step later, the bit of the brick each may hit, which touch the ground and which are lost."""
    x, y, dx, dy = BALLS // 4 % 10, BALLS // 40, BALLS // 2 % 2 * 2 - 1, BALLS % 2 * 2 - 1
    side = (x + dx < 0) | (x + dx >= SIDE)
    new_x, new_y = np.where(side, x, x + dx), y + dy
    dx = np.where(side, -dx, dx)
    bit = np.where((new_y >= 1) & (new_y <= 3), 10 * (new_y - 1) + new_x, 30)
    top, ground = new_y < 0, new_y == 9
    onto = ground & (x == paddle)  # the paddle is under the ball, which keeps its horizontal direction
    edge = ground & (new_x == paddle) & ~onto  # the paddle meets the ball's edge, which sends the ball back
    back = broken | onto | edge
    new_y = np.where(top, 0, np.where(back, y, new_y))
    dx, dy = np.where(edge, -dx, dx), np.where(top | back, -dy, dy)
    balls = 4 * (10 * new_y + new_x) + (dx + 1) + (dy + 1) // 2
    return np.where(new_y > 9, 0, balls), bit, ground, ground & ~onto & ~edge  # there are no balls below the ground


_CASES = [_flight(np.array(case // 2), np.array(case % 2 == 1)) for case in range(20)]  # 2 paddle + broken
FLIGHT = np.stack([case[0] for case in _CASES], axis=1).reshape(-1)  # 20 ball + case -> ball
LOST = np.stack([case[3] for case in _CASES], axis=1).reshape(-1)
BIT, GROUND = _CASES[0][1:3]  # of each ball


class State(NamedTuple):
    """N games."""

    paddle: Array  # [N] column, in row 9
    ball: Array  # [N]
    before: Array  # [N] the ball one step ago
    struck: Array  # [N] 1 if it hit a brick in the step before, or passed one after that
    bricks: Array  # [N] bits


def start(chance: Chance, where: Array) -> State:
    """Start with a ball that moves down from the left or the right."""
    ball = chance.xp.where(chance.below(2, where) == 1, 4 * 39 + 1, 4 * 30 + 3)
    return State(np.array(4), ball, ball, np.array(0), np.array(WALL))


def step(state: State, action: Array, chance: Chance) -> tuple[State, Array, Array]:
    """Take one of: nothing, left, right."""
    xp, take, ball = chance.xp, takes(chance.xp), state.ball
    paddle = take(PADDLE, 3 * state.paddle + action)
    bit = take(BIT, ball)
    brick = state.bricks >> bit & 1
    broken = brick & ~state.struck
    bricks = state.bricks ^ (broken << bit)
    none = bricks == 0
    if might(xp, none):
        bricks = xp.where(none & take(GROUND, ball), WALL, bricks)
    at = 20 * ball + 2 * paddle + broken
    return State(paddle, take(FLIGHT, at), ball, brick, bricks), broken, take(LOST, at)


def look(xp: ModuleType, state: State) -> Array:
    """Return [N, 10, 10, 4]: the paddle, the ball, its trail, bricks."""
    rows = (state.bricks >> xp.asarray(SHIFT)) & 1023
    take = takes(xp)
    ball, trail = take(SHOWN, state.ball), take(SHOWN, state.before) + 1
    return mark(xp, take(BRICKS, rows.T, 0), PLANES * (90 + state.paddle), ball, trail)


GAME = Game(3, PLANES, 2, start, step, look)
