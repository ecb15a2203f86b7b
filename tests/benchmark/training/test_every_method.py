"""Every method with every base in the loop: it spends its budget exactly, is weaned, and loses nothing on resume."""

import inspect
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.method import Architecture, Method, Teacher
from reincarnate.agents.methods.dqn import dqn
from reincarnate.agents.networks import build
from reincarnate.agents.presets import CONTROL, ONLY_CONTROL
from reincarnate.benchmark.runs import checkpoint
from reincarnate.benchmark.submission import floor
from reincarnate.benchmark.tasks.environments import seeds
from reincarnate.benchmark.training.budget import TIMES, Budget
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.training.loop import train
from reincarnate.benchmark.training.observer import Observer, Status
from reincarnate.datasets.replay.replay import COLUMNS

from ..toys import ACTIONS, TOY, Catch, filled, scored

SMALL, ENVS, STEPS, UPDATES = Architecture("mlp", {"size": 8, "depth": 1}), 4, 64, 60
QUICK = {"batch_size": 4, "n_step": 1, "updates_per_step": 0.5, "warmup": 8, "target_period": 2}
SPECIAL = {
    "drq": {"shift": 20},
    "rainbow": {"atoms": 5},
    "pbt_small": {"population": 2},
    "jsrl": {"horizon": 2, "decay": 0.5},
}
LATE = 0.5  # the deadline of those that have one
NEVER = ("dagger", "dagger_ql", "retain")  # ask for ever
ASK = (
    *NEVER,
    "annealed_mixing",
    "distillation",
    "dqfd",
    "ibrl",
    "jsrl",
    "kickstarting",
    "pbt_small",
    "qdagger",
    "tgrl",
)
INHERITING, VALUES_ONLY = ("fine_tuning", "surgery"), ("ibrl", "iql", "iqn", "pex", "qr_dqn", "rlpd", "tgrl", "wsrl")
ELSEWHERE = {"pqn", "ppo", *CONTROL, *ONLY_CONTROL}  # test_rollout.py, test_control.py
NAMES, BASES = sorted(set(keywords.names()) - ELSEWHERE), ("dqn", "rainbow", "drq")
PAIRS = [(name, base) for name in sorted(set(NAMES) - set(BASES)) for base in BASES]
PAIRS = [pair for pair in PAIRS if not (pair[0] in VALUES_ONLY and pair[1] == "rainbow")]  # those refuse it
FAST = (  # every base, what a method keeps: moments, a clone, priorities, scores; a population is in test_loop.py
    ("bc_rl", "dqn"),
    ("cql", "drq"),
    ("qdagger", "rainbow"),
    ("rehearsal", "rainbow"),
)


class Again(Catch):
    """Every game of a board is the same: environments that begin anew between two games go on as if they had not."""

    def _reset(self, i: int) -> None:
        self._luck[i], self._games[i] = np.random.default_rng(i), 0
        super()._reset(i)


def taught(architecture: Architecture) -> Teacher:
    net = build(architecture, ACTIONS)
    return Teacher(architecture, net.apply, jax.jit(net.init)(jax.random.key(5), Catch(seeds("log", 0, 1)).observe()))


class Shelves(Observer):
    """Saves once in the offline phase and once between two games; starts from what a folder holds."""

    def __init__(self, folder, start=None):
        self.folder, self.start, self.state = folder, start, None
        self.left = {"offline": lambda s: not s.online and s.spent["updates"] >= 10, "online": self.between_games}
        if start is not None:
            self.left = {}

    @staticmethod
    def between_games(state) -> bool:
        return state.online and state.spent["steps"] >= 32 and not any(m.clock.step.any() for m in state.members)

    def load(self, state, go_online):
        if self.start is not None:
            state, _ = checkpoint.load(self.start, checkpoint.numbers(self.start)[-1], state, go_online)
        self.state = state
        return state

    def due(self) -> bool:
        return any(ready(self.state) for ready in self.left.values())

    def save(self, state, force: bool) -> None:
        for where in [where for where, ready in self.left.items() if ready(state)]:
            del self.left[where]
            (self.folder / where).mkdir()
            checkpoint.save(self.folder / where, state, [])


