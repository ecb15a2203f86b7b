"""Seaquest: a submarine shoots fish and submarines, saves divers, and must surface for air.

The rules are those of MinAtar (Young and Tian, 2019, arXiv:1903.03176).

Moving things keep their row and direction. Their course is a number: 0 is none, else 1 + 10 (2 y + 1 if it moves right)
+ the cells that it has left behind. Enemies and divers are ordered from newest to oldest. A submarine's bullet is gone
before it fires the next one and before the submarine could have crossed, so an array of bullets uses the submarines'
indices.
"""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from .game import SIDE, Array, Chance, Game, first, last, mark, might, pushed, takes

PLANES = 10  # front, back, bullet, trail, enemy's bullet, fish, enemy submarine, air, divers on board, diver
AIR, CREW = 200, 6  # steps under water, places for divers
SPAWN, DIVERS, COOL, SHOOT = 20, 30, 5, 10  # steps: between enemies at first, divers, shots, enemies' shots
SLOW, FAST = 5, 2  # steps between an enemy's moves: at first, in the end
MOST = 30  # enemies and their bullets: with one per step, the first has crossed at the thirtieth
NOWHERE = PLANES * 90  # first bit of the cell that nothing reaches; what is not there is drawn in it
DRAWN = np.ones((SIDE, SIDE, PLANES), bool)
DRAWN[9, 0, [0, 1, 2, 3, 4, 5, 6, 9]] = False

COURSES = np.arange(1, 1 + 10 * 2 * 9)
ROW, RIGHT, GONE = (COURSES - 1) // 20, (COURSES - 1) // 10 % 2 == 1, (COURSES - 1) % 10
COLUMN = np.where(RIGHT, GONE, 9 - GONE)
ON = np.concatenate([[0], np.where(GONE < 9, COURSES + 1, 0)])  # the course one cell further
CELL = np.concatenate([[-1], SIDE * ROW + COLUMN])
TRAIL = np.concatenate([[NOWHERE], np.where(GONE > 0, PLANES * (CELL[1:] + np.where(RIGHT, -1, 1)) + 3, NOWHERE)])
SEEN = np.concatenate([[NOWHERE], PLANES * CELL[1:]])  # first bit of the cell


