"""Space Invaders: a cannon under rows of aliens that march, descend and shoot. An alien pays 1; a hit ends the game.

The rules are those of MinAtar (Young and Tian, 2019, arXiv:1903.03176). A row of the field is a number whose bit x
stands for column x.
"""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from .game import SIDE, Array, Chance, Game, mark, might, takes

PLANES = 6  # cannon, alien, alien moving left, alien moving right, cannon's bullet, alien's bullet
COOL, MARCH, VOLLEY, FASTEST = 5, 12, 10, 6  # steps between shots, moves of a full wave, aliens' shots; least of moves
WAVE = np.array([0b0011111100] * 4 + [0] * 6)[:, None]
ROWS = np.arange(SIDE)[:, None]
CANNON = np.array([[x, max(x - 1, 0), min(x + 1, 9), x] for x in range(SIDE)]).reshape(-1)  # 4 x + action -> x

BITS = np.arange(2**SIDE)[:, None] >> np.arange(SIDE) & 1  # [1024, 10]
COUNT = BITS.sum(1)
DISTANCE = np.abs(np.arange(SIDE)[:, None] - np.arange(SIDE))  # [cannon, column]
NEAREST = np.where(BITS[None] == 1, DISTANCE[:, None], 99).argmin(-1).reshape(-1)  # 1024 cannon + columns -> column
SHOWN = np.zeros((4, 2**SIDE, SIDE, PLANES), bool)  # aliens moving left, moving right, bullets of both kinds
SHOWN[0, ..., 1] = SHOWN[0, ..., 2] = SHOWN[1, ..., 1] = SHOWN[1, ..., 3] = BITS
SHOWN[2, ..., 4] = SHOWN[3, ..., 5] = BITS
SHOWN = SHOWN.reshape(4 * 2**SIDE, SIDE, PLANES)  # by 1024 kind + bits


class State(NamedTuple):
    """N games."""

    x: Array  # [N] the cannon, in row 9
    aliens: Array  # [10, N] rows of bits, like the next two
    shots: Array  # the cannon's
    bombs: Array  # the aliens'
    right: Array  # [N] bool, the aliens march to the right
    march: Array  # [N] steps between the moves of a full wave
    march_timer: Array
    bomb_timer: Array
    shot_timer: Array


START = State(
    x=np.array(5),
    aliens=WAVE,
    shots=0 * WAVE,
    bombs=0 * WAVE,
    right=np.array(False),
    march=np.array(MARCH),
    march_timer=np.array(MARCH),
    bomb_timer=np.array(VOLLEY),
    shot_timer=np.array(0),
)


def start(chance: Chance, where: Array) -> State:
    """Start with a full wave that marches left."""
    return START


def step(state: State, action: Array, chance: Chance) -> tuple[State, Array, Array]:
    """Take one of: nothing, left, right, fire."""
    xp, take = chance.xp, takes(chance.xp)
    fires = (action == 3) & (state.shot_timer == 0)
    x = take(CANNON, 4 * state.x + action)
    cannon = 1 << x
    none = xp.zeros_like(state.shots[:1])
    leaves = xp.where(fires, cannon, 0)[None]  # a shot is in row 8 at the end of its first step
    shots = xp.concatenate([state.shots[1:9], leaves, none])
    bombs = xp.concatenate([none, state.bombs[:9]])
    aliens, right, march_timer = state.aliens, state.right, state.march_timer
    over = ((bombs[9] | aliens[9]) & cannon) > 0

    marching = march_timer == 0
    if might(xp, marching):
        pause = xp.minimum(take(COUNT, aliens).sum(0), state.march)
        march_timer = xp.where(marching, pause, march_timer)
        aliens, right, landed = _march(xp, aliens, right, marching)
        over = over | landed | (marching & ((aliens[9] & cannon) > 0))
    bombing = state.bomb_timer == 0
    if might(xp, bombing):
        bombs = bombs | xp.where(bombing, _bomb(xp, aliens, x), 0)

    hit, march, gained = aliens & shots, state.march, xp.zeros_like(x)
    if might(xp, hit):
        aliens, shots, gained = aliens ^ hit, shots ^ hit, take(COUNT, hit).sum(0)
        cleared = ~aliens.any(0)
        march = march - (cleared & (march > FASTEST))
        aliens = xp.where(cleared, xp.asarray(WAVE), aliens)
    bomb_timer = xp.where(bombing, VOLLEY, state.bomb_timer) - 1
    shot_timer = xp.maximum(xp.where(fires, COOL, state.shot_timer) - 1, 0)
    return State(x, aliens, shots, bombs, right, march, march_timer - 1, bomb_timer, shot_timer), gained, over


def _columns(aliens: Array) -> Array:
    """Return [N] bits of the columns that hold an alien."""
    found = aliens[0]
    for row in aliens[1:]:
        found = found | row
    return found


def _march(xp: ModuleType, aliens: Array, right: Array, marching: Array) -> tuple[Array, Array, Array]:
    """Move the aliens where they march: sideways, or down at an edge; return also where one reached the ground."""
    turns = marching & ((_columns(aliens) & xp.where(right, 512, 1)) > 0)
    aside = xp.where(right, aliens << 1, aliens >> 1)
    down = xp.concatenate([aliens[9:], aliens[:9]])  # the lowest row re-enters at the top, when the game is over
    landed = turns & (aliens[9] > 0)
    return xp.where(turns, down, xp.where(marching, aside, aliens)), right ^ turns, landed


def _bomb(xp: ModuleType, aliens: Array, x: Array) -> Array:
    """Return [10, N]: a bullet at the lowest alien of the column nearest to the cannon; the left one in a tie."""
    column = 1 << takes(xp)(NEAREST, 1024 * x + _columns(aliens))
    there, rows = (aliens & column) > 0, xp.asarray(ROWS)
    return xp.where(there & (rows == xp.where(there, rows, -1).max(0)), column, 0)


def look(xp: ModuleType, state: State) -> Array:
    """Return [N, 10, 10, 6]: the cannon, aliens, those moving left, those moving right, bullets, aliens' bullets."""
    take = takes(xp)
    planes = take(SHOWN, (state.aliens + 1024 * state.right).T, 0)
    for kind, bits in ((2, state.shots), (3, state.bombs)):
        if might(xp, bits):
            planes = planes | take(SHOWN, (bits + 1024 * kind).T, 0)
    return mark(xp, planes, PLANES * (90 + state.x))


GAME = Game(4, PLANES, 1, start, step, look)
