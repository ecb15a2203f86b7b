"""IQL and PEX on values worked out by hand: expectiles, weights of advantages, and who proposes."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import losses
from reincarnate.agents.keywords import find, make
from reincarnate.agents.method import Architecture, Clock, Learner, Progress
from reincarnate.agents.networks import build
from reincarnate.datasets.transition import Transition

ONE = np.ones((1, 1))
STEP = Transition(ONE, np.array([0]), np.array([0.5]), np.array([0.9]), 2 * ONE, np.ones(1), np.array([0.15]))
GOAL = 0.5 + 0.9 * 0.3  # the reward and the value of the next state
VALUES = {  # two critics of the student hold 0.5 and 0.7 at action 0; the targets' least there is 0.4, V is 0.3
    "student": {"each": [[[0.5, 0.0, 60.0]], [[0.7, 0.0, 50.0]]], "state": [0.3]},
    "target": {"each": [[[0.4, 0.2, 0.2]], [[0.5, 0.1, 0.9]]]},
}
CRITICS = {  # the loss of V at the expectile 0.7, and of Q, as the mean of two squares
    "value": pytest.approx(0.7 * 0.1**2, rel=1e-4),
    "td": pytest.approx(((GOAL - 0.5) ** 2 + (GOAL - 0.7) ** 2) / 2, rel=1e-4),
}


def at(offline=0.0, spent=0.3, key=0):
    offline, spent = map(np.float32, (offline, spent))
    return Progress(offline, spent, np.float32(1_000.0), np.float32(0.0), np.float32(0.0), jax.random.key(key))


def silent(obs, **options):
    raise AssertionError("nobody may ask the teacher")


def told(method, progress, **student):
    """Return the loss's terms on one transition."""
    says = lambda values: lambda obs, method="": jnp.asarray(values[method])  # noqa: E731
    whole, goal = says(VALUES["student"] | student), says(VALUES["target"])
    terms = jax.jit(lambda *given: method.loss(whole, goal, silent, *given))(STEP, progress)
    return {name: float(np.ravel(term)[0]) for name, term in terms.items()}


def played(method, **student):
    """Return the actions in 2,000 environments."""
    count = 2_000
    clock = Clock(jnp.arange(count), jnp.ones(count, int))
    says = lambda obs, method="": jnp.repeat(jnp.asarray(student[method]), count, axis=-2)  # noqa: E731
    return np.asarray(jax.jit(lambda *given: method.act(says, silent, *given))(jnp.zeros(count), clock, at()))


@pytest.mark.parametrize(("gain", "expected"), [(0.5, 0.9 * 0.25), (-0.5, 0.1 * 0.25), (0.0, 0.0)])
def test_the_expectile_loss(gain, expected):
    np.testing.assert_allclose(losses.expectile(jnp.array([gain]), 0.9), [expected], rtol=1e-5)


@pytest.mark.parametrize(("gain", "weight"), [(0.2, np.exp(2.0)), (-0.2, np.exp(-2.0)), (9.0, 100.0)])
def test_the_weight_of_an_advantage(gain, weight):
    logits, action = jnp.array([[1.0, 0.0]]), jnp.array([0])
    cloned = lambda gain: losses.advantage_weighted(logits, action, gain, 10.0)[0]  # noqa: E731
    loss, slope = jax.value_and_grad(cloned)(jnp.array([gain]))
    assert float(loss) == pytest.approx(weight * np.log(1 + np.exp(-1.0)), rel=1e-4) and slope[0] == 0.0


def test_iql_by_hand():
    """The gain of action 0 is 0.4 - 0.3; no action of the next state is asked about."""
    method = find("iql")(expectile=0.7, sharpness=3.0)
    policy = np.exp(3.0 * 0.1) * np.log(1 + 2 * np.exp(-1.0))
    wanted = {**CRITICS, "policy": pytest.approx(policy, rel=1e-4)}
    assert told(method, at(), **{"": [[1.0, 0.0, 0.0]]}) == wanted


