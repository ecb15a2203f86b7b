"""The shared update: cutting windows, the targets, their synchronisation, one forward pass each."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from reincarnate.agents.learner import init_learner, key_of, make_act, make_update, once, owned, transition_of
from reincarnate.agents.method import Clock, Progress
from reincarnate.agents.methods.dagger import dagger
from reincarnate.agents.methods.dqn import dqn
from reincarnate.datasets.transition import Batch

NOW = Progress(0.0, 0.5, 1_000.0, 0.0, 0.0, key_of(0, 1))
CLOCK = Clock(np.zeros(1, np.int32), np.zeros(1, np.int32))


def table(params, obs):
    """Return a fake network: the values of the state whose number is the last frame."""
    return params[obs[:, -1]]


def silent(params, obs):
    raise AssertionError("nobody may ask the teacher")


def batch(window, span, reward, discount, action=0):
    as_float = lambda x: np.array([x], np.float32)  # noqa: E731
    return Batch(
        np.array([window], np.int32),
        np.array([span], np.int32),
        np.array([action], np.int32),
        as_float(reward),
        as_float(discount),
        as_float(0.0),
    )


def test_unpack_cuts_two_stacks_out_of_a_window():
    windows = np.array([[10, 11, 12, 13, 14], [20, 21, 22, 23, 24]])  # stacks of 2 frames, n = 3
    steps = transition_of(Batch(windows, np.array([3, 1]), *np.zeros((4, 2))), n_step=3)
    np.testing.assert_array_equal(steps.obs, [[10, 11], [20, 21]])
    np.testing.assert_array_equal(steps.next_obs, [[13, 14], [21, 22]])  # three steps on, and one


def test_unpack_keeps_the_frames_dimensions_and_type():
    window = np.arange(2 * 7 * 3 * 3, dtype=np.uint8).reshape(2, 7, 3, 3)
    steps = transition_of(Batch(window, np.array([1, 2]), *np.zeros((4, 2))), n_step=3)
    assert steps.obs.shape == steps.next_obs.shape == (2, 4, 3, 3) and steps.next_obs.dtype == np.uint8
    np.testing.assert_array_equal(steps.next_obs[1], window[1, 2:6])


@pytest.mark.parametrize(
    ("double", "discount", "expected"),
    [
        (False, 0.5, 2.0 + 0.5 * 7.0),  # the target's own best value
        (True, 0.5, 2.0 + 0.5 * 4.0),  # the target's value of what the student would do
        (False, 0.0, 2.0),  # terminal
        (True, 0.0, 2.0),
    ],
)
def test_targets_by_hand(double, discount, expected):
    student = jnp.array([[1.0, 0.0], [9.0, 3.0]])
    target = jnp.array([[0.0, 0.0], [4.0, 7.0]])
    method = dqn(double=double, n_step=1, huber=False, optimizer=optax.sgd(0.0))
    learner = init_learner(method, student)._replace(target=target)
    _, terms = make_update(method, table, silent)(learner, (), batch([0, 1], 1, 2.0, discount), NOW)
    assert terms["td"] == pytest.approx((1.0 - expected) ** 2)


def test_huber_gradient_by_hand():
    """The error is cut to 1: one step of size 0.5 moves the chosen value by 0.5 and nothing else."""
    method = dqn(n_step=1, optimizer=optax.sgd(0.5))
    learner = init_learner(method, jnp.array([[1.0, 0.0], [9.0, 3.0]]))
    after, _ = make_update(method, table, silent)(learner, (), batch([0, 1], 1, 0.0, 1.0), NOW)
    np.testing.assert_allclose(after.params, [[1.5, 0.0], [9.0, 3.0]])


@pytest.mark.parametrize(("reduced", "shape"), [(jnp.mean, r"\[\]"), (lambda x: x[:, None], r"\[3, 1\]")])
def test_a_term_that_is_not_one_number_a_step_is_refused_by_name(reduced, shape):
    three = Batch(*(np.repeat(part, 3, axis=0) for part in batch([1, 0], 1, 1.0, 0.0)[:6]))
    method = dqn(n_step=1)._replace(loss=lambda student, *rest: {"fine": jnp.zeros(3), "odd": reduced(jnp.ones(3))})
    with pytest.raises(ValueError, match=f"loss term 'odd' has shape {shape}: give one number for each step, .3."):
        make_update(method, table, silent)(init_learner(method, jnp.zeros((2, 2))), (), three, NOW)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda batch, progress: batch.state, "asks for 'state', but the fields of a Transition are obs, action,"),
        (lambda batch, progress: progress.step, "asks for 'step', but the fields of a Progress are offline, spent,"),
    ],
)
def test_a_field_that_there_is_not_is_named_with_those_that_there_are(wrong, said):
    method = dqn(n_step=1)._replace(loss=lambda student, target, teacher, *rest: {"odd": wrong(*rest)})
    with pytest.raises(ValueError, match=said):
        make_update(method, table, silent)(init_learner(method, jnp.zeros((2, 2))), (), batch([1, 0], 1, 1.0, 0.0), NOW)


def test_terms_are_means_over_the_batch_and_their_sum_is_learned():
    """Two examples and two terms: the gradient is that of the mean of one plus the mean of the other."""
    loss = lambda student, *_: {"a": student(None), "b": jnp.array([2.0, 4.0]) * student(None)}  # noqa: E731
    method = dqn(n_step=1, optimizer=optax.sgd(1.0))._replace(loss=loss)
    double = Batch(*(np.repeat(part, 2, axis=0) for part in batch([0, 1], 1, 0.0, 0.0)[:6]))
    after, terms = make_update(method, lambda p, obs: p, silent)(
        init_learner(method, jnp.array([1.0, 3.0])), (), double, NOW
    )
    assert {name: float(term) for name, term in terms.items()} == {"a": 2.0, "b": 7.0}
    np.testing.assert_allclose(after.params, [1.0 - 0.5 - 1.0, 3.0 - 0.5 - 2.0])


def test_the_rate_scales_the_step():
    method = dqn(n_step=1, optimizer=optax.sgd(0.5))._replace(learning_rate_factor=lambda progress: 0.1)
    after, _ = make_update(method, table, silent)(
        init_learner(method, jnp.zeros((2, 2))), (), batch([0, 1], 1, 9.0, 0.0), NOW
    )
    np.testing.assert_allclose(after.params, [[0.05, 0.0], [0.0, 0.0]])


def test_the_target_follows_every_period():
    method = dqn(n_step=1, target_period=3, optimizer=optax.sgd(0.5))
    update, learner = make_update(method, table, silent), init_learner(method, jnp.zeros((2, 2)))
    synced = []
    for _ in range(7):
        learner, _ = update(learner, (), batch([0, 1], 1, 9.0, 0.0), NOW)
        synced.append(bool((learner.target == learner.params).all()))
    assert synced == [False, False, True, False, False, True, False]
    assert learner.updates == 7


def test_a_polyak_target_moves_by_its_share_in_every_update():
    """The chosen value goes 0, 0.5, 1 under a Huber gradient of -1; the target follows by a tenth of the distance."""
    method = dqn(n_step=1, target_rate=0.1, target_period=1, optimizer=optax.sgd(0.5))
    update, learner = make_update(method, table, silent), init_learner(method, jnp.zeros((2, 2)))
    found = []
    for _ in range(2):
        learner, _ = update(learner, (), batch([0, 1], 1, 9.0, 0.0), NOW)
        found.append(float(learner.target[0, 0]))
    assert found == pytest.approx([0.05, 0.05 + 0.1 * (1.0 - 0.05)]) and learner.params[0, 0] == 1.0
    assert method.go_online(learner) is learner  # no copy at the turn either


def test_weight_decay_by_hand():
    """Adam's first step is the learning rate; 0.1 of each weight, times the learning rate, goes as well."""
    params = jnp.array([2.0, -1.0])
    optimizer: Any = dqn(learning_rate=0.01, adam_epsilon=0.0, weight_decay=0.1).optimizer
    updates, state = optimizer.update(jnp.array([3.0, 0.5]), optimizer.init(params), params)
    np.testing.assert_allclose(updates, [-0.01 - 0.002, -0.01 + 0.001], rtol=1e-5)
    plain = dqn(learning_rate=0.01).optimizer
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(state)[0]]
    assert names == [
        jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(plain.init(params))[0]
    ]