class Life(NamedTuple):
    """The result of a run."""

    method: Method
    told: list[Status]
    state: Any
    shown: list[Any]

    def content(self) -> dict[str, Any]:
        """Return everything that a run has at its end, except times."""
        state = self.state
        found = {name: getattr(state, name) for name in (*checkpoint.COUNTERS, "recent", "read")}
        found["spent"] = {unit: amount for unit, amount in state.spent.items() if unit not in TIMES}
        del found["phases"], found["losses"]
        for m in state.members:
            mine = {"learner": jax.device_get(m.learner), "clock": m.clock, "pending": jax.device_get(m.pending)}
            mine |= {name: getattr(m.replay, f"_{name}") for name in (*COLUMNS, "added")}
            mine |= {name: getattr(m, name) for name in ("score", "best", "updates_due", "weaned")}
            mine["priorities"] = m.replay.priorities
            found[f"member {m.number}"] = mine
        found["shown"] = [(snapshot.due, jax.device_get(snapshot.params)) for snapshot in self.shown[-1:]]
        return found


def lived(method: Method, teacher: Teacher, folder, start=None) -> Life:
    """Return a run of 64 steps and 60 updates, at the most."""
    log, _ = filled(Catch(seeds("log", 0, 2)), TOY.stack, 200, 60)
    env = lambda number: Again(seeds("train", 0, ENVS, number))  # noqa: E731
    told, budget, observer = [], Budget(steps=STEPS, updates=UPDATES), Shelves(folder, start)
    network = method.network(SMALL, teacher.architecture)
    points = (0.25, 0.75)
    shown = list(
        train(Training(TOY, method, network, teacher, log, 0, budget, points), env, scored(0.2), told.append, observer)
    )
    return Life(method, told, observer.state, shown)


def start(name: str, base: str) -> tuple[Method, Teacher]:
    """Return the method with this base, which for those that have another one is the base of that; and its teacher."""
    factory = keywords.find(name)
    settings = {**QUICK, **SPECIAL.get(base, {}), **SPECIAL.get(name, {})}
    settings |= {"deadline": LATE} if "deadline" in keywords.known(factory) else {}
    inner = keywords.find(base)
    if name in BASES:
        return keywords.make(name, settings), taught(SMALL)
    default = inspect.signature(factory).parameters["base"].default
    settings["base"] = inner if default is dqn else partial(default, base=inner)
    theirs = keywords.make(base, {**QUICK, **SPECIAL.get(base, {})}).network(SMALL, None)
    return keywords.make(name, settings), taught(theirs if name in INHERITING else SMALL)


def cases():
    """Return all cases, most of them marked slow."""
    pairs = [*((name, name) for name in BASES), *PAIRS]
    return [pytest.param(*pair, marks=() if pair in FAST else pytest.mark.slow) for pair in pairs]


@pytest.mark.parametrize(("name", "base"), cases())
def test_every_method_keeps_its_promises_with_every_base(name, base, tmp_path, heard):
    method, teacher = start(name, base)
    life = lived(method, teacher, tmp_path)
    spends_exactly(life)
    is_above_its_floor(life, method.network(SMALL, teacher.architecture))
    is_weaned(name, life)
    folders = sorted(tmp_path.iterdir())
    assert [folder.name for folder in folders] == (["offline", "online"] if method.offline_share else ["online"])
    wanted = life.content()
    for folder in folders:
        jax.tree.map(np.testing.assert_array_equal, lived(method, teacher, tmp_path, folder).content(), wanted)