def _enemies(speed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the next state of each enemy, its previous course, and whether it shoots.

    An enemy is a number: 0 none, else 1 + 72 (course - 1) + 12 times the steps until it moves + the steps until it
    shoots, or 11 for a fish.
    """
    code = np.arange(72 * len(COURSES))
    course, move, shoot = code // 72 + 1, code // 12 % 6, code % 12
    then = np.where(move == 0, ON[course], course)
    shoot_then = np.where(shoot == 11, 11, np.where(shoot == 0, SHOOT, shoot - 1))
    after = np.where(then > 0, 1 + 72 * (then - 1) + 12 * np.where(move == 0, speed, move - 1) + shoot_then, 0)
    return np.append(0, after), np.append(0, course), np.append(False, shoot == 0)


_, COURSE, SHOOTS = _enemies(SLOW)
ENEMIES = len(COURSE)
NEXT = np.concatenate([_enemies(speed)[0] for speed in range(FAST, SLOW + 1)])  # ENEMIES (speed - 2) + enemy -> enemy
FISH = np.append(False, np.arange(ENEMIES - 1) % 12 == 11)
PLACE = np.where(COURSE > 0, CELL[COURSE], -2)  # no other thing is at -2
LANE = (COURSE + 9) // 10 - 1
BODY = SEEN[COURSE] + np.where(FISH, 5, 6)
WAKE = TRAIL[COURSE]

OWN = np.arange(9 * SIDE * 2)  # the player: 2 (10 y + x) + 1 if it faces right
X, Y, LOOKS = OWN // 2 % 10, OWN // 20, OWN % 2
STEERED = np.stack(  # 6 own + action -> own: nothing, left, up, right, down, fire
    [
        OWN,
        2 * (10 * Y + np.maximum(X - 1, 0)),
        np.where(Y > 0, OWN - 20, OWN),
        2 * (10 * Y + np.minimum(X + 1, 9)) + 1,
        np.where(Y < 8, OWN + 20, OWN),
        OWN,
    ],
    axis=1,
).reshape(-1)
FIRED = 1 + 10 * (2 * Y + LOOKS) + np.where(LOOKS == 1, X, 9 - X)  # the course of the bullet it fires
FRONT = OWN // 2 * PLANES
BACK = FRONT + PLANES * np.where(LOOKS == 1, -1, 1) + 1

GAUGES = np.zeros((SIDE + 1, CREW + 1, SIDE, SIDE, PLANES), bool)  # 7 times tenths of the air + divers -> row 9
for _level in range(SIDE + 1):
    GAUGES[_level, :, 9, :_level, 7] = True
for _crew in range(CREW + 1):
    GAUGES[:, _crew, 9, 9 - _crew : 9, 8] = True
GAUGES = GAUGES.reshape((SIDE + 1) * (CREW + 1), SIDE, SIDE, PLANES)
LEVEL = (CREW + 1) * (np.maximum(np.arange(-1, AIR + 1), 0) * SIDE // AIR)  # by air + 1


class State(NamedTuple):
    """N games."""

    own: Array  # [N]
    air: Array  # [N] steps
    crew: Array  # [N] divers on board; -1 after all six were brought up
    surfaced: Array  # [N] bool
    shot_timer: Array  # [N] steps until it can shoot; the other timers are alike
    bullets: Array  # [2, N] courses, the newer one first
    divers: Array  # [2, N] courses, the newer one first
    diver_timer: Array
    enemies: Array  # [K, N]; numpy keeps as many rows as needed, JAX the maximum
    theirs: Array  # [K, N] courses of the enemies' bullets
    spawn_speed: Array  # [N] steps between enemies
    spawn_timer: Array
    move_speed: Array  # [N] steps between an enemy's moves
    ramp: Array  # [N] how often the game got harder


START = State(
    own=np.array(2 * 5),
    air=np.array(AIR),
    crew=np.array(0),
    surfaced=np.array(True),
    shot_timer=np.array(0),
    bullets=np.zeros((2, 1), int),
    divers=np.zeros((2, 1), int),
    diver_timer=np.array(DIVERS),
    enemies=np.zeros((1, 1), int),
    theirs=np.zeros((1, 1), int),
    spawn_speed=np.array(SPAWN),
    spawn_timer=np.array(SPAWN),
    move_speed=np.array(SLOW),
    ramp=np.array(0),
)
FULL = START._replace(enemies=np.zeros((MOST, 1), int), theirs=np.zeros((MOST, 1), int))


def start(chance: Chance, where: Array) -> State:
    """Start at the surface of an empty sea, facing left."""
    return START if chance.xp is np else FULL


def step(state: State, action: Array, chance: Chance) -> tuple[State, Array, Array]:
    """Take one of: nothing, left, up, right, down, fire."""
    xp, take, s = chance.xp, takes(chance.xp), state
    enemies, theirs, divers, bullets, crew = s.enemies, s.theirs, s.divers, s.bullets, s.crew
    due, sends = s.spawn_timer == 0, s.diver_timer == 0
    if might(xp, due):
        enemies, theirs = _spawn(enemies, theirs, due, s.move_speed, chance)
    if might(xp, sends):
        divers = _send(divers, sends, chance)
    own = take(STEERED, 6 * s.own + action)
    cell, under = own >> 1, own >= 20
    fires = (action == 5) & (s.shot_timer == 0)
    if might(xp, fires):
        bullets = xp.where(fires, pushed(xp, take(FIRED, own), bullets), bullets)

    gained, shooting = xp.zeros_like(own), might(xp, bullets)
    if shooting:
        bullets = take(ON, bullets)
        bullets, enemies, gained = _strike(xp, bullets, enemies, gained)
    if might(xp, divers):
        divers, crew = _rescue(xp, divers, crew, cell, s.diver_timer % 6 == 1)
    then = take(NEXT, enemies + ENEMIES * (s.move_speed - FAST))
    before, after = take(PLACE, enemies), take(PLACE, then)
    theirs = xp.where(take(SHOOTS, enemies), take(COURSE, then), theirs)
    further = take(ON, theirs)
    met = (before == cell) | (after == cell) | (take(CELL, theirs) == cell) | (take(CELL, further) == cell)
    if shooting:
        then, bullets, gained = _ram(xp, then, (after != before) & (after != cell), bullets, gained)
    new = State(
        own,
        s.air - under,
        crew,
        s.surfaced & ~under,
        xp.maximum(xp.where(fires, COOL, s.shot_timer) - 1, 0),
        bullets,
        divers,
        xp.where(sends, DIVERS, s.diver_timer) - 1,
        then,
        further,
        s.spawn_speed,
        xp.where(due, s.spawn_speed, s.spawn_timer) - 1,
        s.move_speed,
        s.ramp,
    )
    over, arrives = met.any(0) | (s.air <= 0), ~(under | s.surfaced)
    if might(xp, arrives):
        new, bonus = _surface(xp, new, arrives & (crew != 0))
        gained, over = gained + bonus, over | (arrives & (crew == 0))
    return new, gained, over


def _spawn(enemies: Array, theirs: Array, due: Array, speed: Array, chance: Chance) -> tuple[Array, Array]:
    """Let an enemy enter where one is due, but not in a row whose enemies move the other way."""
    xp = chance.xp
    right, shoots = chance.uniform(due) < 1 / 2, chance.uniform(due) < 1 / 3
    lane = 2 * (1 + chance.below(8, due)) + right
    due = due & ~(takes(xp)(LANE, enemies) == lane ^ 1).any(0)
    enemy = 1 + 720 * lane + 12 * speed + xp.where(shoots, SHOOT, 11)
    if xp is np and len(enemies) < MOST and might(xp, enemies[-1] | theirs[-1]):
        none = np.zeros((1, len(due)), int)
        enemies, theirs = np.concatenate([enemies, none]), np.concatenate([theirs, none])
    enemies = xp.where(due, pushed(xp, enemy, enemies), enemies)
    theirs = xp.where(due, pushed(xp, xp.zeros_like(enemy), theirs), theirs)
    if xp is np and len(enemies) > 1 and not might(xp, enemies[-2:] | theirs[-2:]):
        enemies, theirs = enemies[:-1], theirs[:-1]
    return enemies, theirs


def _send(divers: Array, due: Array, chance: Chance) -> Array:
    """Let a diver enter where one is due."""
    xp = chance.xp
    right = chance.uniform(due) < 1 / 2
    course = 1 + 10 * (2 * (1 + chance.below(8, due)) + right)
    return xp.where(due, pushed(xp, course, divers), divers)


def _strike(xp: ModuleType, bullets: Array, enemies: Array, gained: Array) -> tuple[Array, Array, Array]:
    """Let each bullet, newest first, hit the oldest fish in its cell, or else the oldest submarine."""
    take = takes(xp)
    place, cells = take(PLACE, enemies), take(CELL, bullets)
    if might(xp, (place == cells[0]) | (place == cells[1])):
        for which in (0, 1):
            met = (place == cells[which]) & (enemies > 0)
            fish = met & take(FISH, enemies)
            hit = xp.where(fish.any(0), last(xp, fish), last(xp, met))
            enemies, bullets, gained = _remove(xp, hit, which, enemies, bullets, gained)
    return bullets, enemies, gained


def _remove(xp: ModuleType, hit: Array, which: int, enemies: Array, bullets: Array, gained: Array) -> tuple:
    """Remove the enemies that are hit [K, N], at most one per game, and their bullet, and count the gains."""
    some = hit.any(0)
    here = xp.asarray(np.arange(2)[:, None] == which)
    return xp.where(hit, 0, enemies), xp.where(some & here, 0, bullets), gained + some


def _rescue(xp: ModuleType, divers: Array, crew: Array, cell: Array, moving: Array) -> tuple[Array, Array]:
    """Pick up divers, before and after they move, newest first, while there is room; move the others."""
    take = takes(xp)
    then = xp.where(moving, take(ON, divers), divers)
    near = (take(CELL, divers) == cell) | (take(CELL, then) == cell)
    if might(xp, near):
        newer = near[0] & (crew < CREW)
        older = near[1] & (crew + newer < CREW)
        then = xp.where(xp.concatenate([newer[None], older[None]]), 0, then)
        crew = crew + newer + older
    return then, crew


def _ram(xp: ModuleType, then: Array, came: Array, bullets: Array, gained: Array) -> tuple[Array, Array, Array]:
    """Remove enemies that moved [K, N] onto a bullet, and that bullet."""
    take = takes(xp)
    place, cells = take(PLACE, then), take(CELL, bullets)
    if might(xp, came & ((place == cells[0]) | (place == cells[1]))):
        for fish in (False, True):  # submarines first, each newest first; they use up the older bullet first
            for which in (1, 0):
                met = came & (place == take(CELL, bullets)[which]) & (then > 0) & (take(FISH, then) == fish)
                then, bullets, gained = _remove(xp, first(xp, met), which, then, bullets, gained)
    return then, bullets, gained


def _surface(xp: ModuleType, state: State, up: Array) -> tuple[State, Array]:
    """Refill the air where the player comes `up` with divers: one leaves, or all six for a bonus; it gets harder."""
    full = up & (state.crew == CREW)
    faster, more = state.move_speed > FAST, state.spawn_speed > 1
    harder = up & (faster | more)
    after = state._replace(
        air=xp.where(up, AIR, state.air),
        crew=xp.where(full, 0, state.crew) - up,
        surfaced=state.surfaced | up,
        move_speed=state.move_speed - (harder & faster & (state.ramp % 2 == 1)),
        spawn_speed=state.spawn_speed - (harder & more),
        ramp=state.ramp + harder,
    )
    return after, xp.where(full, state.air * 10 // AIR, 0)


def look(xp: ModuleType, state: State) -> Array:
    """Return the planes [N, 10, 10, 10] in the order of `PLANES`."""
    s, take = state, takes(xp)
    planes = take(GAUGES, take(LEVEL, s.air + 1) + xp.maximum(s.crew, 0), 0)
    places = [take(SEEN, s.bullets) + 2, take(SEEN, s.divers) + 9, take(TRAIL, s.divers)]
    places += [take(BODY, s.enemies), take(WAKE, s.enemies), take(SEEN, s.theirs) + 4]
    planes = mark(xp, planes, xp.concatenate([*places, take(FRONT, s.own)[None], take(BACK, s.own)[None]]))
    planes &= xp.asarray(DRAWN)
    return planes


GAME = Game(6, PLANES, 6, start, step, look)
