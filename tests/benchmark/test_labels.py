"""The teacher's values on its log: stated, asked for once, or asked in every batch; and what each costs."""

import jax
import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.method import Architecture, Teacher
from reincarnate.agents.networks import build
from reincarnate.benchmark.budget import Budget
from reincarnate.benchmark.environments import seeds
from reincarnate.benchmark.train import train
from reincarnate.datasets.mixture import Mixture
from reincarnate.datasets.replay import Replay, Steps

from .toys import ACTIONS, TOY, Catch

SMALL, BATCH = Architecture("mlp", {"size": 8, "depth": 1}), 4
NET = build(SMALL, ACTIONS)
TEACHER = Teacher(SMALL, NET.apply, NET.init(jax.random.key(5), Catch(seeds("log", 0, 1)).observe()))
EPISODES, LENGTH = 20, 4  # 80 transitions in 100 steps


def log(stated: bool | str = False) -> Replay:
    """Episodes of noise; with `stated`, and the values that the teacher, or another one, has on them."""
    rng, size = np.random.default_rng(0), EPISODES * (LENGTH + 1)
    at = np.arange(size) % (LENGTH + 1)
    frame = rng.integers(0, 256, (size, 5, 3), dtype=np.uint8)
    first, last, reward = at == 0, at == LENGTH, rng.normal(size=size).astype(np.float32)
    steps = Steps(frame, rng.integers(ACTIONS, size=size).astype(np.int32), reward, first, last, last)
    if stated:
        before = np.where(first[:, None, None], 0, np.roll(frame, 1, axis=0))
        values = np.asarray(NET.apply(TEACHER.params, np.stack([before, frame], axis=1)))
        steps = steps._replace(teacher_values=values + (1.0 if stated == "another's" else 0.0))
    return Replay.of(steps, TOY.stack)


def learn(log, updates: int, method: str = "dagger", **limits):
    """(spent, weights) of a run on the log alone."""
    made = keywords.make(method, {"batch_size": BATCH, "n_step": 1, "offline": 1.0})
    budget = Budget(updates=updates, **limits)
    env = lambda number: Catch(seeds("train", 0, 2))  # noqa: E731
    last = list(train(TOY, made, SMALL, TEACHER, log, env, lambda params: 0.0, 0, budget, (1.0,)))[-1]
    return last.spent, last.params


def same(one, other) -> bool:
    return all(np.allclose(a, b, atol=1e-6) for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True))


def test_observations_of_a_log_are_those_of_its_batches():
    replay = log(stated=True)
    rows = replay.starts
    assert len(rows) == len(replay) == EPISODES * LENGTH
    window = replay.gather(np.zeros(len(rows), int), rows, 1, 0.9, False).window
    np.testing.assert_array_equal(replay.observations(rows), window[:, : TOY.stack])
    assert replay.stated_values is not None
    values = np.asarray(NET.apply(TEACHER.params, replay.observations(rows)))
    np.testing.assert_allclose(values, replay.stated_values[rows], rtol=1e-4, atol=1e-5)


def test_the_log_is_asked_about_once_where_that_is_cheaper():
    """30 batches of 4 hold 120 places: more than the log's 80. 19 hold 76: fewer, and the teacher is asked in each."""
    plain = log()
    spent, once = learn(plain, updates=30)
    assert spent["queries"] == 80 and plain.teacher_values is not None
    few, _ = learn(log(), updates=19)
    assert few["queries"] == 19 * BATCH
    cramped, each = learn(log(), updates=30, queries=30 * BATCH)
    assert cramped["queries"] == 80 and same(once, each)


def test_stored_values_teach_the_same_and_save_the_teachers_flops():
    spent, once = learn(log(stated=True), updates=10)
    asking, each = learn(log(), updates=10)
    assert same(once, each)
    assert (spent["queries"], asking["queries"]) == (32, 40)  # 32 to see whether it is this teacher's log
    forward = (asking["flops"] - spent["flops"]) / 8
    hand = 2 * 30 * 8 + 2 * 8 * ACTIONS  # of one observation
    assert forward == pytest.approx(hand, rel=0.2)


def test_values_of_another_teacher_are_not_believed():
    replay = log(stated="another's")
    spent, params = learn(replay, updates=30)
    assert spent["queries"] == 32 + 80 and same(params, learn(log(), updates=30)[1])
    assert replay.teacher_values is not None and replay.stated_values is not None
    np.testing.assert_allclose((replay.stated_values - replay.teacher_values)[replay.starts], 1.0, atol=1e-5)


def test_a_mixture_is_asked_about_as_a_whole():
    parts = [log(), log(stated=True)]
    spent, _ = learn(Mixture(parts, [1.0, 1.0]), updates=60)
    assert spent["queries"] == 80 + 32
    assert all(part.teacher_values is not None for part in parts)


@pytest.mark.parametrize("method", ["rehearsal", "cql"])
def test_a_method_that_asks_nothing_is_told_nothing(method):
    replay = log(stated=True)
    spent, _ = learn(replay, updates=5, method=method)
    assert spent["queries"] == 0 and replay.teacher_values is None
