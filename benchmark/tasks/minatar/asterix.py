"""Asterix: treasure and enemies cross eight rows. Treasure pays 1 and an enemy ends the game; both get faster.

The rules are those of MinAtar (Young and Tian, 2019, arXiv:1903.03176).
"""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from .game import SIDE, Array, Chance, Game, mark, might, put, takes

PLANES = 4  # player, enemy, trail, gold

# A thing is a number: 0 is none, else 1 + x + 10 if it moves right + 20 if it is gold. A row holds at most one.
THINGS = np.arange(41)
COLUMN = np.where(THINGS > 0, (THINGS - 1) % 10, -1)
RIGHT, GOLD = (THINGS - 1) // 10 % 2 == 1, THINGS > 20
STEP = np.where(RIGHT, 1, -1)
AHEAD, BEHIND = COLUMN + STEP, COLUMN - STEP
NEXT = np.where((THINGS > 0) & (AHEAD >= 0) & (AHEAD < SIDE), THINGS + STEP, 0)
NEXT = np.concatenate([THINGS, NEXT])  # 41 if it moves + thing -> thing
SHOWN = np.zeros((41, SIDE, PLANES), bool)  # the row of each thing
SHOWN[THINGS[1:], COLUMN[1:], np.where(GOLD, 3, 1)[1:]] = True
TRAILED = THINGS[(THINGS > 0) & (BEHIND >= 0) & (BEHIND < SIDE)]
SHOWN[TRAILED, BEHIND[TRAILED], 2] = True

# The player is a number: 10 y + x, with y from 1 to 8.
PLAYER = np.arange(SIDE * 9)
X, Y = PLAYER % 10, PLAYER // 10
MOVED = np.stack(  # 5 player + action -> player: nothing, left, up, right, down
    [PLAYER, PLAYER - (X > 0), PLAYER - 10 * (Y > 1), PLAYER + (X < 9), PLAYER + 10 * (Y < 8)], axis=1
).reshape(-1)
TOUCHED = np.stack([COLUMN == X[:, None], (COLUMN == X[:, None]) | (AHEAD == X[:, None])], axis=1)  # [90, 2, 41]
TOUCHED &= THINGS > 0
MET = (TOUCHED * np.where(GOLD, 1, 2)).reshape(-1)  # 82 player + 41 if things move + thing -> 1 gold, 2 an enemy

# The free rows among 1 to 8 are a number: the highest bit stands for row 1.
FREE = np.arange(256)[:, None] >> np.arange(7, -1, -1) & 1
COUNT = FREE.sum(1)
CHOSEN = np.argsort(1 - FREE, axis=1, kind="stable").reshape(-1) + 1  # 8 free + k -> the k-th free row


def _clock() -> tuple[np.ndarray, np.ndarray]:
    """Return the steps at which something enters and at which things move: more and more often, in the end every
    step."""
    spawn_speed = spawn_timer = 10
    move_speed = move_timer = 5
    ramp_timer, ramp, steps = 100, 0, []
    while not (steps and steps[-1] == (True, True) and spawn_speed == move_speed == 1):
        steps.append((spawn_timer == 0, move_timer == 0))
        spawn_timer = (spawn_timer or spawn_speed) - 1
        move_timer = (move_timer or move_speed) - 1
        if ramp_timer >= 0:
            ramp_timer -= 1
        else:
            move_speed -= move_speed > 1 and ramp % 2
            spawn_speed -= spawn_speed > 1
            ramp, ramp_timer = ramp + 1, 100
    spawns, moves = np.array(steps).T
    return spawns, len(THINGS) * moves


SPAWNS, MOVES = _clock()  # by time; where things move the second is 41
LATER = np.minimum(np.arange(len(SPAWNS)) + 1, len(SPAWNS) - 1)  # the time a step later


class State(NamedTuple):
    """N games."""

    player: Array  # [N]
    things: Array  # [10, N] by rows
    time: Array  # [N] steps, capped at the step after which all are alike


START = State(np.array(55), np.zeros((SIDE, 1), int), np.array(0))


def start(chance: Chance, where: Array) -> State:
    """Start in the middle of an empty field."""
    return START


def step(state: State, action: Array, chance: Chance) -> tuple[State, Array, Array]:
    """Take one of: nothing, left, up, right, down."""
    xp, things = chance.xp, state.things
    take = takes(xp)
    due, moving = take(SPAWNS, state.time), take(MOVES, state.time)
    if might(xp, due):
        things = _spawn(things, due, chance)
    player = take(MOVED, 5 * state.player + action)
    row = take(Y, player)
    beside = things.reshape(-1).take(chance.n * row + xp.arange(chance.n))
    met = take(MET, 82 * player + (moving + beside))
    gold = met == 1
    if might(xp, moving):
        things = take(NEXT, things + moving)
    if might(xp, gold):
        things = put(xp, things, row, gold, 0)
    return State(player, things, take(LATER, state.time)), gold, met == 2


def _spawn(things: Array, due: Array, chance: Chance) -> Array:
    """Let a thing enter where one is due, in a free row among rows 1 to 8."""
    xp, take = chance.xp, takes(chance.xp)
    right, gold = chance.uniform(due, 2)
    free = xp.packbits((things[1:9] == 0).T.reshape(-1)).astype(int)
    count = take(COUNT, free)
    due = due & (count > 0)
    row = take(CHOSEN, 8 * free + chance.below(count, due))
    return put(xp, things, row, due, xp.where(gold < 1 / 3, 30, 10) + (right < 1 / 2))


def look(xp: ModuleType, state: State) -> Array:
    """Return [N, 10, 10, 4]: the player, enemies, trails, treasure."""
    return mark(xp, takes(xp)(SHOWN, state.things.T, 0), PLANES * state.player)


GAME = Game(5, PLANES, 4, start, step, look)
