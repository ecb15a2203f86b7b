"""Checkpoints are restored exactly; a damaged one is noticed, and the one before is used."""

import shutil

import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.teacher import digest, flatten
from reincarnate.benchmark.runs import checkpoint
from reincarnate.benchmark.tasks.environments import seeds
from reincarnate.benchmark.training.budget import Budget
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.training.loop import train
from reincarnate.benchmark.training.observer import Observer
from reincarnate.benchmark.training.state import Pending
from reincarnate.datasets.replay.replay import COLUMNS, Replay

from ..toys import scored
from ..training.conftest import traced as traced
from ..training.test_loop import LOG, QUICK, SMALL, TEACHER, TOY, Catch


class Stop(Exception):
    """Stop a run like a crash."""


class Shelf(Observer):
    """Saves at every opportunity, and crashes after so many agent steps."""

    def __init__(self, folder, crash: float = np.inf, load: bool = False):
        folder.mkdir(exist_ok=True)
        self.folder, self._crash, self._load, self._parts = folder, crash, load, []
        self.state = None

    def load(self, state, go_online):
        if self._load:
            number = checkpoint.numbers(self.folder)[-1]
            state, self._parts = checkpoint.load(self.folder, number, state, go_online)
        self.state = state
        return state

    def due(self) -> bool:
        return True

    def save(self, state, force: bool) -> None:
        self._parts = checkpoint.save(self.folder, state, self._parts)
        if state.spent["steps"] >= self._crash:
            raise Stop


@pytest.fixture(scope="module")
def go(traced):
    """go(folder, method, ...) -> what a run with checkpoints showed, and its observer."""

    def run(folder, method: str, crash: float = np.inf, load: bool = False, steps: int = 96, **settings):
        made, shelf = traced(method, {**QUICK, "warmup": 0, **settings}), Shelf(folder, crash, load)
        attempt = int(load)

        def make_env(number):
            return Catch(seeds("train", 0, 4, number, attempt))

        network = made.network(SMALL, TEACHER.architecture)
        points, shown = (0.0, 0.5, 1.0), []
        snapshots = train(
            Training(TOY, made, network, TEACHER, LOG, 0, Budget(steps=steps), points),
            make_env,
            scored(0.5),
            observer=shelf,
        )
        try:
            shown.extend(snapshots)
        except Stop:
            pass
        return shown, shelf

    return run


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("qdagger", {"base": "rainbow", "offline_share": 0.3}),
        pytest.param("jsrl", {"replay_capacity": 40}, marks=pytest.mark.slow),
    ],
)
def test_a_run_goes_on_where_it_was_saved(go, tmp_path, method, settings):
    """Crashed after half: the second part spends the rest, and nothing is counted twice or lost."""
    straight, _ = go(tmp_path / "straight", method, **settings)
    first, crashed = go(tmp_path / "run", method, crash=60, **settings)
    second, resumed = go(tmp_path / "run", method, load=True, **settings)
    assert crashed.state is not None and resumed.state is not None
    assert [s.due for s in first] == [0, 48] and [s.due for s in second] == [-1]
    for unit in ("steps", "frames", "updates"):
        assert second[-1].spent[unit] == straight[-1].spent[unit], unit
    spent = [s.spent for s in (*first, *second)]
    assert all(a[unit] <= b[unit] for a, b in zip(spent, spent[1:], strict=False) for unit in a)
    assert resumed.state.count >= crashed.state.count and resumed.state.cuts


@pytest.mark.slow
def test_saving_changes_nothing(go, tmp_path):
    """A run that saves at every step is bitwise equal to one that never saves."""
    saved, _ = go(tmp_path / "run", "qdagger", base="rainbow", offline_share=0.3)
    made = keywords.make("qdagger", {**QUICK, "warmup": 0, "base": "rainbow", "offline_share": 0.3})
    network = made.network(SMALL, TEACHER.architecture)

    def make_env(number):
        return Catch(seeds("train", 0, 4, number))

    bare = train(
        Training(TOY, made, network, TEACHER, LOG, 0, Budget(steps=96), (0.0, 0.5, 1.0)), make_env, scored(0.5)
    )
    assert [digest(flatten(s.params)) for s in saved] == [digest(flatten(s.params)) for s in bare]