def test_iql_plays_its_policy_and_begins_online_with_the_log():
    method = make("iql", {})
    actions = played(method, **{"": [[1.0, 0.0, 0.0]]})
    assert np.mean(actions == 0) == pytest.approx(np.e / (2 + np.e), abs=0.03)
    assert method.offline_share == 0.6 and method.keep_log and not method.weaned(at(spent=1.0))
    inside = {"of": "minatar", "options": {}, "members": 2}
    assert method.network(Architecture("minatar"), None) == Architecture("implicit", inside)


def test_pex_draws_one_of_two_proposals_by_their_values():
    """The new policy wants action 0, the frozen one 2; the critics' least gives 0.1 and 0: odds of e to 1 at 0.1."""
    proposals = {"policy": [[50.0, 0.0, 0.0]], "past": [[0.0, 0.0, 1.0]]}
    actions = played(find("pex")(), **proposals, each=[[[0.1, 9.0, 0.3]], [[0.2, 9.0, 0.0]]])
    assert set(actions.tolist()) == {0, 2}
    assert np.mean(actions == 0) == pytest.approx(np.e / (1 + np.e), abs=0.03)


def test_pex_by_hand():
    """Offline the frozen policy clones the log's action 0, which gains 0.1.

    Online the new one clones what is drawn: always the frozen one's action 2, worth 50, which gains 0.2 - 0.3.
    """
    method = find("pex")(expectile=0.7, sharpness=10.0)
    policies = {"policy": [[1.0, 0.0, 0.0]], "first": [[0.0, 2.0, 0.0]], "past": [[0.0, 2.0, 9.0]]}
    clone = np.exp(10 * 0.1) * np.log(2 + np.exp(2.0))
    own_way = np.exp(10 * -0.1) * np.log(np.exp(1.0) + 2)
    for offline, policy in ((1.0, clone), (0.0, own_way)):
        assert told(method, at(offline=offline), **policies) == {**CRITICS, "policy": pytest.approx(policy, rel=1e-4)}


def test_the_frozen_policy_learns_offline_alone_and_the_new_one_online_alone():
    method = make("pex", {})
    net = build(method.network(Architecture("mlp", {"size": 4}), None), 3)
    obs = np.ones((1, 1, 2), np.float32)
    params = jax.jit(net.init)(jax.random.key(0), jnp.asarray(obs))  # traced: step by step it takes ten times as long
    step = STEP._replace(obs=obs, next_obs=obs)

    def total(params, offline):
        values = lambda obs, **how: net.apply(params, obs, **how)  # noqa: E731
        now = at()._replace(offline=offline)
        return sum(term.sum() for term in method.loss(values, values, silent, step, now).values())

    pull = jax.jit(jax.grad(total))
    for offline, still, learns in ((1.0, "actor", "memory"), (0.0, "memory", "actor")):
        gradient = pull(params, np.float32(offline))["params"]
        assert not any(leaf.any() for leaf in jax.tree.leaves(gradient[still]))
        assert any(leaf.any() for leaf in jax.tree.leaves(gradient[learns]))
    used = jax.jit(lambda params: method.optimizer.update(params, method.optimizer.init(params), params)[1])(params)
    turned = method.go_online(Learner(params, params, used, jnp.zeros((), jnp.int32)))
    assert not any(leaf.any() for leaf in jax.tree.leaves(turned.opt_state))


def test_what_pex_scores_is_the_better_of_two_best_actions():
    """Action 1 is worth most and proposed by none; of 0 and 2 the critics' least prefers 2."""
    inside = {"of": "mlp", "options": {"size": 2, "depth": 1}, "expanded": True}
    net: Any = build(Architecture("implicit", inside), 3)
    obs = jnp.ones((1, 1, 2))
    shapes = jax.eval_shape(net.init, jax.random.key(0), obs)
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    heads = params["params"]
    heads["actor"]["Dense_1"]["bias"] = jnp.array([1.0, 0.0, 0.0])
    heads["memory"]["Dense_1"]["bias"] = jnp.array([0.0, 0.0, 1.0])
    heads["critics"]["stack"]["Dense_1"]["bias"] = jnp.array([[0.5, 9.0, 0.8], [0.9, 7.0, 0.6]])
    np.testing.assert_allclose(jax.jit(net.apply)(params, obs), [[0.5, -0.5, 0.6]])
    assert jax.eval_shape(partial(net.apply, method="state"), params, obs).shape == (1,)
