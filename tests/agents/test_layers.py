"""Layers by hand: noise, dueling, bfloat16, and what a network with noise does in an update and in an action."""

import re
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from reincarnate.agents.layers import NOISE, Noisy
from reincarnate.agents.learner import init_learner, key_of, make_act, make_update
from reincarnate.agents.method import Architecture, Clock, Progress
from reincarnate.agents.methods.dqn import dqn
from reincarnate.agents.methods.rainbow import rainbow
from reincarnate.agents.networks import build
from reincarnate.agents.pooling import max_pool
from reincarnate.datasets.transition import Batch

NOW = Progress(0.0, 0.5, 1_000.0, 0.0, 0.0, key_of(0, 1))
OBS = jnp.ones((5, 1, 3))


def made(name, options, actions=2) -> tuple[Any, Any]:
    net: Any = build(Architecture(name, options), actions)
    return net, jax.jit(net.init)(jax.random.key(0), OBS)


def test_a_noisy_layer_by_hand():
    """One factor per input and one per unit, each the signed root of a normal number; outer product for the kernel."""
    layer: Any = Noisy(2)
    x = jnp.array([[1.0, 2.0, 3.0]])
    params = jax.jit(layer.init)(jax.random.key(0), x)
    mean, spread = params["params"]["kernel"], params["params"]["kernel_noise"]
    np.testing.assert_allclose(spread, 0.5 / np.sqrt(3.0), rtol=1e-6)
    assert (jnp.abs(mean) <= 1 / np.sqrt(3.0)).all()
    np.testing.assert_allclose(layer.apply(params, x), x @ mean + params["params"]["bias"], rtol=1e-6)
    apply = jax.jit(layer.apply)
    with_noise = np.stack([apply(params, row, rngs={NOISE: jax.random.key(7)}) for row in np.eye(3, dtype=np.float32)])
    still = np.stack([apply(params, row) for row in np.eye(3, dtype=np.float32)])
    bias = apply(params, np.zeros(3, np.float32), rngs={NOISE: jax.random.key(7)}) - params["params"]["bias"]
    noise = with_noise - still - bias  # of the kernel: of rank one, and its columns are those of the bias
    np.testing.assert_allclose(noise[0] * noise[1, 0], noise[1] * noise[0, 0], atol=1e-6)
    np.testing.assert_allclose(noise[0] * bias[0], noise[0, 0] * bias, atol=1e-6)


def test_dueling_by_hand():
    """State value 5, advantages 1 and 3 with the mean 2: values 4 and 6."""
    net, params = made("mlp", {"depth": 0, "dueling": True})
    params = jax.tree.map(np.zeros_like, params)
    params["params"]["Dense_0"]["bias"] += np.array([1.0, 3.0])
    params["params"]["Dense_1"]["bias"] += 5.0
    np.testing.assert_allclose(jax.jit(net.apply)(params, OBS), [[4.0, 6.0]] * 5)


def test_dueling_of_distributions_adds_logits_atom_by_atom():
    """Two actions of two atoms: advantages (0, 2) and (4, 0) over their mean (2, 1), and a state of (10, 20)."""
    net, params = made("categorical", {"of": "mlp", "options": {"depth": 0, "dueling": True}, "atoms": 2})
    inner = jax.tree.map(np.zeros_like, params)["params"]["inner"]
    inner["Dense_0"]["bias"] += np.array([0.0, 2.0, 4.0, 0.0])
    inner["Dense_1"]["bias"] += np.array([10.0, 20.0])
    logits = jax.jit(partial(net.apply, method="logits"))({"params": {"inner": inner}}, OBS)
    np.testing.assert_allclose(np.asarray(logits)[0], [[8.0, 21.0], [12.0, 19.0]])


OTHERS = [pytest.param({name: True}, marks=pytest.mark.slow) for name in ("layer_norm", "noisy", "dueling")]


@pytest.mark.parametrize("options", [{}, *OTHERS])
def test_bfloat16_is_of_the_computation_only(options):
    (whole, params), (half, same) = (made("mlp", {"bfloat16": b, "size": 32, **options}) for b in (False, True))
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, same)
    assert {leaf.dtype for leaf in jax.tree.leaves(same)} == {np.dtype("float32")}
    exact, rough = jax.jit(whole.apply)(params, OBS), jax.jit(half.apply)(params, OBS)
    assert rough.dtype == jnp.float32
    np.testing.assert_allclose(rough, exact, atol=0.05)
    assert not np.array_equal(rough, exact)
    assert "bf16" in str(jax.make_jaxpr(half.apply)(params, OBS))


@pytest.mark.parametrize("name", ["nature", "impala"])
def test_convolutions_compute_in_bfloat16(name):
    obs = jnp.zeros((1, 4, 84, 84), jnp.uint8)
    net: Any = build(Architecture(name, {"bfloat16": True, "width": 0.25}), 2)
    params = jax.eval_shape(net.init, jax.random.key(0), obs)
    convolutions = re.findall(r"(\w+)\[[^]]*\] = conv_general_dilated", str(jax.make_jaxpr(net.apply)(params, obs)))
    assert len(convolutions) == (3 if name == "nature" else 15) and set(convolutions) == {"bf16"}
    assert jax.eval_shape(net.apply, params, obs).dtype == jnp.float32


