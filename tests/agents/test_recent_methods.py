"""The methods since the paper, on values worked out by hand: Cal-QL, WSRL, IBRL, TGRL."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import losses
from reincarnate.agents.keywords import find, known, make
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


def silent(obs, **options):
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


def says(values):
    return lambda obs, **options: jnp.asarray(values)


def test_cal_ql_keeps_its_pessimism():
    """The weight is 5, the temperature 1: log(e^0.15 + e^0.2 + e^0.15) - 0.1."""
    method = make("cal_ql", {})
    pessimism = 5 * (np.log(2 * np.exp(0.15) + np.exp(0.2)) - 0.1)
    for offline in (1.0, 0.0):
        terms = method.loss(says(Q), says([[0.0, 3.0, 1.0]]), silent, step(), at(offline=offline))
        assert {key: float(term[0]) for key, term in terms.items()} == {
            "td": pytest.approx(0.5 + 0.9 * 3.0 - 0.1 - 0.5, rel=1e-5),
            "conservative": pytest.approx(pessimism, rel=1e-5),
        }


def test_wsrl_is_an_ensembles_cal_ql_offline_and_q_learning_online():
    """Two members hold 0.1 and 0.3 at the action taken; the target's least is (0, 2, 1), so the goal is 0.5 + 1.8."""
    method = make("wsrl", {"members": 2})
    each = [[[0.1, 0.2, 0.0]], [[0.3, 0.0, 0.0]]]
    later = [[[0.0, 3.0, 1.0]], [[4.0, 2.0, 5.0]]]
    floored = [np.log(2 * np.exp(0.15) + np.exp(0.2)) - 0.1, np.log(np.exp(0.3) + 2 * np.exp(0.15)) - 0.3]
    for offline, wanted in ((1.0, 5 * np.mean(floored)), (0.0, 0.0)):
        terms = method.loss(says(each), says(later), silent, step(), at(offline=offline))
        assert {key: float(term[0]) for key, term in terms.items()} == {
            "td": pytest.approx((2.2**2 + 2.0**2) / 2, rel=1e-5),
            "conservative": pytest.approx(wanted, rel=1e-5),
        }


def test_cal_ql_keeps_the_log_and_wsrl_leaves_it():
    calibrated, warm = make("cal_ql", {}), make("wsrl", {})
    assert [calibrated.log_share(at(offline=offline)) for offline in (1.0, 0.0)] == [1.0, 0.5]
    assert [warm.log_share(at(offline=offline)) for offline in (1.0, 0.0)] == [1.0, 0.0]
    assert calibrated.needs_return_to_go and warm.needs_return_to_go and not make("cql", {}).needs_return_to_go
    inside = {"of": "minatar", "options": {"layer_norm": True}, "members": 10}
    assert warm.network(OWN, None) == Architecture("ensemble", inside)
    assert make("wsrl", {"layer_norm": "false"}).network(OWN, None).options["options"] == {}


@pytest.mark.parametrize(
    ("name", "ratio", "batch", "rate", "n_step"),
    [
        ("rlpd", 20.0, 256, 0.005, 1),
        ("wsrl", 4.0, 256, 0.005, 1),
        ("cal_ql", 1.0, 256, 0.005, 1),
        ("iql", 1.0, 256, 0.005, 1),
        ("pex", 1.0, 256, 0.005, 1),
        ("ibrl", 2.5, 256, 0.01, 3),
        ("tgrl", 0.25, 32, 0.005, 1),
    ],
)
def test_the_numbers_are_those_of_the_authors_code(name, ratio, batch, rate, n_step):
    method, defaults = make(name, {}), known(find(name))
    assert (method.updates_per_step, method.batch_size, method.target_rate) == (ratio, batch, rate)
    assert method.n_step == n_step and defaults["adam_epsilon"] == 1e-8
    assert defaults["learning_rate"] == (1e-4 if name == "ibrl" else 3e-4)


# -- Playing


def play(method, values, spent=0.3, episodes=2_000, teacher=((0.0, 0.0, 1.0),), more: Any = None):
    """Return the actions in as many environments; the teacher wants action 2 unless told otherwise."""

    def student(obs, method=""):
        return more[method] if method else jnp.tile(jnp.asarray(values), (episodes, 1))

    clock = Clock(jnp.arange(episodes), jnp.ones(episodes, int))
    guide = lambda obs: jnp.tile(jnp.asarray(teacher), (episodes, 1))  # noqa: E731
    return np.asarray(method.act(student, guide, jnp.zeros(episodes), clock, at(spent=spent)))


# -- IBRL: two critics that agree on action 2 only

CRITICS = np.array([[[5.0, 0.0, 2.0]], [[1.0, 0.0, 2.5]]])  # the mean likes action 0 best: 3; its least is 1


