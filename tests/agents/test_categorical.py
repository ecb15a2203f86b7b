"""Distributions of returns: the projection, rainbow's loss, importance weights, and networks named by text."""

import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from reincarnate.agents import losses
from reincarnate.agents.learner import PRIORITY, init_learner, key_of, make_update
from reincarnate.agents.method import Architecture, Progress
from reincarnate.agents.methods.dqn import dqn
from reincarnate.agents.methods.rainbow import rainbow
from reincarnate.agents.networks import build, parse_network
from reincarnate.datasets.transition import Batch, Transition

NOW = Progress(0.0, 0.5, 1_000.0, 0.0, 0.0, key_of(0, 1))
project = jax.jit(losses.project)


def slowly(support, probability, places):
    """Return the projection of Bellemare et al. (2017, algorithm 1), one atom of one example after the other."""
    moved = np.zeros_like(probability)
    step = support[1] - support[0]
    for example, row in enumerate(probability):
        for atom, mass in enumerate(row):
            b = (min(max(places[example, atom], support[0]), support[-1]) - support[0]) / step
            low, high = int(np.floor(b)), int(np.ceil(b))
            if low == high:
                moved[example, low] += mass
            else:
                moved[example, low] += mass * (high - b)
                moved[example, high] += mass * (b - low)
    return moved


@pytest.mark.parametrize(("atoms", "v_max"), [(2, 1.0), (5, 2.0), (51, 10.0)])
def test_the_projection_is_that_of_the_paper(atoms, v_max):
    rng = np.random.default_rng(atoms)
    support = np.linspace(-v_max, v_max, atoms)
    probability = rng.dirichlet(np.ones(atoms), 6)
    discount = np.array([0.0, 0.5, 0.9, 1.0, 1.0, 0.97])[:, None]
    reward = np.array([0.3, -v_max, 1.5 * v_max, 0.0, -3 * v_max, 0.1])[:, None]
    places = reward + discount * support
    moved = project(*map(jnp.asarray, (support, probability, places)))
    np.testing.assert_allclose(moved, slowly(support, probability, places), atol=1e-5)
    np.testing.assert_allclose(moved.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(moved[3], probability[3], atol=1e-5)  # nothing was moved
    np.testing.assert_allclose(moved[4, 0], 1.0 if atoms > 2 else moved[4, 0], rtol=1e-5)


RLAX = json.loads(Path(__file__).with_name("rlax_projection.json").read_text())["cases"]


@pytest.mark.parametrize("case", RLAX, ids=lambda case: f"{len(case['projected'][0])} atoms")
def test_the_projection_is_that_of_rlax(case):
    """On random distributions, rewards and discounts; what rlax found is in a file: it needs much to be installed."""
    support = jnp.linspace(-case["v_max"], case["v_max"], len(case["projected"][0]))
    reward, discount, probability = (jnp.asarray(case[key]) for key in ("reward", "discount", "probability"))
    moved = project(support, probability, reward[:, None] + discount[:, None] * support)
    np.testing.assert_allclose(moved, case["projected"], atol=2e-6)


def test_mass_beyond_the_ends_goes_to_the_ends():
    support, probability = jnp.array([-1.0, 0.0, 1.0]), jnp.array([[0.2, 0.5, 0.3]])
    for reward, wanted in ((7.0, [0.0, 0.0, 1.0]), (-7.0, [1.0, 0.0, 0.0]), (1.0, [0.0, 0.2, 0.8])):
        np.testing.assert_allclose(project(support, probability, reward + support[None]), [wanted], atol=1e-6)


def test_categorical_td_of_two_examples_by_hand():
    """Only the chosen action's distribution counts, and the target's own entropy is not taken away."""
    first, second = [[0.5, 0.5], [0.25, 0.75]], [[0.1, 0.9], [0.6, 0.4]]
    loss = jax.jit(losses.categorical_td)(
        jnp.log(jnp.array([first, second])), jnp.array([0, 1]), jnp.array([[0.3, 0.7], [1.0, 0.0]])
    )
    np.testing.assert_allclose(loss, [-np.log(0.5), -np.log(0.6)], rtol=1e-5)
    target = jnp.array([[0.3, 0.7]])
    pulled = jax.jit(jax.grad(lambda goal: losses.categorical_td(jnp.zeros((1, 1, 2)), jnp.array([0]), goal).sum()))(
        target
    )
    assert not pulled.any()


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("impala", "impala", {}),
        ("impala:width=2,dense=256", "impala", {"width": 2, "dense": 256}),
        ("mlp:layer_norm=true,width=0.5,", "mlp", {"layer_norm": True, "width": 0.5}),
    ],
)
def test_networks_are_named_by_text(text, name, options):
    assert parse_network(text) == Architecture(name, options)
    build(parse_network(text), 3)


