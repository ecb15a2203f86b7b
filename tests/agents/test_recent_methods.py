"""The methods since the paper, on values worked out by hand: Cal-QL, WSRL, PEX, IBRL, TGRL."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import losses
from reincarnate.agents.keywords import find, make
from reincarnate.agents.method import Architecture, Clock, Progress
from reincarnate.agents.networks import build
from reincarnate.datasets.transition import Transition

OWN = Architecture("minatar")
Q, A = jnp.array([[0.1, 0.2, 0.0]]), jnp.array([0])


def at(offline=0.0, spent=0.3, key=0):
    offline, spent = map(np.float32, (offline, spent))
    return Progress(offline, spent, np.float32(1_000.0), np.float32(0.0), np.float32(0.0), jax.random.key(key))


def step(**parts):
    plain = Transition(
        np.zeros((1, 1)), np.array([0]), np.array([0.5]), np.array([0.9]), np.ones((1, 1)), np.ones(1), np.array([0.15])
    )
    return plain._replace(**parts)


def silent(obs, method=""):
    raise AssertionError("nobody may ask the teacher")


# -- Cal-QL and WSRL


@pytest.mark.parametrize(
    ("floor", "raised"),
    [(-np.inf, [0.1, 0.2, 0.0]), (0.15, [0.15, 0.2, 0.15]), (7.0, [7.0, 7.0, 7.0])],
)
def test_calibrated_pushes_nothing_below_the_floor(floor, raised):
    """The log-sum is that of what the floor raised; the logged action's own value is not raised."""
    expected = np.log(np.exp(np.array(raised) / 0.1).sum()) - 0.1 / 0.1
    np.testing.assert_allclose(losses.calibrated(Q, A, jnp.array([floor]), 0.1), [expected], rtol=1e-5)


def test_calibrated_without_a_floor_is_conservative():
    np.testing.assert_allclose(losses.calibrated(Q, A, jnp.array([-jnp.inf]), 0.1), losses.conservative(Q, A, 0.1))
    gradient = jax.grad(lambda q: losses.calibrated(q, A, jnp.array([0.15]), 0.1).sum())(Q)
    assert gradient[0, 2] == 0.0 and gradient[0, 1] > 0.0  # below the floor nothing is pushed down


@pytest.mark.parametrize(("name", "online"), [("cal_ql", 1.0), ("wsrl", 0.0)])
def test_pessimism_offline_and_online(name, online):
    method = make(name, {})
    says = lambda values: lambda obs, method="": jnp.asarray(values)  # noqa: E731
    pessimism = float(losses.calibrated(Q, A, jnp.array([0.15]), 0.1)[0])
    for offline, wanted in ((1.0, pessimism), (0.0, online * pessimism)):
        terms = method.loss(says(Q), says([[0.0, 3.0, 1.0]]), silent, step(), at(offline=offline))
        assert {key: float(term[0]) for key, term in terms.items()} == {
            "td": pytest.approx(0.5 + 0.9 * 3.0 - 0.1 - 0.5, rel=1e-5),
            "conservative": pytest.approx(wanted, rel=1e-5),
        }


def test_cal_ql_keeps_the_log_and_wsrl_leaves_it():
    calibrated, warm = make("cal_ql", {}), make("wsrl", {})
    assert [calibrated.mix(at(offline=offline)) for offline in (1.0, 0.0)] == [1.0, 0.5]
    assert [warm.mix(at(offline=offline)) for offline in (1.0, 0.0)] == [1.0, 0.0]
    assert calibrated.foresees and warm.foresees and not make("cql", {}).foresees
    assert (warm.warmup, warm.updates_per_step) == (5_000, 1.0)
    assert warm.network(OWN, None).options == {"layer_norm": True}
    assert make("wsrl", {"layer_norm": "false"}).network(OWN, None) == OWN
    inner = make("wsrl", {"base": "rainbow"}).network(OWN, None).options
    assert inner["of"] == "minatar" and inner["options"] == {"layer_norm": True}


# -- PEX


