"""MinAtar's own package as the reference: random states of each game, put into its fields and read from them.

States are those of `reincarnate.benchmark.tasks.minatar`, of one game: `state.field[..., i]`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from minatar import Environment

from reincarnate.benchmark.tasks.minatar import asterix, breakout, freeway, seaquest, space_invaders


class Replayed:
    """In the place of the package's generator: given floats in [0, 1), one after another."""

    def __init__(self, floats: np.ndarray):
        self.floats = iter(floats)

    def rand(self, times: int | None = None):
        return next(self.floats) if times is None else np.array([next(self.floats) for _ in range(times)])

    def randint(self, low: int, high: int | None = None, size: int | None = None):
        low, high = (0, low) if high is None else (low, high)
        drawn = [low + int(next(self.floats) * (high - low)) for _ in range(size or 1)]
        return drawn[0] if size is None else np.array(drawn)


class Case(NamedTuple):
    """How to compare one game."""

    random: Callable[[np.random.Generator, int], Any]  # (rng, n) -> states
    put: Callable[[Any, Any], None]  # (state of one game, the package's) -> None
    told: Callable[[Any], dict]  # the package's fields
    same: Callable[[Any], dict]  # those fields, from a state of one game


def environment(name: str, floats: np.ndarray) -> Any:
    """Return a game of the package, without sticky actions, that draws these numbers."""
    env = Environment(name, sticky_action_prob=0.0)
    env.env.random = Replayed(floats)
    return env.env


# -- Asterix


@functools.cache
def clock() -> list[tuple[int, ...]]:
    """Return the package's timers at each step of a game, from a game in which nobody is touched."""
    env, lines = environment("asterix", np.zeros(10_000)), []
    for _ in range(len(asterix.SPAWNS) + 300):
        lines.append((env.spawn_speed, env.spawn_timer, env.move_speed, env.move_timer, env.ramp_index))
        env.act(0)
        env.entities, env.terminal = [None] * 8, False
    return lines


def random_asterix(rng: np.random.Generator, n: int) -> asterix.State:
    things = np.where(rng.random((10, n)) < rng.random(n), rng.integers(1, 41, (10, n)), 0)
    things[[0, 9]] = 0
    player = 10 * rng.integers(1, 9, n) + rng.integers(10, size=n)
    return asterix.State(player, things, rng.integers(len(asterix.SPAWNS), size=n))


def put_asterix(state: asterix.State, env: Any) -> None:
    fields = asterix_fields(state)
    env.player_x, env.player_y, env.entities = fields["x"], fields["y"], fields["entities"]
    env.spawn_speed, env.spawn_timer, env.move_speed, env.move_timer, env.ramp_index = fields["clock"]
    before = [line[4] for line in clock()[: int(state.time) + 1]]  # the package counts down from 100, once below 0
    age = len(before) - before.index(before[-1]) - 1
    env.ramp_timer = 100 - age