# -- a student with noise in it


def batch(size=4):
    window, one, zero = np.ones((size, 2, 3), np.float32), np.ones(size, np.int32), np.zeros(size, np.float32)
    return Batch(window, one, zero.astype(np.int32), zero + 1.0, zero + 0.9, zero)


@pytest.mark.slow
def test_every_update_and_every_action_has_its_own_noise():
    method = dqn(noisy=True, n_step=1, optimizer=optax.sgd(0.0), epsilon=1.0)
    architecture = method.network(Architecture("mlp", {"size": 4}), None)
    assert architecture.options == {"size": 4, "noisy": True} and method.noisy and not dqn().noisy
    net: Any = build(architecture, 2)
    learner = init_learner(method, jax.jit(net.init)(jax.random.key(0), OBS))
    update, act = make_update(method, net.apply, net.apply), make_act(method, net.apply, net.apply)
    td = [float(update(learner, (), batch(), NOW._replace(key=key_of(0, n)))[1]["td"]) for n in (1, 1, 2)]
    assert td[0] == td[1] != td[2]
    still = net.apply(learner.params, OBS)
    assert np.array_equal(still, net.apply(learner.params, OBS))  # evaluation has none
    flat = jax.tree.map(lambda leaf: leaf * 0.0, learner.params)  # nothing but noise tells the actions apart
    flat["params"] = {
        name: {**layer, "bias_noise": layer["bias_noise"] + 1.0} for name, layer in flat["params"].items()
    }
    clock = Clock(np.zeros(5, np.int32), np.zeros(5, np.int32))
    chosen = [np.asarray(act(flat, (), OBS, clock, NOW._replace(key=key_of(0, n)))) for n in range(12)]
    assert all(len(set(actions.tolist())) == 1 for actions in chosen)  # no epsilon: all five act alike
    assert {int(actions[0]) for actions in chosen} == {0, 1}


def test_student_and_target_have_noise_of_their_own():
    def loss(student, target, teacher, steps, progress):
        passes = {"here": student(steps.obs), "there": student(steps.next_obs), "target": target(steps.obs)}
        return {name: values[:, 0] for name, values in passes.items()}

    net, params = made("mlp", {"size": 4, "noisy": True})
    method = dqn(noisy=True, n_step=1, optimizer=optax.sgd(0.0))
    terms = make_update(method._replace(loss=loss), net.apply, net.apply)(
        init_learner(method, params), (), batch(), NOW
    )[1]
    assert len({float(term) for term in terms.values()}) == 3  # although all observations and weights are the same


@pytest.mark.slow
def test_all_of_rainbow_is_one_student():
    method = rainbow(noisy=True, dueling=True, double=True, atoms=5, network="mlp:size=16", learning_rate=0.1, n_step=1)
    architecture = method.network(Architecture("nature"), None)
    assert architecture.options["options"] == {"size": 16, "dueling": True, "noisy": True} and method.noisy
    net: Any = build(architecture, 2)
    params = jax.jit(net.init)(jax.random.key(0), OBS)
    names = set(params["params"]["inner"])
    assert names == {"Noisy_0", "Noisy_1", "Noisy_2", "Noisy_3"}  # two hidden, one for advantages, one for states
    after, terms = make_update(method, net.apply, net.apply)(init_learner(method, params), (), batch(), NOW)
    assert after.updates == 1 and np.isfinite(terms["td"])
    for name in names:  # the sizes of the noise are learned
        one, other = (whole["params"]["inner"][name]["kernel_noise"] for whole in (params, after.params))
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("size, stride", [(3, 2), (2, 2), (3, 1), (4, 3)])
@pytest.mark.parametrize("padding", ["SAME", "VALID", [(1, 1), (1, 1)], [(0, 2), (1, 0)]])
def test_pooling_is_flaxs_with_the_gradient_at_the_first_of_equal_ones(padding, size, stride):
    """Use few distinct numbers, so that most windows have several maxima."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.integers(-2, 2, (3, 11, 8, 2)), jnp.float32)

    def both(pool):
        shape = jax.eval_shape(pool, x).shape
        slope = np.random.default_rng(1).permuted(np.arange(np.prod(shape))).reshape(shape).astype(np.float32)

        @jax.jit
        def run(x, slope):
            pooled, back = jax.vjp(pool, x)
            return pooled, back(slope)

        return run(x, slope)

    ours = both(lambda x: max_pool(x, size, stride, padding))
    theirs = both(lambda x: nn.max_pool(x, (size, size), (stride, stride), padding))
    for one, other in zip(ours, theirs, strict=True):  # sums of whole numbers are exact
        assert np.array_equal(one, other)
