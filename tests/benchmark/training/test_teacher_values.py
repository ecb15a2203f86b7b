"""The teacher's values on its log: stated, asked for once, or asked in every batch; and what each costs."""

import jax
import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.method import Architecture, Teacher
from reincarnate.agents.networks import build
from reincarnate.benchmark.runs import checkpoint
from reincarnate.benchmark.tasks.environments import seeds
from reincarnate.benchmark.training import loop
from reincarnate.benchmark.training.budget import Budget
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.training.loop import train
from reincarnate.benchmark.training.observer import Observer
from reincarnate.datasets.replay.mixture import Mixture
from reincarnate.datasets.replay.replay import Replay
from reincarnate.datasets.transition import Steps

from ..toys import ACTIONS, TOY, Catch, scored

SMALL, BATCH = Architecture("mlp", {"size": 8, "depth": 1}), 4
NET = build(SMALL, ACTIONS)
TEACHER = Teacher(SMALL, NET.apply, jax.jit(NET.init)(jax.random.key(5), Catch(seeds("log", 0, 1)).observe()))
EPISODES, LENGTH = 20, 4  # 80 transitions in 100 steps


def log(stated: bool | str = False) -> Replay:
    """Return episodes of noise; `stated`: with the values that the teacher, or another one, has on them."""
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


class Halves(Observer):
    """Keeps the state of a run at its tenth update, for another one to start from."""

    def __init__(self, folder, start: bool = False):
        self._folder, self._start, self.state = folder, start, None

    def load(self, state, go_online):
        self.state = checkpoint.load(self._folder, 1, state, go_online)[0] if self._start else state
        return self.state

    def due(self) -> bool:
        return not self._start and self.state is not None and self.state.spent["updates"] == 10

    def save(self, state, force: bool) -> None:
        if self.due():
            checkpoint.save(self._folder, state, [])


@pytest.fixture
def learn(traced):
    """Return learn(log, updates) -> (spent, weights) of a run on the log alone."""

    def go(log, updates: float, method: str = "dagger", observer: Observer | None = None, **limits):
        made = traced(method, {"batch_size": BATCH, "n_step": 1, "offline_share": 1.0})
        budget = Budget(updates=updates, **limits)
        env = lambda number: Catch(seeds("train", 0, 2))  # noqa: E731
        run = train(Training(TOY, made, SMALL, TEACHER, log, 0, budget, (1.0,)), env, scored(0.0), observer=observer)
        last = list(run)[-1]
        return last.spent, last.params

    return go


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


def test_the_log_is_asked_about_once_where_that_is_cheaper(learn):
    """30 batches of 4 hold 120 places: more than the log's 80. 19 hold 76: fewer, and the teacher is asked in each."""
    plain = log()
    spent, once = learn(plain, updates=30)
    assert spent["queries"] == 80 and plain.teacher_values is not None
    few, _ = learn(log(), updates=19)
    assert few["queries"] == 19 * BATCH
    cramped, each = learn(log(), updates=30, queries=30 * BATCH)
    assert cramped["queries"] == 80 and same(once, each)


def test_stored_values_teach_the_same_and_save_the_teachers_flops(learn):
    spent, once = learn(log(stated=True), updates=10)
    asking, each = learn(log(), updates=10)
    assert same(once, each)
    assert (spent["queries"], asking["queries"]) == (32, 40)  # 32 to see whether it is this teacher's log
    forward = (asking["flops"] - spent["flops"]) / 8
    hand = 2 * 30 * 8 + 2 * 8 * ACTIONS  # of one observation
    assert forward == pytest.approx(hand, rel=0.2)


def test_values_of_another_teacher_are_not_believed(learn):
    replay = log(stated="another's")
    spent, params = learn(replay, updates=30)
    assert spent["queries"] == 32 + 80 and same(params, learn(log(), updates=30)[1])
    assert replay.teacher_values is not None and replay.stated_values is not None
    np.testing.assert_allclose((replay.stated_values - replay.teacher_values)[replay.starts], 1.0, atol=1e-5)


def test_a_mixture_is_asked_about_as_a_whole(learn):
    parts = [log(), log(stated=True)]
    spent, _ = learn(Mixture(parts, [1.0, 1.0]), updates=60)
    assert spent["queries"] == 80 + 32
    assert all(part.teacher_values is not None for part in parts)


