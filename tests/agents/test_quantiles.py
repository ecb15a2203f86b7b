"""QR-DQN and IQN on values worked out by hand: the quantile loss, its goals, and the networks."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import losses
from reincarnate.agents.keywords import find, make
from reincarnate.agents.layers import NOISE
from reincarnate.agents.method import Architecture, Progress
from reincarnate.agents.networks import build
from reincarnate.datasets.transition import Transition

ONE = np.ones((1, 1))
STEP = Transition(ONE, np.array([1]), np.array([0.5]), np.array([0.9]), 2 * ONE, np.ones(1))
NOW = Progress(0.0, 0.3, 1_000.0, 0.0, 0.0, jax.random.key(0))
SMALL = {"of": "mlp", "options": {"size": 4, "depth": 1}}
OBS = jnp.asarray(np.random.default_rng(0).normal(size=(5, 1, 3)), jnp.float32)


def weights(architecture: Architecture, actions: int = 3) -> tuple[Any, Any]:
    net = build(architecture, actions)
    return net, jax.jit(net.init)(jax.random.key(1), OBS[:1])


def test_the_quantile_loss_by_hand():
    """Values 0 and 1 at a quarter and three quarters; goals 0.5 and 3.

    Of 0 both goals lie above: (0.25 * 0.125 + 0.25 * 2.5) / 2. Of 1 one lies below: (0.25 * 0.125 + 0.75 * 1.5) / 2.
    """
    args = (jnp.array([[0.0, 1.0]]), jnp.array([[0.25, 0.75]]), jnp.array([[0.5, 3.0]]))
    wanted = (0.25 * 0.125 + 0.25 * 2.5) / 2 + (0.25 * 0.125 + 0.75 * 1.5) / 2
    np.testing.assert_allclose(losses.quantile_td(*args), [wanted], rtol=1e-6)
    pulled = jax.grad(lambda goals: losses.quantile_td(*args[:2], goals).sum())(args[2])
    assert not pulled.any()


def test_the_loss_is_least_at_the_quantiles():
    """Of the goals 0 to 99 the median and the lower tenth, by gradient descent; errors far above 1 are linear."""
    goals, places = jnp.arange(100.0)[None], jnp.array([[0.1, 0.5]])
    values = jnp.array([[50.0, 50.0]])
    slope = jax.jit(jax.grad(lambda v: losses.quantile_td(v, places, goals).sum()))
    for _ in range(2_000):
        values -= 2.0 * slope(values)
    np.testing.assert_allclose(values, [[9.5, 49.5]], atol=0.6)


@pytest.mark.parametrize(("double", "ahead"), [(False, [1.0, 5.0]), (True, [0.0, 2.0])])
def test_the_goal_is_the_targets_distribution_at_the_best_action(double, ahead):
    """The target's means are 1 and 3, the student prefers action 0; action 1 was taken, at 0 and 4."""
    target = np.array([[[0.0, 2.0], [1.0, 5.0]]])
    student = np.array([[[9.0, 9.0], [0.0, 4.0]]])

    def says(spread):
        return lambda obs, method="": jnp.asarray(spread) if method else jnp.asarray(spread).mean(axis=-1)

    loss = find("qr_dqn")(quantiles=2, double=double).loss(says(student), says(target), None, STEP, NOW)
    goals = 0.5 + 0.9 * jnp.array([ahead])
    expected = losses.quantile_td(jnp.array([[0.0, 4.0]]), jnp.array([[0.25, 0.75]]), goals)
    np.testing.assert_allclose(loss["td"], expected, rtol=1e-6)


def test_a_quantile_network_is_the_mean_of_its_spread():
    net, params = weights(Architecture("quantile", {**SMALL, "quantiles": 7}))
    spread = net.apply(params, OBS, method="spread")
    assert spread.shape == (5, 3, 7)
    np.testing.assert_allclose(net.apply(params, OBS), spread.mean(axis=-1), rtol=1e-6)


