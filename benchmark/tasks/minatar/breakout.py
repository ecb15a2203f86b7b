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

# A ball is a number: 4 (10 y + x) + 2 if it moves right + 1 if it moves down. A pose is 20 ball + 2 paddle + struck.
POSES = np.arange(20 * 4 * SIDE * SIDE)
BALL, PADDLE, STRUCK = POSES // 20, POSES // 2 % 10, POSES % 2
BEGIN = 20 * np.array([4 * 30 + 3, 4 * 39 + 1]) + 2 * 4  # the ball comes down from the left or the right
STEERED = POSES[:, None] - 2 * PADDLE[:, None]  # 3 pose + action -> pose with the paddle moved
STEERED = (STEERED + 2 * np.stack([PADDLE, np.maximum(PADDLE - 1, 0), np.minimum(PADDLE + 1, 9)], axis=1)).reshape(-1)
UNDER, SHOWN = PLANES * (90 + PADDLE), BALL // 4 * PLANES + 1  # the bits of the paddle and the ball


def _flight(broken: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the balls of all poses a step later, the bit of the brick each may hit, which touch the ground and which
    are lost."""
    x, y, dx, dy = BALL // 4 % 10, BALL // 40, BALL // 2 % 2 * 2 - 1, BALL % 2 * 2 - 1
    side = (x + dx < 0) | (x + dx >= SIDE)
    new_x, new_y = np.where(side, x, x + dx), y + dy
    dx = np.where(side, -dx, dx)
    bit = np.where((new_y >= 1) & (new_y <= 3), 10 * (new_y - 1) + new_x, 30)
    top, ground = new_y < 0, new_y == 9
    onto = ground & (x == PADDLE)  # the paddle is under the ball, which keeps its horizontal direction
    edge = ground & (new_x == PADDLE) & ~onto  # the paddle meets the ball's edge, which sends the ball back
    back = broken | onto | edge
    new_y = np.where(top, 0, np.where(back, y, new_y))
    dx, dy = np.where(edge, -dx, dx), np.where(top | back, -dy, dy)
    balls = 4 * (10 * new_y + new_x) + (dx + 1) + (dy + 1) // 2
    return np.where(new_y > 9, 0, balls), bit, ground, ground & ~onto & ~edge  # there are no balls below the ground


def _moves() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for 2 pose + brick, whether there is one where the ball goes: the next pose, if it breaks, if the ball is
    lost."""
    found = []
    for brick in (0, 1):
        broken = (brick == 1) & (STRUCK == 0)
        balls, _, _, lost = _flight(broken)
        found.append((20 * balls + 2 * PADDLE + brick, broken.astype(int), lost))
    return tuple(np.stack(cases, axis=1).reshape(-1) for cases in zip(*found, strict=True))  # type: ignore[return-value]


NEXT, BROKEN, LOST = _moves()
_, BIT, GROUND, _ = _flight(np.array(False))


class State(NamedTuple):
    """N games."""

    pose: Array  # [N] the ball, the paddle, and 1 if the ball hit a brick in the step before, or passed one after that
    before: Array  # [N] the pose one step ago
    bricks: Array  # [N] bits


def start(chance: Chance, where: Array) -> State:
    """Start with a ball that moves down from the left or the right."""
    pose = takes(chance.xp)(BEGIN, chance.below(2, where))
    return State(pose, pose, np.array(WALL))


def step(state: State, action: Array, chance: Chance) -> tuple[State, Array, Array]:
    """Take one of: nothing, left, right."""
    xp, take, pose = chance.xp, takes(chance.xp), state.pose
    bit = take(BIT, pose)
    brick = state.bricks >> bit & 1
    at = 2 * take(STEERED, 3 * pose + action) + brick
    broken = take(BROKEN, at)
    bricks = state.bricks ^ (broken << bit)
    none = bricks == 0
    if might(xp, none):
        bricks = xp.where(none & take(GROUND, pose), WALL, bricks)
    return State(take(NEXT, at), pose, bricks), broken, take(LOST, at)


def look(xp: ModuleType, state: State) -> Array:
    """Return [N, 10, 10, 4]: the paddle, the ball, its trail, bricks."""
    rows, take = (state.bricks >> xp.asarray(SHIFT)) & 1023, takes(xp)
    places = xp.array([take(UNDER, state.pose), take(SHOWN, state.pose), take(SHOWN, state.before) + 1])
    return mark(xp, take(BRICKS, rows.T, 0), places)


GAME = Game(3, PLANES, 2, start, step, look)