def test_what_is_loaded_is_what_was_saved(go, tmp_path):
    _, crashed = go(tmp_path / "run", "qdagger", base="rainbow", crash=60, offline_share=0.3)
    before = crashed.state
    assert before is not None
    (mine,) = before.members
    values, count = digest(flatten(mine.learner.params)), before.count
    _, after = go(tmp_path / "run", "qdagger", base="rainbow", load=True, crash=0, offline_share=0.3)
    assert after.state is not None
    (theirs,) = after.state.members
    assert digest(flatten(theirs.learner.params)) == values and after.state.count >= count
    cuts = len(after.state.cuts)
    assert len(theirs.replay) == len(mine.replay) and theirs.replay.added.sum() == mine.replay.added.sum() + cuts
    rng = [np.random.default_rng(0) for _ in range(2)]
    places = theirs.replay.places(rng[0], 200, 1)
    assert places is not None and len(np.unique(places[1])) > 5


def test_priorities_go_on_as_if_nothing_had_happened(go, tmp_path):
    """New steps may get a priority above all current ones; priorities of an update arrive one update later."""
    _, crashed = go(tmp_path / "run", "rainbow", crash=60)
    assert crashed.state is not None
    (mine,) = crashed.state.members
    rows = np.array([1, 2])
    mine.replay.highest, mine.pending = 70.0, Pending(rows, rows >= 0, np.array([90.0, 80.0], np.float32))
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    checkpoint.save(shelf, crashed.state, [])
    fresh = go(tmp_path / "other", "rainbow", crash=0)[1].state
    assert fresh is not None
    (theirs,) = checkpoint.load(shelf, 1, fresh, lambda learner: learner)[0].members
    assert theirs.replay.highest == 70.0 and theirs.replay.priorities is not None
    assert theirs.pending and [part.tolist() for part in theirs.pending.ready()] == [[1, 2], [90.0, 80.0]]
    assert theirs.replay.priorities.max() < 70.0


@pytest.fixture(scope="module")
def shelf(go, tmp_path_factory):
    """Return the observer of a run that crashed, with its checkpoints."""
    return go(tmp_path_factory.mktemp("crashed") / "run", "dqn", crash=60)[1]


@pytest.mark.parametrize("spoil", ["flip", "cut", "remove"])
@pytest.mark.parametrize("kind", ["json", "safetensors", "replay"])
def test_damage_is_noticed_before_anything_is_changed(go, tmp_path, shelf, kind, spoil):
    folder = shutil.copytree(shelf.folder, tmp_path / "run")
    numbers = checkpoint.numbers(folder)
    assert len(numbers) == 2  # the last two are kept
    path = folder / f"{numbers[-1]:06d}.{kind}"
    data = bytearray(path.read_bytes())
    if spoil == "remove":
        path.unlink()
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data if spoil == "flip" else data[:-3])
    state = shelf.state
    assert state is not None
    before = digest(flatten(state.members[0].learner.params))
    with pytest.raises(checkpoint.DamagedCheckpoint, match="damaged"):
        checkpoint.load(folder, numbers[-1], state, lambda learner: learner)
    assert digest(flatten(state.members[0].learner.params)) == before
    if spoil != "remove" or kind != "replay":
        fresh = go(tmp_path / "other", "dqn", crash=0)[1].state  # of the same run, at its start
        assert fresh is not None
        loaded, _ = checkpoint.load(folder, numbers[-2], fresh, lambda learner: learner)
        assert loaded.spent["steps"] == 56


def test_rows_go_from_one_ring_to_another_in_parts():
    """Whatever was overwritten meanwhile, the second ring ends like the first."""
    rng = np.random.default_rng(0)
    first, second = (Replay(24, np.zeros(2, np.uint8), 2, 3) for _ in range(2))
    since = first.added
    for part in range(12):
        for _ in range(int(rng.integers(0, 14))):
            who = np.flatnonzero(rng.random(3) < 0.7)
            k = len(who)
            ends = rng.random(k) < 0.2
            frames = rng.integers(0, 255, (k, 2), np.uint8)
            first.add(who, frames, rng.integers(0, 4, k), rng.normal(size=k), rng.integers(0, 9, k), ends, ends)
        second.put(first.rows(since))
        since = first.added
        assert len(second) == len(first), part
        there = (np.arange(8) < first.added[:, None]).reshape(-1)
        assert second.added.tolist() == first.added.tolist()
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(second, f"_{name}")[there], getattr(first, f"_{name}")[there])
    assert (first.oldest > 0).all()
    rows, late = first.rows(first.added - 3), Replay(24, np.zeros(2, np.uint8), 2, 3)
    late.put(rows)  # what came before was not saved
    places = late.places(rng, 50, 1)
    assert len(late) <= 9 and (places is None or (places[1] >= rows["first"][places[0]]).all())
    with pytest.raises(ValueError, match="missing"):
        second.put({**rows, "first": second.added + 1, "added": second.added + 4})
