"""A small game, and a witness: an environment that remembers all it showed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from reincarnate.benchmark.tasks.environments import Environment, Step
from reincarnate.benchmark.tasks.task import Task
from reincarnate.benchmark.training.weaning import Validation
from reincarnate.datasets.replay.replay import Replay

TOY = Task("toy/catch", "toy", "catch", frame_skip=4, stack=2, clip=True)
ROWS, COLUMNS, ACTIONS = 5, 3, 3


class Catch:
    """N boards [2, 5, 3] of bytes with a falling ball and a paddle; +3 or -1 at the bottom.

    Every other game is cut off one row before its end.
    """

    actions = ACTIONS

    def __init__(self, seed: np.ndarray):
        self.n = len(seed)
        self._luck = [np.random.default_rng(int(s)) for s in seed]
        self._games = np.zeros(self.n, int)
        self._row, self._column, self._paddle = np.zeros((3, self.n), int)
        self._shown = np.zeros((self.n, TOY.stack, ROWS, COLUMNS), np.uint8)
        for i in range(self.n):
            self._reset(i)

    def _reset(self, i: int) -> None:
        self._row[i], self._column[i], self._paddle[i] = 0, self._luck[i].integers(COLUMNS), 1
        self._shown[i] = 0
        self._shown[i, -1] = self._frame(i)

    def _frame(self, i: int) -> np.ndarray:
        frame = np.zeros((ROWS, COLUMNS), np.uint8)
        frame[self._row[i], self._column[i]] = 155
        frame[-1, self._paddle[i]] += 100
        return frame

    def observe(self) -> np.ndarray:
        return self._shown

    def step(self, actions: np.ndarray) -> Step:
        self._paddle = np.clip(self._paddle + actions - 1, 0, COLUMNS - 1)
        self._row += 1
        terminated = self._row == ROWS - 1
        truncated = ~terminated & (self._row == ROWS - 2) & (self._games % 2 == 1)
        reward = np.where(terminated, np.where(self._paddle == self._column, 3.0, -1.0), 0.0).astype(np.float32)
        self._shown = np.concatenate([self._shown[:, 1:], [[self._frame(i)] for i in range(self.n)]], axis=1)
        final = self._shown[:, -1].copy()
        for i in np.flatnonzero(terminated | truncated).tolist():
            self._games[i] += 1
            self._reset(i)
        return Step(reward, terminated, truncated, final)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        for i, s in zip(which.tolist(), seed, strict=True):
            self._luck[i], self._games[i] = np.random.default_rng(int(s)), 0
            self._reset(i)


class Row(NamedTuple):
    """The facts of a step that a replay should store, or of the end of an episode, where action is -1."""

    shown: np.ndarray  # [S, *frame]
    action: int
    reward: float
    terminal: bool


class Witness:
    """Passes everything on, and keeps it as `rows` of each environment: all that was shown, with the ends."""

    def __init__(self, env: Environment):
        self._env, self.n, self.actions = env, env.n, env.actions
        self.rows: list[list[Row]] = [[] for _ in range(env.n)]
        self.acts = 0  # steps of all together

    def observe(self) -> np.ndarray:
        return self._env.observe()

    def step(self, actions: np.ndarray) -> Step:
        self.acts += 1
        before = self._env.observe().copy()
        told = self._env.step(actions)
        for i, rows in enumerate(self.rows):
            rows.append(Row(before[i], int(actions[i]), float(told.reward[i]), False))
            if told.terminated[i] or told.truncated[i]:
                final = np.concatenate([before[i, 1:], told.final[i][None]])
                rows.append(Row(final, -1, 0.0, bool(told.terminated[i])))
        return told

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        raise AssertionError("training never starts an episode anew")


def filled(env, stack: int, capacity: int, steps: int) -> tuple[Replay, Witness]:
    """Return a replay to which everything that happens is added, as RLDS has it."""
    witness, rng = Witness(env), np.random.default_rng(0)
    replay = Replay(capacity, env.observe()[0, -1], stack, env.n)
    age, who, no = np.zeros(env.n, int), np.arange(env.n), np.zeros(env.n, bool)
    for _ in range(steps):
        frame, action = env.observe()[:, -1].copy(), rng.integers(env.actions, size=env.n)
        told = witness.step(action)
        replay.add(who, frame, action, told.reward, age, no, no)
        over = np.flatnonzero(told.terminated | told.truncated)
        zero, yes = np.zeros(len(over)), np.ones(len(over), bool)
        replay.add(over, told.final[over], zero, zero, age[over] + 1, yes, told.terminated[over])
        age = age + 1
        age[over] = 0
    return replay, witness


def same_as_shown(replay: Replay, witness: Witness, n_step: int, draws: int = 2000) -> set[tuple[int, int]]:
    """Assert that what is sampled is what was shown, bit for bit, and returns the places that were sampled."""
    rng, discount = np.random.default_rng(0), 0.5
    places = replay.places(rng, draws, n_step)
    assert places is not None
    s, t = places
    batch = replay.gather(s, t, n_step, discount, clip=False)
    stack = replay.stack
    for b in range(draws):
        rows = witness.rows[s[b]][t[b] :]
        span = next((k for k in range(1, n_step) if rows[k].action == -1), n_step)
        assert batch.span[b] == span
        assert np.array_equal(batch.window[b, :stack], rows[0].shown)
        assert np.array_equal(batch.window[b, span : span + stack], rows[span].shown)
        assert batch.action[b] == rows[0].action
        assert batch.reward[b] == sum(discount**k * rows[k].reward for k in range(span))
        assert batch.discount[b] == (0.0 if rows[span].terminal else discount**span)
    return set(zip(s.tolist(), t.tolist(), strict=True))


def scored(score: float) -> Callable[[Any], Validation]:
    """Return a validation that always comes to the same score."""
    return lambda params: Validation(score, score, 30, 100)
