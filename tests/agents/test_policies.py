"""Losses and densities of continuous actions, by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import policies
from reincarnate.agents.method import Progress
from reincarnate.agents.methods.sac import sac
from reincarnate.agents.methods.td3 import td3
from reincarnate.datasets.transition import Box, Transition, blank, outputs, stated

NOBODY: Any = None  # asks no teacher
NOW: Any = Progress(0.0, 0.5, 1_000.0, 0.0, 0.0, jax.random.key(0))
ONE, TWO = np.zeros((2, 1, 1), np.float32), np.ones((2, 1, 1), np.float32)


def test_a_box_turns_units_there_and_back():
    box = Box((-2.0, 0.0), (2.0, 1.0))
    real = box.real(np.array([[0.5, -1.0], [1.5, 0.0]], np.float32))
    assert real.tolist() == [[1.0, 0.0], [2.0, 0.5]]  # cut to its bounds
    assert box.unit(real).tolist() == [[0.5, -1.0], [1.0, 0.0]]
    assert jnp.allclose(box.unit(jnp.asarray(real)), box.unit(real))
    assert outputs(box) == 2 and outputs(3) == 3 and stated(3) == 3
    assert blank(Box((-2.0, 0.5), (-1.0, 1.0))).tolist() == [-1.0, 0.5]
    assert blank(box).shape == (2,) and blank(3).dtype == np.int32 and stated(box) == {"low": [-2, 0], "high": [2, 1]}


def test_the_density_of_squashed_draws_is_a_density():
    """Integrated over all actions it is 1, and at 0 it is that of the normal distribution."""
    grid = jnp.linspace(-1.0, 1.0, 200_001)[1:-1, None]
    policy = jnp.full_like(grid, 0.3), jnp.full_like(grid, jnp.log(0.7))
    density = jnp.exp(policies.log_probability(policy, grid))
    assert float(density.sum() * 2.0 / 200_000) == pytest.approx(1.0, abs=1e-3)
    middle = policies.log_probability((jnp.zeros((1, 1)), jnp.zeros((1, 1))), jnp.zeros((1, 1)))
    assert float(middle[0]) == pytest.approx(-0.5 * np.log(2 * np.pi), abs=1e-6)


def test_a_draw_has_the_density_that_is_told_of_it():
    policy = jnp.array([[0.3, -0.2]]), jnp.log(jnp.array([[0.5, 1.2]]))
    action, density = policies.drawn(jax.random.key(3), policy)
    assert density[0] == pytest.approx(float(policies.log_probability(policy, action)[0]), abs=1e-4)
    assert (jnp.abs(action) < 1.0).all() and action.shape == (1, 2)
    far = policies.stretched(jnp.array([[20.0]]))  # exact where 1 - tanh(20)^2 is 0 in float32
    assert float(far[0]) == pytest.approx(2 * np.log(2.0) - 40.0, abs=1e-4)


def test_noise_is_cut_and_actions_stay_within_their_bounds():
    action = jnp.full((1000, 1), 0.9)
    noised = policies.noised(jax.random.key(0), action, 5.0, 0.5)
    assert float(noised.max()) == 1.0 and float(noised.min()) == pytest.approx(0.4)
    assert jnp.array_equal(policies.noised(jax.random.key(0), action, 0.0), action)


def test_small_losses_by_hand():
    each = jnp.array([[1.0, 2.0], [3.0, 0.0]])
    assert policies.squared(each, jnp.array([2.0, 0.0])).tolist() == [1.0, 2.0]
    assert policies.few(jax.random.key(0), 2, 2) is None  # all of them
    drawn = [sorted(np.asarray(policies.few(jax.random.key(n), 3, 2)).tolist()) for n in range(20)]
    assert {tuple(pair) for pair in drawn} == {(0, 1), (0, 2), (1, 2)}
    assert policies.apart(jnp.array([[0.5, 0.0]]), jnp.array([[0.0, 1.0]])).tolist() == [1.25]
    heat = lambda log: policies.cooler(log, jnp.array([1.0, -3.0]), -2.0)  # noqa: E731
    assert heat(0.5).tolist() == [0.5, 2.5]
    # An entropy of 3 is above the wanted -2 (which is minus the sum): the temperature falls, and rises for one below.
    assert jax.grad(lambda log: heat(log)[1])(0.5) == 5.0 and jax.grad(lambda log: heat(log)[0])(0.5) == 1.0


def table(critics, deviation=0.0):
    """Return a student whose actions are its observations over 10, and whose critics weigh observation and action."""

    def values(obs: Any, /, action: Any = None, method: str = "__call__", **options: Any) -> Any:
        state = jnp.asarray(obs).reshape(len(obs), -1)
        if method in ("judge", "advise"):
            each = jnp.stack([a * state[:, 0] + b * action[:, 0] for a, b in critics])
            return each if options.get("members") is None else each[options["members"]]
        if method == "policy":
            return state, jnp.full_like(state, deviation)
        return jnp.log(0.5) if method == "log_temperature" else state / 10.0

    return values


def batch(action, reward=1.0, discount=0.5):
    return Transition(ONE, np.full((2, 1), action, np.float32), reward, discount, TWO, np.zeros(2))


def test_what_td3_learns_from_by_hand():
    """Without noise: the target's action at the next observation, 1, is 0.1; the least critic says 2 - 0.1."""
    method = td3(smoothing=0.0)
    terms = method.loss(table([(3, 0), (0, 4)]), table([(2, -1), (2, 5)]), NOBODY, batch(0.25), NOW)
    goal = 1.0 + 0.5 * (2.0 - 0.1)
    assert jnp.allclose(terms["td"], ((goal - 0.0) ** 2 + (goal - 1.0) ** 2) / 2)
    assert jnp.allclose(terms["actor"], 0.0)  # the first critic's of action 0 at observation 0
    assert method.delay == 2 and method.target_waits