def test_ibrl_plays_the_proposal_that_no_critic_thinks_little_of():
    """Of the student's action 0 the least is 1, of the teacher's 2 it is 2."""
    method = find("ibrl")(epsilon=0.0, deadline=0.5, members=2)
    each = {"each": jnp.asarray(np.repeat(CRITICS, 8, axis=1))}
    assert set(play(method, None, episodes=8, more=each).tolist()) == {2}
    assert set(play(method, None, episodes=8, more=each, teacher=((0.0, 1.0, 0.0),)).tolist()) == {0}  # 1 beats 0
    assert set(play(method, None, episodes=8, more=each, spent=0.5).tolist()) == {0}
    few = find("ibrl")(epsilon=0.0, subset=1, members=2)
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
    terms = find("ibrl")(members=2).loss(student, target, lambda obs: jnp.asarray(teacher), step(), at(spent=spent))
    goal = 0.5 + 0.9 * ahead
    np.testing.assert_allclose(terms["td"], [goal**2], rtol=1e-5)


def test_ibrl_is_an_ensemble_whose_targets_judge_and_that_starts_with_the_log():
    method = make("ibrl", {})
    assert method.keep_log and method.log_share(at()) == 0.0 and method.target_acts and not make("dqn", {}).target_acts
    inside = {"of": "minatar", "options": {"layer_norm": True}, "members": 5}
    assert method.network(OWN, None) == Architecture("ensemble", inside)
    assert method.weaned(at(spent=0.61)) and not method.weaned(at(spent=0.59))


# -- TGRL


@pytest.mark.parametrize(
    ("number", "spent", "chosen"),
    [(0.0, 0.3, 2), (3.0, 0.3, 0), (0.0, 1.0, 0)],  # weight 1/2; weight 1 / (1 + e^3) = 0.047; weaned
)
def test_tgrl_follows_the_teacher_as_far_as_the_multiplier_lets_it(number, spent, chosen):
    """Values 1, 0 and 0.2, hints 0, 0 and 0.02, which are 2 over the horizon of 100: 2 counts from a weight of 0.4."""
    method = find("tgrl")(speed=1.0, explore=0, epsilon=0.0)
    told = {"multiplier": number, "alone": np.tile([0.0, 1.0, 0.0], (4, 1)), "hints": np.tile([0, 0, 0.02], (4, 1))}
    more = {name: jnp.asarray(values) for name, values in told.items()}
    actions = play(method, [[1.0, 0.0, 0.2]], spent=spent, episodes=4, more=more)
    assert actions.tolist() == [chosen, 1, chosen, 1]  # every other episode is the other student's


def test_tgrl_by_hand():
    """Ahead the hints 0, 0 and 0.01 lead the guided student to action 2, worth 0.8; the other's best is worth 0.6.

    The teacher's log-probability of the action taken is log(1 / (2 + e^10)), at 0.1; a hundredth of it is the reward.
    """
    ahead = {"": [[1.0, 0.0, 0.8]], "alone": [[0.1, 0.6, 0.0]], "hints": [[0.0, 0.0, 0.01]]}
    here = {"": [[0.2, 0.0, 0.0]], "alone": [[0.4, 0.0, 0.0]], "hints": [[0.0, 0.0, 0.0]], "multiplier": 0.5}
    told = lambda values: lambda obs, method="": jnp.asarray(values[method])  # noqa: E731
    method, guide = find("tgrl")(speed=1.0), lambda obs: jnp.array([[0.0, 0.0, 1.0]])
    agrees = -0.01 * np.log(2 + np.exp(10.0)) + 0.9 * 0.01
    terms = method.loss(told(here), told(ahead), guide, step(), at())
    assert {name: float(np.ravel(term)[0]) for name, term in terms.items()} == {
        "td": pytest.approx(0.5 + 0.9 * 0.8 - 0.2 - 0.5, rel=1e-5),
        "alone": pytest.approx(0.5 * (0.5 + 0.9 * 0.6 - 0.4) ** 2, rel=1e-5),
        "hints": pytest.approx(0.5 * agrees**2, rel=1e-4),
        "multiplier": pytest.approx(0.5 * (0.8 - 0.6), rel=1e-5),  # falls by gradient: the teacher counts for more
    }
    late = method.loss(told(here), told(ahead), guide, step(), at(spent=0.61))
    assert float(late["hints"][0]) == 0.0
    assert float(late["td"][0]) == pytest.approx(0.5 + 0.9 * 1.0 - 0.2 - 0.5, rel=1e-5)


def test_tgrl_refuses_steps_that_it_cannot_ask_about():
    with pytest.raises(ValueError, match="about every step: leave n_step at 1"):
        make("tgrl", {"n_step": "3"})


def test_the_multiplier_alone_is_moved_by_its_term():
    method = find("tgrl")()
    net = build(Architecture("guided", {"of": "mlp", "options": {"size": 4}}), 3)
    obs = np.ones((1, 1, 2), np.float32)
    params = jax.jit(net.init)(jax.random.key(0), jnp.asarray(obs))

    def term(params):
        values = lambda obs, **how: net.apply(params, obs, **how)  # noqa: E731
        ahead = {"": [[1.0, 0.0, 0.8]], "alone": [[0.1, 0.6, 0.0]], "hints": [[0.0, 0.0, 0.01]]}
        there = lambda obs, method="": jnp.array(ahead[method])  # noqa: E731
        guide = lambda obs: jnp.array([[0.0, 0.0, 1.0]])  # noqa: E731
        return method.loss(values, there, guide, step(obs=obs), at())["multiplier"].sum()

    gradient = jax.grad(term)(params)["params"]
    assert float(gradient.pop("multiplier")) == pytest.approx(0.2, rel=1e-5)
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradient))