def play(method, values, spent=0.3, episodes=2_000, teacher=((0.0, 0.0, 1.0),), more: Any = None):
    """Actions in as many environments: the teacher wants action 2 unless it says other."""

    def student(obs, method=""):
        return more[method] if method else jnp.tile(jnp.asarray(values), (episodes, 1))

    clock = Clock(jnp.arange(episodes), jnp.ones(episodes, int))
    guide = lambda obs: jnp.tile(jnp.asarray(teacher), (episodes, 1))  # noqa: E731
    return np.asarray(method.act(student, guide, jnp.zeros(episodes), clock, at(spent=spent)))


def test_pex_chooses_between_the_proposals_by_their_values():
    """Values 0.1 for the student's action 0 and 0 for the teacher's 2: odds of e to 1 at the temperature 0.1."""
    method = find("pex")(epsilon=0.0, deadline=0.5)
    actions = play(method, [[0.1, 0.0, 0.0]])
    assert set(actions.tolist()) == {0, 2}
    assert np.mean(actions == 0) == pytest.approx(np.e / (1 + np.e), abs=0.03)
    assert set(play(method, [[0.1, 0.0, 0.0]], spent=0.5).tolist()) == {0} and method.weaned(at(spent=0.5))
    assert not method.weaned(at(spent=0.49)) and [method.mix(at(offline=o)) for o in (1.0, 0.0)] == [1.0, 0.5]


def test_pex_pretrains_as_its_base():
    assert (make("pex", {}).offline, make("pex", {}).warmup) == (0.6, 5_000)
    says = lambda values: lambda obs, method="": jnp.asarray(values)  # noqa: E731
    assert set(make("pex", {}).loss(says(Q), says(Q), silent, step(), at(offline=1.0))) == {"td", "conservative"}
    assert set(make("pex", {"base": "dqn"}).loss(says(Q), says(Q), silent, step(), at(offline=1.0))) == {"td"}


# -- IBRL: two critics that agree on action 2 only

CRITICS = np.array([[[5.0, 0.0, 2.0]], [[1.0, 0.0, 2.5]]])  # the mean likes action 0 best: 3; its least is 1


def test_ibrl_plays_the_proposal_that_no_critic_thinks_little_of():
    """Of the student's action 0 the least is 1, of the teacher's 2 it is 2."""
    method = find("ibrl")(epsilon=0.0, deadline=0.5)
    each = {"each": jnp.asarray(np.repeat(CRITICS, 8, axis=1))}
    assert set(play(method, None, episodes=8, more=each).tolist()) == {2}
    assert set(play(method, None, episodes=8, more=each, teacher=((0.0, 1.0, 0.0),)).tolist()) == {0}  # 1 beats 0
    assert set(play(method, None, episodes=8, more=each, spent=0.5).tolist()) == {0}
    few = find("ibrl")(epsilon=0.0, subset=1)
    seen = set()
    for key in range(12):  # one critic alone: the first prefers the student's, the second the teacher's
        clock = Clock(jnp.arange(1), jnp.ones(1, int))
        critics = lambda obs, method: jnp.asarray(CRITICS)  # noqa: E731
        guide = lambda obs: jnp.array([[0.0, 0.0, 1.0]])  # noqa: E731
        seen.add(int(few.act(critics, guide, jnp.zeros(1), clock, at(key=key))[0]))
    assert seen == {0, 2}


@pytest.mark.parametrize(
    ("spent", "teacher", "ahead"),
    [(0.3, [[0.0, 0.0, 1.0]], 2.0), (0.3, [[0.0, 1.0, 0.0]], 1.0), (1.0, [[0.0, 0.0, 1.0]], 1.0)],
)
def test_ibrl_learns_from_the_better_proposal(spent, teacher, ahead):
    """The goal is 0.5 + 0.9 times the least of the target's critics on it; both critics hold 0 at the action taken."""
    target = lambda obs, method: jnp.asarray(CRITICS)  # noqa: E731
    student = lambda obs, method: jnp.zeros((2, 1, 3))  # noqa: E731
    terms = find("ibrl")().loss(student, target, lambda obs: jnp.asarray(teacher), step(), at(spent=spent))
    goal = 0.5 + 0.9 * ahead
    np.testing.assert_allclose(terms["td"], [2 * (goal - 0.5)], rtol=1e-5)


