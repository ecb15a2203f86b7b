"""Every file in agents/methods is a method, and keeps its contract."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.learner import PRIORITY, init_learner, key_of, make_act, make_update
from reincarnate.agents.method import Architecture, Clock, Method, Progress, Teacher
from reincarnate.agents.networks import build
from reincarnate.agents.presets import CONTROL, ONLY_CONTROL
from reincarnate.datasets.transition import Batch

ROOM = Path(__file__).parents[2] / "agents"
ALL = sorted(path.stem for path in (ROOM / "methods").glob("*.py"))
NAMES = sorted({*ALL} - {*CONTROL, *ONLY_CONTROL})  # of the others: test_control.py
ACTIONS, SIZE, ENVS = 3, 4, 5
OWN = Architecture("mlp", {"size": 8, "depth": 1})
RNG = np.random.default_rng(0)
OBS = RNG.random((ENVS, 1, 10, 10, 4)) < 0.3
CLOCK = Clock(np.arange(ENVS, dtype=np.int32), np.arange(ENVS, dtype=np.int32))
ASKED = {  # where each method asks its teacher while it is not weaned; the others never do
    "annealed_mixing": {"act"},
    "dagger": {"loss"},
    "dagger_ql": {"loss"},
    "distillation": {"loss"},
    "dqfd": {"loss"},
    "ibrl": {"act", "loss"},
    "jsrl": {"act"},
    "kickstarting": {"loss"},
    "pbt_small": {"loss"},
    "qdagger": {"loss"},
    "retain": {"loss"},
    "tgrl": {"loss"},
}


def at(offline=0.0, spent=0.3, score=0.4, best=0.4):
    offline, spent, score, best = map(np.float32, (offline, spent, score, best))
    return Progress(offline, spent, np.float32(1_000.0), score, best, key_of(0, 1))


def random_batch(n_step: int) -> Batch:
    window = RNG.random((SIZE, 1 + n_step, 10, 10, 4)) < 0.3
    action, span = RNG.integers(ACTIONS, size=SIZE), RNG.integers(1, n_step + 1, size=SIZE)
    reward, discount, mark = RNG.normal(size=SIZE), 0.99**span, np.arange(SIZE) % 2
    floats = (x.astype(np.float32) for x in (reward, discount, mark))
    ahead = np.array([-np.inf, 0.5, 2.0, -1.0], np.float32)
    played = np.log(RNG.random((SIZE, 2))).astype(np.float32)
    return Batch(window, span.astype(np.int32), action.astype(np.int32), *floats, return_to_go=ahead, played=played)


def network(architecture: Architecture, seed: int) -> tuple[Any, Any]:
    """Return the module of an architecture and weights for it."""
    net, rng = build(architecture, ACTIONS), np.random.default_rng(seed)
    shapes = jax.eval_shape(net.init, jax.random.key(0), OBS[:1])
    return net, jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0.0, 0.1, leaf.shape), jnp.float32), shapes)


class Run(NamedTuple):
    """A method with everything that a harness would give it."""

    method: Method
    learner: Any
    net: Any
    update: Any
    act: Any
    theirs: Any
    asked: set


def start(name: str, **settings) -> Run:
    method, asked, place = keywords.make(name, {"batch_size": SIZE, **settings}), set(), ["loss"]
    teacher, theirs = network(OWN, 9)
    net, params = network(method.network(OWN, OWN), 0)

    def teach(params, obs):
        asked.add(place[0])
        return teacher.apply(params, obs)

    acting = make_act(method, net.apply, teach)

    def act(*args):
        place[0] = "act"
        return acting(*args)

    learner = method.init(init_learner(method, params), Teacher(OWN, teacher.apply, theirs))
    return Run(method, learner, net, make_update(method, net.apply, teach), act, theirs, asked)


def same(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True))


def shapes(tree):
    return jax.tree.map(lambda x: (np.shape(x), jnp.result_type(x)), tree)


@pytest.mark.parametrize("name", NAMES)
def test_contract(name):
    """Traced: every method is run in the loop, in tests/benchmark/training/test_every_method.py."""
    run = start(name)
    method, learner, batch = run.method, run.learner, random_batch(run.method.n_step)
    after, terms = jax.eval_shape(run.update, learner, run.theirs, batch, at())
    assert terms and all(term.dtype == jnp.float32 for term in terms.values())
    assert all(term.shape == ((SIZE,) if term_name == PRIORITY else ()) for term_name, term in terms.items())
    assert shapes(after) == shapes(jax.eval_shape(method.go_online, learner)) == shapes(learner)
    assert jax.eval_shape(run.net.apply, learner.params, OBS).shape == (ENVS, ACTIONS)
    action = jax.eval_shape(run.act, learner.params, run.theirs, OBS, CLOCK, at())
    assert action.shape == (ENVS,) and jnp.issubdtype(action.dtype, jnp.integer)
    assert run.asked == ASKED.get(name, set())
    for now in (at(offline=1.0), at()):
        factor = float(method.learning_rate_factor(now))
        assert 0.0 <= method.log_share(now) <= 1.0 and 0.0 <= factor <= 1.0 and not method.weaned(now)
    scores = [0.0, 3.0, 1.0, 2.0]
    for many in (4, 1):
        evolved = method.evolve(jax.random.key(0), [learner] * many, scores[:many])
        assert len(evolved) == many and all(shapes(each) == shapes(learner) for each in evolved)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_what_the_teacher_of_a_weaned_student_would_say_makes_no_difference(name):
    run, late = start(name), at(spent=1.0, score=0.2, best=1.0)
    assert bool(run.method.weaned(late)) == (name not in ("dagger", "dagger_ql", "retain"))
    if run.method.weaned(late):
        learner, batch = run.learner, random_batch(run.method.n_step)
        both = run.theirs, jax.tree.map(lambda x: 0.0 * x, run.theirs)  # as the harness has it, which no longer asks
        if "loss" in ASKED[name]:
            one, other = (run.update(learner, params, batch, late)[0] for params in both)
            assert same(one, other) and not same(one.params, learner.params)
        if "act" in ASKED[name]:
            one, other = (run.act(learner.params, params, OBS, CLOCK, late) for params in both)
            assert same(one, other)


def other(key, default):
    """Return a value that is not the default, and makes sense."""
    if key == "subset":
        return 1
    if isinstance(default, bool):
        return not default
    if default is None:  # a number of the base's
        return 0.9
    if isinstance(default, (int, float)):
        return default + 1 if isinstance(default, int) else default * 0.9 or 0.5
    return "minatar"


@pytest.mark.parametrize("name", NAMES)
def test_every_keyword_does_something(name):
    defaults = keywords.known(keywords.find(name))
    for key, default in defaults.items():
        if (name, key) == ("tgrl", "n_step"):
            continue  # it refuses any but 1
        method = keywords.make(name, {key: str(other(key, default))})
        if key in Method._fields and key != "network":
            assert getattr(method, key) == other(key, default), f"{name} does not pass on {key}"
        elif key == "network" and name not in ("fine_tuning", "surgery"):
            assert method.network(OWN, OWN) != keywords.make(name, {}).network(OWN, OWN)


KEPT = ("network", "batch_size", "copies", "noisy")  # surgery cannot grow noisy networks, and tries copies elsewhere


@pytest.mark.parametrize("name", NAMES)
def test_a_method_runs_with_every_keyword_set_to_something_else(name):
    """Traced only: that it runs with every base is tested in the loop."""
    kept = (*KEPT, "dueling") if name in ("fine_tuning", "surgery") else KEPT
    kept = (*kept, "n_step", "first_n_step") if name == "tgrl" else kept  # it refuses any but 1
    defaults = {key: value for key, value in keywords.known(keywords.find(name)).items() if key not in kept}
    settings = {key: str(other(key, default)) for key, default in defaults.items()}
    method = keywords.make(name, {**settings, "batch_size": SIZE})
    (teacher, wisdom), (net, params) = network(OWN, 9), network(method.network(OWN, OWN), 0)
    learner = method.init(init_learner(method, params), Teacher(OWN, teacher.apply, wisdom))
    update = make_update(method, net.apply, teacher.apply)
    after, terms = jax.eval_shape(update, learner, wisdom, random_batch(method.n_step), at())
    assert jax.tree.structure(after) == jax.tree.structure(learner) and terms
    action = jax.eval_shape(make_act(method, net.apply, teacher.apply), learner.params, wisdom, OBS, CLOCK, at())
    assert action.shape == (ENVS,)


def test_the_table_of_methods_is_whole():
    rows = [line for line in (ROOM / "README.md").read_text().splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == ALL