def test_the_turn_brings_the_target_up_to_date():
    learner = init_learner(dqn(), jnp.zeros(2))._replace(params=jnp.ones(2))
    assert dqn().go_online(learner).target.sum() == 2.0


def test_each_forward_pass_is_paid_for_once():
    calls = []
    values = once(lambda params, obs, method=None: calls.append(method) or params * obs, 3.0)
    obs, other = jnp.ones(2), jnp.ones(2)
    assert values(obs) is values(obs) and calls == [None]
    assert values(other) is not values(obs) and values(obs, method="each") is not values(obs)
    assert calls == [None, None, "each"]


def test_act_is_fresh_at_every_count():
    method = dqn(epsilon=1.0, explore=0)
    act = make_act(method, table, silent)
    obs = np.zeros((64, 1), np.int32)
    draw = [np.asarray(act(jnp.zeros((1, 4)), (), obs, CLOCK, NOW._replace(key=key_of(0, c)))) for c in (1, 1, 2)]
    assert np.array_equal(draw[0], draw[1]) and not np.array_equal(draw[0], draw[2])
    assert jax.numpy.unique(jnp.concatenate(draw)).tolist() == [0, 1, 2, 3]


def test_the_teacher_is_not_run_where_the_batch_has_its_values():
    """KL 1 of the teacher's policy (1/2, 1/2) by hand, then of stored ones; without them the teacher is asked once."""
    method = dagger(weight=1.0, temperature=1.0, n_step=1, optimizer=optax.sgd(0.0))
    asked, student = [], jnp.log(jnp.array([[0.25, 0.75], [0.5, 0.5]]))

    def teach(params, obs):
        asked.append(obs.shape)
        return jnp.zeros((1, 2))

    update, plain = make_update(method, table, teach), batch([0, 1], 1, 0.0, 0.0)
    learner = init_learner(method, student)
    _, terms = update(learner, (), plain, NOW)
    assert terms["distill"] == pytest.approx(0.5 * np.log(2.0) + 0.5 * np.log(2.0 / 3.0), rel=1e-5)
    assert asked == [(1, 1)]
    stored = plain._replace(teacher_values=np.log(np.array([[0.25, 0.75]], np.float32)))
    _, terms = update(learner, (), stored, NOW)
    assert terms["distill"] == pytest.approx(0.0, abs=1e-6)
    assert asked == [(1, 1)]