def test_ibrl_is_an_ensemble_that_starts_with_the_log():
    method = make("ibrl", {})
    assert method.keep_log and method.mix(at()) == 0.0
    assert method.network(OWN, None) == Architecture("ensemble", {"of": "minatar", "options": {}, "members": 2})


# -- TGRL

HINT = np.log(np.exp([0.0, 0.0, 10.0]) / np.exp([0.0, 0.0, 10.0]).sum())  # the teacher's policy at 0.1


@pytest.mark.parametrize(
    ("number", "spent", "chosen"),
    [(0.0, 0.3, 2), (3.0, 0.3, 0), (0.0, 1.0, 0)],  # weight 1/2; weight 1 / (1 + e^3) = 0.047; weaned
)
def test_tgrl_follows_the_teacher_as_far_as_the_multiplier_lets_it(number, spent, chosen):
    """Values 1, 0 and 0.2: the teacher's -10 for action 0 counts once it is worth more than 0.8."""
    method = find("tgrl")(speed=1.0, explore=0, epsilon=0.0)
    alone = np.tile([0.0, 1.0, 0.0], (4, 1))
    more = {"multiplier": jnp.asarray(number), "alone": jnp.asarray(alone)}
    actions = play(method, [[1.0, 0.0, 0.2]], spent=spent, episodes=4, more=more)
    assert actions.tolist() == [chosen, 1, chosen, 1]  # every other episode is the other student's


def test_tgrl_by_hand():
    """Ahead the guided student follows the teacher to action 2, worth 0.8, the other is worth 0.6 at its best."""
    ahead = {"": [[1.0, 0.0, 0.8]], "alone": [[0.1, 0.6, 0.0]]}
    here = {"": [[0.2, 0.0, 0.0]], "alone": [[0.4, 0.0, 0.0]], "multiplier": 0.5}
    says = lambda told: lambda obs, method="": jnp.asarray(told[method])  # noqa: E731
    method = find("tgrl")(speed=1.0)
    terms = method.loss(says(here), says(ahead), lambda obs: jnp.array([[0.0, 0.0, 1.0]]), step(), at())
    assert {name: float(np.ravel(term)[0]) for name, term in terms.items()} == {
        "td": pytest.approx(0.5 * (0.5 + 0.9 * 0.8 - 0.2) ** 2 if 0.5 + 0.9 * 0.8 - 0.2 < 1 else 1.02 - 0.5, rel=1e-5),
        "alone": pytest.approx(0.5 * (0.5 + 0.9 * 0.6 - 0.4) ** 2, rel=1e-5),
        "multiplier": pytest.approx(0.5 * (0.8 - 0.6), rel=1e-5),  # falls by gradient: the teacher counts for more
    }


def test_the_multiplier_alone_is_moved_by_its_term():
    method = find("tgrl")()
    net = build(Architecture("guided", {"of": "mlp", "options": {"size": 4}}), 3)
    obs = np.ones((1, 1, 2), np.float32)
    params = net.init(jax.random.key(0), jnp.asarray(obs))

    def term(params):
        values = lambda obs, **how: net.apply(params, obs, **how)  # noqa: E731
        there = lambda obs, method="": jnp.array([[1.0, 0.0, 0.8]]) if not method else jnp.array([[0.1, 0.6, 0.0]])  # noqa: E731
        guide = lambda obs: jnp.array([[0.0, 0.0, 1.0]])  # noqa: E731
        return method.loss(values, there, guide, step(obs=obs), at())["multiplier"].sum()

    gradient = jax.grad(term)(params)["params"]
    assert float(gradient.pop("multiplier")) == pytest.approx(0.2, rel=1e-5)
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradient))