@pytest.mark.parametrize("text", ["impala:width", "impala:width=", "impala:width=two", "impala:dense=256;width=2"])
def test_options_that_cannot_be_read_are_refused(text):
    with pytest.raises(ValueError, match="is not an option of a network: write NAME:width=2") as error:
        parse_network(text)
    assert str(error.value).count(".") == 0


def test_names_and_options_that_no_network_has_are_refused():
    with pytest.raises(ValueError, match="there is no network 'impla'"):
        build(parse_network("impla:width=2"), 3)
    with pytest.raises(ValueError, match="'impala' does not take all of these options: size"):
        build(parse_network("impala:size=2"), 3)


# -- rainbow: two actions, three atoms at -1, 0 and 1


def distribution(params, obs, method=None):
    """Return a fake network: the logits [B, 2, 3] of the state whose number is the last frame; or its atoms' places."""
    if method == "support":
        return jnp.linspace(-1.0, 1.0, 3)
    assert method == "logits"
    return params[obs[:, -1]]


HERE = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]
NEXT = [[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]  # means -0.25 and 0.25: the second is the best
STUDENT, TARGET = (jnp.log(jnp.array(states)) for states in ([HERE, NEXT[::-1]], [[[1 / 3] * 3] * 2, NEXT]))


@pytest.mark.parametrize(
    ("double", "reward", "discount", "goal"),
    [
        # the best next action's atoms -1, 0, 1 with 1/4, 1/4, 1/2 move to 0, 1/2, 1
        (False, 0.5, 0.5, [0.0, 0.25 + 0.125, 0.125 + 0.5]),
        # the student would choose the first, with 1/2, 1/4, 1/4
        (True, 0.5, 0.5, [0.0, 0.5 + 0.125, 0.125 + 0.25]),
        # terminal: all mass at the reward, 0.75 between the atoms 0 and 1
        (False, 0.75, 0.0, [0.0, 0.25, 0.75]),
        (True, -4.0, 0.0, [1.0, 0.0, 0.0]),
    ],
)
def test_rainbow_by_hand(double, reward, discount, goal):
    method = rainbow(atoms=3, v_max=1.0, double=double)
    one = lambda x: jnp.array([x], jnp.float32)  # noqa: E731
    state = lambda number: jnp.array([[number]])  # noqa: E731
    step = Transition(state(0), jnp.array([0]), one(reward), one(discount), state(1), one(0.0))
    student, target = (lambda obs, p=p, **how: distribution(p, obs, **how) for p in (STUDENT, TARGET))
    silent = lambda obs, **options: pytest.fail("nobody may ask the teacher")  # noqa: E731
    terms = jax.jit(lambda step: method.loss(student, target, silent, step, NOW))(step)
    assert set(terms) == {"td"}
    np.testing.assert_allclose(terms["td"], [-np.dot(goal, np.log(HERE[0]))], rtol=1e-5)


def test_rainbow_s_network_has_atoms_for_every_action():
    method = rainbow(atoms=3, v_max=2.0, network="mlp:depth=0")
    architecture = method.network(Architecture("nature"), None)
    assert architecture == Architecture("categorical", {"of": "mlp", "options": {"depth": 0}, "atoms": 3, "v_max": 2.0})
    net = build(architecture, 2)
    params = jax.eval_shape(net.init, jax.random.key(0), jnp.ones((1, 1, 4)))
    logits = jax.eval_shape(partial(net.apply, method="logits"), params, jnp.ones((5, 1, 4)))
    assert jnp.shape(logits) == (5, 2, 3)  # pyright: ignore[reportArgumentType]
    assert method.prioritized and not rainbow(prioritized=False).prioritized


# -- importance weights


def values(params, obs):
    """Return a fake network: the values of the state whose number is the last frame."""
    return params[obs[:, -1]]


def weighted(weight) -> Batch:
    """Return two terminal transitions, from states 0 and 1, with rewards 2 and 5."""
    window = np.array([[0, 0], [1, 1]])
    zero, one = np.zeros(2, np.float32), np.ones(2, np.int32)
    return Batch(
        window,
        one,
        np.zeros(2, np.int32),
        np.array([2, 5], np.float32),
        zero,
        zero,
        np.array(weight, np.float32),
        np.arange(2),
    )


def test_weights_multiply_every_term_and_the_gradient():
    """Errors 1 and 3: squares 1 and 9, and a second term of 4 and 8 times the value."""

    def extra(student, target, teacher, batch, progress):
        terms = plain.loss(student, target, teacher, batch, progress)
        return {**terms, "own": jnp.array([4.0, 8.0]) * losses.chosen(student(batch.obs), batch.action)}

    plain = dqn(n_step=1, huber=False, optimizer=optax.sgd(1.0), prioritized=True)
    method = plain._replace(loss=extra)
    learner = init_learner(method, jnp.array([[1.0, 0.0], [2.0, 0.0]]))
    after, terms = make_update(method, values, values)(learner, learner.params, weighted([1.0, 0.25]), NOW)
    assert float(terms["td"]) == pytest.approx((1.0 + 0.25 * 9.0) / 2)
    assert float(terms["own"]) == pytest.approx((4.0 + 0.25 * 16.0) / 2)
    np.testing.assert_allclose(terms[PRIORITY], np.sqrt([1.0 + 1e-10, 9.0 + 1e-10]))  # no weights in these
    np.testing.assert_allclose(after.params, [[1.0 + 1.0 - 2.0, 0.0], [2.0 + 0.25 * 3.0 - 0.25 * 4.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("prioritized", [True, False])
def test_there_are_priorities_only_for_a_prioritized_replay(prioritized):
    method = dqn(n_step=1, optimizer=optax.sgd(0.0), prioritized=prioritized)
    learner = init_learner(method, jnp.array([[2.0, 0.0], [2.0, 0.0]]))
    _, terms = make_update(method, values, values)(learner, learner.params, weighted([1.0, 1.0]), NOW)
    assert set(terms) == ({"td", PRIORITY} if prioritized else {"td"})
    if prioritized:  # an error of 0 leaves a little, and Huber's loss of 3 is 2.5
        np.testing.assert_allclose(terms[PRIORITY], [1e-5, np.sqrt(2.5)], rtol=1e-5)


def test_without_a_term_td_all_priorities_are_the_same():
    method = dqn(n_step=1, optimizer=optax.sgd(0.0), prioritized=True)
    method = method._replace(loss=lambda student, *_: {"own": student(jnp.array([[0], [1]]))[:, 0]})
    learner = init_learner(method, jnp.array([[2.0, 0.0], [7.0, 0.0]]))
    _, terms = make_update(method, values, values)(learner, learner.params, weighted([1.0, 1.0]), NOW)
    np.testing.assert_allclose(terms[PRIORITY], [1.0, 1.0])