def test_what_sac_learns_from_by_hand():
    """With a deviation next to none the action is known, and so is its density."""
    deviation = -15.0
    student, target = table([(3, 0), (0, 4)], deviation), table([(2, -1), (2, 5)], deviation)
    terms = sac().loss(student, target, NOBODY, batch(0.25), NOW)
    keys = jax.random.split(NOW.key, 3)
    action, density = policies.drawn(keys[0], (jnp.ones((2, 1)), jnp.full((2, 1), deviation)))
    assert jnp.allclose(action, np.tanh(1.0), atol=1e-5)
    goal = 1.0 + 0.5 * (2.0 - np.tanh(1.0) - 0.5 * density)
    assert jnp.allclose(terms["td"], (goal**2 + (goal - 1.0) ** 2) / 2, rtol=1e-5)
    _, own = policies.drawn(keys[2], (jnp.zeros((2, 1)), jnp.full((2, 1), deviation)))
    assert jnp.allclose(terms["actor"], 0.5 * own, atol=1e-4)  # the least of the critics, 0 and 4 * 0
    assert jnp.allclose(terms["temperature"], -jnp.log(0.5) * (own - 1.0))
    constant = sac(temperature=0.5, soft_goal=False).loss(student, target, NOBODY, batch(0.25), NOW)
    goal = 1.0 + 0.5 * (2.0 - np.tanh(1.0))
    assert "temperature" not in constant and jnp.allclose(constant["td"], (goal**2 + (goal - 1.0) ** 2) / 2, rtol=1e-5)


def test_with_more_critics_than_are_asked_the_actor_follows_their_mean():
    """As in REDQ, the goal takes the minimum of the drawn critics."""
    student = table([(0, 0), (0, 2), (0, 10)], -15.0)

    def away(obs: Any, /, method: str = "__call__", **options: Any) -> Any:
        policy = jnp.ones((2, 1)), jnp.full((2, 1), -15.0)
        return policy if method == "policy" else student(obs, method=method, **options)

    terms = sac(members=3, subset=2).loss(away, student, NOBODY, batch(0.0), NOW)
    _, own = policies.drawn(jax.random.split(NOW.key, 3)[2], (jnp.ones((2, 1)), jnp.full((2, 1), -15.0)))
    assert jnp.allclose(terms["actor"], 0.5 * own - 4.0 * np.tanh(1.0), atol=1e-4)


@pytest.mark.parametrize("make", [sac, td3])
def test_a_subset_that_is_not_there_is_refused(make):
    with pytest.raises(ValueError, match="3 of 2 critics"):
        make(subset=3)