@pytest.mark.parametrize(("name", "kept"), [("bc_rl", False), ("cql", False), ("qdagger", True)])
def test_what_is_there_when_the_offline_phase_is_over(name, kept, tmp_path, heard):
    """At the first action: nothing in the replay, a target up to date, and the moments kept or none."""
    (method, teacher), observer = start(name, "dqn"), Shelves(tmp_path)
    log, _ = filled(Catch(seeds("log", 0, 2)), TOY.stack, 200, 60)
    env = lambda number: Again(seeds("train", 0, ENVS, number))  # noqa: E731
    network, budget = method.network(SMALL, SMALL), Budget(steps=STEPS, updates=UPDATES)
    first = next(
        train(Training(TOY, method, network, teacher, log, 0, budget, (0.0,)), env, scored(0.2), observer=observer)
    )
    state: Any = observer.state
    (m,) = state.members
    assert first.spent["steps"] == 0 and first.spent["updates"] == 36 and state.online
    assert len(m.replay) == 0 and not m.replay.added.any()
    jax.tree.map(np.testing.assert_array_equal, m.learner.params, m.learner.target)
    moments = [leaf for leaf in jax.tree.leaves(m.learner.opt_state) if leaf.ndim]
    assert optax.tree.get(m.learner.opt_state, "count") == (36 if kept else 0)
    assert any(leaf.any() for leaf in moments) == kept


@pytest.mark.slow
def test_resets_come_again_as_they_would_have_where_a_run_goes_on(tmp_path, heard):
    """After 15, 30 and 45 of 60 updates, offline and online; n falls from 3 to 1 in the 5 updates after each."""
    settings = {**QUICK, "reset_period": 15, "first_n_step": 3, "anneal": 5, "target_rate": 0.1, "target_acts": True}
    method, teacher = keywords.make("cql", settings), taught(SMALL)
    counts = []

    def renew(learner, fresh, shrink):
        counts.append(int(learner.updates))
        return own(learner, fresh, shrink)

    own, method = method.renew, method._replace(renew=renew)
    wanted = lived(method, teacher, tmp_path).content()
    straight = list(counts)
    assert straight == [15, 30, 45]
    for folder in sorted(tmp_path.iterdir()):
        counts.clear()
        jax.tree.map(np.testing.assert_array_equal, lived(method, teacher, tmp_path, folder).content(), wanted)
        assert counts == straight[len(straight) - len(counts) :]


@pytest.mark.parametrize("name", VALUES_ONLY)
def test_methods_of_values_refuse_distributions(name):
    with pytest.raises(ValueError, match="not of distributions"):
        keywords.make(name, {"base": "rainbow"}).network(SMALL, SMALL)


def spends_exactly(life: Life) -> None:
    """Check that the first limit ends it, to the last unit."""
    spent = life.shown[-1].spent
    assert spent["steps"] <= STEPS and spent["updates"] <= UPDATES
    assert spent["steps"] == STEPS or spent["updates"] == UPDATES
    assert spent["frames"] == spent["steps"] * TOY.frame_skip


def is_above_its_floor(life: Life, network: Architecture) -> None:
    """Check that it has counted at every point what the judge traces, at least: a run and the judge count the same
    programs, so that no honest run is refused for its FLOPs, whose bound leaves out a tenth.
    """
    update, act = floor.least(life.method, network, Again(seeds("train", 0, ENVS, 0)))
    for snapshot in life.shown:
        spent = snapshot.spent
        assert spent["flops"] >= (1 - 1e-5) * (spent["updates"] * update + spent["steps"] / ENVS * act)


def is_weaned(name: str, life: Life) -> None:
    """Check that queries end at the deadline, or shortly after, since the loop checks between updates."""
    counts = [(status.spent["steps"] / status.plan.steps, status.spent["queries"]) for status in life.told]
    assert (counts[-1][1] > 0) == (name in ASK)
    late = {queries for share, queries in counts if share >= LATE + 0.1}
    assert len(late) > 1 if name in NEVER else len(late) == 1
