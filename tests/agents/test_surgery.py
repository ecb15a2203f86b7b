"""Surgery: the widened student is the same function as its teacher, and can learn."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from reincarnate.agents import growth, moments
from reincarnate.agents.learner import init_learner
from reincarnate.agents.method import Architecture, Teacher
from reincarnate.agents.methods.rainbow import rainbow
from reincarnate.agents.methods.surgery import surgery
from reincarnate.agents.networks import build

RNG = np.random.default_rng(0)
ATARI = RNG.integers(0, 256, (2, 4, 84, 84), dtype=np.uint8)
MINATAR = RNG.random((2, 1, 10, 10, 4)) < 0.3


def weights(net, obs, scale, seed):
    """Return large random weights and biases, so that most units matter."""
    shapes, rng = jax.eval_shape(net.init, jax.random.key(0), obs[:1]), np.random.default_rng(seed)

    def fill(leaf):
        inputs = leaf.size / leaf.shape[-1]
        return jnp.asarray(rng.normal(0.0, scale / np.sqrt(inputs), leaf.shape), jnp.float32)

    return jax.tree.map(fill, shapes)


@pytest.mark.parametrize("how", [{}, {"copies": True}, {"deeper": 1, "copies": True}, {"width": 1.0, "deeper": 2}])
@pytest.mark.parametrize(
    ("name", "options", "obs"),
    [
        pytest.param("nature", {}, ATARI, marks=pytest.mark.slow),
        pytest.param("nature_same", {"dueling": True}, ATARI, marks=pytest.mark.slow),
        pytest.param("impala", {}, ATARI, marks=pytest.mark.slow),
        ("minatar", {"width": 1.5}, MINATAR),
        ("mlp", {"depth": 3, "dueling": True}, MINATAR),
        (
            "categorical",
            {"of": "minatar", "options": {"width": 0.5, "dueling": True}, "atoms": 7, "v_max": 10.0},
            MINATAR,
        ),
    ],
)
def test_the_student_starts_as_its_teacher(name, options, obs, how):
    narrow = {} if name == "categorical" else {"width": 0.25}
    architecture = Architecture(name, {**narrow, **options})
    method = (
        surgery(base=rainbow, atoms=7, **{"width": 1.4, **how})
        if name == "categorical"
        else surgery(**{"width": 1.4, **how})
    )
    student = method.network(architecture, architecture)
    old, new = build(architecture, 5), build(student, 5)
    theirs, params = weights(old, obs, 1.4, 1), weights(new, obs, 1.4, 2)
    grown = method.init(init_learner(method, params), Teacher(architecture, old.apply, theirs))
    assert jax.tree.map(jnp.shape, grown.params) == jax.tree.map(jnp.shape, params) != jax.tree.map(jnp.shape, theirs)
    before, after = np.asarray(jax.jit(old.apply)(theirs, obs)), np.asarray(jax.jit(new.apply)(grown.params, obs))
    assert np.std(before) > 1e-2  # something to get wrong
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5 * np.abs(before).max())
    assert grown.target is grown.params
    assert all(not leaf.any() for leaf in jax.tree.leaves(grown.opt_state))  # moments of all units start at zero


THREE = Architecture("mlp", {"size": 2, "depth": 1})


def grow(width, kernels, biases, copies=False, deeper=0):
    """Return a network of two inputs, two hidden units and one action, grown with fresh weights of nine."""
    layers = zip(kernels, biases, strict=True)
    params = {f"Dense_{i}": {"kernel": np.array(k), "bias": np.array(b)} for i, (k, b) in enumerate(layers)}
    new = growth.grow(THREE, width, deeper)
    shapes = jax.eval_shape(build(new, 1).init, jax.random.key(0), np.zeros((1, 1, 2)))
    nines = jax.tree.map(lambda leaf: np.full(leaf.shape, 9.0), shapes)
    rng = np.random.default_rng(0) if copies else None
    return growth.embed(THREE, new, {"params": params}, nines, rng)["params"]


KERNELS, BIASES = ([[1.0, 2.0], [3.0, 4.0]], [[5.0], [6.0]]), ([0.5, 0.25], [7.0])


def test_new_units_have_fresh_weights_in_and_zeros_out():
    found = grow(1.5, KERNELS, BIASES)
    np.testing.assert_array_equal(found["Dense_0"]["kernel"], [[1.0, 2.0, 9.0], [3.0, 4.0, 9.0]])
    np.testing.assert_array_equal(found["Dense_0"]["bias"], [0.5, 0.25, 9.0])
    np.testing.assert_array_equal(found["Dense_1"]["kernel"], [[5.0], [6.0], [0.0]])
    np.testing.assert_array_equal(found["Dense_1"]["bias"], [7.0])


def test_copies_share_what_their_unit_fed():
    found = grow(2.0, KERNELS, BIASES, copies=True)
    columns, fed = np.array(found["Dense_0"]["kernel"]), np.array(found["Dense_1"]["kernel"])[:, 0]
    origin = columns[0].astype(int) - 1  # the first row of the old kernel is 1, 2
    np.testing.assert_array_equal(columns, np.array(KERNELS[0])[:, origin])
    np.testing.assert_array_equal(found["Dense_0"]["bias"], np.array(BIASES[0])[origin])
    assert origin[:2].tolist() == [0, 1] and len(origin) == 4
    np.testing.assert_allclose([fed[origin == unit].sum() for unit in (0, 1)], [5.0, 6.0], rtol=1e-6)
    assert len(set(fed.tolist())) == 4 and (fed > 0.0).all()  # unequal shares, so that copies learn to differ


def test_a_deeper_network_has_an_identity_before_its_last_layer():
    found = grow(1.0, KERNELS, BIASES, deeper=1)
    np.testing.assert_array_equal(found["Dense_1"]["kernel"], np.eye(2))
    assert not np.array(found["Dense_1"]["bias"]).any()
    np.testing.assert_array_equal(found["Dense_0"]["kernel"], KERNELS[0])
    np.testing.assert_array_equal(found["Dense_2"]["kernel"], KERNELS[1])


def test_a_kernel_on_a_flattened_image_by_hand():
    """Two cells of one channel become two cells of two: rows of old and new channels alternate."""
    one, two = growth._units(1, 1, None), growth._units(1, 2, None)
    grown = growth._kernel(np.full((4, 1), 9.0), np.array([[1.0], [2.0]]), two, one)
    np.testing.assert_array_equal(grown, [[1.0], [0.0], [2.0], [0.0]])


def test_a_convolution_by_hand():
    """[1, 2, in, out]: 1 -> 2 channels in, 1 -> 2 out."""
    two = growth._units(1, 2, None)
    grown = growth._kernel(np.full((1, 2, 2, 2), 9.0), np.array([1.0, 2.0]).reshape(1, 2, 1, 1), two, two)
    np.testing.assert_array_equal(grown[0, 0], [[1.0, 9.0], [0.0, 9.0]])
    np.testing.assert_array_equal(grown[0, 1], [[2.0, 9.0], [0.0, 9.0]])


@pytest.mark.parametrize("how", [{"width": 2.0}, {"width": 2.0, "copies": True, "deeper": 1}])
def test_the_optimizers_moments_are_padded_with_zeros(how):
    architecture = Architecture("mlp", {"size": 2, "depth": 1})
    method, old = surgery(**how), build(architecture, 1)
    theirs = weights(old, MINATAR, 1.0, 1)
    gradients = jax.tree.map(lambda leaf: leaf + 1.0, theirs)
    state = method.optimizer.update(gradients, method.optimizer.init(theirs), theirs)[1]
    teacher = Teacher(architecture, old.apply, theirs, moments.named(state))
    new = build(method.network(architecture, architecture), 1)
    grown = method.init(init_learner(method, weights(new, MINATAR, 1.0, 2)), teacher)
    shape = jax.tree.map(jnp.shape, method.optimizer.init(grown.params))
    assert jax.tree.map(jnp.shape, grown.opt_state) == shape
    assert optax.tree.get(grown.opt_state, "count") == 1
    mu, before = optax.tree.get(grown.opt_state, "mu")["params"], optax.tree.get(state, "mu")["params"]
    np.testing.assert_array_equal(mu["Dense_0"]["kernel"][:, :2], before["Dense_0"]["kernel"])
    assert not mu["Dense_0"]["kernel"][:, 2:].any() and not mu["Dense_0"]["bias"][2:].any()
    last = mu["Dense_2" if "deeper" in how else "Dense_1"]["kernel"]
    np.testing.assert_array_equal(last[:2], before["Dense_1"]["kernel"])
    assert not last[2:].any() and ("deeper" not in how or not mu["Dense_1"]["kernel"].any())
    anew = surgery(**how, moments=False)
    assert optax.tree.get(anew.init(init_learner(anew, grown.params), teacher).opt_state, "count") == 0


def test_new_units_learn_from_the_first_update():
    """Their outgoing weights are zero but get a gradient, since what comes in is not."""
    method, teacher = surgery(width=2.0), Architecture("mlp", {"size": 16, "depth": 1})
    net, old = build(method.network(teacher, teacher), 2), build(teacher, 2)
    guide = Teacher(teacher, old.apply, weights(old, MINATAR, 1.0, 2))
    grown = method.init(init_learner(method, weights(net, MINATAR, 1.0, 1)), guide).params
    assert not grown["params"]["Dense_1"]["kernel"][16:].any()
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(jnp.asarray(net.apply(p, MINATAR)) ** 2)))(grown)
    assert gradient["params"]["Dense_1"]["kernel"][16:].any()


@pytest.mark.parametrize(
    ("teacher", "words"),
    [
        (None, "give a teacher"),
        (Architecture("minatar", {"layer_norm": True}), "cannot grow this minatar"),
        (Architecture("mlp", {"noisy": True}), "cannot grow this mlp"),
        (Architecture("ensemble", {"of": "mlp", "options": {}}), "cannot grow this ensemble"),
    ],
)
def test_what_it_cannot_grow_is_refused(teacher, words):
    with pytest.raises(ValueError, match=words):
        surgery().network(Architecture("minatar"), teacher)
