"""Networks: shapes, parameters counted by hand, pixels, stacks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents.layers import image
from reincarnate.agents.method import Architecture
from reincarnate.agents.networks import CONTINUOUS, NETWORKS, alike, build, parse_network
from reincarnate.agents.torsos import Conv

ATARI, MINATAR = jnp.zeros((1, 4, 84, 84), jnp.uint8), jnp.zeros((1, 1, 10, 10, 4), bool)
NATURE_TORSO = (8 * 8 * 4 * 32 + 32) + (4 * 4 * 32 * 64 + 64) + (3 * 3 * 64 * 64 + 64)
IMPALA_TORSO = sum(9 * (new * first + 4 * new * new) + 5 * new for first, new in ((4, 16), (16, 32), (32, 32)))
ACTIONS = 6


def dense(rows, size, actions=ACTIONS):
    """Return a hidden layer and the head on it."""
    return rows * size + size + size * actions + actions


def shapes(architecture, obs, actions=ACTIONS):
    return jax.eval_shape(build(architecture, actions).init, jax.random.key(0), obs)["params"]


@pytest.mark.parametrize(
    ("name", "obs", "expected"),
    [
        ("nature", ATARI, NATURE_TORSO + dense(7 * 7 * 64, 512)),
        ("nature_same", ATARI, NATURE_TORSO + dense(11 * 11 * 64, 512)),
        ("dqn2013", ATARI, (8 * 8 * 4 * 16 + 16) + (4 * 4 * 16 * 32 + 32) + dense(9 * 9 * 32, 256)),
        ("impala", ATARI, IMPALA_TORSO + dense(11 * 11 * 32, 512)),
        ("minatar", MINATAR, (3 * 3 * 4 * 16 + 16) + dense(8 * 8 * 16, 128)),
        ("mlp", MINATAR, (400 * 128 + 128) + dense(128, 128)),
    ],
)
def test_parameters_counted_by_hand(name, obs, expected):
    leaves = jax.tree.leaves(shapes(Architecture(name), obs))
    assert sum(leaf.size for leaf in leaves) == expected
    assert all(leaf.dtype == jnp.float32 for leaf in leaves)


@pytest.mark.parametrize(("name", "rows"), [("nature", 3136), ("nature_same", 7744), ("impala", 3872)])
def test_rows_of_the_first_dense_layer(name, rows):
    assert shapes(Architecture(name), ATARI)["Dense_0"]["kernel"].shape == (rows, 512)


HOLDERS = {name for name, (make, _) in NETWORKS.items() if "of" in make.__annotations__}  # made of another network


@pytest.mark.parametrize("name", sorted(HOLDERS - {"normalized"}))
def test_what_is_made_of_another_network_has_one_value_per_action_too(name):
    module = build(Architecture(name, {"of": "minatar", "options": {"width": 0.5}}), ACTIONS)
    params = jax.eval_shape(module.init, jax.random.key(0), MINATAR)
    assert jax.eval_shape(module.apply, params, jnp.repeat(MINATAR, 3, axis=0)).shape == (3, ACTIONS)


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - HOLDERS - set(CONTINUOUS)))
def test_one_value_per_action(name):
    module = build(Architecture(name, {"width": 0.5}), ACTIONS)
    obs = MINATAR if name in ("minatar", "mlp") else ATARI
    batch = jnp.repeat(obs, 3, axis=0)
    params = jax.eval_shape(module.init, jax.random.key(0), obs)
    assert jax.eval_shape(module.apply, params, batch).shape == (3, ACTIONS)


def test_observations_are_normalised_and_cut_by_numbers_that_are_not_trained():
    """By hand: (3 - 1) * 2 = 4 is cut to 1.5, (0 - 1) * 0.5 = -0.5."""
    inner = {"of": "mlp", "options": {"depth": 0}, "shape": [1, 2], "clip": 1.5}
    module = build(Architecture("normalized", inner), 1)
    kernel = {"kernel": jnp.array([[10.0], [1.0]]), "bias": jnp.zeros(1)}
    arrays = {"inner": {"Dense_0": kernel}, "mean": jnp.array([[1.0, 1.0]]), "scale": jnp.array([[2.0, 0.5]])}
    obs = jnp.array([[[3.0, 0.0]]])
    assert module.apply({"params": arrays}, obs).tolist() == [[14.5]]  # pyright: ignore[reportAttributeAccessIssue]
    slopes = jax.grad(lambda params: module.apply(params, obs).sum())({"params": arrays})["params"]  # pyright: ignore
    assert not slopes["mean"].any() and not slopes["scale"].any() and slopes["inner"]["Dense_0"]["kernel"].all()


def test_bytes_are_scaled_in_dense_layers_as_in_convolutions():
    module = build(Architecture("mlp", {"depth": 0}), 1)
    params = {"params": {"Dense_0": {"kernel": jnp.ones((2, 1)), "bias": jnp.zeros(1)}}}
    assert float(module.apply(params, jnp.array([[[255, 51]]], jnp.uint8))[0, 0]) == pytest.approx(1.2)  # pyright: ignore


def test_width_multiplies_every_hidden_layer():
    wide = shapes(Architecture("nature", {"width": 1.5}), ATARI)
    assert [wide[name]["bias"].size for name in sorted(wide)] == [48, 96, 96, 768, ACTIONS]


def test_layer_norm_is_an_option():
    normed = shapes(Architecture("minatar", {"layer_norm": True}), MINATAR)
    assert normed["LayerNorm_0"]["scale"].shape == (128,)
    assert "LayerNorm_0" not in shapes(Architecture("minatar"), MINATAR)
    every = shapes(parse_network("minatar:norm=layer"), MINATAR)
    assert [every[f"LayerNorm_{number}"]["scale"].shape for number in (0, 1)] == [(16,), (128,)]  # pixels first
    with pytest.raises(ValueError, match="'norm' = 'batch': give  or layer"):
        build(Architecture("minatar", {"norm": "batch"}), 3)


def test_bytes_are_scaled_and_booleans_are_not():
    assert image(jnp.full((1, 1, 2, 2), 255, jnp.uint8)).max() == 1.0
    assert image(jnp.full((1, 1, 2, 2), 51, jnp.uint8)).max() == pytest.approx(0.2)
    assert image(jnp.ones((1, 1, 2, 2, 3), bool)).max() == 1.0
    assert image(jnp.full((1, 1, 2, 2), 7.0)).max() == 7.0


def test_the_stack_becomes_channels_in_order():
    frames = jnp.arange(2 * 4, dtype=jnp.float32).reshape(1, 2, 2, 2)  # [B, S, H, W]
    np.testing.assert_array_equal(image(frames)[0, 0, 1], [1.0, 5.0])  # the oldest frame first
    planes = jnp.arange(2 * 4 * 3, dtype=jnp.float32).reshape(1, 2, 2, 2, 3)  # [B, S, H, W, C]
    np.testing.assert_array_equal(image(planes)[0, 0, 0], [0.0, 1.0, 2.0, 12.0, 13.0, 14.0])


def test_a_network_by_hand():
    """One 1 x 1 convolution doubles, the dense layer adds up two cells, the head gives the sum and its negative."""
    net = Conv(2, layers=((1, 1, 1),), dense=1)
    params = {
        "Conv_0": {"kernel": jnp.full((1, 1, 1, 1), 2.0), "bias": jnp.zeros(1)},
        "Dense_0": {"kernel": jnp.ones((2, 1)), "bias": jnp.ones(1)},
        "Dense_1": {"kernel": jnp.array([[1.0, -1.0]]), "bias": jnp.zeros(2)},
    }
    values = net.apply({"params": params}, jnp.array([[[[3.0, 4.0]]]]))
    np.testing.assert_allclose(np.asarray(values), [[15.0, -15.0]])  # 6 + 8 + 1


def test_ensemble_is_the_mean_of_different_members():
    net = build(Architecture("ensemble", {"of": "mlp", "options": {"size": 4}, "members": 3}), 2)
    obs = jnp.ones((5, 1, 3))
    params = jax.jit(net.init)(jax.random.key(0), obs)
    each = np.asarray(net.apply(params, obs, method="each"))
    assert each.shape == (3, 5, 2)
    assert np.abs(each[0] - each[1]).max() > 1e-3
    np.testing.assert_allclose(np.asarray(net.apply(params, obs)), each.mean(axis=0), rtol=1e-5, atol=1e-6)


def test_anchored_has_a_past_without_gradient():
    net = build(Architecture("anchored", {"of": "mlp", "options": {"size": 4}}), 2)
    obs = jnp.ones((5, 1, 3))
    params = jax.jit(net.init)(jax.random.key(0), obs)
    student = {"params": params["params"]["student"]}
    plain = build(Architecture("mlp", {"size": 4}), 2).apply(student, obs)
    np.testing.assert_array_equal(np.asarray(net.apply(params, obs)), np.asarray(plain))
    gradient = jax.grad(lambda p: jnp.asarray(net.apply(p, obs, method="past")).sum())(params)
    assert all(not leaf.any() for leaf in jax.tree.leaves(gradient))


def test_categorical_gives_expected_values():
    """Two actions of three atoms, -2, 0 and 2: probabilities (1/4, 1/4, 1/2) and (1, 0, 0)."""
    options = {"of": "mlp", "options": {"depth": 0}, "atoms": 3, "v_max": 2.0}
    net = build(Architecture("categorical", options), 2)
    bias = jnp.log(jnp.array([0.25, 0.25, 0.5, 1.0, 1e-9, 1e-9]))
    params = {"params": {"inner": {"Dense_0": {"kernel": jnp.zeros((3, 6)), "bias": bias}}}}
    obs = jnp.ones((4, 1, 3))
    np.testing.assert_allclose(np.asarray(net.apply(params, obs)), [[0.5, -2.0]] * 4, rtol=1e-5)
    assert np.asarray(net.apply(params, obs, method="logits")).shape == (4, 2, 3)


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        (Architecture("natur"), "no network 'natur'.*nature"),
        (Architecture("nature", {"size": 3}), "does not take.*size"),
        (Architecture("ensemble", {"of": "natur", "options": {}}), "no network 'natur'"),
        (Architecture("ensemble", {"options": {}}), "does not take"),
    ],
)
def test_build_says_what_is_wrong(architecture, words):
    with pytest.raises(ValueError, match=words):
        build(architecture, 3)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("actor_critic:members=2", "actor_critic:layer_norm=false,width=256", True),
        ("actor_critic:members=2", "actor_critic:layer_norm=true", False),
        ("actor_critic:members=3", "actor_critic", False),
        ("nature", "nature:width=1", True),
        ("nature", "nature_same", False),
        ("impala", "impala:colour=1", False),
        ("unheard_of", "unheard_of", True),
    ],
)
def test_networks_are_alike_whether_defaults_are_written_out_or_not(one, other, same):
    assert alike(parse_network(one), parse_network(other)) == alike(parse_network(other), parse_network(one)) == same
