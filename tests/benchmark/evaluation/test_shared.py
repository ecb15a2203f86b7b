"""Evaluations that runs have in common are played once, and say what they would have said."""

import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.benchmark.evaluation import shared
from reincarnate.benchmark.evaluation.evaluator import Evaluator
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard.record import Evaluation

POLE = find("gym/CartPole-v1")
SEEDS = np.array([3, 1])
OBS = np.ones((1, 1, 2), np.float32)


def told(number: float) -> Evaluation:
    return Evaluation(returns=(number,), lengths=(1,), epsilon=0.0, seeds=(3, 3))


def test_what_is_the_same_is_played_once(tmp_path):
    cases = [(POLE, SEEDS, "a"), (POLE._replace(sticky=0.5), SEEDS, "a"), (POLE, SEEDS[::-1], "a"), (POLE, SEEDS, "b")]
    for number, case in enumerate(cases):
        assert shared.once(tmp_path, *case, lambda number=number: told(number)) == told(number)
    for number, case in enumerate(cases):
        assert shared.once(tmp_path, *case, lambda: told(99)) == told(number)
    assert shared.once(None, *cases[0], lambda: told(99)) == told(99)


def test_a_file_that_cannot_be_read_is_played_again(tmp_path):
    shared.once(tmp_path, POLE, SEEDS, "a", lambda: told(1))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    assert shared.once(tmp_path, POLE, SEEDS, "a", lambda: told(2)) == told(2)
    assert shared.once(tmp_path, POLE, SEEDS, "a", lambda: told(3)) == told(2)


def test_an_evaluation_that_ends_early_leaves_nothing(tmp_path):
    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared.once(tmp_path, POLE, SEEDS, "a", stopped)
    assert not list(tmp_path.iterdir())


def test_players_are_told_apart_by_code_parameters_and_constants():
    def line(slope):
        return lambda params, obs: params["bias"] + (obs * slope).sum(-1)

    one, other = {"bias": jnp.zeros(1)}, {"bias": jnp.full(1, 1e-7)}
    flat, steep = np.arange(2_000.0), np.arange(2_000.0)
    steep[1_000] += 1.0
    wide = np.ones((1, 1, 2_000), np.float32)
    names = [
        shared.program(lambda params, obs: params["bias"] + obs.sum(-1), one, OBS),
        shared.program(lambda params, obs: params["bias"] + obs.sum(-1), other, OBS),
        shared.program(lambda params, obs: params["bias"] - obs.sum(-1), one, OBS),
        shared.program(line(flat), one, wide),
        shared.program(line(steep), one, wide),
    ]
    assert len(set(names)) == len(names)
    assert names[0] == shared.program(lambda params, obs: params["bias"] + obs.sum(-1), {"bias": jnp.zeros(1)}, OBS)


def test_a_run_says_the_same_with_what_another_has_played(tmp_path, monkeypatch):
    asked = {"task": POLE.name, "budget": "steps=60", "episodes": 3, "environments": 2, "seed": 5, "points": (0.0, 1.0)}
    alone = run(**asked, method="dqn", out=tmp_path / "alone")
    count, rounds = [], Evaluator._rounds
    monkeypatch.setattr(Evaluator, "_rounds", lambda *words: count.append(words[3]) or rounds(*words))
    first = run(**asked, method="dqn", out=tmp_path / "first", shared=tmp_path / "played")
    assert len(count) == 2 + (alone.points[0].parameters != alone.points[1].parameters)  # random play, students
    second = run(**asked, method="dqn", out=tmp_path / "second", shared=tmp_path / "played")
    assert len(count) == 2 + (alone.points[0].parameters != alone.points[1].parameters)
    for other in (first, second):
        assert other.random == alone.random and other.teacher == alone.teacher
        assert [point.evaluation for point in other.points] == [point.evaluation for point in alone.points]
