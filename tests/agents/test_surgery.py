"""Surgery: the widened student is the same function as its teacher, and can learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents.learner import fresh
from reincarnate.agents.method import Architecture
from reincarnate.agents.methods.surgery import surgery, widen, wider
from reincarnate.agents.networks import build

RNG = np.random.default_rng(0)
ATARI = RNG.integers(0, 256, (2, 4, 84, 84), dtype=np.uint8)
MINATAR = RNG.random((2, 1, 10, 10, 4)) < 0.3


def weights(net, obs, scale, seed):
    """Large random weights and biases, so that most units matter."""
    shapes, rng = jax.eval_shape(net.init, jax.random.key(0), obs[:1]), np.random.default_rng(seed)

    def fill(leaf):
        inputs = leaf.size / leaf.shape[-1]
        return jnp.asarray(rng.normal(0.0, scale / np.sqrt(inputs), leaf.shape), jnp.float32)

    return jax.tree.map(fill, shapes)


@pytest.mark.parametrize(
    ("name", "options", "obs"),
    [
        ("nature", {}, ATARI),
        ("nature_same", {}, ATARI),
        ("dqn2013", {}, ATARI),
        ("impala", {}, ATARI),
        ("minatar", {}, MINATAR),
        ("minatar", {"width": 1.5}, MINATAR),
        ("mlp", {"depth": 3}, MINATAR),
        ("categorical", {"of": "minatar", "options": {"width": 0.5}, "atoms": 7}, MINATAR),
    ],
)
def test_the_student_starts_as_its_teacher(name, options, obs):
    narrow = {} if name == "categorical" else {"width": 0.25}
    teacher = Architecture(name, {**narrow, **options})
    method, student = surgery(width=1.4), wider(teacher, 1.4)
    old, new = build(teacher, 5), build(student, 5)
    theirs, params = weights(old, obs, 1.4, 1), weights(new, obs, 1.4, 2)
    grown = method.init(fresh(method, params), theirs)
    assert jax.tree.map(jnp.shape, grown.params) == jax.tree.map(jnp.shape, params) != jax.tree.map(jnp.shape, theirs)
    before, after = np.asarray(jax.jit(old.apply)(theirs, obs)), np.asarray(jax.jit(new.apply)(grown.params, obs))
    assert np.std(before) > 1e-2  # something to get wrong
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5 * np.abs(before).max())
    assert grown.target is grown.params
    assert all(not leaf.any() for leaf in jax.tree.leaves(grown.opt_state))  # moments of all units start at zero


def test_a_dense_kernel_by_hand():
    old = np.array([[1.0, 2.0], [3.0, 4.0]])
    grown = widen(np.full((3, 3), 9.0), old, units=2)
    np.testing.assert_array_equal(grown, [[1.0, 2.0, 9.0], [3.0, 4.0, 9.0], [0.0, 0.0, 9.0]])


def test_a_kernel_on_a_flattened_image_by_hand():
    """Two cells of one channel become two cells of two: rows of old and new channels alternate."""
    grown = widen(np.full((4, 1), 9.0), np.array([[1.0], [2.0]]), units=1)
    np.testing.assert_array_equal(grown, [[1.0], [0.0], [2.0], [0.0]])


def test_a_convolution_by_hand():
    """[1, 2, in, out]: 1 -> 2 channels in, 1 -> 2 out."""
    grown = widen(np.full((1, 2, 2, 2), 9.0), np.array([1.0, 2.0]).reshape(1, 2, 1, 1), units=1)
    np.testing.assert_array_equal(grown[0, 0], [[1.0, 9.0], [0.0, 9.0]])
    np.testing.assert_array_equal(grown[0, 1], [[2.0, 9.0], [0.0, 9.0]])


def test_new_units_learn_from_the_first_update():
    """Their outgoing weights are zero but get a gradient, since what comes in is not."""
    method, teacher = surgery(width=2.0), Architecture("mlp", {"size": 16, "depth": 1})
    net, old = build(method.network(teacher, teacher), 2), build(teacher, 2)
    grown = method.init(fresh(method, weights(net, MINATAR, 1.0, 1)), weights(old, MINATAR, 1.0, 2)).params
    assert not grown["params"]["Dense_1"]["kernel"][16:].any()
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(jnp.asarray(net.apply(p, MINATAR)) ** 2)))(grown)
    assert gradient["params"]["Dense_1"]["kernel"][16:].any()


@pytest.mark.parametrize(
    ("teacher", "words"),
    [
        (None, "give a teacher"),
        (Architecture("minatar", {"layer_norm": True}), "cannot widen this minatar"),
        (Architecture("ensemble", {"of": "mlp", "options": {}}), "cannot widen this ensemble"),
    ],
)
def test_what_it_cannot_grow_is_refused(teacher, words):
    with pytest.raises(ValueError, match=words):
        surgery().network(Architecture("minatar"), teacher)
