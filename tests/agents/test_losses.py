"""Each loss, against its formula worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import losses

Q = jnp.array([[1.0, 2.0, 0.0]])
A = jnp.array([0])
LSE = np.log(np.e + np.e**2 + 1.0)  # of Q at temperature 1
LSE_TENTH = 20.0 + np.log1p(np.exp(-10.0) + np.exp(-20.0))  # of Q at temperature 0.1


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (lambda: losses.chosen(Q, A), 1.0),
        (lambda: losses.td(Q, A, jnp.array([1.5])), 0.125),  # half the square of an error below 1
        (lambda: losses.td(Q, A, jnp.array([4.0])), 2.5),  # the error of 3, less a half
        (lambda: losses.squared_td(Q, A, jnp.array([4.0])), 9.0),
        (lambda: losses.match(Q, jnp.array([[1.0, 0.0, 1.0]])), 5 / 3),  # (0 + 4 + 1) / 3
        (lambda: losses.match(Q, Q), 0.0),
        (lambda: losses.margin(Q, A, 0.8), 2.8 - 1.0),  # the most tempting of 1, 2.8 and 0.8
        (lambda: losses.margin(Q, jnp.array([1]), 0.8), 0.0),  # 2 is more than 0.8 above the others
        (lambda: losses.mean_margin(Q, A, 1.0), (0.0 + 2.0 + 0.0) / 3),  # excesses of 1, 3 and 1 over 1
        (lambda: losses.mean_margin(Q, A, 3.0), (0.0 + 4.0 + 2.0) / 3),
        (lambda: losses.conservative(Q, A), LSE - 1.0),
        (lambda: losses.conservative(Q, A, 0.1), LSE_TENTH - 10.0),  # not multiplied by 0.1 again
        (lambda: losses.imitate(Q, A), LSE - 1.0),
        (lambda: losses.imitate(Q, A, 0.1), LSE_TENTH - 10.0),
        (lambda: losses.distill(Q, Q, 0.1), 0.0),
    ],
)
def test_by_hand(loss, expected):
    np.testing.assert_allclose(jax.jit(loss)(), [expected], rtol=1e-5, atol=1e-6)


def test_distill_divides_both_sides_by_the_temperature():
    """Teacher (3/4, 1/4), student (1/2, 1/2): KL = 3/4 log 3/2 + 1/4 log 1/2, with no factor of temperature squared."""
    guide = 0.1 * jnp.log(jnp.array([[3.0, 1.0]]))
    expected = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    np.testing.assert_allclose(losses.distill(jnp.array([[5.0, 5.0]]), guide, 0.1), [expected], rtol=1e-5)
    student = 0.1 * jnp.log(jnp.array([[3.0, 1.0]]))
    other = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)  # the other way round
    np.testing.assert_allclose(losses.distill(student, jnp.zeros((1, 2)), 0.1), [other], rtol=1e-5)


def test_distill_has_the_gradient_of_cross_entropy():
    """(student's policy - teacher's policy) / temperature."""
    q, guide = jnp.array([[0.3, 0.1]]), jnp.array([[0.0, 0.2]])
    gradient = jax.grad(lambda q: losses.distill(q, guide, 0.5).sum())(q)
    expected = (jax.nn.softmax(q / 0.5) - jax.nn.softmax(guide / 0.5)) / 0.5
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_projection_by_hand():
    """Atoms -1, 0, 1: mass at 0.25 is shared 3 : 1, mass at 5 is cut to 1, mass at -1 stays."""
    support = jnp.array([-1.0, 0.0, 1.0])
    moved = losses.project(support, jnp.array([[0.4, 0.1, 0.5]]), jnp.array([[0.25, 5.0, -1.0]]))
    np.testing.assert_allclose(moved, [[0.5, 0.3, 0.2]], rtol=1e-5)


def test_categorical_td_by_hand():
    logits = jnp.log(jnp.array([[[0.5, 0.5], [0.25, 0.75]]]))
    loss = losses.categorical_td(logits, jnp.array([1]), jnp.array([[1.0, 0.0]]))
    np.testing.assert_allclose(loss, [-np.log(0.25)], rtol=1e-5)


@pytest.mark.parametrize("loss", [losses.td, losses.squared_td])
def test_the_target_gets_no_gradient(loss):
    assert jax.grad(lambda goal: loss(Q, A, goal).sum())(jnp.array([1.5])) == 0.0


def test_one_loss_per_example():
    q, guide = jnp.arange(8.0).reshape(4, 2), jnp.ones((4, 2))
    action = jnp.array([0, 1, 0, 1])
    by_action = (losses.margin, losses.mean_margin, losses.imitate, losses.conservative)
    assert all(jax.eval_shape(loss, q, action).shape == (4,) for loss in by_action)
    assert all(jax.eval_shape(loss, q, guide).shape == (4,) for loss in (losses.distill, losses.match))
    np.testing.assert_allclose(losses.margin(q, action, 0.8), [1.8, 0.0, 1.8, 0.0], rtol=1e-5)
