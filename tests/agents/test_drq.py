"""DrQ: shifts and brightness by hand, and who sees the changed images."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.learner import init_learner, key_of, make_update
from reincarnate.agents.method import Progress
from reincarnate.agents.methods.drq import brightened, drq, scaled, shifted
from reincarnate.agents.methods.qdagger import qdagger
from reincarnate.datasets.transition import Batch, Transition

NOW = Progress(1.0, 0.0, 1_000.0, 0.0, 0.0, key_of(0, 1))


def test_shifts_are_all_there_is_and_the_border_is_repeated():
    """A 3 x 3 image with its number in every pixel: each shift by up to 1 is one of the nine cuts of the padded one."""
    image = np.arange(9, dtype=np.uint8).reshape(1, 1, 3, 3)
    padded = np.pad(image[0, 0], 1, "edge")
    cuts = {padded[r : r + 3, c : c + 3].tobytes() for r in range(3) for c in range(3)}
    many = np.asarray(shifted(jax.random.key(0), jnp.asarray(np.repeat(image, 600, axis=0)), 1))
    found, often = np.unique([cut.tobytes() for cut in many], return_counts=True)
    assert set(found.tolist()) == cuts and many.dtype == np.uint8
    assert often.min() > 40  # of 67 on average: every shift as often


def test_the_frames_of_a_stack_move_together_and_channels_stay():
    frame = np.random.default_rng(0).integers(0, 256, (20, 1, 6, 5, 3), dtype=np.uint8)
    stack = jnp.asarray(np.concatenate([frame, 255 - frame], axis=1))
    moved = np.asarray(shifted(jax.random.key(3), stack, 2))
    np.testing.assert_array_equal(moved[:, 1], 255 - moved[:, 0])
    assert moved.shape == stack.shape and (moved != stack).any()


def test_brightness_by_hand():
    """1 + 0.05 z for a whole stack; bytes become 0 to 1, and floats stay as large as they were."""
    ones = jnp.ones((4_000, 2, 3, 3))
    bright = np.asarray(brightened(jax.random.key(0), ones, 0.05))
    factor = bright[:, 0, 0, 0]
    np.testing.assert_array_equal(bright, np.broadcast_to(factor[:, None, None, None], bright.shape))
    assert factor.min() == pytest.approx(0.9) and factor.max() == pytest.approx(1.1)  # cut at two deviations
    assert np.mean(factor == factor.max()) == pytest.approx(0.0228, abs=0.01)
    assert factor.std() == pytest.approx(0.05 * 0.96, abs=0.003)
    np.testing.assert_allclose(brightened(jax.random.key(0), jnp.full((4_000, 2, 3, 3), 255, jnp.uint8), 0.05), bright)


@pytest.mark.parametrize(("height", "most"), [(84, 4), (42, 2), (10, 0), (21, 1), (168, 8)])
def test_the_shift_is_in_proportion_to_the_image(height, most):
    assert scaled(4, jnp.zeros((1, 1, height, 5))) == most
    assert scaled(0, jnp.zeros((1, 1, height, 5))) == 0


def test_minatars_planes_are_left_alone():
    planes = np.random.default_rng(0).random((6, 1, 10, 10, 4)) < 0.3
    zero = np.zeros(6)
    batch = Transition(planes, zero, zero, zero, ~planes, zero)
    seen = drq().augment(jax.random.key(0), batch)
    np.testing.assert_array_equal(seen.obs, planes)
    np.testing.assert_array_equal(seen.next_obs, ~planes)


def test_the_defaults_are_those_of_the_paper():
    method = drq()
    assert (method.n_step, method.updates_per_step, method.target_period, method.warmup) == (10, 1.0, 1, 1_600)
    own = keywords.known(keywords.find("drq"))
    assert (own["double"], own["dueling"], own["learning_rate"], own["explore"]) == (True, True, 1e-4, 5_000)
    assert qdagger(base=drq).n_step == 10 and qdagger(base=drq).offline_share == 0.6


def test_observations_that_are_no_images_are_refused():
    with pytest.raises(ValueError, match="these observations are not images: take another base"):
        shifted(jax.random.key(0), jnp.zeros((2, 1, 7)), 4)


def test_the_student_sees_changed_images_and_the_teacher_those_that_were():
    """A constant image is shifted to itself: only its brightness tells."""

    def loss(student, target, teacher, steps, progress):
        passes = {"here": student(steps.obs), "there": student(steps.next_obs), "teacher": teacher(steps.obs)}
        return {name: values[:, 0] for name, values in passes.items()}

    def mean(params, obs):
        return params + obs.astype(jnp.float32).mean(axis=(1, 2, 3))[:, None]

    method = qdagger(base=drq, n_step=1, optimizer=optax.sgd(0.0))._replace(loss=loss)
    one, zero, window = np.ones(1, np.int32), np.zeros(1, np.float32), np.full((1, 2, 3, 3), 51, np.uint8)
    batch = Batch(window, one, zero.astype(np.int32), zero, zero + 0.9, zero + 1.0)
    terms = make_update(method, mean, mean)(init_learner(method, jnp.zeros(2)), jnp.zeros(2), batch, NOW)[1]
    assert terms["teacher"] == 51.0
    here, there = float(terms["here"]), float(terms["there"])
    assert 0.18 <= here <= 0.22 and 0.18 <= there <= 0.22 and len({here, there, 0.2}) == 3
