"""The students with which a curve may begin."""

import jax
import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.growth import embed
from reincarnate.agents.method import Architecture, Teacher
from reincarnate.agents.networks import build
from reincarnate.agents.teacher import digest, flatten
from reincarnate.benchmark.submission import fresh
from reincarnate.benchmark.tasks.environments import make, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.benchmark.training import learning

from ...leaderboard.makers import parent, record

TASK = find("gym/CartPole-v1")
NETWORK = {"name": "mlp", "options": {"size": 32, "depth": 2}}


def weights(seed: int, network=NETWORK):
    env = make(TASK, seeds("verification", 0, 1))
    return jax.jit(build(Architecture(**network), env.actions).init)(jax.random.key(seed), env.observe())


def moved(params, size: float):
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: x + size * rng.standard_normal(x.shape), params)


def policy(params, network=NETWORK) -> Teacher:
    """Return the student or teacher of these weights."""
    architecture = Architecture(**network)
    return Teacher(architecture, build(architecture, 2).apply, params)


def told(params, method: str = "dqn", updates: float = 0, above=(), guides=(), network=NETWORK) -> list[str]:
    """Return what is said of a run whose first student has these weights."""
    made = record("a", *above, method=method or "its:own", network=network, points=((0, updates), (200, 50)))
    students = [policy(params, network), policy(moved(params, 0.3), network)]
    seals = [{"parameters": digest(flatten(one.params))} for one in students]
    points = tuple(point.model_copy(update=seal) for point, seal in zip(made.points, seals, strict=True))
    made = made.model_copy(update={"points": points})
    return fresh.faults(students, made, keywords.make(method, {}) if method else None, TASK, guides)


@pytest.mark.parametrize("seed", range(4))
def test_fresh_weights_of_any_seed_may_stand_before_the_first_update(seed):
    assert told(weights(seed)) == []


@pytest.mark.parametrize("size", [0.05, 0.3])
def test_weights_that_have_learned_may_not(size):
    assert "standard deviations from fresh ones" in told(moved(weights(0), size))[0]
    assert told(moved(weights(0), size), updates=10) == []
    assert told(moved(weights(0), size), "") == []  # a third party's: nobody knows


def test_a_method_that_inherits_begins_with_its_teachers_weights_or_acts_as_it_does():
    trained, wide = moved(weights(0), 0.3), {"name": "mlp", "options": {"size": 64, "depth": 2}}
    above = parent("someone/teacher").model_copy(update={"digest": digest(flatten(trained))})
    assert told(trained, "fine_tuning", above=(above,)) == told(trained, "dqn", above=(above,)) == []
    guide = policy(trained)
    grown = embed(Architecture(**NETWORK), Architecture(**wide), trained, weights(1, wide))
    assert told(grown, "surgery", guides=(guide,), network=wide) == []
    later = moved(trained, 1.0)
    assert "does not act as its teacher does" in told(later, "fine_tuning", guides=(guide,))[0]


def test_fresh_weights_of_the_runs_own_seed_are_nobodys_and_others_are_not_taken_for_them():
    """Whoever hands in the fresh weights of a seed, or a student of one update, keeps nobody from beginning there."""
    env = make(TASK, seeds("verification", 0, 1))
    net = build(Architecture(**NETWORK), env.actions)
    made = record("a", method="dqn", seed=3, network=NETWORK, points=((0, 0), (200, 50)))

    def found(params, method: str = "dqn", updates: float = 0.0) -> bool:
        students = [policy(params), policy(moved(params, 0.3))]
        first = made.points[0].model_copy(
            update={"parameters": digest(flatten(params)), "spent": {**made.points[0].spent, "updates": updates}}
        )
        one = made.model_copy(update={"points": (first, made.points[1])})
        chosen = keywords.make(method, {}) if method else None
        return fresh.begun(students, one, chosen, TASK) == {first.parameters}

    own, near = learning.weights(net, 3, 0, env.observe()), learning.weights(net, 3, 0, env.observe())
    assert found(own) and found(jax.tree.map(lambda x: x * (1 + 1e-6), near))
    assert not found(own, "") and not found(own, updates=1.0)
    assert not found(learning.weights(net, 4, 0, env.observe())) and not found(moved(own, 0.01))