def test_stored_values_give_the_update_that_the_teacher_gives():
    method = dagger(n_step=1)
    learner, guide, plain = (
        init_learner(method, jnp.zeros((2, 2))),
        jnp.array([[0.3, 0.1], [0.0, 0.2]]),
        batch([0, 1], 1, 0, 0),
    )
    stored = plain._replace(teacher_values=np.array([[0.3, 0.1]], np.float32))
    after = [make_update(method, table, table)(learner, guide, one, NOW)[0].params for one in (plain, stored)]
    np.testing.assert_array_equal(*after)
    assert after[0].any()


def test_a_donating_update_computes_the_same_and_takes_only_what_it_owns():
    """The target starts as the student, whose weights may be the teacher's; neither these nor a copy are
    overwritten."""
    method, start = dqn(n_step=1, target_period=2), init_learner(dqn(n_step=1), jnp.arange(4.0).reshape(2, 2))
    plain, donating = (make_update(method, table, silent, donate=donate) for donate in (False, True))
    kept, learner, other = owned(start), owned(start), start
    for number in range(3):
        learner, terms = donating(learner, (), batch([0, 1], 1, number, 0.5), NOW)
        other, same = plain(other, (), batch([0, 1], 1, number, 0.5), NOW)
        assert jax.tree.all(jax.tree.map(np.array_equal, (learner, terms), (other, same)))
    with pytest.raises((RuntimeError, ValueError), match="delet|donat"):
        for _ in range(2):
            donating(learner, (), batch([0, 1], 1, 1.0, 0.5), NOW)
    assert jax.tree.all(jax.tree.map(np.array_equal, kept, start))
