"""Every method for continuous actions in the loop: exact budgets, actions within bounds, and nothing lost on resume."""

from itertools import pairwise

import jax
import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.method import Architecture, Teacher
from reincarnate.agents.networks import build
from reincarnate.agents.presets import BOTH, CONTROL, NOT_FOR, ONLY_CONTROL
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.tasks.environments import Step, seeds
from reincarnate.benchmark.tasks.task import Task
from reincarnate.benchmark.training.budget import Budget
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.training.loop import train
from reincarnate.benchmark.training.programs import Device
from reincarnate.datasets.replay.replay import Replay
from reincarnate.datasets.transition import Actions, Box, Steps

from ..toys import scored
from .test_every_method import Life, Shelves

BOX = Box((-2.0, 0.0), (2.0, 1.0))
POINT = Task("toy/point", "toy", "point")
SMALL = "actor_critic:width=8,depth=1"
QUICK = {"batch_size": 4, "warmup": 8, "updates_per_step": 0.5, "explore": 0}
SPECIAL = {"pbt_small": {"population": 2}, "jsrl": {"horizon": 2, "decay": 0.5}}
LATE = 0.5
FAST = (("td3", "td3"),)
CASES = [(name, name) for name in CONTROL]
CASES += [(name, base) for name in (*BOTH, *ONLY_CONTROL) for base in CONTROL if NOT_FOR.get(name) != base]


class Point:
    """N points that actions push, [1, 3]; reward is how near they are to 0. Episodes of 4 steps, every other cut."""

    actions: Actions = BOX

    def __init__(self, seed: np.ndarray):
        self.n, self._luck = len(seed), [np.random.default_rng(i) for i in range(len(seed))]
        self._age, self._games = np.zeros(self.n, int), np.zeros(self.n, int)
        self._seen = np.stack([self._reset(i) for i in range(self.n)])
        self.taken: list[np.ndarray] = []

    def _reset(self, i: int) -> np.ndarray:
        return np.random.default_rng(i).normal(size=3).astype(np.float32)

    def observe(self) -> np.ndarray:
        return self._seen[:, None]

    def step(self, actions: np.ndarray) -> Step:
        assert actions.shape == (self.n, 2) and actions.dtype == np.float32
        assert (actions >= np.asarray(BOX.low)).all() and (actions <= np.asarray(BOX.high)).all()
        self.taken.append(np.array(actions))
        self._age += 1
        final = self._seen * 0.9
        final[:, :2] += 0.1 * actions
        over = self._age == 4
        terminated = over & (np.arange(self.n) % 2 == 0)
        self._seen = np.where(over[:, None], np.stack([self._reset(i) for i in range(self.n)]), final)
        self._age[over] = 0
        reward = -np.abs(final).sum(axis=1)
        return Step(reward.astype(np.float32), terminated, over & ~terminated, final)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        raise AssertionError("training never starts an episode anew")


def logged(length: int = 40) -> Replay:
    """Return random play in one stream, in the environment's units."""
    rng, at = np.random.default_rng(0), np.arange(length)
    first, last = at % 5 == 0, at % 5 == 4
    action = rng.uniform(BOX.low, BOX.high, (length, 2)).astype(np.float32)
    frame, reward = rng.normal(size=(length, 3)).astype(np.float32), rng.normal(size=length).astype(np.float32)
    return Replay.of(Steps(frame, action, reward, first, last, last & (at % 10 == 9)), 1)


def start(name: str, base: str):
    """Return the method with this base, and a teacher of its kind."""
    known = keywords.known(keywords.find(name), keywords.find(base))
    given = {**QUICK, **SPECIAL.get(name, {})} | ({"base": base} if name != base else {})
    given |= {"deadline": LATE} if "deadline" in known else {}
    given |= {"network": SMALL} if name not in ("fine_tuning", "surgery") else {}
    theirs = keywords.make(base, {"network": SMALL}).network(Architecture("mlp"), None)
    net = build(theirs, BOX)
    params = jax.jit(net.init)(jax.random.key(5), np.zeros((1, 1, 3), np.float32))
    return keywords.make(name, given), Teacher(theirs, net.apply, params, outputs="continuous actions")


def lived(method, teacher, folder, first=None) -> Life:
    env = lambda number: Point(seeds("train", 0, 4, number))  # noqa: E731
    told, budget, observer = [], Budget(steps=64, updates=60), Shelves(folder, first)
    network = method.network(Architecture("mlp"), teacher.architecture)
    shown = list(
        train(
            Training(POINT, method, network, teacher, logged(), 0, budget, (0.5,)),
            env,
            scored(0.2),
            told.append,
            observer,
        )
    )
    return Life(method, told, observer.state, shown)