def asterix_fields(state: asterix.State) -> dict:
    entities: list = [None] * 8
    for row, thing in enumerate(np.asarray(state.things)[1:9].tolist()):
        if thing:
            entities[row] = [(thing - 1) % 10, row + 1, (thing - 1) // 10 % 2 == 1, thing > 20]
    player = int(state.player)
    return {"x": player % 10, "y": player // 10, "entities": entities, "clock": clock()[int(state.time)]}


def told_asterix(env: Any) -> dict:
    entities = [thing and [int(thing[0]), int(thing[1]), bool(thing[2]), bool(thing[3])] for thing in env.entities]
    timers = (env.spawn_speed, env.spawn_timer, env.move_speed, env.move_timer, env.ramp_index)
    return {"x": env.player_x, "y": env.player_y, "entities": entities, "clock": timers}


# -- Breakout


def random_breakout(rng: np.random.Generator, n: int) -> breakout.State:
    bricks = np.where(rng.random((30, n)) < rng.random(n), 1 << np.arange(30)[:, None], 0).sum(0)
    ball = 4 * rng.integers(90, size=n) + rng.integers(4, size=n)
    paddle = np.where(rng.random(n) < 0.5, rng.integers(10, size=n), ball // 4 % 10)
    pose, before = 20 * ball + 2 * paddle + rng.integers(2, size=n), 80 * rng.integers(90, size=n)
    return breakout.State(pose, before, bricks)


def put_breakout(state: breakout.State, env: Any) -> None:
    for name, value in breakout_fields(state).items():
        setattr(env, name, value)
    env.brick_map = np.array(env.brick_map, float)


def breakout_fields(state: breakout.State) -> dict:
    pose, before, bricks = int(state.pose), int(state.before) // 80, np.zeros((10, 10))
    ball = pose // 20
    bricks[1:4] = (int(state.bricks) >> np.arange(30) & 1).reshape(3, 10)
    right, down = ball // 2 % 2, ball % 2
    where = {"ball_x": ball // 4 % 10, "ball_y": ball // 40, "last_x": before % 10, "last_y": before // 10}
    direction = {(0, 0): 0, (1, 0): 1, (1, 1): 2, (0, 1): 3}[right, down]
    rest = {"ball_dir": direction, "pos": pose // 2 % 10, "strike": bool(pose % 2)}
    return {**where, **rest, "brick_map": bricks.tolist()}


def told_breakout(env: Any) -> dict:
    names = ("ball_x", "ball_y", "last_x", "last_y", "ball_dir", "pos")
    return {name: int(getattr(env, name)) for name in names} | {
        "strike": env.strike,
        "brick_map": env.brick_map.tolist(),
    }


# -- Freeway


def random_freeway(rng: np.random.Generator, n: int) -> freeway.State:
    pace, column = rng.integers(10, size=(8, n)), rng.integers(10, size=(8, n))
    near = rng.random((8, n)) < 0.4
    cars = 60 * np.where(near, rng.integers(3, 6, (8, n)), column) + 10 * rng.integers(pace % 5 + 2) + pace
    left = np.where(rng.random(n) < 0.1, 0, rng.integers(2500, size=n))
    y, pause = np.where(rng.random(n) < 0.3, 1, rng.integers(1, 10, n)), rng.integers(4, size=n)
    return freeway.State(y, pause * (rng.random(n) < 0.7), left, cars)


def put_freeway(state: freeway.State, env: Any) -> None:
    for name, value in freeway_fields(state).items():
        setattr(env, name, value)


def freeway_fields(state: freeway.State) -> dict:
    cars = []
    for row, car in enumerate(np.asarray(state.cars).tolist()):
        speed = (car % 5 + 1) * (1 if car % 10 >= 5 else -1)
        cars.append([car // 60, row + 1, car // 10 % 6, speed])
    return {"pos": int(state.y), "move_timer": int(state.pause), "terminate_timer": int(state.left), "cars": cars}


def told_freeway(env: Any) -> dict:
    cars = [[int(number) for number in car] for car in env.cars]
    return {"pos": env.pos, "move_timer": env.move_timer, "terminate_timer": env.terminate_timer, "cars": cars}


# -- Space Invaders


def random_space_invaders(rng: np.random.Generator, n: int) -> space_invaders.State:
    def rows(most: float, highest: int, lowest: int) -> np.ndarray:
        bits = (rng.random((10, 10, n)) < most * rng.random(n)) * (1 << np.arange(10)[:, None])
        bits[:highest] = bits[lowest + 1 :] = 0
        return bits.sum(1)

    few = rng.random(n) < 0.2
    aliens = np.where(few, rows(0.05, 0, 9), rows(1.0, 0, 9))
    aliens[3] |= np.where(aliens.any(0), 0, 1 << rng.integers(10, size=n))  # there is always one at least
    return space_invaders.State(
        x=rng.integers(10, size=n),
        aliens=aliens,
        shots=rows(0.4, 0, 8),
        bombs=rows(0.3, 0, 9),
        right=rng.random(n) < 0.5,
        march=rng.integers(6, 13, n),
        march_timer=rng.integers(4, size=n),
        bomb_timer=rng.integers(4, size=n),
        shot_timer=rng.integers(5, size=n) * (rng.random(n) < 0.5),
    )


def put_space_invaders(state: space_invaders.State, env: Any) -> None:
    for name, value in space_invaders_fields(state).items():
        setattr(env, name, np.array(value, float) if name.endswith("_map") else value)


def space_invaders_fields(state: space_invaders.State) -> dict:
    def field(rows) -> list:
        return (np.asarray(rows)[:, None] >> np.arange(10) & 1).astype(float).tolist()

    timers = {"alien_move_timer": int(state.march_timer), "alien_shot_timer": int(state.bomb_timer)}
    maps = {"alien_map": field(state.aliens), "f_bullet_map": field(state.shots), "e_bullet_map": field(state.bombs)}
    alien = {"alien_dir": 1 if state.right else -1, "enemy_move_interval": int(state.march)}
    return {**timers, **maps, **alien, "pos": int(state.x), "shot_timer": int(state.shot_timer)}


def told_space_invaders(env: Any) -> dict:
    numbers = ("alien_move_timer", "alien_shot_timer", "alien_dir", "enemy_move_interval", "pos", "shot_timer")
    maps = ("alien_map", "f_bullet_map", "e_bullet_map")
    return {name: int(getattr(env, name)) for name in numbers} | {name: getattr(env, name).tolist() for name in maps}


# -- Seaquest


def random_seaquest(rng: np.random.Generator, n: int) -> seaquest.State:
    """Return a random state, crowded or not, in which no older thing is where a newer one takes its place."""
    shape, crowd = (seaquest.MOST - 1, n), rng.random(n) ** 2
    near = rng.random(n) < 0.7  # everything in few rows, where much is hit
    row = np.where(near, rng.integers(3, 5, shape), rng.integers(1, 9, shape))
    lane, ramp = 2 * row + rng.integers(2, size=shape), rng.integers(25, size=n)
    move_speed = np.maximum(5 - ramp // 2, 2)
    move, shoot = rng.integers(move_speed + 1, size=shape), rng.integers(11, size=shape)
    fish = rng.random(shape) < 0.6
    enemies = 1 + 72 * (10 * lane + rng.integers(10, size=shape)) + 12 * move + np.where(fish, 11, shoot)
    enemies = np.where(rng.random(shape) < crowd, enemies, 0)
    for i in range(n):  # of two that are equal in all the package could remove the other one
        _, kept = np.unique(enemies[:, i], return_index=True)
        enemies[np.setdiff1d(np.arange(len(enemies)), kept), i] = 0
    theirs = np.where((rng.random(shape) < 0.3 * crowd) & ~fish & (shoot > 0), 1 + 10 * lane + shoot % 10, 0)
    y = np.where(near, rng.integers(3, 5, n), rng.integers(9, size=n))
    own = 2 * (10 * y + rng.integers(1, 9, n)) + rng.integers(2, size=n)
    shot_timer, diver_timer = rng.integers(5, size=n) * (rng.random(n) < 0.5), rng.integers(30, size=n)
    there = rng.random((4, n)) < 0.6

    def courses() -> np.ndarray:
        rows = np.where(near, rng.integers(3, 5, n), rng.integers(1, 9, n))
        return 1 + 10 * (2 * rows + rng.integers(2, size=n)) + rng.integers(10, size=n)

    bullets, divers = np.stack([courses(), courses()]) * there[:2], np.stack([courses(), courses()]) * there[2:]
    bullets[1] *= (shot_timer > 0) & (bullets[1] != bullets[0])
    divers[1] *= (diver_timer > 0) & (divers[1] != divers[0])
    none = np.zeros((1, n), int)
    return seaquest.State(
        own=own,
        air=np.where(rng.random(n) < 0.1, rng.integers(0, 2, n), rng.integers(201, size=n)),
        crew=np.where(rng.random(n) < 0.3, 6, rng.integers(-1, 7, n)),
        surfaced=(y == 0) & (rng.random(n) < 0.3),
        shot_timer=shot_timer,
        bullets=bullets,
        divers=divers,
        diver_timer=diver_timer,
        enemies=np.concatenate([enemies, none]),
        theirs=np.concatenate([theirs, none]),
        spawn_speed=np.maximum(20 - ramp, 1),
        spawn_timer=rng.integers(3, size=n),
        move_speed=move_speed,
        ramp=ramp,
    )


def put_seaquest(state: seaquest.State, env: Any) -> None:
    for name, value in seaquest_fields(state).items():
        setattr(env, name, value)


def seaquest_fields(state: seaquest.State) -> dict:
    """Return the fields as the package has them: the oldest things come first."""

    def things(courses) -> list:
        return [at(course) for course in np.asarray(courses).tolist()[::-1] if course]

    def at(course: int) -> list:
        lane, gone = (course - 1) // 10, (course - 1) % 10
        return [gone if lane % 2 else 9 - gone, lane // 2, lane % 2 == 1]

    fish, subs = [], []
    for enemy in np.asarray(state.enemies).tolist()[::-1]:
        if enemy:
            course, move, shoot = (enemy - 1) // 72 + 1, (enemy - 1) // 12 % 6, (enemy - 1) % 12
            (fish if shoot == 11 else subs).append([*at(course), move, *([] if shoot == 11 else [shoot])])
    own, timer = int(state.own), int(state.diver_timer)
    wait = (timer - 1) % 6  # divers move together: a new one comes every five moves of those before
    return {
        "sub_x": own // 2 % 10,
        "sub_y": own // 20,
        "sub_or": own % 2 == 1,
        "oxygen": int(state.air),
        "diver_count": int(state.crew),
        "surface": bool(state.surfaced),
        "shot_timer": int(state.shot_timer),
        "f_bullets": things(state.bullets),
        "e_bullets": sorted(things(state.theirs)),
        "divers": [[*diver, wait] for diver in things(state.divers)],
        "d_spawn_timer": timer,
        "e_fish": fish,
        "e_subs": subs,
        "e_spawn_speed": int(state.spawn_speed),
        "e_spawn_timer": int(state.spawn_timer),
        "move_speed": int(state.move_speed),
        "ramp_index": int(state.ramp),
    }


def told_seaquest(env: Any) -> dict:
    flags, lists = ("sub_or", "surface"), ("f_bullets", "e_bullets", "divers", "e_fish", "e_subs")
    numbers = ("sub_x", "sub_y", "oxygen", "diver_count", "shot_timer", "d_spawn_timer", "e_spawn_speed")
    numbers += ("e_spawn_timer", "move_speed", "ramp_index")
    told = {name: int(getattr(env, name)) for name in numbers} | {name: bool(getattr(env, name)) for name in flags}
    things = {
        name: [[bool(part) if i == 2 else int(part) for i, part in enumerate(thing)] for thing in getattr(env, name)]
        for name in lists
    }
    return {**told, **things, "e_bullets": sorted(things["e_bullets"])}  # their order means nothing


CASES = {
    "asterix": Case(random_asterix, put_asterix, told_asterix, asterix_fields),
    "breakout": Case(random_breakout, put_breakout, told_breakout, breakout_fields),
    "freeway": Case(random_freeway, put_freeway, told_freeway, freeway_fields),
    "seaquest": Case(random_seaquest, put_seaquest, told_seaquest, seaquest_fields),
    "space_invaders": Case(random_space_invaders, put_space_invaders, told_space_invaders, space_invaders_fields),
}