@pytest.mark.parametrize(("stated", "queries"), [(True, 32), ("another's", 112), (False, 80), (False, 79)])
def test_a_run_that_goes_on_has_the_values_that_it_had(learn, tmp_path, stated, queries):
    """They are the same to the last bit and not paid for again; what was too expensive at first is not free later."""
    once, again, limit = log(stated), log(stated), queries if queries == 79 else np.inf
    straight = learn(once, 30, observer=Halves(tmp_path), queries=limit)
    resumed = learn(again, 30, observer=Halves(tmp_path, start=True), queries=limit)
    for unit in ("updates", "flops", "queries", "logged"):
        assert straight[0][unit] == resumed[0][unit]
    assert straight[0]["queries"] == (76 if queries == 79 else queries)
    assert (once.teacher_values is None) == (again.teacher_values is None) == (queries == 79)
    if once.teacher_values is not None:
        np.testing.assert_array_equal(once.teacher_values, again.teacher_values)
    jax.tree.map(np.testing.assert_array_equal, straight[1], resumed[1])


def test_values_of_an_earlier_run_are_not_taken_for_this_one_s(learn):
    shared = log()
    learn(shared, 30)
    assert shared.teacher_values is not None
    spent, _ = learn(shared, 19)
    assert spent["queries"] == 76 and shared.teacher_values is None


@pytest.mark.slow
@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize(("name", "more"), [("qdagger", {"deadline": 0.5, "hold": 0.0}), ("dqfd", {"deadline": 0.3})])
def test_a_budget_of_flops_is_spent_as_planned(name, more, stated, monkeypatch):
    """Offline, the teacher's values are stored; after the deadline it is not asked: both are in the plan."""
    monkeypatch.setattr(loop, "WATCH_SECONDS", -1.0)
    monkeypatch.setattr("reincarnate.benchmark.training.course.WEANED_UPDATES", 1)
    quick = {"batch_size": BATCH, "n_step": 1, "updates_per_step": 0.5, "warmup": 0.1}
    method, told, budget = keywords.make(name, {**quick, **more}), [], Budget(flops=2e6)
    env = lambda number: Catch(seeds("train", 0, 4))  # noqa: E731
    run = train(Training(TOY, method, SMALL, TEACHER, log(stated), 0, budget, (0.5,)), env, scored(0.2), told.append)
    spent, plan = list(run)[-1].spent, told[-1].plan
    costs = [b.spent["flops"] - a.spent["flops"] for a, b in zip(told, told[1:], strict=False)]
    assert 0 <= budget.flops - spent["flops"] < max(costs[1:])  # of one act, the labels left out
    offline = max(status.spent["updates"] for status in told if status.phase == "offline")
    assert offline + 1 == plan.offline_updates > 50 or offline == plan.offline_updates
    assert spent["steps"] == pytest.approx(plan.steps, abs=8) and spent["updates"] == pytest.approx(plan.updates, abs=4)
    assert plan.offline_updates == pytest.approx(0.6 * 0.5 / 0.4 * plan.steps, abs=2)
    assert plan.updates == pytest.approx(0.5 / 0.4 * plan.steps - 0.05 * plan.steps, abs=1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "more"), [("qdagger", {}), ("wsrl", {"members": 2}), ("dqn", {}), ("cql", {})])
def test_steps_and_flops_are_both_spent_with_infinite_updates(name, more, monkeypatch):
    monkeypatch.setattr("reincarnate.benchmark.training.course.WEANED_UPDATES", 1)
    method = keywords.make(name, {"batch_size": BATCH, "n_step": 1, "updates_per_step": "inf", "warmup": 0.1, **more})
    env = lambda number: Catch(seeds("train", 0, 4))  # noqa: E731
    budget = Budget(steps=1_000, flops=4e6)
    network = method.network(SMALL, None)
    spent = list(train(Training(TOY, method, network, TEACHER, log(True), 0, budget, ()), env, scored(0.2)))[-1].spent
    assert 0.99 * budget.flops < spent["flops"] <= budget.flops and spent["steps"] >= 0.99 * budget.steps


@pytest.mark.parametrize("method", ["rehearsal", "cql"])
def test_a_method_that_asks_nothing_is_told_nothing(learn, method):
    replay = log(stated=True)
    spent, _ = learn(replay, updates=5, method=method)
    assert spent["queries"] == 0 and replay.teacher_values is None