def test_implicit_quantiles_are_drawn_with_a_key_and_evenly_spaced_without():
    net, params = weights(Architecture("implicit_quantile", {**SMALL, "asked": 4}))
    values, places = net.apply(params, OBS, method="draws", count=4)
    assert values.shape == (5, 3, 4)
    np.testing.assert_allclose(places, np.tile([0.125, 0.375, 0.625, 0.875], (5, 1)))
    np.testing.assert_allclose(net.apply(params, OBS), values.mean(axis=-1), rtol=1e-6)
    draw = [net.apply(params, OBS, method="draws", count=9, rngs={NOISE: jax.random.key(k)}) for k in (0, 0, 1)]
    assert np.array_equal(draw[0][1], draw[1][1]) and not np.array_equal(draw[0][1], draw[2][1])
    assert 0.0 <= draw[0][1].min() and draw[0][1].max() <= 1.0 and len(np.unique(draw[0][1])) == 45


def test_an_answer_belongs_to_its_observation_and_its_place():
    """By hand from the weights: features times relu(W cos(pi i place) + b), then the two dense layers."""
    net, params = weights(Architecture("implicit_quantile", {**SMALL, "options": {"size": 4, "depth": 2}}))
    values, places = net.apply(params, OBS, method="draws", count=3, rngs={NOISE: jax.random.key(2)})
    layers = params["params"]["inner"]
    dense = lambda name, x: x @ layers[name]["kernel"] + layers[name]["bias"]  # noqa: E731
    features = jax.nn.relu(dense("Dense_0", OBS[3].reshape(-1)))
    told = jax.nn.relu(dense("places", jnp.cos(jnp.pi * jnp.arange(64) * places[3, 2])))
    by_hand = dense("Dense_2", jax.nn.relu(dense("Dense_1", features * told)))
    np.testing.assert_allclose(values[3, :, 2], by_hand, rtol=1e-4, atol=1e-5)


def test_iqn_compares_its_own_draws_with_the_targets():
    """A distribution that is as wide as its places: action 1 pays its place, action 0 always 2, which is best."""

    def says(obs, method="", count=2):
        places = jnp.array([[0.2, 0.6]]) if obs is STEP.obs else jnp.array([[0.4, 0.8]])
        values = jnp.stack([jnp.full_like(places, 2.0), places], axis=1)
        return (values, places) if method else values.mean(axis=-1)

    loss = find("iqn")(quantiles=2, goals=2).loss(says, says, None, STEP, NOW)
    expected = losses.quantile_td(jnp.array([[0.2, 0.6]]), jnp.array([[0.2, 0.6]]), jnp.full((1, 2), 0.5 + 0.9 * 2.0))
    np.testing.assert_allclose(loss["td"], expected, rtol=1e-6)


def test_quantiles_are_heads_of_any_network_of_values():
    own = Architecture("minatar", {"width": 0.5})
    inside = {"of": "minatar", "options": {"width": 0.5, "dueling": True}}
    assert make("qr_dqn", {"dueling": "true"}).network(own, None) == Architecture(
        "quantile", {**inside, "quantiles": 51}
    )
    assert make("iqn", {"dueling": "true"}).network(own, None) == Architecture(
        "implicit_quantile", {**inside, "asked": 32}
    )
    student = make("qdagger", {"base": "qr_dqn", "quantiles": "11"}).network(own, None)
    assert student.name == "quantile" and student.options["quantiles"] == 11
    with pytest.raises(ValueError, match="qr_dqn needs a network of values, not of distributions"):
        make("qr_dqn", {"base": "rainbow"}).network(own, None)
    assert make("fine_tuning", {"base": "qr_dqn", "quantiles": "11"}).network(own, student) == student
    with pytest.raises(ValueError, match="quantile: give it base=qr_dqn, quantiles=11"):
        make("fine_tuning", {"base": "qr_dqn"}).network(own, student)