@pytest.mark.parametrize(
    ("name", "base"), [pytest.param(*case, marks=() if case in FAST else pytest.mark.slow) for case in CASES]
)
def test_every_method_keeps_its_promises(name, base, tmp_path, heard):
    method, teacher = start(name, base)
    life = lived(method, teacher, tmp_path)
    spent = life.shown[-1].spent
    assert spent["steps"] == 64 or spent["updates"] == 60
    (m, *_) = life.state.members
    assert m.replay._action.dtype == np.float32 and m.replay._action.shape[1:] == (2,)
    taken = np.concatenate(m.env.taken)
    rows = m.replay._action[~m.replay._is_last & (m.replay._reward != 0)]
    assert len(rows) > 10 and {*map(tuple, rows)} <= {*map(tuple, taken)}  # as they were, to the last bit
    wanted = life.content()
    for folder in sorted(tmp_path.iterdir()):
        again = lived(method, teacher, tmp_path, folder).content()
        jax.tree.map(np.testing.assert_array_equal, again, wanted)


def test_the_price_of_a_run_is_that_of_its_whole_and_its_light_updates(tmp_path, heard):
    """The actor learns in every third update, and the ledger has the FLOPs of each program times its calls."""
    method, teacher = start("td3", "td3")
    method = method._replace(delay=3, updates_per_step=1.0)
    life = lived(method, teacher, tmp_path)
    states = [status.spent for status in life.told]
    pairs = list(zip(states, states[1:], strict=False))
    costs = {b["flops"] - a["flops"] for a, b in pairs if b["updates"] == a["updates"] + 1 and b["steps"] == a["steps"]}
    assert len(costs) == 2
    counts = [b["updates"] for a, b in pairs if b["flops"] - a["flops"] == max(costs) and b["updates"] > a["updates"]]
    assert counts and all(count % 3 == 0 for count in counts)


@pytest.mark.slow
def test_updates_after_the_offline_phase_are_paid_without_its_terms(tmp_path, heard):
    """WSRL's pessimism ends with it; half of the updates are before it."""
    method, teacher = start("wsrl", "sac")
    method = method._replace(delay=1, offline_share=0.5)
    told = lived(method, teacher, tmp_path).told
    costs: dict[str, set[float]] = {"offline": set(), "online": set()}
    for before, after in pairwise(told):
        a, b = before.spent, after.spent
        if b["updates"] > a["updates"] and b["steps"] == a["steps"]:
            costs[before.phase].add((b["flops"] - a["flops"]) / (b["updates"] - a["updates"]))
    assert len(costs["offline"]) == len(costs["online"]) == 1
    assert max(costs["online"]) < 0.5 * max(costs["offline"]) and told[-1].spent["updates"] == 60


@pytest.mark.slow
@pytest.mark.parametrize(("delay", "most"), [(1, 20), (5, 4)])
def test_updates_that_are_owed_go_into_one_call(delay, most, tmp_path, monkeypatch):
    """With 5 updates per step in 4 environments, equal consecutive ones share a call, at the same price as single
    ones."""
    method, teacher = start("sac", "sac")
    method = method._replace(delay=delay, updates_per_step=5.0)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    made: list[int] = []
    original = Device.several

    def several(self, update, count):
        made.append(count)
        return original(self, update, count)

    monkeypatch.setattr(Device, "several", several)
    together = lived(method, teacher, tmp_path / "a")
    assert max(made) == most
    monkeypatch.setattr(Device, "whole", property(lambda self: False))
    before = len(made)
    single = lived(method, teacher, tmp_path / "b")
    assert len(made) == before and together.content()["spent"] == single.content()["spent"]
    learned = [life.state.members[0].learner for life in (together, single)]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *learned)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CONTROL, *BOTH, *ONLY_CONTROL])
def test_a_task_of_continuous_actions_needs_no_settings(name, tmp_path):
    """The task's own teacher and log, and the preset's settings, some of which are measured on that teacher."""
    small = {"network": SMALL} if name not in ("fine_tuning", "surgery") else {}
    told = run(
        "gym/Pendulum-v1", name, "steps=250,updates=20", 0, small, episodes=1, out=tmp_path / name, points=(0, 1)
    )
    spent = told.points[-1].spent
    assert spent["steps"] > 200 or spent["updates"] == 20
